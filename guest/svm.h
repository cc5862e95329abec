/* SPDX-License-Identifier: MIT */
/* AMD's virtualisation. APM vol. 2, ch. 15 and appendix B. */
#ifndef GUEST_SVM_H
#define GUEST_SVM_H

#include "nested.h"

#define CPUID_SVM          0x8000000au
#define CPUID_SVM_EDX_NP   (1u << 0)
#define CPUID_SVM_EDX_GMET (1u << 17)

/* Root of the nested page tables, and controls of the next runs. */
struct svm_nested {
	uint64_t cr3;
	bool gmet;
};
extern struct svm_nested svm_nested;

#define SVM_EXIT_EXCEPTION 0x40u
#define SVM_EXIT_CPUID     0x72u
#define SVM_EXIT_NPF       0x400u

/* EXITINFO1 of a nested page fault. */
#define SVM_FAULT_PRESENT  1u
#define SVM_FAULT_WRITE    2u
#define SVM_FAULT_USER     4u
#define SVM_FAULT_RESERVED 8u
#define SVM_FAULT_FETCH    16u
#define SVM_FAULT_FINAL    (UINT64_C(1) << 32)
#define SVM_FAULT_TABLE    (UINT64_C(1) << 33)

/* Controls of a case: of the hypervisor's own registers, which nested paging heeds. */
#define SVM_CONTROL_NO_NXE 1u
#define SVM_CONTROL_SMEP   2u
#define SVM_CONTROL_NO_WP  4u
#define SVM_CONTROL_KEYS   8u /* protection keys, of which none allows anything */
/* And of the VMCB. */
#define SVM_CONTROL_GMET   16u

#endif
