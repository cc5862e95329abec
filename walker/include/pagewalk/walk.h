/* SPDX-License-Identifier: MIT */
/*
 * Walks over a range of addresses: an iterator that the caller drives, and callbacks driven by it.
 *
 * Work is bounded by what the tables contain, not by memory: a hostile table that points to itself
 * makes a walk long (up to 512^4 pages on x86-64), never endless. Bound it with a budget, or use
 * regions (pagewalk/regions.h), which visit every distinct table once.
 */
#ifndef PAGEWALK_WALK_H
#define PAGEWALK_WALK_H

#include <pagewalk/space.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What pw_iter_next() found. */
enum pw_step {
	PW_STEP_END, /* the range is done */
	PW_STEP_HOLE,
	PW_STEP_PAGE,
	PW_STEP_TABLE, /* a table entry; its table comes next, unless pw_iter_skip() */
	PW_STEP_BAD,
	PW_STEP_LOST,  /* the entry at this place cannot be read: no memory there */
	PW_STEP_LEAVE, /* the table entered by PW_STEP_TABLE of the same range is done */
};

/*
 * An iterator belongs to one thread. The public part describes the last step. Fields [first, last]
 * are the entry's range, clipped to the range of the walk, in canonical form.
 */
struct pw_iter {
	uint8_t step;  /* enum pw_step */
	uint8_t level; /* of the entry (PW_STEP_LOST: of the entry that cannot be read) */
	pw_va first, last;
	uint64_t entry;     /* PW_STEP_LOST: the table entry that leads here, 0 for the root */
	pw_pa entry_pa;     /* 0: none, a PDPTE register */
	pw_pa pa;           /* PW_STEP_PAGE: output address of `first` */
	uint64_t page_size; /* PW_STEP_PAGE */
	pw_grant grant;     /* PW_STEP_PAGE: folded rights; see PW_GRANT */
	uint64_t reads;     /* entries read so far */

	/* Private. */
	const struct pw_space *space;
	pw_va begin, position, linear_last, end; /* linear: without the extension bits */
	bool fresh, descend, done;
	pw_pa table[PW_MAX_LEVELS];
	uint64_t table_entry[PW_MAX_LEVELS]; /* the entry that leads to table[level], */
	pw_pa entry_place[PW_MAX_LEVELS];    /* and where it stands */
	uint64_t and_fold[PW_MAX_LEVELS], or_fold[PW_MAX_LEVELS];
};

/*
 * Starts a walk over [first, last]. Addresses that the format cannot take are left out: a range
 * over the canonical hole yields what lies on both sides. PW_E_RANGE if first > last.
 */
PW_API PW_NODISCARD enum pw_status pw_iter_begin(
	struct pw_iter *it, const struct pw_space *space, pw_va first, pw_va last);

/* The next step in address order, a table before its entries. PW_STEP_END at the end, and ever
 * after. */
PW_API enum pw_step pw_iter_next(struct pw_iter *it);

/* After PW_STEP_TABLE: do not go into that table (PW_STEP_LEAVE does not come either). */
PW_API void pw_iter_skip(struct pw_iter *it);

/*
 * What a handler is shown. The range is closed and clipped to the walk's. In a mutable walk the
 * handler may assign `entry`.
 */
struct pw_visit {
	const struct pw_space *space;
	pw_va first, last;
	uint64_t entry;
	pw_pa entry_pa;
	uint8_t level;
	uint8_t kind;       /* enum pw_kind */
	pw_pa pa;           /* a PAGE's output address at `first`; a TABLE's next table */
	uint64_t page_size; /* a PAGE's size */
	pw_grant grant;     /* a PAGE's folded rights */
};

/* A handler returns this to end the walk with PW_OK, 0 to go on, anything else to fail it. */
#define PW_STOP 0x5057

/*
 * Callbacks of a read-only walk; a NULL handler is not called. handle_pte sees every present entry
 * (PAGE, TABLE, BAD), a table before its entries; handle_pte_hole every hole; handle_post_pte every
 * TABLE again after its entries. A BAD entry is never descended into.
 */
struct pw_walker {
	int (*handle_pte)(void *ctx, const struct pw_visit *visit);
	int (*handle_pte_hole)(void *ctx, const struct pw_visit *visit);
	int (*handle_post_pte)(void *ctx, const struct pw_visit *visit);
	void *ctx;
	uint64_t budget; /* entries to read at most; 0: no limit */

	/* Filled by the walk. */
	int code;       /* what the failing or stopping handler returned */
	pw_va position; /* where the walk ended early: resume with first = position */
};

/*
 * The same for a mutable walk. After a handler the entry is written, if and only if the handler
 * changed it, to the place it was read from, with one store (compare-exchange where the memory
 * offers it: a write that loses against a concurrent change fails with PW_UNSTABLE). An entry that
 * a handler of holes or pages turned into a TABLE is descended into.
 */
struct pw_walker_mut {
	int (*handle_pte)(void *ctx, struct pw_visit *visit);
	int (*handle_pte_hole)(void *ctx, struct pw_visit *visit);
	int (*handle_post_pte)(void *ctx, struct pw_visit *visit);
	void *ctx;
	uint64_t budget;

	int code;
	pw_va position;
};

/*
 * Walks [first, last]. PW_OK: complete, or stopped by PW_STOP. PW_E_CALLBACK: a handler failed, its
 * value is walker->code. PW_NO_MEMORY: the entry for `position` cannot be read; what lies behind
 * its table is reached by resuming there (pw_translate() tells the level, pw_level_last() of the
 * level above the end). PW_E_BUDGET: resuming makes headway if the budget is at least the format's
 * levels. PW_E_RANGE. The mutable walk also PW_E_READ_ONLY, PW_UNSTABLE and, for a change to what
 * is no entry in memory (a PDPTE register, a space without tables), PW_E_UNSUPPORTED.
 */
PW_API PW_NODISCARD enum pw_status pw_walk(
	const struct pw_space *space, pw_va first, pw_va last, struct pw_walker *walker);
PW_API PW_NODISCARD enum pw_status pw_walk_mut(
	const struct pw_space *space, pw_va first, pw_va last, struct pw_walker_mut *walker);

#ifdef __cplusplus
}
#endif

#endif
