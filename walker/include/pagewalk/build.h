/* SPDX-License-Identifier: MIT */
/*
 * Building and changing tables, for any format, through the space's memory.
 *
 * Every operation plans first (range, alignment, rights, overlap, tables needed), then reserves the
 * tables, then commits, which cannot fail: an error means that nothing has changed and every
 * reserved table was given back. A new table is filled completely before one store links it.
 * A huge page of which only a part is changed is split.
 *
 * One space is changed by one thread at a time. The tables are taken to be quiescent unless the
 * flush says `live`: then the hardware may set Accessed and Dirty at any moment, and entries are
 * changed by compare-exchange so that none is lost.
 *
 * va, pa and size are multiples of the format's smallest page (PW_E_ALIGNMENT), size is not 0, and
 * the range neither wraps nor leaves what the format takes (PW_E_RANGE).
 */
#ifndef PAGEWALK_BUILD_H
#define PAGEWALK_BUILD_H

#include <pagewalk/space.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A range whose cached translations are stale, in the space's va. */
struct pw_flush_range {
	pw_va first, last;
	uint8_t level; /* smallest level of the leaves changed in it */
	bool tables;   /* table entries changed: paging-structure caches are stale too */
};

/* A table that no entry points to any more, waiting for the flush. */
struct pw_freed_table {
	pw_pa pa;
	uint64_t bytes;
};

/*
 * What one or more operations leave to be flushed. Fill in the storage, zero the rest; ranges are
 * merged where they touch. When `ranges` is full the list degrades to `everything`.
 *
 * Tables that became empty are collected in `freed`, to be given back by pw_flush_done() after the
 * caller has flushed; if there is no room left (or no flush at all was passed) they go back to the
 * memory at once, after `flush_now` was called, if the caller supplied it.
 */
struct pw_flush {
	struct pw_flush_range *ranges;
	size_t range_max, range_count;
	struct pw_freed_table *freed;
	size_t freed_max, freed_count;
	bool everything; /* flush all translations of the space */
	bool live;       /* set by the caller: the hardware walks these tables now */
	/* Optional: flush everything in the list now; called when `freed` is full. */
	void (*flush_now)(void *ctx, struct pw_flush *flush);
	void *ctx;
	/* Counters, added to by each operation. */
	uint64_t entries_written, tables_allocated, tables_freed, splits;
};

/* After the caller has flushed: gives the freed tables back and empties the list. */
PW_API void pw_flush_done(const struct pw_space *space, struct pw_flush *flush);

/* An empty root for `format`: one table, filled with holes. PW_E_NO_TABLES, PW_E_READ_ONLY. */
PW_API PW_NODISCARD enum pw_status pw_root_create(
	const struct pw_format *format, const struct pw_memory *memory, pw_pa *root);

/*
 * Maps [va, va + size) to [pa, pa + size) with the largest pages that size and alignment allow.
 * PW_E_EXISTS: something (a page, or a BAD entry) is there already. PW_E_RIGHTS: the format cannot
 * express the rights or the memory type. PW_E_NO_TABLES. PW_E_RANGE also for a pa beyond the
 * physical width. PW_RESERVED, PW_NO_MEMORY: a table in the way is BAD or lost.
 */
PW_API PW_NODISCARD enum pw_status pw_map(const struct pw_space *space, pw_va va, pw_pa pa,
	uint64_t size, pw_rights rights, struct pw_flush *flush);

/*
 * Makes the range holes, whatever of it is mapped; frees the tables that become empty (never the
 * root). Splits a huge page that lies partly outside.
 */
PW_API PW_NODISCARD enum pw_status pw_unmap(
	const struct pw_space *space, pw_va va, uint64_t size, struct pw_flush *flush);

/*
 * Replaces the rights of every page in the range, keeping address, Accessed, Dirty and software
 * bits; the memory type too if none is given. Holes stay holes. Splits as pw_unmap() does. Rights
 * refused by an upper level's entry (x86 W or U clear in a table entry) are granted there as well.
 */
PW_API PW_NODISCARD enum pw_status pw_protect(const struct pw_space *space, pw_va va, uint64_t size,
	pw_rights rights, struct pw_flush *flush);

/*
 * Maps the range to pages from memory->allocate_page, as large as it gives; unaffected if it or the
 * tables run out (PW_E_NO_TABLES): all pages are given back. PW_E_EXISTS as in pw_map().
 */
PW_API PW_NODISCARD enum pw_status pw_allocate(const struct pw_space *space, pw_va va,
	uint64_t size, pw_rights rights, struct pw_flush *flush);

/* pw_unmap(), and memory->free_page for every page that was mapped. */
PW_API PW_NODISCARD enum pw_status pw_free(
	const struct pw_space *space, pw_va va, uint64_t size, struct pw_flush *flush);

/*
 * The entry that decides about va: the page's, or the one that ends the walk, at *level (if not
 * NULL). PW_OK for a PAGE or a HOLE; PW_RESERVED, PW_NO_MEMORY, PW_NON_CANONICAL as translation.
 */
PW_API PW_NODISCARD enum pw_status pw_read_pte(
	const struct pw_space *space, pw_va va, uint64_t *entry, unsigned *level);

/*
 * Replaces that entry if it still equals `old`, in the place it was read from (PW_UNSTABLE if not).
 * Nothing else is looked at: the caller answers for the new entry.
 */
PW_API PW_NODISCARD enum pw_status pw_write_pte(
	const struct pw_space *space, pw_va va, uint64_t old, uint64_t entry);

#ifdef __cplusplus
}
#endif

#endif
