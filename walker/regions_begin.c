/* SPDX-License-Identifier: MIT */
/* The beginning of an enumeration, and what is worked out once for many entries. */
#include "entry.h"
#include "list.h"
#include "scan.h"

void *memset(void *to, int byte, size_t bytes);

#define DEFAULT_BUDGET PW_BIT(26)
#define SLOTS_MAX      (SIZE_MAX < UINT32_MAX ? SIZE_MAX : UINT32_MAX)

void pw_regions_fold(struct pw_regions *regions, unsigned level, uint64_t role, uint64_t and_fold,
	uint64_t or_fold)
{
	const struct pw_format *f = regions->it.space->format;
	const struct pw_page *page = &f->level[level].page;

	regions->fold[level].role = role;
	regions->fold[level].set = (uint8_t)pw_attributes(f, page, 0, and_fold, or_fold);
	regions->fold[level].keep =
		(uint8_t)pw_attributes(f, page, ~(uint64_t)0, and_fold, or_fold);
	for (unsigned i = 0; i < 8 && regions->sieve[level].simple; i++)
		regions->fold[level].info[i] = pw_region_info(
			level, regions->it.space->grant[(i & regions->fold[level].keep) |
							regions->fold[level].set]);
}

static void set_roles(const struct pw_format *f, struct pw_roles *roles)
{
	*roles = (struct pw_roles){.all = 0};
	for (unsigned i = 0; i < f->attribute_count && i < PW_MAX_ATTRIBUTES; i++) {
		uint64_t bit =
			f->attribute[i].table_bit < 64 ? PW_BIT(f->attribute[i].table_bit) : 0;

		if (f->attribute[i].fold == PW_FOLD_AND)
			roles->all |= bit;
		else
			roles->any |= bit;
	}
	while ((roles->all | roles->any) >> roles->level_at & 7)
		roles->level_at++;
}

void pw_regions_begin(struct pw_regions *regions, const struct pw_space *space, pw_va first,
	pw_va last, void *scratch, size_t scratch_bytes)
{
	size_t skew = (size_t)(-(uintptr_t)scratch & 7);

	*regions = (struct pw_regions){.budget = DEFAULT_BUDGET, .position = first};
	regions->status = pw_iter_begin(&regions->it, space, first, last);
	regions->done = regions->status != PW_OK;
	if (regions->done)
		return;
	set_roles(space->format, &regions->roles);
	for (unsigned level = 0; level < space->format->levels; level++)
		pw_sieve_make(space, level, &regions->sieve[level]);
	if (space->format->levels)
		pw_regions_fold(regions, space->format->levels - 1u, 0, ~(uint64_t)0, 0);
	if (scratch && scratch_bytes > skew) {
		regions->memo = (struct pw_memo *)(void *)((char *)scratch + skew);
		regions->memo_slots = (scratch_bytes - skew) / sizeof *regions->memo;
		if (regions->memo_slots > SLOTS_MAX)
			regions->memo_slots = SLOTS_MAX;
		memset(regions->memo, 0, regions->memo_slots * sizeof *regions->memo);
	}
}
