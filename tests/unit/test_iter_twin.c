/* SPDX-License-Identifier: MIT */
/*
 * The iterator over random tables of every format: its leaf steps tile the range exactly, in order,
 * and each agrees with the slow twin.
 */
#include "random_tables.h"
#include "twin.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define BASE      UINT64_C(0x400000)
#define BYTES     (UINT64_C(2) << 20)
#define PATHS     8
/* Tables that happen to form a cycle can make a walk long; it is cut here. */
#define STEPS_MAX 2000000

struct tour {
	struct random random;
	struct ram ram;
	struct twin twin;
	const struct pw_format *format;
	struct pw_space space;
	bool high;
	uint64_t path[PATHS];
	unsigned long seen[PW_STEP_LEAVE + 1];

	/* Of the walk in progress. */
	pw_va expected; /* where the next leaf step must begin, */
	bool more;      /* if there is to be one */
	unsigned depth;
	struct pw_iter open[PW_MAX_LEVELS];
};

/* ---- Which addresses there are, without the library's help ---- */

static bool sign_extended(const struct tour *t)
{
	return t->format->extension == PW_SIGN_EXTENDED && !t->high;
}

static pw_va lower_end(const struct tour *t)
{
	return (UINT64_C(1) << (t->format->va_bits - (sign_extended(t) ? 1 : 0))) - 1;
}

static pw_va upper_begin(const struct tour *t)
{
	return ~lower_end(t);
}

static bool takes(const struct tour *t, pw_va va)
{
	return (!t->high && va <= lower_end(t)) ||
	       ((t->high || sign_extended(t)) && va >= upper_begin(t));
}

/* The lowest address from va on, va included, that the format takes. */
static bool lowest_from(const struct tour *t, pw_va *va)
{
	if (!takes(t, *va) && (t->high || sign_extended(t)))
		*va = upper_begin(t);
	return takes(t, *va);
}

static bool is_last(const struct tour *t, pw_va va, pw_va last)
{
	return va == last || va == UINT64_MAX || (va == lower_end(t) && !sign_extended(t)) ||
	       (va == lower_end(t) && last < upper_begin(t));
}

/* ---- One step against the twin ---- */

static void agree_at(struct tour *t, const struct pw_iter *it, pw_va va)
{
	static const enum slow_status wanted[] = {
		[PW_STEP_HOLE] = SLOW_NOT_PRESENT,
		[PW_STEP_PAGE] = SLOW_MAPPED,
		[PW_STEP_BAD] = SLOW_RESERVED,
		[PW_STEP_LOST] = SLOW_NO_MEMORY,
	};
	struct slow_result twin = twin_look(&t->twin, va);

	cr_assert(twin.status == wanted[it->step], "%s: step %u at %#llx, twin %s", t->format->name,
		it->step, (unsigned long long)va, slow_status_name(twin.status));
	cr_assert(twin.level == it->level && twin.entry_pa == it->entry_pa, "%s: place at %#llx",
		t->format->name, (unsigned long long)va);
	if (it->step != PW_STEP_LOST)
		cr_assert(twin.entry == it->entry, "%s: entry at %#llx", t->format->name,
			(unsigned long long)va);
	if (it->step != PW_STEP_PAGE)
		return;
	cr_assert(twin.pa == it->pa + (va - it->first) && twin.page_size == it->page_size,
		"%s: page at %#llx", t->format->name, (unsigned long long)va);
	cr_assert(twin_grants(&twin, it->grant), "%s: rights at %#llx", t->format->name,
		(unsigned long long)va);
}

static void leaf_step(struct tour *t, const struct pw_iter *it, pw_va last)
{
	bool dull = it->step == PW_STEP_HOLE || it->step == PW_STEP_LOST;

	cr_assert(t->more && it->first == t->expected && it->last >= it->first && it->last <= last,
		"%s: [%#llx, %#llx] where %#llx is next", t->format->name,
		(unsigned long long)it->first, (unsigned long long)it->last,
		(unsigned long long)t->expected);
	t->more = !is_last(t, it->last, last);
	t->expected = it->last + 1;
	if (t->more)
		cr_assert(lowest_from(t, &t->expected));
	if (it->step == PW_STEP_TABLE || (dull && !random_once_in(&t->random, 40)))
		return;
	agree_at(t, it, it->first);
	agree_at(t, it, it->last);
	agree_at(t, it, it->first + random_below(&t->random, it->last - it->first + 1));
}

static void table_step(struct tour *t, struct pw_iter *it, pw_va last)
{
	cr_assert(t->more && it->first == t->expected && it->last <= last);
	if (random_once_in(&t->random, 20)) {
		pw_iter_skip(it);
		leaf_step(t, it, last); /* the next one begins behind it */
		return;
	}
	cr_assert(t->depth < t->format->levels - 1u);
	t->open[t->depth++] = *it;
}

static void leave_step(struct tour *t, const struct pw_iter *it)
{
	const struct pw_iter *open = &t->open[--t->depth];

	cr_assert(open->level == it->level && open->first == it->first && open->last == it->last &&
			  open->entry == it->entry && open->entry_pa == it->entry_pa &&
			  open->pa == it->pa,
		"%s: left another table than entered at %#llx", t->format->name,
		(unsigned long long)it->first);
}

static void walk(struct tour *t, pw_va first, pw_va last)
{
	struct pw_iter it;
	uint64_t reads = t->ram.reads;
	unsigned long steps = 0;

	t->expected = first;
	t->more = lowest_from(t, &t->expected) && t->expected <= last;
	t->depth = 0;
	cr_assert(pw_iter_begin(&it, &t->space, first, last) == PW_OK);
	while (pw_iter_next(&it) != PW_STEP_END && steps++ < STEPS_MAX) {
		t->seen[it.step]++;
		if (it.step == PW_STEP_TABLE)
			table_step(t, &it, last);
		else if (it.step == PW_STEP_LEAVE)
			leave_step(t, &it);
		else
			leaf_step(t, &it, last);
	}
	cr_assert(it.step != PW_STEP_END || (!t->more && t->depth == 0), "%s: ended too early",
		t->format->name);
	if (t->space.memory == &t->ram.callbacks)
		cr_assert(it.reads == t->ram.reads - reads, "%s: reads", t->format->name);
}

static void random_tables(struct tour *t)
{
	struct image image = {t->ram.bytes, BASE, BYTES};
	uint64_t root_bytes = pw_table_bytes(t->format, t->format->levels - 1u);
	struct pw_rules rules = {.pa_bits = 0};
	pw_pa root;

	if (root_bytes < 4096)
		root_bytes = 4096;
	root = BASE + random_below(&t->random, BYTES / root_bytes) * root_bytes;
	memset(t->ram.bytes, 0, BYTES);
	t->high = t->format->family == PW_FAMILY_ARM && t->format->va_bits > 32 &&
		  t->format->has_user && random_once_in(&t->random, 2);
	for (unsigned i = 0; i < PATHS; i++) {
		t->path[i] = random_va(&t->random, t->format, t->high);
		random_path(&t->random, &image, t->format, root, t->path[i]);
	}
	cr_assert(twin_begin(&t->twin, t->format, root, &t->ram, t->high));
	rules.arm_high = t->high;
	if (random_once_in(&t->random, 3))
		rules.pa_bits = (uint8_t)(32 + random_below(&t->random, 8));
	if (rules.pa_bits)
		t->twin.config.maxphyaddr = rules.pa_bits;
	cr_assert(pw_space_init_rules(&t->space, t->format, root,
			  random_once_in(&t->random, 2) ? &t->ram.callbacks : &t->ram.windows,
			  &rules) == PW_OK);
}

static void random_walk(struct tour *t)
{
	pw_va a = t->path[random_below(&t->random, PATHS)], b;

	switch (random_below(&t->random, 4)) {
	case 0:
		walk(t, 0, UINT64_MAX);
		return;
	case 1:
		walk(t, a, a);
		return;
	case 2:
		b = a + random_below(&t->random, UINT64_C(1) << 31);
		walk(t, a, b < a ? UINT64_MAX : b);
		return;
	default:
		b = random_once_in(&t->random, 2) ? random_next(&t->random)
						  : t->path[random_below(&t->random, PATHS)];
		walk(t, a < b ? a : b, a < b ? b : a);
	}
}

Test(iter_twin, agrees_with_the_twin_in_every_format)
{
	static struct tour t;
	uint64_t seed = random_seed(20260911);
	unsigned long bad = 0, lost = 0;

	t.random = random_from(seed);
	printf("seed %llu\n", (unsigned long long)seed);
	ram_begin(&t.ram, BASE, BYTES);
	for (size_t i = 0; (t.format = pw_format_at(i)); i++) {
		if (t.format->levels == 0)
			continue;
		memset(t.seen, 0, sizeof t.seen);
		for (int round = 0; round < 24; round++) {
			random_tables(&t);
			for (int j = 0; j < 4; j++)
				random_walk(&t);
		}
		bad += t.seen[PW_STEP_BAD];
		lost += t.seen[PW_STEP_LOST];
		cr_expect(t.seen[PW_STEP_HOLE] && t.seen[PW_STEP_PAGE] && t.seen[PW_STEP_LEAVE],
			"%s: nothing seen", t.format->name);
	}
	cr_expect(bad > 100 && lost > 1000, "%lu bad, %lu lost", bad, lost);
	ram_end(&t.ram);
}
