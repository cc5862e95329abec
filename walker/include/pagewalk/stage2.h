/* SPDX-License-Identifier: MIT */
/*
 * Spaces of second stages, from the control state that a hypervisor sets: EPT by its EPTP, NPT by
 * the host's registers. (Arm's stage 2 and RISC-V's G-stage are formats like any other.)
 *
 * Everything here is thread safe: nothing is kept.
 */
#ifndef PAGEWALK_STAGE2_H
#define PAGEWALK_STAGE2_H

#include <pagewalk/space.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bits of IA32_VMX_EPT_VPID_CAP (MSR 48CH). SDM vol. 3D, "VPID and EPT Capabilities". */
#define PW_EPT_CAP_EXECUTE_ONLY   ((uint64_t)1 << 0)
#define PW_EPT_CAP_4_LEVELS       ((uint64_t)1 << 6)
#define PW_EPT_CAP_5_LEVELS       ((uint64_t)1 << 7)
#define PW_EPT_CAP_UC             ((uint64_t)1 << 8)
#define PW_EPT_CAP_WB             ((uint64_t)1 << 14)
#define PW_EPT_CAP_2M             ((uint64_t)1 << 16)
#define PW_EPT_CAP_1G             ((uint64_t)1 << 17)
#define PW_EPT_CAP_ACCESSED_DIRTY ((uint64_t)1 << 21)
#define PW_EPT_CAP_ADVANCED       ((uint64_t)1 << 22)
#define PW_EPT_CAP_SHADOW_STACK   ((uint64_t)1 << 23)

/* In an entry that is not present, or a page's: no #VE, the violation exits. */
#define PW_EPT_SUPPRESS_VE ((uint64_t)1 << 63)

/* Fields of the EPTP. SDM vol. 3C, "Extended-Page-Table Pointer (EPTP)". */
#define PW_EPTP_TYPE           ((uint64_t)7)      /* of accesses to the tables: UC or WB */
#define PW_EPTP_LENGTH         ((uint64_t)7 << 3) /* levels less one */
#define PW_EPTP_ACCESSED_DIRTY ((uint64_t)1 << 6)
#define PW_EPTP_SHADOW_STACK   ((uint64_t)1 << 7)

/*
 * Composes the EPTP for tables of `format` (an EPT row) at `root` on a CPU with these capabilities:
 * write-back if the CPU can, otherwise uncached. `options` are PW_EPTP_ACCESSED_DIRTY and
 * PW_EPTP_SHADOW_STACK. maxphyaddr is 32 to 52; 0 means 52.
 *
 * PW_E_UNSUPPORTED: the CPU lacks the walk length, an option, or both memory types. PW_E_ALIGNMENT:
 * root is not aligned to 4 KiB. PW_E_RANGE: root lies beyond maxphyaddr. PW_E_ARGUMENT: no EPT
 * format, an unknown option, a maxphyaddr out of range. *eptp is written on success only.
 */
PW_API PW_NODISCARD enum pw_status pw_eptp_make(const struct pw_format *format, pw_pa root,
	uint64_t capabilities, unsigned maxphyaddr, uint64_t options, uint64_t *eptp);

/*
 * Whether VM entry takes this EPTP. PW_OK, or PW_E_STATE with the broken rule in *why (static text;
 * why may be NULL). SDM vol. 3C, "Checks on VMX Controls", EPTP. PW_E_ARGUMENT: maxphyaddr.
 */
PW_API PW_NODISCARD enum pw_status pw_eptp_check(
	uint64_t eptp, uint64_t capabilities, unsigned maxphyaddr, const char **why);

/* What decides a walk through EPT. */
struct pw_ept_state {
	uint64_t eptp;
	uint64_t capabilities;   /* IA32_VMX_EPT_VPID_CAP */
	bool mode_based_execute; /* the VM-execution control */
	uint8_t maxphyaddr;      /* 32 to 52; 0: 52 */
};

/*
 * The space of an EPTP. PW_E_STATE as pw_eptp_check(), and others as pw_space_init(). The space's
 * format is pw_format_ept_4 or _5, or its _mbec row.
 */
PW_API PW_NODISCARD enum pw_status pw_space_init_ept(struct pw_space *space,
	const struct pw_ept_state *state, const struct pw_memory *memory, const char **why);

/* What decides a walk through NPT. AMD APM vol. 2, "Nested Paging". */
struct pw_npt_state {
	uint64_t ncr3;
	uint64_t host_cr4, host_efer; /* at VMRUN */
	bool gmet;                    /* guest-mode execute trap, of the VMCB */
	bool no_1g_pages;
	uint8_t maxphyaddr;       /* 32 to 52; 0: 52 */
	uint64_t encryption_mask; /* address bits that are not address (C-bit); 0: none */
};

/*
 * The space of a VMCB's nested CR3 under a host in long mode. PW_E_STATE: registers that contradict
 * each other, or have bits set beyond maxphyaddr, with the reason in *why. PW_E_UNSUPPORTED: the
 * host is not in long mode. PW_E_ARGUMENT as pw_space_init().
 */
PW_API PW_NODISCARD enum pw_status pw_space_init_npt(struct pw_space *space,
	const struct pw_npt_state *state, const struct pw_memory *memory, const char **why);

#ifdef __cplusplus
}
#endif

#endif
