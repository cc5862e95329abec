/* SPDX-License-Identifier: MIT */
/*
 * Building and changing tables, for any format, through the space's memory.
 *
 * Every operation plans first (range, alignment, rights, overlap, tables needed), then reserves the
 * tables, then commits, which cannot fail: an error means that nothing has changed and every
 * reserved table was given back. (The one exception is a memory whose write_pte refuses an entry of
 * a table that it delivers for reading: then what could be done is done, and the status is
 * PW_E_READ_ONLY.) A new table is filled completely, with holes too, before one store links it. A
 * huge page of which only a part is changed is split.
 *
 * One space is changed by one thread at a time. The tables are taken to be quiescent unless the
 * flush says `live`: then the hardware may set Accessed and Dirty at any moment, and entries are
 * changed by compare-exchange so that none is lost. Through callbacks that takes exchange_pte
 * (PW_E_READ_ONLY without).
 *
 * Tables belong to this space alone, each reached by one path. A table that contains itself is
 * refused (PW_E_UNSUPPORTED). Two paths that lead to one table inside the range are not noticed
 * when mapping and protecting: the second sees what the first has done. Taken out it is only once.
 * A table that is also reached from outside the range must not lie in a range to be unmapped.
 *
 * va, pa and size are multiples of the format's smallest page (PW_E_ALIGNMENT), size is not 0, and
 * the range neither wraps nor leaves what the format takes nor spans the canonical hole
 * (PW_E_RANGE). Formats without tables, and spaces whose root is the PDPTE registers, cannot be
 * changed (PW_E_UNSUPPORTED). Entries that hold nothing are written as space->empty, 0 unless
 * pw_space_set_empty() says otherwise.
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
	uint8_t level;   /* no leaf changed in it was of a smaller level */
	bool tables;     /* table entries changed: paging-structure caches are stale too */
	uint8_t highest; /* no entry changed in it was of a higher level */
};

/* A table that no entry points to any more, waiting for the flush. */
struct pw_freed_table {
	pw_pa pa;
	uint64_t bytes;
};

/* An unlinked table kept for the page that it can split: the one around va, one level above. */
struct pw_retained {
	pw_va va; /* linear: without its extension bits */
	pw_pa pa;
	uint8_t level; /* of the table */
};

/* Fill in the storage, zero the rest. See pw_retain(). */
struct pw_retention {
	struct pw_retained *tables;
	size_t max, count;
};

struct pw_journal;

/*
 * What one or more operations leave to be flushed. Fill in the storage, zero the rest; ranges are
 * merged where they touch. When `ranges` is full the list degrades to `everything`.
 *
 * A hole that became a page or a table is listed only where the hardware may remember holes
 * (RISC-V, formats of no known family). x86 PAE holds the root's entries in registers: if one of
 * them changes, even from a hole, `everything` asks for CR3 to be loaded again.
 *
 * Tables that became empty are collected in `freed`, to be given back by pw_flush_done() after the
 * caller has flushed. If there is no room left, flush_now is called, if the caller supplied it, and
 * the list is emptied as by pw_flush_done(); then, or if no flush at all was passed, tables go back
 * to the memory at once. Without flush_now `everything` is set then.
 */
struct pw_flush {
	struct pw_flush_range *ranges;
	size_t range_max, range_count;
	struct pw_freed_table *freed;
	size_t freed_max, freed_count;
	bool everything; /* flush all translations of the space */
	bool live;       /* set by the caller: the hardware walks these tables now */
	/*
	 * Optional: flush everything in the list now. Called when `freed` is full, by pw_free()
	 * before pages go back and on live Arm spaces between a page and what it becomes,
	 * perhaps several times. Do not call the library from here.
	 */
	void (*flush_now)(void *ctx, struct pw_flush *flush);
	void *ctx;
	/*
	 * Optional: tables for splits. A page is split with the table that is kept for it, if there
	 * is one, and without asking the memory.
	 */
	struct pw_retention *retention;
	/*
	 * Optional: what is changed is recorded there and can be undone (pagewalk/journal.h). The
	 * status is PW_E_BUDGET, with nothing changed, where it has no room.
	 */
	struct pw_journal *journal;
	/*
	 * Counters, added to by each operation: entries that were stored other than as a new
	 * table's holes, tables taken into use, tables taken out, pages split.
	 */
	uint64_t entries_written, tables_allocated, tables_freed, splits;
};

/*
 * After the caller has flushed: gives the freed tables back and empties the list, and the journal.
 */
PW_API void pw_flush_done(const struct pw_space *space, struct pw_flush *flush);

/*
 * An empty root for `format`: one table, filled with holes. PW_E_NO_TABLES (also if what the memory
 * gives is not aligned as the format wants its root, or lies where the register that holds it does
 * not reach), PW_E_READ_ONLY.
 */
PW_API PW_NODISCARD enum pw_status pw_root_create(
	const struct pw_format *format, const struct pw_memory *memory, pw_pa *root);

/*
 * The same with holes of this value, for a space that has it as its `empty`. PW_E_ARGUMENT also for
 * a value that pw_space_set_empty() does not take.
 */
PW_API PW_NODISCARD enum pw_status pw_root_create_with(const struct pw_format *format,
	const struct pw_memory *memory, uint64_t empty, pw_pa *root);

/*
 * A root in `taller`, a format of more levels whose lower levels are those of the space's own (EPT
 * with 5 levels instead of 4, LA57, Sv39 to Sv48 to Sv57, with their guest stages, 39 to 48 bits on
 * AArch64): every address that the space takes translates as it did, with the same rules, and
 * nothing else is mapped. Make a space of *root and `taller`, and change the old one no more.
 *
 * Where the entries of the old root belong into one table it becomes that table: entry 0 of the new
 * root leads to it or, where only the upper half of sign-extended addresses is mapped or on Arm in
 * TTBR1, the last. Otherwise (both halves, or a guest stage's root of four tables) they are copied,
 * and the old root stays as it is, for the CPUs that walk it, and waits in the list for the flush,
 * which may come when no CPU walks it any longer. What the hardware marks in it after the copy is
 * lost, but pages of a live list that may be written are taken to be dirty. The list asks for
 * `everything`.
 *
 * PW_E_NO_TABLES, with nothing changed; PW_E_UNSUPPORTED: no such format; PW_NO_MEMORY: the root is
 * lost.
 */
PW_API PW_NODISCARD enum pw_status pw_root_grow(const struct pw_space *space,
	const struct pw_format *taller, struct pw_flush *flush, pw_pa *root);

/*
 * Maps [va, va + size) to [pa, pa + size) with the largest pages that size, alignment and the CPU
 * allow. A table that is there already stays, even an empty one. With PW_CONTIGUOUS pages form
 * groups wherever they can; where they cannot it is no error.
 *
 * With PW_REPLACE among the rights whatever is mapped in the range gives way, BAD entries that lie
 * in it as a whole too, each entry by one store: a live space has the old page or the new one at
 * any moment (on Arm neither for a moment; see pw_unmap()). Pages across the ends of the range are
 * split. Tables that a page takes the place of are freed, others stay. The marks of the pages that
 * were there are lost: harvest them before. Where two paths in the range lead to a table that is
 * freed, the second becomes a hole. Statuses of pw_unmap() beside those below.
 *
 * PW_E_EXISTS, without PW_REPLACE: something (a page, or a BAD entry) is there already.
 * PW_E_NO_TABLES. PW_E_RANGE also for a pa beyond the physical width or beyond what the format's
 * entries can hold. PW_RESERVED, PW_NO_MEMORY: a table in the way is BAD or lost. PW_E_READ_ONLY.
 * PW_E_ARGUMENT: unknown bits in `rights`.
 *
 * PW_E_RIGHTS: the format cannot express the rights, the memory type, PW_IPAT, the software value
 * or PW_GLOBAL; or a table entry on the way denies the rights (x86 W or U clear, XD set) and serves
 * addresses outside the range too, whose rights must not change. Where it serves the range alone it
 * is made to grant them. pw_why_refused() tells which of these it is.
 */
PW_API PW_NODISCARD enum pw_status pw_map(const struct pw_space *space, pw_va va, pw_pa pa,
	uint64_t size, pw_rights rights, struct pw_flush *flush);

/* Tables that an operation takes from the memory. */
struct pw_needs {
	uint64_t tables[PW_MAX_LEVELS]; /* by level, each of pw_table_bytes() */
	uint64_t spare;                 /* of level 0, given back before the operation returns */
	uint64_t total;
};

/*
 * How many tables pw_map() would take; nothing is written. With that many in the memory it does not
 * fail for want of them. (Where more than 32 entries of tables that are there already are to lead
 * to new ones, it takes spare tables to note them in.) PW_E_ARGUMENT if `needs` is NULL; other
 * statuses as pw_map(), but for PW_E_NO_TABLES.
 */
PW_API PW_NODISCARD enum pw_status pw_map_needs(const struct pw_space *space, pw_va va, pw_pa pa,
	uint64_t size, pw_rights rights, struct pw_needs *needs);

/*
 * The same for pw_unmap(), pw_protect() and pw_modify(), which take tables only for huge pages that
 * lie across the ends of the range. A memory that keeps two tables a level in hand lets none of
 * them ever fail for want of one.
 */
PW_API PW_NODISCARD enum pw_status pw_cut_needs(
	const struct pw_space *space, pw_va va, uint64_t size, struct pw_needs *needs);

/*
 * Makes the range holes, whatever of it is mapped; frees the tables that become empty (never the
 * root). Splits a huge page that lies partly outside.
 *
 * A group of entries (PW_CONTIGUOUS, pages that span several entries) that the end of the range
 * divides is loosened: all of it becomes ordinary pages. Each gets the marks of any of them, as the
 * hardware may set them in one for all; on a live RISC-V space those that may be written are taken
 * to be dirty.
 *
 * What lies in the range as a whole is taken out where it hangs: a BAD entry is cleared and not
 * followed, a table that is not in memory is forgotten. A hole that is not 0 outside the range
 * keeps its table. PW_RESERVED, PW_NO_MEMORY: a BAD entry or a lost table at an end of the range.
 * PW_E_UNSUPPORTED: the smaller pages cannot express what the huge page says (an Arm section with
 * a domain or PXN), or a live Arm page or group would have to be split, which goes
 * by way of holes (break-before-make): that takes flush_now. PW_E_NO_TABLES: none for the split.
 * PW_E_READ_ONLY.
 */
PW_API PW_NODISCARD enum pw_status pw_unmap(
	const struct pw_space *space, pw_va va, uint64_t size, struct pw_flush *flush);

/*
 * Replaces the rights of every page in the range, and whether it is global, keeping address,
 * Accessed, Dirty, protection key and software bits; the memory type too if none is given. Holes
 * stay holes, and where all is as asked already nothing is written. Splits as pw_unmap() does.
 * PW_CONTIGUOUS says nothing here: groups inside the range stay groups.
 * PW_E_ARGUMENT also for a software value, and for PW_IPAT without a memory type.
 *
 * Rights denied by a table entry: PW_E_RIGHTS or widened, as pw_map() has it. PW_RESERVED,
 * PW_NO_MEMORY: a BAD entry or a lost table anywhere in the range. Other statuses as pw_unmap() and
 * pw_map(). Where "dirty" is the right to write with a mark (Arm DBM), a page that loses the right
 * loses the mark.
 *
 * On a live Arm space a page whose memory type changes, or that becomes global, is a hole for a
 * moment (break-before-make: Arm ARM D8, "Using break-before-make when updating translation table
 * entries"); other rights change by one store. That takes flush_now, else PW_E_UNSUPPORTED.
 */
PW_API PW_NODISCARD enum pw_status pw_protect(const struct pw_space *space, pw_va va, uint64_t size,
	pw_rights rights, struct pw_flush *flush);

/*
 * Changes what `set` and `clear` name in every page of the range, and nothing else: address, size,
 * Accessed, Dirty, protection key and whatever is not named stay as they are. Both are made of
 * rights, PW_GLOBAL, PW_IPAT and PW_SOFTWARE() bits; what is in both is set. `set` may have a
 * memory type too: a name (PW_MEM_...) replaces the page's and leaves PW_IPAT alone, PW_MEM_INDEX()
 * replaces that as well.
 *
 * A page that had `rights`, as a walk tells them, has (rights & ~clear) | set afterwards. In a
 * format where user and supervisor have rights of their own, what is cleared is taken from both, if
 * there is an entry that says so.
 *
 * PW_E_RIGHTS, with nothing changed: the format has no entry for what would become of a page (EPT:
 * a writable page that loses PW_R), or a table entry denies what is set, as pw_map() has it.
 * PW_E_ARGUMENT: unknown bits, a memory type in `clear`. Splits, needs tables and fails otherwise
 * as pw_protect() does. Where software bits alone change nothing is in the flush list.
 */
PW_API PW_NODISCARD enum pw_status pw_modify(const struct pw_space *space, pw_va va, uint64_t size,
	pw_rights set, pw_rights clear, struct pw_flush *flush);

/*
 * Maps the range to pages from memory->allocate_page, as large as it gives; unaffected if it or the
 * tables run out (PW_E_NO_TABLES): all pages are given back. PW_CONTIGUOUS says nothing here.
 *
 * With PW_REPLACE whatever is mapped in the range gives way as pw_map() has it. Pages that were
 * there stay the caller's: pw_free() the range before if the memory is to have them back.
 *
 * PW_E_ARGUMENT if the memory has no free_page for that. Other statuses as pw_map(). Where it fills
 * more than 32 entries of existing tables it takes spare tables, and gives them back before it
 * returns.
 */
PW_API PW_NODISCARD enum pw_status pw_allocate(const struct pw_space *space, pw_va va,
	uint64_t size, pw_rights rights, struct pw_flush *flush);

/*
 * pw_unmap(), and memory->free_page for every page that was mapped, by entry: what is left of a
 * split page goes back as smaller pages. Pages go back at once, after flush_now, if it is there; a
 * live space must have it. PW_E_ARGUMENT: no free_page, or no flush_now for a live space.
 */
PW_API PW_NODISCARD enum pw_status pw_free(
	const struct pw_space *space, pw_va va, uint64_t size, struct pw_flush *flush);

/*
 * The entry that decides about va: the page's, or the one that ends the walk, at *level (if not
 * NULL). PW_OK for a PAGE or a HOLE; PW_RESERVED, PW_NO_MEMORY, PW_NON_CANONICAL as translation.
 */
PW_API PW_NODISCARD enum pw_status pw_read_pte(
	const struct pw_space *space, pw_va va, uint64_t *entry, unsigned *level);

/*
 * Replaces that entry, or a BAD one that ends the walk, if it still equals `old`, in the place it
 * was read from (PW_UNSTABLE if not). Nothing else is looked at: the caller answers for the new
 * entry, and for the flush. PW_E_READ_ONLY. PW_E_UNSUPPORTED: a PDPTE register.
 */
PW_API PW_NODISCARD enum pw_status pw_write_pte(
	const struct pw_space *space, pw_va va, uint64_t old, uint64_t entry);

#ifdef __cplusplus
}
#endif

#endif
