/* SPDX-License-Identifier: MIT */
/*
 * Keeps remapping an address in tables that nobody but the VMM walks. One of two branches is
 * linked; the other is torn down meanwhile and holds decoys, no two of them the same, as tables
 * that were freed and used again do. Before a branch is linked it is put in order. So at each
 * moment the address leads to one of two pages, and whoever reads two entries at different moments
 * can find a decoy.
 */
#include "lib.h"

#define P_W_U   UINT64_C(7)
#define LARGE   UINT64_C(0x80)
#define BIT_13  UINT64_C(0x2000) /* reserved in a page of 2 MiB */
#define DECOY   UINT64_C(0x100000000)
#define PRESENT UINT64_C(1)

/* x86 makes stores visible in their order. */
static void store(uint64_t at, uint64_t entry)
{
	*(volatile uint64_t *)at = entry;
}

static void spoil(const struct guest_remap *r, unsigned branch, uint64_t serial)
{
	uint64_t small = DECOY + (serial << 12), huge = DECOY + (serial << 21);

	switch (serial % 4) {
	case 0:
		store(r->page[branch], small | P_W_U);
		break;
	case 1:
		store(r->lower[branch], huge | P_W_U | LARGE);
		break;
	case 2:
		store(r->page[branch], small); /* a hole */
		break;
	default:
		store(r->lower[branch], huge | PRESENT | LARGE | BIT_13);
		break;
	}
}

int main(void)
{
	struct guest_remap *r = (struct guest_remap *)GUEST_REMAP_GPA;
	volatile uint64_t *stop = &r->stop, *switches = &r->switches;
	unsigned linked = 0;

	guest_begin();
	while (!*stop) {
		unsigned next = !linked;

		store(r->page[next], r->good[next]);
		store(r->lower[next], r->table[next]);
		store(r->root, r->link[next]);
		spoil(r, linked, ++*switches);
		linked = next;
		__asm__ volatile("pause"); /* some hosts can stop a loop here only */
	}
	return 0;
}
