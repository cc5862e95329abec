/* SPDX-License-Identifier: MIT */
/*
 * The whole address space as merged regions, in address order.
 */
#ifndef PAGEWALK_REGIONS_H
#define PAGEWALK_REGIONS_H

#include <pagewalk/walk.h>

#ifdef __cplusplus
extern "C" {
#endif

enum pw_region_kind {
	PW_REGION_MAPPED,  /* a maximal run, contiguous in va and pa, of equal page size and rights
			    */
	PW_REGION_REPEATS, /* this range repeats, page by page and with equal rights, the range of
			      equal length at `repeats`, which lies wholly before it: the same
			      tables are met again. What is not covered by a region there is a hole
			      here too */
	PW_REGION_BAD,     /* a BAD entry */
	PW_REGION_LOST,    /* a table, or part of one, that is not in memory */
};

/* In the order in which it is written fastest, and as long as a line of most caches. */
struct pw_region {
	pw_va first, last;
	pw_pa pa;
	uint8_t kind;  /* enum pw_region_kind */
	uint8_t level; /* BAD, LOST: as in struct pw_iter */
	pw_grant grant;
	uint32_t zero; /* 0, as is `unused`: both are here for the length */
	uint64_t page_size;
	uint64_t entry; /* BAD: the entry; LOST: the entry that leads to the table */
	pw_va repeats;
	uint64_t unused;
};

/* Private: a table met in a role: at this level, under these folded rights. */
struct pw_memo {
	pw_pa table;
	uint64_t role;  /* 0: this slot is free */
	pw_va first;    /* where its complete visit began */
	uint32_t items; /* regions' worth of entries in it: pages, BAD and lost ones; */
	uint32_t reads; /* entries read in that visit; neither counts beyond its largest number */
};

/* Private: which bits of the folds make a role, and where the level stands in it. */
struct pw_roles {
	uint64_t all, any;
	uint8_t level_at;
};

/* Private: what tells the ordinary pages of a level from everything else. */
struct pw_sieve {
	uint64_t must, want;   /* a page has (entry & must) == want, ... */
	uint64_t any;          /* any of these set, if not 0, ... */
	uint64_t table, value; /* (entry & table) != value, if table is not 0, ... */
	uint64_t illegal;      /* and bit entry[5:0] of this is clear */
	uint64_t present;      /* a hole lacks one of these, or all of `any` */
	uint64_t address;      /* the output address, before it is shifted left, ... */
	uint64_t counts;       /* and as much of it as can count up without a carry */
	uint64_t key;          /* the address and the rights */
	uint64_t run;          /* if these bits count up, everything above stays as it is */
	uint8_t level, shift, left, attributes;
	bool simple;                          /* must and want say it all */
	uint8_t right_bit[PW_MAX_ATTRIBUTES]; /* 0 for none: a fold decides then */
};

/* Private: what a level-1 table holds, a bit an entry; `table` is its address. */
struct pw_ahead {
	pw_pa table;
	bool known;
	bool now; /* seen in the present call: holes need not be looked at again */
	uint64_t and_fold, or_fold; /* of the entries above its own */
	uint64_t tables[8], present[8];
};

/* Private: a last table that will be come to, and the entry that leads to it. */
struct pw_after {
	pw_pa table; /* the level-1 table where the entry stands */
	uint64_t index;
	const char *at; /* NULL: not known */
};

/* So many regions pw_regions_next() lists ahead of what it hands out. */
#define PW_REGIONS_READY 16

/*
 * An enumeration in progress; it belongs to one thread. Read `status` and `position` after
 * pw_regions_next() has returned false; the rest is private.
 */
struct pw_regions {
	enum pw_status status; /* PW_OK: complete. PW_E_BUDGET: not, see `position` */
	pw_va position;        /* where it ended early: begin again there */
	uint64_t budget;       /* entries to read at most; set it after pw_regions_begin() */
	bool expand;           /* list every page, no REPEATS; set it after pw_regions_begin() */

	struct pw_iter it;
	struct pw_region pending;                 /* may still grow; between calls */
	struct pw_region ready[PW_REGIONS_READY]; /* for pw_regions_next() */
	uint8_t ready_at, ready_count;
	bool has_pending, done;
	bool resume; /* a scan was cut short: it goes on behind the iterator's step */
	struct pw_sieve sieve[PW_MAX_LEVELS];
	struct {
		uint64_t role;
		uint8_t keep, set; /* the attributes in that role: (the page's & keep) | set */
		uint64_t info[8];  /* by a page's own W, U and XD: what makes out a region from
				      `kind` on, if the sieve is simple */
	} fold[PW_MAX_LEVELS];
	struct pw_ahead ahead[2];        /* the level-1 table that is walked, and the next one */
	struct pw_after expected, after; /* the next last table, and the one after it */
	uint64_t items, again; /* so far: items, and reads for lists given in full again */
	struct {
		struct pw_memo memo;
		uint64_t items, reads; /* so far, when it began */
		bool whole;
	} visit[PW_MAX_LEVELS]; /* the tables between the root and the iterator */
	struct {
		pw_pa table;
		uint64_t role;
		pw_va first, last;
	} run[PW_MAX_LEVELS]; /* neighbouring entries that lead to one table */
	struct pw_roles roles;
	struct pw_memo *memo;
	size_t memo_slots, memo_used;
};

/* Scratch bytes that remember `tables` distinct tables. */
#define PW_REGIONS_SCRATCH(tables) (((size_t)(tables) + 1) * 48 + 64)

/*
 * Begins to enumerate [first, last]. `scratch` remembers the tables met, so that a table met again
 * at the same level with the same folded rights after a complete first visit becomes a REPEATS
 * region instead of a second visit (repetitions of fewer than 512 pages are listed in full all the
 * same, until that costs more than everything else together). Without scratch (NULL, 0), or when it
 * is full, tables are visited as often as they are met, and the budget, 2^26 entries unless set
 * otherwise, bounds the work. PW_E_RANGE if first > last: then there are no regions, and `status`
 * says so too.
 */
PW_API void pw_regions_begin(struct pw_regions *regions, const struct pw_space *space, pw_va first,
	pw_va last, void *scratch, size_t scratch_bytes);

/*
 * The next region in *region; false when there is none: then look at regions->status. Entries are
 * read some regions ahead.
 */
PW_API PW_NODISCARD bool pw_regions_next(struct pw_regions *regions, struct pw_region *region);

/*
 * The next regions in list[], at most `max`, which is at least 1. Returns how many: as many as go
 * at once, 0 only at the end, then look at regions->status. The same regions as by
 * pw_regions_next(), with which calls may be mixed, but faster where they are small: fastest with
 * room for some hundred, aligned to 64 bytes. With room for one nothing is read ahead.
 */
PW_API PW_NODISCARD size_t pw_regions_fill(
	struct pw_regions *regions, struct pw_region *list, size_t max);

/* The R W X U summary, user's and supervisor's R W X of a grant. */
static inline pw_rights pw_grant_rights(pw_grant grant)
{
	return grant >> 12;
}

static inline pw_rights pw_grant_user(pw_grant grant)
{
	return grant & 7;
}

static inline pw_rights pw_grant_supervisor(pw_grant grant)
{
	return (grant >> 4) & 7;
}

#ifdef __cplusplus
}
#endif

#endif
