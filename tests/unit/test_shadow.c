/* SPDX-License-Identifier: MIT */
/*
 * Shadow tables against a flat model: after every operation of a random guest, what goes through
 * the shadow is what the guest's tables say (by the slow twin), composed with the map; every other
 * access has the guest's own fault or the right reason to be emulated; Accessed and Dirty are as a
 * CPU would have left them; the TLB that is flushed as asked holds nothing stale.
 */
#include "shadow_world.h"
#include "share.h"
#include <criterion/criterion.h>
#include <stdio.h>

#define STEPS 8000

static struct world world;

static void step(struct world *w)
{
	static const pw_access accesses[] = {PW_ACCESS_READ, PW_ACCESS_WRITE, PW_ACCESS_FETCH};
	pw_va va = w->vas[random_below(&w->random, WORLD_VAS)];
	uint64_t roll = random_below(&w->random, 1000);

	if (roll < 700)
		world_access(w, va, accesses[random_below(&w->random, 3)]);
	else if (roll < 760)
		world_aim(w);
	else if (roll < 900)
		world_write_entry(w);
	else if (roll < 950)
		world_invalidate(w, va);
	else if (roll < 998)
		world_load(w);
	else
		world_drop(w);
}

static struct pw_shadow_counts run(
	enum world_mode mode, unsigned roots, unsigned uses, unsigned tables, bool below)
{
	struct pw_shadow_counts *counts = &world.shadow.counts;
	unsigned steps = share_of(STEPS, STEPS / 8);
	uint64_t seed = random_seed(1);

	world.random = random_from(seed * 1000 + 100 * (unsigned)mode + 10 * roots + tables);
	world_begin(&world, mode, roots, uses, tables, below);
	for (unsigned i = 0; i < steps; i++)
		step(&world);
	world_end(&world);
	printf("seed %llu mode %d: %llu filled, %llu injected, %llu emulated, %llu dropped, %llu "
	       "evicted\n",
		(unsigned long long)seed, mode, (unsigned long long)counts->filled,
		(unsigned long long)counts->injected, (unsigned long long)counts->emulated,
		(unsigned long long)counts->dropped, (unsigned long long)counts->evicted);
	cr_assert(counts->filled > steps / 40 && counts->emulated > steps / 200);
	cr_assert(mode == WORLD_NONE ||
		  (counts->injected > steps / 40 && counts->dropped > steps / 40));
	return *counts;
}

Test(shadow, agrees_with_the_flat_model)
{
	for (enum world_mode mode = 0; mode < WORLD_MODES; mode++)
		run(mode, WORLD_ROOTS, WORLD_USES, WORLD_TABLES, false);
}

/* The write-protected pages stay writable in the shadow: something below refuses. */
Test(shadow, leaves_protection_to_what_is_below)
{
	for (enum world_mode mode = 0; mode < WORLD_MODES; mode++)
		run(mode, WORLD_ROOTS, WORLD_USES, WORLD_TABLES, true);
}

/* One path of tables, one root, the uses of one walk. */
Test(shadow, lives_with_the_least_memory)
{
	for (enum world_mode mode = 0; mode < WORLD_MODES; mode++) {
		struct pw_shadow_counts counts =
			run(mode, 1, PW_MAX_LEVELS, mode == WORLD_LA57 ? 5 : 4, false);

		cr_assert(counts.evicted > share_of(STEPS, STEPS / 8) / 100);
	}
}

Test(shadow, takes_apart_what_was_loaded_least_recently)
{
	for (enum world_mode mode = 0; mode < WORLD_MODES; mode++) {
		cr_assert(run(mode, 3, WORLD_USES, 10, false).evicted > 0);
		cr_assert(run(mode, WORLD_ROOTS, 10, WORLD_TABLES, false).evicted > 0);
	}
}
