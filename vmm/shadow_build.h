/* SPDX-License-Identifier: MIT */
/*
 * All of a guest's address space as shadow tables: what a hypervisor has built when the guest has
 * touched each page in each way that it may, and its memory lies where a map says.
 */
#ifndef PAGEWALK_SHADOW_BUILD_H
#define PAGEWALK_SHADOW_BUILD_H

#include <pagewalk/pagewalk.h>

#include "memory_map.h"
#include "table_image.h"
#include "tables_report.h"

struct shadow_build {
	/* Whose tables; its memory is a copy, in which Accessed and Dirty are set. */
	const struct pw_space *guest;
	uint64_t guest_bytes; /* of that memory */
	bool user;            /* for the guest's user mode */
	uint64_t largest;     /* page: 4 KiB, 2 MiB or 1 GiB */
	struct memory_map *map;
	struct table_image *image;

	/* What came out. */
	struct pw_space shadow;
	struct shadow_left left;
};

/* Sorts the map. EXIT_DATA, or another exit status after a complaint. */
int shadow_build(struct shadow_build *build);

#endif
