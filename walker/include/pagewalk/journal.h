/* SPDX-License-Identifier: MIT */
/*
 * The journal: what builders change, in the order in which they do, in storage of the caller's. It
 * serves to undo operations, several as one if need be, to copy them to other tables, and to tell
 * what has been done. What is said in pagewalk/build.h holds here too.
 *
 *	struct pw_record records[256];
 *	struct pw_journal journal = {.records = records, .max = 256};
 *
 *	flush.journal = &journal;
 *	status = pw_map(&space, ...);
 *	if (status == PW_OK)
 *		status = pw_protect(&space, ...);
 *	if (status != PW_OK)
 *		status = pw_undo(&space, &flush, 0);
 *	... flush what is in the list ...
 *	pw_flush_done(&space, &flush);
 *
 * The journal never loses a record: an operation for which it has no room has the status
 * PW_E_BUDGET. What such an operation has done up to then is undone before it returns, so nothing
 * has changed; on a live space the hardware may have seen it for a moment, so that the list says
 * what to flush and tables that were taken for it wait in the journal. (pw_map() and pw_allocate()
 * make everything unlinked first: it is rare that they have linked anything by then.)
 *
 * While there is a journal tables wait in it, not in flush->freed, once they are taken out, and so
 * do the pages that pw_free() takes out. pw_flush_done() gives them back and empties the journal:
 * from then on nothing can be undone. flush_now, which operations call, leaves the journal alone.
 *
 * Every builder that takes a flush list keeps the journal, but for pw_retain(); pw_write_pte() and
 * the handlers of pw_walk_mut() do not. Builders change entries one by one for it, which takes
 * longer than without. Shadow tables (pagewalk/shadow.h) keep books beside: give them no journal.
 */
#ifndef PAGEWALK_JOURNAL_H
#define PAGEWALK_JOURNAL_H

#include <pagewalk/build.h>

#ifdef __cplusplus
extern "C" {
#endif

enum pw_record_kind {
	PW_RECORD_ENTRY, /* entries of a table in use: `before` became `after` */
	PW_RECORD_FILL,  /* entries of a table that nothing leads to yet became `after` */
	PW_RECORD_TAKEN, /* a table, or a page by pw_allocate(), that was taken from the memory */
	PW_RECORD_FREED, /* a table, or pages, taken out: waits to be given back */
	PW_RECORD_LEFT,  /* a table or page that an undone operation had taken waits likewise */
	PW_RECORD_UNUSED /* a table or page was taken, but not linked, and is given back */
};

/*
 * Entries in a row whose values change by steps have one record: number n of `count` stands at
 * pa + n * bytes, and `before + n * before_step` in it became `after + n * after_step`.
 */
struct pw_record {
	pw_pa pa;       /* of the first entry; of the table or the first page */
	pw_va va;       /* PW_RECORD_ENTRY: the first address that the first entry serves */
	uint64_t bytes; /* of one entry (4 or 8), of the table, of one page */
	/* PW_RECORD_FREED of a table: what its first `count` entries (up to 2) held, which hold
	 * notes since. */
	uint64_t before, after;
	uint64_t before_step, after_step;
	uint32_t count; /* entries, or pages one after the other */
	uint8_t kind;   /* enum pw_record_kind */
	uint8_t level;  /* of the entries or the table */
	bool page;      /* PW_RECORD_TAKEN and after: a page, not a table */
};

/* Fill in the storage, zero the rest. Look at the records as you like, and change none. */
struct pw_journal {
	struct pw_record *records;
	size_t max, count;
};

/*
 * Undoes what flush->journal says from its record number `mark` on, the last first: `mark` is the
 * journal's `count` before the operations that are to be undone, 0 for all. Each entry becomes what
 * it was by one store, or by one compare-exchange if the list is `live`. What is stale is added to
 * the list. The tables and pages that the operations took stay in the journal, as PW_RECORD_LEFT,
 * until pw_flush_done(). Other records from `mark` on are gone.
 *
 * Accessed and Dirty that the hardware has set, or somebody has cleared, since the operation follow
 * the page: a page that was there before, at the same physical address, has them as they are now. A
 * page that had been split is marked if one of its parts is. If the list is live, a page that had
 * been split and may be written is taken to be dirty, and so are all parts of one that had been
 * merged and is dirty: set `live` if CPUs have used the tables since. Pages that had formed a group
 * get the marks that any entry of it has got; on a live RISC-V space those of them that may be
 * written are taken to be dirty. Marks of pages that are mapped no more are lost.
 *
 * PW_UNSTABLE, with nothing changed: an entry is neither what the journal says nor that with other
 * marks, or one in a table that the operations made. PW_E_READ_ONLY, PW_NO_MEMORY, likewise: a
 * table cannot be written, or is lost. PW_E_UNSUPPORTED: the list is live, the format Arm's, and
 * there is no flush_now, which is called where a page that is there gives way to another one.
 * PW_E_ARGUMENT: no journal, a mark beyond its end, or records of another format. (Where somebody
 * else has made tables that overlap one another, undoing may find that out halfway: PW_UNSTABLE,
 * and the journal holds what is left.)
 *
 * After pw_root_grow() undo in the taller space as far as that was changed, then in the old one.
 * Tables taken from flush->retention do not return to it.
 */
PW_API PW_NODISCARD enum pw_status pw_undo(
	const struct pw_space *space, struct pw_flush *flush, size_t mark);

#ifdef __cplusplus
}
#endif

#endif
