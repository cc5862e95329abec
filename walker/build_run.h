/* SPDX-License-Identifier: MIT */
/* Private: runs of entries of one table, and the one place where they change. */
#ifndef PW_PRIVATE_BUILD_RUN_H
#define PW_PRIVATE_BUILD_RUN_H

#include "entry.h"
#include "kernels.h"

struct pw_build;

/* A table, directly addressable and writable at `host`, or reached entry by entry. */
struct pw_table {
	pw_pa pa;
	char *host;
};

/* A change of entries that keeps what it does not set: (entry & keep) | set. */
struct pw_change {
	uint64_t keep, set;
};

enum pw_op {
	PW_OP_STORE,      /* value, value + stride, ... into holes */
	PW_OP_OVERWRITE,  /* the same, discards what was there */
	PW_OP_CHANGE,     /* `change` (`span` for pages of that shape) to whatever is present */
	PW_OP_CLEAR,      /* make holes, discard what was there */
	PW_OP_REPLACE,    /* `value` where `expected` stands: one entry */
	PW_OP_LOOSEN,     /* a group's entries become ordinary pages */
	PW_OP_JOIN,       /* ordinary pages become a group, if they can */
	PW_OP_TAKE_MARKS, /* `take`: finds and clears Accessed and Dirty */
};

/* Marks taken from a run of up to PW_TAKE_MAX entries. */
#define PW_TAKE_MAX   512u
#define PW_TAKE_WORDS (PW_TAKE_MAX / 64)
struct pw_take {
	bool clear_accessed, clear_dirty;
	const void *ahead; /* is looked at next: prefetched; NULL: nothing is */
	/* Bit n: entry n of the run was so. */
	uint64_t accessed[PW_TAKE_WORDS], dirty[PW_TAKE_WORDS];
	struct pw_take_counts count; /* of these bits */
};

/* Entries in a row: value, value + stride, ... */
struct pw_row_of {
	uint64_t value, stride, count;
};

/* A run of entries of one table. */
struct pw_run {
	const struct pw_table *table;
	enum pw_op op;
	uint8_t level;
	bool linked;      /* the hardware can reach the table */
	bool tables;      /* the entries are table entries */
	bool all_present; /* PW_OP_CHANGE: there are no holes in the run */
	uint64_t index, count;
	pw_va at; /* linear address of the first entry; for linked tables */
	uint64_t value, stride;
	uint64_t expected; /* PW_OP_REPLACE: set to what stands there if it is something else */
	struct pw_change change, span;
	struct pw_take *take;
	const char *ahead; /* PW_OP_CHANGE: half as much from here on may be prefetched, or NULL */
};

/*
 * The one place where linked tables change. False: PW_OP_REPLACE found something else there,
 * PW_OP_JOIN pages that can be no group, or the memory or the journal refused a store (then
 * b->refused is set).
 */
bool pw_commit(struct pw_build *b, struct pw_run *run);

/* What PW_OP_REPLACE does, for an entry that becomes what it was before, whatever that was. */
bool pw_restore(struct pw_build *b, struct pw_run *run);

/* Directly addressable runs, on tables that no CPU walks. */
void pw_fill_run(const struct pw_build *b, const struct pw_run *run);
/* The number of entries that are present. Without a change: 0. */
uint64_t pw_change_run(const struct pw_build *b, const struct pw_run *run);
/* The same on a table that CPUs walk; entries have 8 bytes in the host's byte order. */
uint64_t pw_change_live_run(const struct pw_format *format, const struct pw_run *run);
PW_INLINE bool pw_is_plain(const struct pw_format *format)
{
	return format->entry_bytes == 8 && format->big_endian == PW_HOST_BIG;
}

/* PW_OP_LOOSEN (build_group.c). */
void pw_loosen(struct pw_build *b, const struct pw_run *run);
/* PW_OP_JOIN (build_join.c). */
bool pw_join(struct pw_build *b, const struct pw_run *run);
/* PW_OP_TAKE_MARKS without what follows from it (build_marks.c). */
void pw_take_marks(struct pw_build *b, const struct pw_run *run);
/* Counts the bits of a run's words again. */
void pw_count_marks(struct pw_take *take);

/*
 * What the entries of a directly addressable run have in common; `full` may be false though they
 * are. `ahead`: the run that will be looked at next, or NULL; at least its first half is
 * prefetched.
 */
struct pw_common pw_survey_run(const struct pw_build *b, unsigned level, const char *at,
	const char *ahead, uint64_t count);

/*
 * The entries of a whole table are `first` and pages that follow it, but for the bits outside
 * `keep`; then *common tells their AND and OR. `ahead`, or NULL, is prefetched as a whole.
 */
bool pw_are_alike(const struct pw_build *b, unsigned level, const struct pw_table *table,
	const char *ahead, uint64_t keep, uint64_t first, struct pw_common *common);

#endif
