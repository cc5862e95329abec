/* SPDX-License-Identifier: MIT */
/*
 * Private: one operation on the tables of a space, from its plan to its commit.
 *
 *   plan      pure: looks at what is there, counts the tables needed, may refuse
 *   reserve   takes the tables that splits need, or makes what holes are to become, unlinked; if
 *             the memory runs out of tables, gives all back and fails
 *   commit    changes entries, always through pw_commit(), a run of one table's entries at a time
 *   finish    gives back what is left of the reserve, hands over the tables taken out
 *
 * Positions are linear: the va without its extension bits. Nothing here needs memory of its own:
 * tables taken out are chained through their own entries.
 */
#ifndef PW_PRIVATE_BUILD_H
#define PW_PRIVATE_BUILD_H

#include "build_run.h"
#include "space.h"
#include <pagewalk/build.h>

/* What a page is asked to be. */
struct pw_wish {
	unsigned attributes; /* the index into the format's grants */
	unsigned type;       /* memory-type index */
	bool type_given;
	bool global;
	uint64_t software; /* bits of the entry */
	/* What table entries must not deny: attributes that are to be 1, or 0, and not global. */
	unsigned ones, zeros;
	bool local;
};

/* What is to become of a page, whatever it is. */
struct pw_amend {
	pw_rights set, clear;
	uint8_t next[PW_RIGHTS_TABLE]; /* attributes by those before, or PW_CANNOT */
	bool alike;                    /* they become what they become by one and the same change */
	uint8_t type, type_mask;       /* bits of the memory-type index */
	uint64_t software, software_mask;
};

/* What groups of entries are to be (PW_CONTIGUOUS). */
struct pw_group {
	uint8_t log2;  /* bytes */
	bool is_span;  /* otherwise pages with a hint */
	uint64_t leaf; /* the span at address 0 */
};

/* Tables taken for the splits at the two ends of a range. */
struct pw_reserve {
	unsigned count;
	pw_pa table[2];
};

/* Tables chained through their first entries. */
struct pw_chain {
	pw_pa head, tail;
	uint64_t count;
};

struct pw_trail;
struct pw_notes;
struct pw_mtrr;

/* A mapping in pieces of which each has a memory type of its own. */
struct pw_typed {
	const struct pw_mtrr *mtrr;
	pw_rights rights;  /* without a type */
	pw_rights type;    /* The wish is for the piece [first, last] (linear), of this type. */
	pw_va first, last; /* No page may reach over its ends. */
};

/* Stale translations that are not in the flush list yet: the operation may still be undone. */
struct pw_hold {
	pw_va first, last;
	bool any;
};

/* Where new pages come from. */
enum pw_source {
	PW_SOURCE_RANGE, /* one range of physical addresses */
	PW_SOURCE_PAGES, /* memory->allocate_page */
};

/* Pages taken out that wait for a flush. */
#define PW_PENDING_MAX 16
struct pw_pending {
	unsigned count;
	struct pw_freed_table page[PW_PENDING_MAX];
};

struct pw_build {
	const struct pw_space *space;
	const struct pw_format *format;
	const struct pw_memory *memory;
	struct pw_flush *flush;       /* may be NULL */
	struct pw_journal *journal;   /* not NULL: takes what is done; */
	size_t mark;                  /* its count before the operation */
	struct pw_hold *hold;         /* not NULL: takes, as one range, what is to be flushed */
	const struct pw_trail *trail; /* the path of tables in use while others are taken out */
	unsigned top;                 /* the root's level */
	bool live;
	bool has_wish;    /* wish and, without amend, leaf are filled in */
	bool all_present; /* the plan has seen nothing but pages in the last tables, */
	bool different;   /* and something that is not as wished */
	bool loosens;     /* an end of the range divides a group */
	uint64_t alike; /* the bits beside the address of a good page of the same table; 0: none */
	bool replace;   /* mapping: whatever is there gives way */
	bool unseen;    /* PW_OP_CHANGE is about bits that no TLB holds */
	bool unlinked;  /* what is taken out was never linked: no flush, no waiting */
	bool unflushed; /* pages to be freed have been taken out since the last flush_now */
	bool flushed;   /* flush_now has been called after everything was taken out */
	bool overflow;  /* the journal has no room: what has been done will be undone */
	bool refused;   /* the memory refused a write that it should have taken */
	enum pw_source source;

	pw_va first, last;      /* the range, linear */
	pw_pa pa;               /* PW_SOURCE_RANGE: what `first` is mapped to */
	struct pw_typed *typed; /* not NULL: wish, leaf and group are those of one piece */
	struct pw_wish wish;
	const struct pw_amend *amend; /* not NULL: pages are changed so, the wish is for tables */
	/* The wish as a page at address 0, by level. 0: cannot be, or too large for the range. */
	uint64_t leaf[PW_MAX_LEVELS];
	struct pw_group group[PW_MAX_LEVELS]; /* log2 0: there are to be none */

	/* What becomes of ordinary pages and of table entries, by level; bit n: it is known. */
	struct pw_change change[PW_MAX_LEVELS], widening[PW_MAX_LEVELS];
	unsigned changes, widenings;

	uint64_t empty;     /* what stands in entries that hold nothing */
	uint64_t link_mask; /* where a chained table's address stands in an entry */
	uint64_t need[PW_MAX_LEVELS], cuts[PW_MAX_LEVELS]; /* tables; and those of them for cuts */
	uint64_t kept[PW_MAX_LEVELS];                      /* of these in the caller's list */
	uint64_t noted;                                    /* holes that take tables */
	struct pw_reserve reserve[PW_MAX_LEVELS];
	struct pw_chain dead[PW_MAX_LEVELS];
	struct pw_notes *stock;     /* not NULL: where tables for splits come from */
	struct pw_pending *pending; /* not NULL: pages taken out go back to the memory */
	uint64_t written, taken, splits;
};

/* ---- The operation (build.c) ---- */

/* Checks the range. PW_E_ARGUMENT, PW_E_UNSUPPORTED, PW_E_ALIGNMENT, PW_E_RANGE. */
PW_NODISCARD enum pw_status pw_build_begin(struct pw_build *b, const struct pw_space *space,
	pw_va va, uint64_t size, struct pw_flush *flush);

/* Takes the tables that the planned cuts need, or none. PW_E_NO_TABLES. */
PW_NODISCARD enum pw_status pw_build_reserve(struct pw_build *b);

/* Gives back what is left of them. */
void pw_build_return(struct pw_build *b);

/* Gives back and hands over, or undoes what the journal has no room for; the operation's status. */
PW_NODISCARD enum pw_status pw_build_finish(struct pw_build *b);

/* ---- Entries as the format has them (build_entry.c) ---- */

/* Bits that builders know, in a combination that means something. */
bool pw_are_rights(pw_rights rights);
/* The memory-type index asked for, or PW_CANNOT. */
unsigned pw_type_of(const struct pw_format *format, pw_rights rights);
/* The software value as bits of a page; false if there are too few. */
bool pw_software_of(const struct pw_format *format, pw_rights rights, uint64_t *bits);

/* Sets wish and leaf. PW_E_ARGUMENT, PW_E_RIGHTS. */
PW_NODISCARD enum pw_status pw_build_wish(struct pw_build *b, pw_rights rights);

/* The bits of a page that hold its address. */
uint64_t pw_address_mask(const struct pw_page *shape);

/* The wish as a page of this shape at address 0. */
uint64_t pw_leaf_of(const struct pw_build *b, const struct pw_page *shape);

/* Where an attribute, or the bits of a memory-type index, stand in a page of this shape. */
uint64_t pw_right_bit(const struct pw_page *shape, unsigned attribute);
uint64_t pw_rights_mask(const struct pw_format *format, const struct pw_page *shape);
uint64_t pw_type_bits(const struct pw_page *shape, unsigned type);

/* What keeps a table entry of this level from denying the wish. */
struct pw_change pw_widening(struct pw_build *b, unsigned level);

/* What pw_protect() does to a page of this shape. */
struct pw_change pw_change_of(const struct pw_build *b, const struct pw_page *shape);

/* Below tables with these folds a page of this level has the rights that the wish asks for. */
bool pw_wish_holds(const struct pw_build *b, unsigned level, uint64_t and_fold, uint64_t or_fold);

/* The page entry with its address; false if its shape cannot hold the address. */
bool pw_leaf_at(const struct pw_build *b, unsigned level, const struct pw_page *shape,
	uint64_t leaf, pw_pa pa, uint64_t *entry);

/* Pages from pa on, at most `count`, whose entries differ only by the shape's stride. */
uint64_t pw_pages_in_stride(
	const struct pw_format *format, const struct pw_page *shape, pw_pa pa, uint64_t count);

/* The table entry of `level` that leads to the table at pa. */
uint64_t pw_link_to(const struct pw_format *format, unsigned level, pw_pa pa);

/*
 * A page of one shape as the first of the smaller pages `to` (of level `level`) that make it up, or
 * as the larger page of which it is the first, with equal rights, type, Accessed, Dirty, global and
 * software bits. False if `to` cannot say it.
 */
bool pw_convert(const struct pw_build *b, const struct pw_page *from, const struct pw_page *to,
	unsigned level, uint64_t entry, uint64_t *made);

/* Somebody may write to this page. */
bool pw_may_be_written(const struct pw_build *b, const struct pw_page *shape, uint64_t page);

/* The Dirty flag, if it is a bit of its own and not a right to write. */
uint64_t pw_dirty_flag(const struct pw_format *format, const struct pw_page *shape);

/* What makes a dirty page clean. */
struct pw_change pw_cleaning(const struct pw_format *format, const struct pw_page *shape);

/* ---- Tables (build_table.c) ---- */

struct pw_table pw_table_open(const struct pw_build *b, unsigned level, pw_pa pa);
/* Entries [index, index + count) can be written, by compare-exchange too if the space is live. */
bool pw_can_write(
	const struct pw_build *b, const struct pw_table *table, uint64_t index, uint64_t count);
/* Stores of single entries, for pw_commit() and for tables that no entry points to. */
bool pw_poke(
	const struct pw_build *b, const struct pw_table *table, uint64_t index, uint64_t entry);
/*
 * Stores `entry` where *expected stands, else sets *expected to what stands there. False without a
 * change of *expected: refused.
 */
bool pw_exchange(const struct pw_build *b, const struct pw_table *table, uint64_t index,
	uint64_t *expected, uint64_t entry);

/* Bytes to ask for: a table's, or more if entries can only lead to multiples of more. */
uint64_t pw_table_room(const struct pw_build *b, unsigned level);
/* A table from the memory that an entry can lead to and that can be written. */
bool pw_new_table(struct pw_build *b, unsigned level, pw_pa *pa);
/* A table for the split at `at`: the one kept for it, or of the stock or the reserve. */
bool pw_pop_reserve(struct pw_build *b, unsigned level, pw_va at, struct pw_table *table);
/* Back to the memory, without a flush: it was never linked. */
void pw_return_table(const struct pw_build *b, unsigned level, pw_pa pa);

/* A table's address as an entry that every level reads as a hole, and back. */
uint64_t pw_chain_link(const struct pw_build *b, pw_pa pa);
pw_pa pw_chain_target(const struct pw_build *b, uint64_t link);

/* ---- What was taken out (build_dead.c) ---- */

/* A page or a table that no entry points to any more; a table with everything below it. */
void pw_discard(struct pw_build *b, unsigned level, uint64_t index, uint64_t entry);
/* Has this table been taken out by this operation? */
bool pw_is_dead(const struct pw_build *b, pw_pa pa);

/* ---- Tables kept for splits, in the caller's list (build_retain.c) ---- */

/* There is one of this level for the page around `at`. */
bool pw_has_retained(const struct pw_build *b, unsigned level, pw_va at);
/* Takes it out of the list. */
bool pw_use_retained(struct pw_build *b, unsigned level, pw_va at, pw_pa *pa);
/* False: there is no list, no room, or one for that page already. */
bool pw_keep_table(struct pw_build *b, unsigned level, pw_va at, pw_pa pa);
bool pw_is_retained(const struct pw_build *b, pw_pa pa);

/* ---- The flush list (build_flush.c) ---- */

/*
 * The translations of [first, last] (linear) are stale: entries of `level` have changed, and with
 * them leaves of `leaf_level` or above.
 */
void pw_record(struct pw_build *b, pw_va first, pw_va last, unsigned level, unsigned leaf_level,
	bool tables);
/* The same of entries that were pages, beyond the operation's range too. */
void pw_record_whole(struct pw_build *b, pw_va first, pw_va last, unsigned level);
/* The caller's flush, if it gave one: what was in the list is flushed then. */
bool pw_flush_now(struct pw_build *b);
/* Flushes what pages have been taken out of, then gives the pages waiting for that back. */
void pw_free_pending(struct pw_build *b);
/* Hands a table, or all tables taken out, to the flush list or back to the memory. */
void pw_hand_over_table(struct pw_build *b, unsigned level, pw_pa pa);
void pw_hand_over(struct pw_build *b);

/* ---- Groups of entries (build_group.c) ---- */

/* The bytes of the group that this entry belongs to, or of the entry if that is none. */
unsigned pw_group_log2(const struct pw_build *b, unsigned level, uint64_t entry);
/* The entry of a group at `index` as an ordinary page. False: that cannot be said. */
bool pw_loosened(
	const struct pw_build *b, unsigned level, uint64_t index, uint64_t entry, uint64_t *page);
/*
 * If `at` divides a group, or an entry of one, its entries become ordinary pages. PW_NO_MEMORY,
 * PW_E_READ_ONLY, PW_E_UNSUPPORTED.
 */
PW_NODISCARD enum pw_status pw_plan_loosen(
	struct pw_build *b, const struct pw_table *table, unsigned level, pw_va at);
void pw_commit_loosen(struct pw_build *b, const struct pw_table *table, unsigned level, pw_va at);
/* Of the pages that the range continues with: as many as form groups, or as form none. */
void pw_take_groups(
	const struct pw_build *b, unsigned level, pw_va at, pw_pa pa, struct pw_row_of *pages);

/*
 * The pages of a table become groups wherever they can, as far as a group lies in [first, last] as
 * a whole. Returns the number of groups (build_join.c).
 */
uint64_t pw_join_pages(
	struct pw_build *b, const struct pw_table *table, unsigned level, pw_va first, pw_va last);

/* ---- Growing (build_grow.c) ---- */

/* Whole pages of `level` from `at` on, up to `last`. */
bool pw_take_pages(
	struct pw_build *b, unsigned level, pw_va at, pw_va last, struct pw_row_of *pages);
/*
 * What a hole of `level` becomes so that [at, last] inside it is mapped: a page, or a table with
 * all that is below it, complete but not linked. False if pages or tables ran out: then *entry
 * holds what was made so far (0: nothing), to be discarded.
 */
bool pw_grow(struct pw_build *b, unsigned level, pw_va at, pw_va last, uint64_t *entry);

/* ---- Cuts (build_cut.c) ---- */

/*
 * Pages that lie across the ends of the range are cut there, so that afterwards every page is
 * inside or outside. The plan counts tables; it also looks along both ends' paths:
 * PW_RESERVED, PW_NO_MEMORY, PW_E_READ_ONLY, PW_E_UNSUPPORTED.
 */
PW_NODISCARD enum pw_status pw_plan_cuts(struct pw_build *b);
void pw_commit_cuts(struct pw_build *b);
/* The page around `at` becomes a table of the next smaller ones, to which *entry then leads. */
bool pw_split_page(struct pw_build *b, const struct pw_table *table, unsigned level, pw_va at,
	uint64_t *entry);

/* ---- Mapping, for pw_map() and pw_allocate() (build_map.c, build_fill.c) ---- */

/*
 * Reads the rights, PW_REPLACE among them, and plans the cuts of what is to be replaced. As
 * pw_build_wish() and pw_plan_cuts().
 */
PW_NODISCARD enum pw_status pw_map_wish(struct pw_build *b, pw_rights rights);
/* pw_build_begin(), and looks at pa. */
PW_NODISCARD enum pw_status pw_map_begin(struct pw_build *b, const struct pw_space *space, pw_va va,
	pw_pa pa, uint64_t size, struct pw_flush *flush);
/* Pages of a level serve only if va and pa agree below its size and all of pa can be said. */
void pw_choose_sizes(struct pw_build *b);
PW_NODISCARD enum pw_status pw_plan_map(struct pw_build *b);
/* Fills the holes of the range as planned, and finishes. PW_E_NO_TABLES, with nothing changed. */
PW_NODISCARD enum pw_status pw_fill_holes(struct pw_build *b);

/*
 * Counts the tables for [first, last] below a hole of `level`, without looking at each of them.
 * PW_E_RANGE, PW_E_UNSUPPORTED.
 */
PW_NODISCARD enum pw_status pw_count_tables(
	struct pw_build *b, unsigned level, pw_va first, pw_va last);

/* ---- Mapping in pieces (build_typed.c) ---- */

/* The wish is for the piece that holds `at` now. */
void pw_turn_to(struct pw_build *b, pw_va at);

#include "build_inline.h"

#endif
