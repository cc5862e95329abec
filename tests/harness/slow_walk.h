/* SPDX-License-Identifier: MIT */
/*
 * The slow twin: a page-table walk written from the manuals, one obvious step at a time. It is the
 * oracle of the randomised tests and shares no code with the library it judges.
 *
 * Words. A level counts up from 0 at the last table. An entry is a hole (not-present), bad
 * (reserved), a table or a leaf. User means the least privileged mode (CPL 3, EL0/PL0, U-mode);
 * supervisor means the kernel's (CPL 0, EL1/PL1, S-mode).
 */
#ifndef SLOW_WALK_H
#define SLOW_WALK_H

#include <stdbool.h>
#include <stdint.h>

enum slow_status {
	SLOW_MAPPED,
	SLOW_NOT_PRESENT,
	SLOW_RESERVED,
	SLOW_NON_CANONICAL,
	SLOW_NO_MEMORY,
	SLOW_PROTECTION,
	SLOW_PROTECTION_KEY,
	SLOW_ACCESS_FLAG,
	SLOW_LASS,
};

/* Where an entry at @pa, of a table of this level, really stands. False: it cannot be reached. */
struct slow_through {
	bool (*reach)(void *ctx, int level, uint64_t pa, uint64_t *to);
	void *ctx;
};

/* A flat image of physical memory: bytes[0] is at physical address base. */
struct slow_memory {
	const uint8_t *bytes;
	uint64_t base;
	uint64_t size;
	bool big_endian_entries;
	const struct slow_through *through; /* NULL: entries stand where their tables say */
};

/*
 * What the walk depends on besides memory. A family reads its own fields and ignores the rest.
 * Start with slow_config_tables(), then change single fields.
 */
struct slow_config {
	const char *format;  /* one of the names of `pagewalk formats` */
	uint64_t root;       /* physical address; bits below its alignment are ignored */
	unsigned maxphyaddr; /* 32 or more; what is wider than the format's own limit is clipped */
	bool gbpages;        /* x86 and EPT: 1 GiB leaves exist */

	/* x86 */
	bool cr0_wp;
	bool efer_nxe;
	bool cr4_pse;  /* counts in x86-32 only */
	bool cr4_pae;  /* restates the format; the walk goes by the name */
	bool cr4_la57; /* restates the format; the walk goes by the name */
	bool cr4_smep;
	bool cr4_smap;
	bool cr4_pke;
	bool cr4_pks;
	bool cr4_cet;  /* without it the shadow-stack flag of an access is ignored */
	bool cr4_lass; /* x86-64 and x86-64-la57, as is LAM */
	bool cr4_lam_sup;
	bool cr3_lam_u48;
	bool cr3_lam_u57;
	bool rflags_ac;
	uint32_t pkru;
	uint32_t pkrs;
	uint64_t encryption_mask; /* bits of addresses in entries that are not address */
	bool pse36;               /* supported by the CPU */
	bool amd;                 /* bit 8 is reserved in PML5E and PML4E */
	bool pdpte_given;         /* x86-pae: use pdpte[] instead of reading them from root */
	uint64_t pdpte[4];

	/* EPT */
	bool ept_exec_only;
	bool ept_mbec;
	bool ept_ad;
	bool ept_2m_pages;

	/* NPT; efer_nxe is the host's */
	bool npt_gmet;

	/* Arm */
	bool arm_high;        /* the tables are TTBR1's (arm64 stage 1 only) */
	bool arm_pan;         /* arm64 stage 1 only */
	bool arm_wxn;         /* stage 1, all Arm formats */
	bool arm_access_flag; /* AF=0 faults (not armv7-short, which has no flag with AFE=0) */

	/* RISC-V */
	bool riscv_sum;
	bool riscv_mxr; /* on SvNNx4 this is the HS-level bit */
	bool riscv_svnapot;
	bool riscv_svpbmt;
	bool riscv_svade; /* A=0, or D=0 on a store, faults */
};

enum slow_op {
	SLOW_OP_NONE, /* rights are reported, nothing is enforced, the flags below do not count */
	SLOW_OP_READ,
	SLOW_OP_WRITE,
	SLOW_OP_FETCH,
};

struct slow_access {
	enum slow_op op;
	bool user;
	bool implicit_supervisor; /* x86: overrules user; deaf to RFLAGS.AC */
	bool shadow_stack;        /* x86: a shadow-stack load or store; no meaning on a fetch */
};

struct slow_rights {
	bool read;
	bool write;
	bool execute;
};

/*
 * level, entry and entry_pa are those of the last entry that was read or, for SLOW_NO_MEMORY, that
 * should have been (entry is then 0). The fields from pa to pat_index are about the leaf: filled in
 * when there is one, so also for SLOW_PROTECTION, SLOW_PROTECTION_KEY and SLOW_ACCESS_FLAG.
 *
 * The rights obey all control state of the config (CR0.WP, SMEP, SMAP, PAN, WXN, SUM, MXR, ...) for
 * explicit accesses that are not shadow-stack ones, but not the protection keys.
 */
struct slow_result {
	enum slow_status status;
	int level; /* -1: no table was reached */
	uint64_t entry;
	uint64_t entry_pa; /* 0 for a PDPTE register */

	uint64_t pa;
	uint64_t page_size;
	bool has_user_notion; /* known from the format alone: set even without a leaf */
	struct slow_rights user;
	struct slow_rights supervisor;
	bool accessed; /* the leaf's flag; false where nothing records it */
	bool dirty;    /* the leaf's flag; arm64: DBM set and writable */
	bool global;
	unsigned key;       /* bits 62:59 of a 4- or 5-level leaf, in use or not */
	unsigned pat_index; /* x86: PAT << 2 | PCD << 1 | PWT of the leaf */

	bool error_code_valid; /* x86, an access was given, and it ends in #PF */
	uint32_t error_code;
};

/*
 * Fill @config with what `--format @name --root @root` means. @name is kept, not copied. False for
 * an unknown name.
 */
bool slow_config_tables(struct slow_config *config, const char *name, uint64_t root);

/* Translate @va. Aborts on an unknown format name: that is a bug of the test. */
void slow_walk(const struct slow_config *config, const struct slow_memory *memory, uint64_t va,
	const struct slow_access *access, struct slow_result *result);

/* The status as the command prints it. */
const char *slow_status_name(enum slow_status status);

#endif
