/* SPDX-License-Identifier: MIT */
/* Private: what batches, in plain C and in vectors, know of the space and the access. */
#ifndef PW_PRIVATE_PLAN_H
#define PW_PRIVATE_PLAN_H

#include "hit.h"
#include "quick.h"

/* What does not change during a batch: what the space says about this access, ready to be ORed. */
struct pw_plan {
	uint64_t table; /* (entry & this) == P: a table with no reserved bit */
	struct {
		uint64_t check, value; /* (entry & check) == value: a good page of this level */
		uint64_t low;          /* the va bits that its address takes */
		uint64_t info;         /* level and size */
	} page[4];
	/* By the fold, rotated so that XD (turned round), P, W and U are bits 0 to 3. */
	uint64_t grant[16];
	uint64_t good[16]; /* 1: the access is granted */
};

PW_INLINE void pw_make_plan(const struct pw_space *s, pw_access access, struct pw_plan *plan)
{
	plan->table = s->quick_reserved | X86_PS | X86_P;
	for (unsigned i = 0; i < 4; i++) {
		const struct pw_level *row = &pw_row_x86_64.level[i];

		plan->page[i].check = s->quick_page[i] | row->table_mask;
		plan->page[i].value = row->page.size_log2 ? row->table_mask : X86_P;
		plan->page[i].low = PW_LOW(row->shift);
		plan->page[i].info = pw_x86_info(i, row->shift, 0, 0);
	}
	plan->page[3].check = 0; /* is never X86_P: there are no such pages */
	for (unsigned i = 0; i < 16; i++) {
		plan->grant[i] = s->quick_grant[i ^ 1] << 32;
		plan->good[i] = s->quick_allowed[i ^ 1] >> access & 1;
	}
}

/* The last tables of addresses that lie as near to each other fit into the caches. */
#define PW_NEAR (UINT64_C(256) << 20)

/* The memory would be asked for nothing that it does not give at once. */
PW_INLINE bool pw_lie_near(const pw_va *va, size_t count)
{
	uint64_t apart = 0;

	for (size_t i = 1; i < count; i++)
		apart |= va[i] ^ va[0];
	return apart < PW_NEAR;
}

#endif
