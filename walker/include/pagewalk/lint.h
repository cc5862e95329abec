/* SPDX-License-Identifier: MIT */
/*
 * A lint for tables of any format: what the hardware would refuse, and what looks unsafe, entry by
 * entry, with the reason. For tables that somebody else has built, or one's own.
 */
#ifndef PAGEWALK_LINT_H
#define PAGEWALK_LINT_H

#include <pagewalk/regions.h>

#ifdef __cplusplus
extern "C" {
#endif

enum pw_lint_kind {
	/* Refused by the hardware: the entry is BAD. */
	PW_LINT_RESERVED,    /* reserved bits are set: `bits` */
	PW_LINT_RIGHTS,      /* rights that cannot stand together (EPT, RISC-V) */
	PW_LINT_MEMORY_TYPE, /* a memory type that is none (EPT) */
	PW_LINT_NO_PAGE,     /* a page where this level has none */
	/* The walk cannot go on. */
	PW_LINT_LOST, /* a table, or part of one, that is not in memory */
	PW_LINT_LOOP, /* a table that contains itself, directly or further below */
	/* Legal, but worth a look. */
	PW_LINT_SHARED,         /* a table that was met before: a change here changes there too */
	PW_LINT_WRITE_EXECUTE,  /* pages that the same mode may write and execute */
	PW_LINT_WRITABLE_TABLE, /* these pages hold one of the tables themselves, and are writable
				 */
	PW_LINT_KIND_COUNT
};

/* "reserved-bits", "rights", "memory-type", "no-such-page", "no-memory", "loop", "shared-table",
 * "write-execute" or "writable-table". Never NULL. */
PW_API const char *pw_lint_kind_name(enum pw_lint_kind kind);

/* The hardware refuses it, or cannot be foretold: everything up to PW_LINT_LOOP. */
PW_API bool pw_lint_is_error(enum pw_lint_kind kind);

struct pw_finding {
	pw_va first, last; /* what the entry maps, or would */
	uint8_t kind;      /* enum pw_lint_kind */
	uint8_t level;     /* of the entry */
	uint64_t entry;
	pw_pa entry_pa; /* where it stands; LOST: where it should */
	uint64_t bits;  /* RESERVED: those that should be 0 */
	pw_pa table;    /* LOOP, SHARED: the table; WRITABLE_TABLE: the root */
	uint8_t rights; /* WRITE_EXECUTE: R W X U as results have it */
};

/* A lint in progress; it belongs to one thread. Beside status, position, budget all is private. */
struct pw_lint {
	enum pw_status status; /* PW_OK: complete. PW_E_BUDGET: not, it ended at `position` */
	pw_va position;
	uint64_t budget; /* entries to read at most; 2^26 unless set after pw_lint_begin() */

	struct pw_regions tables;  /* its iterator, and its memory of the tables met */
	struct pw_finding pending; /* may still grow */
	bool has_pending, done;
};

/*
 * Begins a lint of [first, last]. With scratch (PW_REGIONS_SCRATCH) a table that is met again in
 * the same role, level and folded rights, is told of and not gone into again; without, or when it
 * is full, the budget bounds the work. PW_E_RANGE in lint->status if first > last.
 */
PW_API void pw_lint_begin(struct pw_lint *lint, const struct pw_space *space, pw_va first,
	pw_va last, void *scratch, size_t scratch_bytes);

/* The next finding, in address order; false when there is none: then look at lint->status. */
PW_API PW_NODISCARD bool pw_lint_next(struct pw_lint *lint, struct pw_finding *finding);

/*
 * The reason in words, without address and level ("reserved bits 0x78 are set", "write without
 * read"), into text[size], always terminated if size > 0. Returns text, or "" if size is 0.
 */
PW_API const char *pw_finding_text(
	const struct pw_space *space, const struct pw_finding *finding, char *text, size_t size);

#ifdef __cplusplus
}
#endif

#endif
