/* SPDX-License-Identifier: MIT */
/*
 * A flush list as the instructions that carry it out: their operands, as data. The library executes
 * none of them. Each function writes at most `max` operations and returns how many; where single
 * pages would take more than that, or more than `pages`, everything is flushed instead. `max` must
 * be at least 2. All are pure, and take lists and formats that the library has made.
 *
 * A list with `everything` set gives the one that flushes everything. An empty list gives none.
 */
#ifndef PAGEWALK_INVALIDATE_H
#define PAGEWALK_INVALIDATE_H

#include <pagewalk/build.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- x86: INVLPG and INVPCID. SDM vol. 3A, "Operations that Invalidate TLBs and
 * Paging-Structure Caches" ---- */

enum pw_invalidate_x86 {
	PW_INVLPG,             /* `va`: all its translations of the current PCID, and global ones */
	PW_INVPCID_ADDRESS,    /* type 0: `pcid`, `va`; no global translations */
	PW_INVPCID_CONTEXT,    /* type 1: all of `pcid`, but global ones */
	PW_INVPCID_ALL_GLOBAL, /* type 2: everything (or toggle CR4.PGE) */
	PW_LOAD_CR3,           /* everything of the current PCID but global translations; also the
				  PDPTE registers of PAE */
};

struct pw_x86_op {
	enum pw_invalidate_x86 what;
	uint16_t pcid;
	pw_va va;
};

/* How the space is in use. */
struct pw_x86_use {
	bool current; /* by this CPU's CR3, with the PCID below */
	bool has_invpcid;
	bool global;   /* some pages of it are or were global */
	uint16_t pcid; /* 0 without CR4.PCIDE */
	size_t pages;  /* more single pages than this: everything instead */
};

/*
 * For one CPU. One INVLPG serves a page of any size: a range is told in steps of the smallest page
 * that changed in it. INVLPG also drops all paging-structure caches of the PCID, so table entries
 * that changed need no more than one of them. Without `current` and without INVPCID there is
 * nothing but everything: PW_LOAD_CR3 stands for "when this PCID is loaded next, without bit 63".
 */
PW_API size_t pw_invalidate_x86(const struct pw_format *format, const struct pw_flush *flush,
	const struct pw_x86_use *use, struct pw_x86_op *ops, size_t max);

/* ---- EPT: INVEPT. SDM vol. 3C, "Guidelines for Use of the INVEPT Instruction" ---- */

/* The memory operand. Type 1 is single-context, type 2 all contexts. */
struct pw_invept_op {
	unsigned type;
	uint64_t descriptor[2]; /* EPTP, 0 */
};

/*
 * There is no finer one: any change of an EPT takes a single-context INVEPT with its EPTP (type 2
 * if the CPU lacks type 1). 0 or 1 operations.
 */
PW_API size_t pw_invalidate_ept(const struct pw_flush *flush, uint64_t eptp,
	bool has_single_context, struct pw_invept_op *op);

/* ---- NPT: the VMCB's TLB_CONTROL. APM vol. 2, "TLB Control" ---- */

/* 0: nothing; 1: all of this core; 3: this guest's ASID; 7: this ASID's but global ones. */
PW_API uint8_t pw_invalidate_npt(const struct pw_flush *flush, bool has_flush_by_asid);

/* ---- AArch64: TLBI. Arm ARM, "TLB maintenance instructions" ---- */

enum pw_tlbi {
	PW_TLBI_VAE1IS,      /* by VA and ASID, with the walk's table entries */
	PW_TLBI_VALE1IS,     /* last level only */
	PW_TLBI_VAAE1IS,     /* by VA, all ASIDs: global pages too */
	PW_TLBI_VAALE1IS,    /* last level only */
	PW_TLBI_ASIDE1IS,    /* all of an ASID */
	PW_TLBI_VMALLE1IS,   /* everything at EL1&0 */
	PW_TLBI_IPAS2E1IS,   /* stage 2, by IPA; then PW_TLBI_VMALLE1IS for what combines both */
	PW_TLBI_IPAS2LE1IS,  /* last level only */
	PW_TLBI_VMALLS12E1IS /* everything of this VMID, both stages */
};

struct pw_tlbi_op {
	enum pw_tlbi what;
	/*
	 * The Xt register: VA or IPA bits 55:12 in 43:0 (in units of 4 KiB whatever the granule),
	 * the ASID in 63:48. With `has_ttl`, in 47:44 the granule and the level (TTL) where all
	 * that changed in the range were leaves of one level; otherwise 0, no hint.
	 */
	uint64_t register_value;
};

struct pw_arm_use {
	uint16_t asid;
	bool global; /* some pages of it are or were global */
	size_t pages;
	bool has_ttl;        /* AArch64: FEAT_TTL (ID_AA64MMFR2_EL1.TTL) */
	bool has_last_level; /* AArch32: the CPU is an Armv8 one */
};

/*
 * In the order in which they are to be executed, after a DSB ISHST and before a DSB ISH (and ISB).
 * A stage-2 list by IPA ends with PW_TLBI_VMALLE1IS, which is counted in.
 */
PW_API size_t pw_invalidate_arm64(const struct pw_format *format, const struct pw_flush *flush,
	const struct pw_arm_use *use, struct pw_tlbi_op *ops, size_t max);

/* ---- AArch32: TLBI, as CP15 writes. Arm ARM, "TLB maintenance instructions" ---- */

/* MCR p15, 0, Rt, c8, c3 with this opc2. */
enum pw_tlbi32 {
	PW_TLBI32_ALLIS = 0,   /* everything at PL1&0 */
	PW_TLBI32_MVAIS = 1,   /* by address and ASID, with the walk's table entries */
	PW_TLBI32_ASIDIS = 2,  /* all of an ASID */
	PW_TLBI32_MVAAIS = 3,  /* by address, all ASIDs: global pages too */
	PW_TLBI32_MVALIS = 5,  /* by address and ASID, last level only (Armv8) */
	PW_TLBI32_MVAALIS = 7, /* by address, all ASIDs, last level only (Armv8) */
};

struct pw_tlbi32_op {
	enum pw_tlbi32 what;
	uint32_t register_value; /* the address in 31:12, the ASID in 7:0 */
};

/* For spaces of stage 1 with 32-bit addresses. Barriers as on AArch64. */
PW_API size_t pw_invalidate_arm32(const struct pw_format *format, const struct pw_flush *flush,
	const struct pw_arm_use *use, struct pw_tlbi32_op *ops, size_t max);

/* ---- RISC-V: SFENCE.VMA and HFENCE.GVMA. Privileged ISA ---- */

/* The registers rs1 and rs2; `all_addresses`: rs1 is x0. HFENCE.GVMA takes the address >> 2. */
struct pw_fence_op {
	bool all_addresses, all_asids, is_gvma;
	uint64_t rs1, rs2;
};

struct pw_riscv_use {
	uint16_t asid; /* or the VMID of a guest stage */
	bool global;
	size_t pages;
};

/* An address names leaf entries only: where table entries changed it is all addresses. */
PW_API size_t pw_invalidate_riscv(const struct pw_format *format, const struct pw_flush *flush,
	const struct pw_riscv_use *use, struct pw_fence_op *ops, size_t max);

#ifdef __cplusplus
}
#endif

#endif
