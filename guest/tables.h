/* SPDX-License-Identifier: MIT */
/* A guest's own page tables, 4 levels. Deliberately apart from libpagewalk, which they test. */
#ifndef GUEST_TABLES_H
#define GUEST_TABLES_H

#include "lib.h"
#include "x86.h"

#define PAGE_4K UINT64_C(0x1000)
#define PAGE_2M UINT64_C(0x200000)
#define PAGE_1G UINT64_C(0x40000000)

/* What tables_init() found out; both are false until then. */
struct tables_cpu {
	bool no_execute; /* and EFER.NXE is set */
	bool gib_pages;
};

/* Looks at the processor and switches NXE on where it exists. */
struct tables_cpu tables_init(void);

/* 0 for a 4 KiB page, 1 for 2 MiB, 2 for 1 GiB. */
uint64_t tables_page_size(unsigned level);

/*
 * Writes `entry`, whole, at `level` for va. Tables missing on the way are made: the one that holds
 * the entry's level is linked with `link` flags beside Present, those above with every right.
 */
void tables_set(uint64_t va, unsigned level, uint64_t entry, uint64_t link);

/* Maps the guest's image to itself with the rights of its sections. */
void tables_map_image(void);

/* Switches to these tables. */
void tables_load(void);

#endif
