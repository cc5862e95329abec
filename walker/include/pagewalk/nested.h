/* SPDX-License-Identifier: MIT */
/*
 * Two-stage walks: a guest's tables (stage 1), whose addresses are guest-physical, under the tables
 * of its hypervisor (stage 2): x86 under EPT or NPT, AArch64 stage 1 under stage 2, RISC-V VS-stage
 * under G-stage. Stage 2 is a space of a second-stage format; its memory is the machine's, and
 * holds the tables of both stages. Stage 1 is a space whose own memory is not used here.
 *
 * Every table entry of stage 1 is itself reached through stage 2, as the hardware does it:
 *
 *   EPT      as a read, or with EPT's Accessed and Dirty flags enabled as a write;
 *   NPT      as a user's write;
 *   Arm      as a read;
 *   RISC-V   as a load, whatever the access was.
 *
 * Where the hardware sets Accessed or Dirty in a stage-1 entry, that write goes through stage 2
 * too. The order is the manuals': each entry's address before the entry, a lower entry after the
 * upper one, the rights of stage 1 when its walk is complete, then the flags, then the final
 * address. (The x86 manuals leave open whether the flags come before the final address; here they
 * do, as Arm's pseudocode and the RISC-V manual have it.)
 *
 * Nothing here writes. Every entry is loaded once for each use; an upper entry of stage 2 that was
 * loaded for one access of a call may serve the others, as in a CPU's paging-structure caches. All
 * functions are thread safe.
 *
 * Manuals: SDM vol. 3C "EPT Violations" and "Exit Qualification for EPT Violations"; APM vol. 2
 * "Nested Paging"; Arm ARM D8 "Two-stage translation"; RISC-V privileged manual "Hypervisor
 * Extension", "Two-Stage Address Translation".
 */
#ifndef PAGEWALK_NESTED_H
#define PAGEWALK_NESTED_H

#include <pagewalk/regions.h>
#include <pagewalk/stage2.h>
#include <pagewalk/translate.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a translation through stage 2 was made for. */
enum pw_during {
	PW_DURING_FINAL,  /* the access itself */
	PW_DURING_TABLE,  /* to read an entry of a stage-1 table */
	PW_DURING_UPDATE, /* to set Accessed or Dirty in one */
	PW_DURING_PDPTE,  /* to load a PDPTE register (PAE under EPT): a read, of no linear address
			   */
	PW_DURING_COUNT
};

/* "final", "table", "update" or "pdpte". Never NULL. */
PW_API const char *pw_during_name(enum pw_during during);

/* How the hardware reports that the access did not succeed, and so who gets to see it. */
enum pw_exit {
	PW_EXIT_NONE,                 /* it succeeded, or what happens is the machine's affair */
	PW_EXIT_GUEST,                /* a fault of stage 1, raised in the guest */
	PW_EXIT_EPT_VIOLATION,        /* VM exit, reason 48 */
	PW_EXIT_EPT_MISCONFIGURATION, /* VM exit, reason 49; no qualification */
	PW_EXIT_NPF,                  /* #VMEXIT(NPF) */
	PW_EXIT_ARM_STAGE2,           /* an abort taken to EL2 */
	PW_EXIT_RISCV_GUEST,          /* a guest-page fault */
	PW_EXIT_COUNT
};

/* "none", "guest-fault", "ept-violation", "ept-misconfiguration", "npf", "stage-2-abort" or
 * "guest-page-fault". Never NULL. */
PW_API const char *pw_exit_name(enum pw_exit exit);

/* Exit qualification for EPT violations. */
#define PW_EPT_READ          ((uint64_t)1 << 0)
#define PW_EPT_WRITE         ((uint64_t)1 << 1)
#define PW_EPT_FETCH         ((uint64_t)1 << 2)
#define PW_EPT_READABLE      ((uint64_t)1 << 3) /* the AND over the entries that were used */
#define PW_EPT_WRITABLE      ((uint64_t)1 << 4)
#define PW_EPT_EXECUTABLE    ((uint64_t)1 << 5) /* with mode-based execute: by the supervisor */
#define PW_EPT_USER_EXECUTE  ((uint64_t)1 << 6) /* with mode-based execute only */
#define PW_EPT_LINEAR        ((uint64_t)1 << 7) /* there is a linear address */
#define PW_EPT_FINAL         ((uint64_t)1 << 8)
#define PW_EPT_PAGE_USER     ((uint64_t)1 << 9) /* this and the next two: advanced information */
#define PW_EPT_PAGE_WRITABLE ((uint64_t)1 << 10)
#define PW_EPT_PAGE_XD       ((uint64_t)1 << 11)
#define PW_EPT_SHADOW_ACCESS ((uint64_t)1 << 13)
#define PW_EPT_SHADOW_PAGE   ((uint64_t)1 << 14)

/* EXITINFO1 of a nested page fault, beside the bits of a page-fault error code (PW_PF_...). */
#define PW_NPF_FINAL ((uint64_t)1 << 32)
#define PW_NPF_TABLE ((uint64_t)1 << 33)

/* ESR_EL2.ISS of an Arm stage-2 abort: the fault status code is bits 5:0. */
#define PW_ARM_WNR   ((uint64_t)1 << 6)
#define PW_ARM_S1PTW ((uint64_t)1 << 7)

/*
 * The answer.
 *
 * Status PW_OK: everything is valid but `exit` and what follows it. Otherwise `stage` tells which
 * stage refused, and `during` and `level` what was being done. If it was stage 2, `stage2` tells
 * why, `gpa` of which address; of `stage1` only va, level, entry and entry_pa count while its walk
 * was not complete. If it was stage 1, `stage1` tells why and `stage2` is zero.
 */
struct pw_nested_result {
	pw_va va;
	pw_pa gpa; /* that stage 2 was last asked for: the final one, or the stage-1 entry's */
	pw_pa pa;  /* of the byte at va */
	uint64_t page_size; /* the smaller of both pages' */
	uint8_t status;     /* enum pw_status */
	uint8_t stage;      /* that refused: 1 or 2; 0: none did */
	uint8_t during;     /* enum pw_during */
	int8_t level;       /* TABLE, UPDATE, PDPTE: of the stage-1 entry; otherwise -1 */
	uint8_t rights;     /* R W X U, user's, supervisor's and implicit R W X as both stages have
			       them; like the fields of struct pw_result */
	uint8_t user, supervisor, implicit;

	uint8_t exit;       /* enum pw_exit */
	bool address_known; /* the hardware records `address` */
	/*
	 * What the hardware reports. code: GUEST: the x86 error code, the Arm fault status code,
	 * the RISC-V cause; EPT_VIOLATION: the exit qualification; NPF: EXITINFO1; ARM_STAGE2: ISS;
	 * RISCV_GUEST: the cause. code_known: the bits of it that the manuals define; what this
	 * walk cannot know, such as NMI unblocking, is not among them, and is 0.
	 *
	 * address: the guest-physical-address field of the VMCS, EXITINFO2, HPFAR_EL2, htval.
	 * htinst: RISC-V: the pseudoinstruction of a fault on a VS-stage table, otherwise 0.
	 */
	uint64_t code, code_known;
	uint64_t address;
	uint32_t htinst;

	struct pw_result stage1; /* va to gpa; entry_pa is guest-physical */
	struct pw_result stage2; /* the last translation through stage 2: gpa to pa */
};

/*
 * Translates va for `access` through both stages. `result` may be NULL. With PW_ACCESS_ANY rights
 * are reported, not enforced, at both stages. Returns result->status:
 *
 *   PW_OK, or as pw_translate() of the stage that refused. PW_NO_MEMORY: an entry of that stage's
 *   tables is not in the machine's memory. PW_E_ARGUMENT: no access, a NULL space, or a stage 2 of
 *   a format that is known to be a first stage.
 */
PW_API PW_NODISCARD enum pw_status pw_nested_translate(const struct pw_space *stage1,
	const struct pw_space *stage2, pw_va va, pw_access access, struct pw_nested_result *result);

/* ---- The same, entry by entry ---- */

enum pw_nested_deed {
	PW_NESTED_LOAD,     /* the entry was loaded */
	PW_NESTED_REGISTER, /* PAE: stage 1's entry is a PDPTE register, which was loaded before */
	PW_NESTED_STORE,    /* the hardware sets Accessed or Dirty in an entry of stage 1: what it
			       stores. This library stores nothing. */
	PW_NESTED_DEED_COUNT
};

/*
 * One step of a two-stage walk. Of stage 2: an entry on the way of `gpa`, for what `during` and
 * `table_level` say. Of stage 1: an entry that stands at `gpa`, whose own translation came before.
 */
struct pw_nested_step {
	uint8_t stage;  /* whose entry it is: 1 or 2 */
	uint8_t deed;   /* enum pw_nested_deed */
	uint8_t during; /* enum pw_during; of stage 1: TABLE, PDPTE, or UPDATE if it is stored */
	int8_t table_level; /* of the stage-1 entry that is reached; -1: FINAL */
	uint8_t level;      /* of this entry, in its own stage's tables */
	uint8_t kind;       /* enum pw_kind, under the rules of the space */
	/*
	 * R W X U, user's and supervisor's R W X. PAGE: those that its stage grants; TABLE: those
	 * that the entries so far leave to some page below. Otherwise, and of a store, 0.
	 */
	uint8_t rights, user, supervisor;
	uint32_t index;   /* in its table */
	pw_access access; /* stage 2: what it is asked for; stage 1: as in the call */
	pw_pa table;      /* where its table begins: of stage 1 guest-physical */
	pw_pa gpa;        /* see above; 0: a register */
	pw_pa pa;         /* where it stands in the machine; 0: a register */
	uint64_t entry;
};

/* Who is told of the steps, in the order in which the hardware takes them. */
struct pw_nested_tracer {
	void (*step)(void *ctx, const struct pw_nested_step *step);
	void *ctx;
};

/* No walk has more steps. */
#define PW_NESTED_MAX_STEPS ((2 * PW_MAX_LEVELS + 1) * (PW_MAX_LEVELS + 1))

/*
 * pw_nested_translate(), and the tracer is told of each step. The answer is the same. Every entry
 * of both stages is loaded anew for each use, and each load that succeeds is a step; an entry that
 * is not in memory is none, and the result says where it would stand. What the hardware does to
 * Accessed and Dirty in stage 2's own entries is not traced.
 *
 * The tracer is called on the caller's thread and may call this library, but not change *result. A
 * NULL tracer, or one without `step`: PW_E_ARGUMENT.
 */
PW_API PW_NODISCARD enum pw_status pw_nested_translate_trace(const struct pw_space *stage1,
	const struct pw_space *stage2, pw_va va, pw_access access, struct pw_nested_result *result,
	const struct pw_nested_tracer *tracer);

/* The part of struct pw_nested_result that a list wants: the fields mean the same. */
struct pw_nested_hit {
	pw_pa gpa, pa;
	uint64_t page_size;
	uint8_t status, stage, during;
	int8_t level;
	uint8_t rights, user, supervisor, implicit;
};

/*
 * Translates va[0..count) for `access`; hits[i] answers va[i] as pw_nested_translate() would.
 * Returns how many are PW_OK. As in pw_translate_batch() the walks of a group go down together, so
 * that the memory works on all of them. Entries of stage 2 that lead to the guest's root are loaded
 * once for some hundred addresses; between two answers of one batch the tables may have changed.
 */
PW_API size_t pw_nested_translate_batch(const struct pw_space *stage1,
	const struct pw_space *stage2, const pw_va *va, size_t count, pw_access access,
	struct pw_nested_hit *hits);

/*
 * Writes one line about the result into text[size], as pw_explain() does.
 */
PW_API const char *pw_nested_explain(
	const struct pw_nested_result *result, char *text, size_t size);

/*
 * Guest-physical memory as seen through stage 2: a memory like any other, so that everything that
 * takes a space works on a guest's tables under EPT, and so that stages stack: the EPT that a guest
 * hypervisor has built for its own guest is a space over such a memory.
 *
 * It refers to itself: once begun it must stay where it is. Constant afterwards: threads may share
 * it.
 */
struct pw_nested_memory {
	struct pw_memory memory; /* read_pte, write_pte, exchange_pte, read_bytes, write_bytes */
	const struct pw_space *stage2;
	bool regardless; /* of rights: whatever stage 2 maps can be read and written */
};

/*
 * Begins guest-physical memory under stage 2. Entries of tables are read as the hardware reads them
 * (see above), or with `regardless` whatever the rights; data are read with PW_ACCESS_READ, written
 * with PW_ACCESS_WRITE, or regardless. Writes need a machine memory that can be written.
 */
PW_API void pw_nested_memory_begin(
	struct pw_nested_memory *nested, const struct pw_space *stage2, bool regardless);

/* Beside enum pw_region_kind: stage 1 maps this range, and stage 2 has a hole there. */
#define PW_REGION_UNBACKED 4

/*
 * A range of both stages together.
 *
 *   MAPPED    a maximal run, contiguous in va, gpa and pa, of equal page size and rights.
 *   REPEATS   this range repeats that of equal length at `repeats` (see struct pw_region).
 *   BAD, LOST of stage 1: as struct pw_region has it; an entry is lost too where stage 2 does not
 *             let the walk read it. Of stage 2: what it says of the gpa of this range.
 *   UNBACKED  a hole in stage 2.
 */
struct pw_nested_region {
	pw_va first, last;
	uint8_t kind;       /* enum pw_region_kind, or PW_REGION_UNBACKED */
	uint8_t stage;      /* BAD, LOST: 1 or 2; UNBACKED: 2 */
	uint8_t level;      /* BAD, LOST: of that stage's entry */
	pw_grant grant;     /* MAPPED: the rights of both; otherwise of stage 1 */
	pw_pa gpa, pa;      /* of `first` */
	uint64_t page_size; /* MAPPED: the smaller one; otherwise that of stage 1 */
	uint64_t entry;     /* BAD, LOST: as in struct pw_region */
	pw_va repeats;
};

/*
 * An enumeration of the composed space in progress; it belongs to one thread and must stay where it
 * was begun. Read `status` and `position` as those of struct pw_regions; the rest but for `budget`
 * and `expand` is private.
 */
struct pw_nested_regions {
	enum pw_status status;
	pw_va position;
	uint64_t budget; /* entries of both stages' tables, as enumerated; set it after _begin() */
	bool expand;     /* stage 1's repetitions in full; set it after _begin() */

	const struct pw_space *stage2;
	struct pw_nested_memory through;
	struct pw_space stage1; /* over it */
	struct pw_regions outer, inner;
	struct pw_region from;  /* of stage 1, cut up now: */
	pw_pa gpa, gpa_last;    /* what is left of it */
	struct pw_region piece; /* the next that stage 2 has there */
	struct pw_nested_region pending;
	uint64_t inner_reads;
	bool inside, has_piece, has_pending, done;
};

/*
 * Begins to enumerate [first, last] of stage 1 as stage 2 lets it be seen; see pw_regions_begin()
 * for scratch and budget, which stand for stage 1's tables. With `regardless` stage 1's tables are
 * read whatever the rights that stage 2 grants; without, only those that the hardware could read.
 */
PW_API void pw_nested_regions_begin(struct pw_nested_regions *regions,
	const struct pw_space *stage1, const struct pw_space *stage2, pw_va first, pw_va last,
	bool regardless, void *scratch, size_t scratch_bytes);

/* The next region in *region; false when there is none: then look at regions->status. */
PW_API PW_NODISCARD bool pw_nested_regions_next(
	struct pw_nested_regions *regions, struct pw_nested_region *region);

#ifdef __cplusplus
}
#endif

#endif
