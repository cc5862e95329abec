/* SPDX-License-Identifier: MIT */
/* Intel's virtualisation. SDM vol. 3C, and its appendices on capabilities and field encodings. */
#ifndef GUEST_VMX_H
#define GUEST_VMX_H

#include "nested.h"

/* IA32_VMX_EPT_VPID_CAP. */
#define VMX_EPT_EXECUTE_ONLY (UINT64_C(1) << 0)
#define VMX_EPT_WALK_4       (UINT64_C(1) << 6)
#define VMX_EPT_WALK_5       (UINT64_C(1) << 7)
#define VMX_EPT_UC           (UINT64_C(1) << 8)
#define VMX_EPT_WB           (UINT64_C(1) << 14)
#define VMX_EPT_2M           (UINT64_C(1) << 16)
#define VMX_EPT_1G           (UINT64_C(1) << 17)
#define VMX_EPT_INVEPT       (UINT64_C(1) << 20)
#define VMX_EPT_AD           (UINT64_C(1) << 21)
#define VMX_EPT_ADVANCED     (UINT64_C(1) << 22) /* bits 9 to 11 of a violation's qualification */
#define VMX_EPT_INVEPT_ALL   (UINT64_C(1) << 26)

/* What the processor can do; set by nested_cpu_init(). */
struct vmx_capabilities {
	uint64_t ept;    /* VMX_EPT_... */
	bool mode_based; /* mode-based execute control */
};
extern struct vmx_capabilities vmx_capabilities;

/* Root of the EPT, and controls of the next runs. */
struct vmx_nested {
	uint64_t eptp;
	bool mode_based;
};
extern struct vmx_nested vmx_nested;

#define VMX_EXIT_EXCEPTION     0u
#define VMX_EXIT_CPUID         10u
#define VMX_EXIT_VIOLATION     48u
#define VMX_EXIT_MISCONFIGURED 49u

/* Exit qualification of an EPT violation. */
#define VMX_VIOLATION_READ         1u
#define VMX_VIOLATION_WRITE        2u
#define VMX_VIOLATION_FETCH        4u
#define VMX_VIOLATION_READABLE     8u
#define VMX_VIOLATION_WRITABLE     16u
#define VMX_VIOLATION_EXECUTABLE   32u
#define VMX_VIOLATION_USER_EXECUTE 64u /* with mode-based execute control */
#define VMX_VIOLATION_LINEAR       128u
#define VMX_VIOLATION_FINAL        256u
#define VMX_VIOLATION_ADVANCED     0xe00u

/* Controls of a case. */
#define VMX_CONTROL_AD         1u
#define VMX_CONTROL_MODE_BASED 2u
#define VMX_CONTROL_FIVE       4u /* five levels */

/* Bits of an entry, all levels alike. */
#define EPT_R        1u
#define EPT_W        2u
#define EPT_X        4u
#define EPT_RWX      7u
#define EPT_XU       (1u << 10)
#define EPT_TYPE     (15u << 3) /* with "ignore PAT" */
#define EPT_ACCESSED (1u << 8)
#define EPT_DIRTY    (1u << 9)
#define EPT_IGNORED  UINT64_C(0x9ff0000000000800) /* bits 11, 52 to 60, 63 */

#endif
