/* SPDX-License-Identifier: MIT */
/* What random operations on a world are asked to do: rights, ranges and addresses. */
#ifndef HARNESS_BUILD_CHOICES_H
#define HARNESS_BUILD_CHOICES_H

#include "build_world.h"

static inline pw_rights random_type(struct world *w)
{
	unsigned type = (unsigned)random_below(&w->random, 16);

	return random_once_in(&w->random, 2) && page_has_type(w->format, type) ? PW_MEM_INDEX(type)
									       : 0;
}

static inline pw_rights random_rights(struct world *w)
{
	for (;;) {
		pw_rights rights = (pw_rights)random_below(&w->random, 16);

		if (w->format->encode[rights] == PW_CANNOT)
			continue;
		if ((w->format->level[0].page.global || w->format->level[0].page.global_clear) &&
			random_once_in(&w->random, 3))
			rights |= PW_GLOBAL;
		return rights | random_type(w);
	}
}

static inline pw_rights random_software(struct world *w)
{
	return PW_SOFTWARE(page_software(w->format, random_next(&w->random)));
}

static inline pw_rights random_groups(struct world *w)
{
	return w->kind.groups && random_once_in(&w->random, 2) ? PW_CONTIGUOUS : 0;
}

/* Ranges of all sizes, often such that they begin or end where a larger page does. */
static inline void random_range(struct world *w)
{
	uint64_t all = w->model.count, align = world_block_cells(w, w->top_page), skew;
	unsigned base = w->kind.base, levels = w->top_page + 1 - base;

	if (random_once_in(&w->random, 3))
		align = world_block_cells(w, base + (unsigned)random_below(&w->random, levels));
	w->from = random_below(&w->random, all);
	w->count = 1 + random_below(&w->random, random_once_in(&w->random, 3) ? all : 2 * align);
	skew = flat_map_va(&w->model, w->from) / w->model.page % align;
	switch (random_below(&w->random, 4 + w->kind.small)) {
	case 0: /* anywhere */
		break;
	case 1: /* whole larger pages */
	case 2:
		w->from = skew > w->from ? w->from + align - skew : w->from - skew;
		w->count = (w->count + align - 1) / align * align;
		break;
	default: /* a small piece */
		w->count = 1 + random_below(&w->random, 20);
		break;
	}
	if (w->from >= all)
		w->from = 0;
	if (w->kind.whole_once_in && random_once_in(&w->random, w->kind.whole_once_in)) {
		w->from = 0;
		w->count = all;
	}
	if (w->count > all - w->from)
		w->count = all - w->from;
}

/* Moves the range to a cell that is mapped, or to one that is not and as far as nothing is. */
static inline void aim(struct world *w, bool mapped)
{
	for (unsigned i = 0; i < 50 && w->model.cells[w->from].mapped != mapped; i++)
		w->from = random_below(&w->random, w->model.count);
	if (w->count > w->model.count - w->from)
		w->count = w->model.count - w->from;
	if (mapped || w->model.cells[w->from].mapped)
		return;
	while (w->from && !w->model.cells[w->from - 1].mapped)
		w->from--;
	for (uint64_t i = 1; i < w->count; i++) {
		if (w->model.cells[w->from + i].mapped)
			w->count = i;
	}
}

/* Most often such that large pages fit. */
static inline pw_pa random_pa(struct world *w)
{
	uint64_t bits = w->format->pa_bits, size = w->count * w->model.page, big, pa;
	pw_va va = flat_map_va(&w->model, w->from);

	if (w->format->entry_bytes == 4 && bits > 32)
		bits = 32;
	if (bits > 46)
		bits = 46;
	pa = random_next(&w->random) & ((UINT64_C(1) << bits) - 1);
	big = world_block_cells(w, w->top_page) * w->model.page;
	if (random_once_in(&w->random, 4))
		big = w->model.page;
	pa = (pa & ~(big - 1)) | (va & (big - 1));
	return (pa + (size - 1)) >> bits ? va & (big - 1) : pa;
}

#endif
