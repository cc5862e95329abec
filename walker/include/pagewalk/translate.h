/* SPDX-License-Identifier: MIT */
/*
 * Translation of one address, with the answer or the exact reason why there is none. Nothing here
 * writes to guest memory: Accessed and Dirty are reported, never set. Every entry is loaded once.
 * All functions are thread safe: they only read the space.
 */
#ifndef PAGEWALK_TRANSLATE_H
#define PAGEWALK_TRANSLATE_H

#include <pagewalk/space.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Which rule refused an access (status PW_PROTECTION or PW_PROTECTION_KEY). */
enum pw_rule {
	PW_RULE_NONE,
	PW_RULE_SUPERVISOR_PAGE, /* user access to a supervisor page */
	PW_RULE_NOT_READABLE,
	PW_RULE_NOT_WRITABLE,
	PW_RULE_NO_EXECUTE,
	PW_RULE_SMEP, /* supervisor fetch from a user page (Arm: PXN by EL0-writable; RISC-V) */
	PW_RULE_SMAP, /* supervisor data access to a user page (Arm PAN, RISC-V SUM=0) */
	PW_RULE_PKRU,
	PW_RULE_PKRS,
	PW_RULE_SHADOW_STACK, /* a shadow-stack access to a page of another kind */
	PW_RULE_COUNT
};

/* The rule in words ("not writable", ...). Never NULL. */
PW_API const char *pw_rule_text(enum pw_rule rule);

/* struct pw_result.flags */
#define PW_RESULT_ACCESSED   1u
#define PW_RESULT_DIRTY      2u
#define PW_RESULT_GLOBAL     8u
#define PW_RESULT_ERROR_CODE 16u /* error_code holds the #PF error code */
#define PW_RESULT_ENTRY      32u /* entry and entry_pa are valid */
#define PW_RESULT_GP         64u /* x86: no page fault, but #GP(0); #SS(0) through SS */

/* Bits of an x86 page-fault error code. SDM vol. 3A "Page-Fault Exceptions". */
#define PW_PF_P    1u
#define PW_PF_W    2u
#define PW_PF_U    4u
#define PW_PF_RSVD 8u
#define PW_PF_I    16u
#define PW_PF_PK   32u
#define PW_PF_SS   64u

/*
 * The answer. When status is PW_OK, or the access alone was refused (PW_PROTECTION,
 * PW_PROTECTION_KEY, PW_ACCESS_FLAG), everything is valid. Otherwise only va, status, level, entry
 * and entry_pa (if the flag says so) and error_code are, and the rest is zero.
 */
struct pw_result {
	pw_va va;            /* with LAM: without the metadata, as CR2 would have it */
	pw_pa pa;            /* of the byte at va */
	uint64_t page_size;  /* bytes */
	uint64_t entry;      /* the last entry read: the page's, or the one that ended the walk */
	pw_pa entry_pa;      /* where it stands */
	uint32_t error_code; /* x86: what the CPU would push, if the access was refused by paging */
	uint8_t status;      /* enum pw_status */
	int8_t level;   /* of the entry, or of the table that is not in memory; -1: none reached */
	uint8_t rule;   /* enum pw_rule */
	uint8_t key;    /* protection key, where the format has them */
	uint8_t rights; /* R W X U: least privileged mode that can reach the page */
	uint8_t user;   /* R W X of user mode */
	uint8_t supervisor;  /* R W X of supervisor mode, explicit accesses */
	uint8_t implicit;    /* R W X of supervisor mode, implicit accesses (x86) */
	uint8_t flags;       /* PW_RESULT_... */
	uint8_t memory_type; /* the format's memory-type index (x86: PAT<<2 | PCD<<1 | PWT; EPT:
				type | IPAT<<3; Arm: AttrIndx or MemAttr; RISC-V: 0) */
	uint8_t zero[2];     /* 0, so that two results can be compared as bytes */
};

/*
 * Translates va for `access`. *result says the answer or why not; it may be NULL if only the status
 * matters. Returns result->status, or PW_E_ARGUMENT for an access that is none (then *result holds
 * that status and nothing else).
 */
PW_API PW_NODISCARD enum pw_status pw_translate(
	const struct pw_space *space, pw_va va, pw_access access, struct pw_result *result);

/* One step of a walk: an entry that was read. */
struct pw_trace_step {
	pw_pa table;
	uint64_t entry;
	uint32_t index;
	uint8_t level;
	uint8_t kind; /* enum pw_kind */
};

/*
 * The same, and the entries read on the way, root first, in steps[PW_MAX_LEVELS]; *count of them.
 */
PW_API PW_NODISCARD enum pw_status pw_translate_trace(const struct pw_space *space, pw_va va,
	pw_access access, struct pw_result *result, struct pw_trace_step *steps, size_t *count);

/*
 * Writes one line about the result into text[size], always terminated if size > 0, cut if it does
 * not fit: "0x1000 -> 0x5000 (4 KiB page, rw-u)", or "page fault, error code 0x7: not writable at
 * level 0". Returns text, or "" if size is 0.
 */
PW_API const char *pw_explain(const struct pw_result *result, char *text, size_t size);

/*
 * The bits of a present entry at this level that the hardware refuses under the space's rules,
 * of those that are set; 0 if there are none, or if only their combination is illegal.
 */
PW_API uint64_t pw_reserved_bits(const struct pw_space *space, unsigned level, uint64_t entry);

#ifdef __cplusplus
}
#endif

#endif
