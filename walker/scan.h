/* SPDX-License-Identifier: MIT */
/*
 * Private: pages of one table, many at a time, as regions. What decides about an ordinary page of a
 * level is put into a sieve once; a scan runs entries through it until one is neither a page that
 * passes nor a hole. Everything else is left to the iterator.
 */
#ifndef PW_PRIVATE_SCAN_H
#define PW_PRIVATE_SCAN_H

#include <pagewalk/regions.h>

/* Vector code needs room for as many regions; plain code takes what there is. */
#define PW_SCAN_ROOM 8

/* Where the attributes of a simple sieve stand: those of x86-64. */
#define PW_SIMPLE_W  1
#define PW_SIMPLE_U  2
#define PW_SIMPLE_XD 63

/* A part of one table, directly addressable, and the list that its pages go to. */
struct pw_scan {
	const struct pw_space *space;
	const struct pw_sieve *sieve;
	const char *at;
	uint64_t count;    /* entries, at least 1 */
	pw_va first;       /* that the first one serves; they do not cross the canonical hole */
	const char *ahead; /* what is read next, as long as this part: to be prefetched. Or NULL */
	uint8_t keep, set; /* attributes: (the page's & keep) | set */
	const uint64_t *info;         /* if the sieve is simple: pw_region_info() by W, U and XD */
	bool open;                    /* next[-1] may grow */
	struct pw_region *next, *end; /* where the next region goes, and where there is no room */
	uint64_t pages;               /* found, added up */
};

/*
 * Returns how many entries were taken, all of them pages and holes. Ends early before an entry that
 * is neither, or before a page that needs a region when there is no room.
 */
uint64_t pw_scan_plain(struct pw_scan *scan);

/* The eight bytes of a region that begin with its kind. */
uint64_t pw_region_info(unsigned level, pw_grant grant);

/* A sieve that no page passes where pages of the level do not go one entry each. */
void pw_sieve_make(const struct pw_space *space, unsigned level, struct pw_sieve *sieve);

/*
 * Sets a bit of present[] for each of `count` entries, at most 512, that is no hole, and of
 * tables[] for each that leads to a table unless it is BAD. `next`, if not NULL, is prefetched.
 */
void pw_find_tables(const struct pw_format *format, unsigned level, const char *at,
	const char *next, uint64_t count, uint64_t *tables, uint64_t *present);

/* Entries have 8 bytes in the host's byte order. */
bool pw_has_words(const struct pw_format *format);

#endif
