/* SPDX-License-Identifier: MIT */
/*
 * Pages of another size that say the same. What is said in pagewalk/build.h about plans, live
 * spaces, ranges and alignment holds here too.
 *
 * On Arm a page changes its size by way of a hole (break-before-make): on a live space that takes
 * flush_now, which is called between the two stores with the stale range in the list. For that
 * moment the page is not there; PW_E_UNSUPPORTED without flush_now.
 */
#ifndef PAGEWALK_RESIZE_H
#define PAGEWALK_RESIZE_H

#include <pagewalk/build.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Splits every page of which a part lies in the range, down to pages of `level` or smaller: they
 * have the same rights, memory type, Accessed, Dirty, protection key and software bits. Each child
 * is complete before one store links it. Pages beside the range are split only where they are part
 * of one that is; a group of Arm's Contiguous pages of which one is split loses the hint.
 *
 * PW_E_NO_TABLES, with nothing changed: 512 pages of 2 MiB take 512 tables at once. PW_E_ARGUMENT:
 * the format has no such level. PW_E_UNSUPPORTED: the smaller pages cannot express what the huge
 * page says, or no page of a size in between exists. PW_RESERVED, PW_NO_MEMORY, PW_E_READ_ONLY.
 */
PW_API PW_NODISCARD enum pw_status pw_split(const struct pw_space *space, pw_va va, uint64_t size,
	unsigned level, struct pw_flush *flush);

/*
 * Merges pages into larger ones wherever a table that lies in the range as a whole holds nothing
 * but consecutive pages that differ in Accessed and Dirty at most, and the CPU has the larger page;
 * then those into still larger ones, up to pages of `level`. The tables go to flush->freed.
 *
 * The merged page is Accessed if all of them are, so that no use is invented, and Dirty if any of
 * them is. On a live space a page that may be written is taken to be dirty: until the caller has
 * flushed the hardware may still mark the old entries. Where "dirty" is the right to write with a
 * mark (Arm DBM) pages merge only if all of them are. Groups of entries merge as the single pages
 * that they are made of, each of which is Accessed if any of its group is; the larger page is in no
 * group.
 *
 * With `level | PW_CONTIGUOUS` those pages of the range that stay form groups afterwards, at every
 * level up to `level` at which the format has them and the space's rules allow them (see
 * PW_CONTIGUOUS): as many pages of one table as make a group, if it lies in the range as a whole,
 * if it begins at a multiple of its size in both addresses, and if the pages are consecutive and
 * differ in Accessed and Dirty at most. All of them have the marks of any then, because from now on
 * the hardware may mark one entry for all. With DBM they form a group only if all are dirty or
 * none. The flush list has each group as a whole. On a live Arm space the pages of a group are
 * holes until it was flushed; on a live RISC-V space each entry changes by one store, as both of
 * its forms lead to the same address.
 *
 * *merged (may be NULL) is the number of pages and groups made. Nothing to do is PW_OK. No table is
 * needed. PW_E_ARGUMENT: the format has no such level. PW_NO_MEMORY: a table of the range is lost;
 * what was done before it stays done. PW_E_READ_ONLY likewise. PW_E_UNSUPPORTED: see above. Of a
 * table that two paths in the range lead to, the first path is merged and the second becomes a
 * hole; its pages must not form groups, as the list would have those of the first path alone.
 */
PW_API PW_NODISCARD enum pw_status pw_collapse(const struct pw_space *space, pw_va va,
	uint64_t size, unsigned level, uint64_t *merged, struct pw_flush *flush);

/*
 * Takes tables from the memory into flush->retention, so that from now on pw_unmap() and
 * pw_protect() of this range, with this list, cannot run out of them, whatever pages come to lie
 * across its ends: one a level and end, but for what is there already. Once used it is to be called
 * again.
 *
 * pw_collapse() with a list keeps there each table that it takes out, for the page that it makes,
 * as long as there is room and none is kept for that page already. Such a table may be used for
 * that page before the flush. While there is a journal it keeps none.
 *
 * PW_E_NO_TABLES, PW_E_BUDGET (the list is full), with nothing changed. PW_E_ARGUMENT: no list.
 */
PW_API PW_NODISCARD enum pw_status pw_retain(
	const struct pw_space *space, pw_va va, uint64_t size, struct pw_flush *flush);

/* After a flush: gives all tables of the list back to the memory. */
PW_API void pw_retention_end(const struct pw_space *space, struct pw_retention *retention);

#ifdef __cplusplus
}
#endif

#endif
