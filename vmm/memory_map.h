/* SPDX-License-Identifier: MIT */
/*
 * The description of a guest's memory that `pagewalk ept` and `npt` build tables from: a small text
 * file, one range a line.
 *
 *	FIRST LAST [-> HOST] RIGHTS [TYPE]
 *
 * FIRST and LAST are guest-physical and inclusive, HOST is where FIRST lies in the machine (FIRST
 * itself, if it is not given); RIGHTS are the letters r, w, x, or - for each that is missing; TYPE
 * is uc, wc, wt, wp or wb, which is what none means. # begins a comment; empty lines do not count.
 */
#ifndef PAGEWALK_MEMORY_MAP_H
#define PAGEWALK_MEMORY_MAP_H

#include <stddef.h>

#include <pagewalk/types.h>

struct memory_range {
	pw_va first, last;
	pw_pa host;
	pw_rights rights; /* with a memory type */
	unsigned line;
};

struct memory_map {
	const char *path;
	struct memory_range *ranges;
	size_t count;
};

/*
 * Reads the file. EXIT_DATA; EXIT_USAGE after a complaint that names the line; EXIT_SOURCE if the
 * file cannot be read. There is nothing to free after a failure.
 */
int memory_map_read(struct memory_map *map, const char *path);
void memory_map_free(struct memory_map *map);

/* Complains about this range, by its line. */
void memory_map_complain(const struct memory_map *map, const struct memory_range *range,
	const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
