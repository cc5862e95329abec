/* SPDX-License-Identifier: MIT */
/*
 * The two-stage walk against its slow twin: random tables of both stages, every pair of formats
 * that hardware has, every kind of access.
 */
#include "agree.h"
#include "nested_world.h"
#include "share.h"
#include <criterion/criterion.h>
#include <pagewalk/pagewalk.h>
#include <stdio.h>
#include <string.h>

#define ELSEWHERE (UINT64_C(1) << 30) /* where the machine's memory begins, or at 0 */

struct world {
	struct nested_world world;
	unsigned stage[3], during[4], exit[8];
};

static void compare(struct world *w, uint64_t va, const struct slow_access *access)
{
	static const pw_access kinds[] = {
		PW_ACCESS_ANY, PW_ACCESS_READ, PW_ACCESS_WRITE, PW_ACCESS_FETCH};
	pw_access asked = kinds[access->op];
	struct slow_nested_result twin;
	struct pw_nested_result r, other;
	const char *what;

	if (access->op != SLOW_OP_NONE)
		asked |= (access->user ? PW_ACCESS_USER : 0) |
			 (access->implicit_supervisor ? PW_ACCESS_IMPLICIT : 0) |
			 (access->shadow_stack ? PW_ACCESS_SHADOW_STACK : 0);
	slow_nested(&w->world.pair, &w->world.machine, va, access, &twin);
	(void)!pw_nested_translate(&w->world.one, &w->world.two, va, asked, &r);
	(void)!pw_nested_translate(&w->world.one, &w->world.two_by_callbacks, va, asked, &other);
	what = agree_same_nested(&r, &other) ? nested_world_difference(&r, &twin)
					     : "the way through callbacks";
	if (what) {
		char text[240];

		cr_assert(false,
			"%s over %s: %s differs at va %#llx, access %#x: %s; code %#llx of %#llx; "
			"twin: stage %d status %s during %d level %d gpa %#llx exit %d code %#llx "
			"of %#llx",
			w->world.pair.one.format, w->world.pair.two.format, what,
			(unsigned long long)va, asked, pw_nested_explain(&r, text, sizeof text),
			(unsigned long long)r.code, (unsigned long long)r.code_known, twin.stage,
			slow_status_name(twin.status), twin.during, twin.level,
			(unsigned long long)twin.gpa, twin.exit, (unsigned long long)twin.code,
			(unsigned long long)twin.known);
	}
	w->stage[r.stage]++;
	w->during[r.during]++;
	w->exit[r.exit]++;
}

/* Many addresses at once: what is said of each is what is said of it alone. */
static void compare_batch(struct world *w, const pw_va *some, unsigned count)
{
	static const pw_access kinds[] = {PW_ACCESS_ANY, PW_ACCESS_READ,
		PW_ACCESS_WRITE | PW_ACCESS_USER, PW_ACCESS_FETCH | PW_ACCESS_USER};
	pw_access access = kinds[random_below(&w->world.random, 4)];
	struct pw_nested_hit hit[150];
	pw_va va[150];
	size_t done;

	for (unsigned i = 0; i < 150; i++)
		va[i] = some[random_below(&w->world.random, count)] ^
			random_below(&w->world.random, 4096);
	done = pw_nested_translate_batch(&w->world.one, &w->world.two, va, 150, access, hit);
	for (unsigned i = 0; i < 150; i++) {
		struct pw_nested_result r;

		done -= pw_nested_translate(&w->world.one, &w->world.two, va[i], access, &r) ==
			PW_OK;
		cr_assert(agree_same_hit(&hit[i], &r),
			"%s over %s: va %#llx, access %#x: status %u in a batch, %u alone",
			w->world.pair.one.format, w->world.pair.two.format,
			(unsigned long long)va[i], access, hit[i].status, r.status);
	}
	cr_assert(done == 0, "a wrong number of good answers");
}

static struct slow_access random_access(struct world *w)
{
	struct random *random = &w->world.random;
	bool x86 = w->world.one.format->family == PW_FAMILY_X86;
	struct slow_access access = {
		.op = (enum slow_op)random_below(random, 4),
		.user = random_once_in(random, 2),
		.implicit_supervisor = x86 && random_once_in(random, 6),
	};

	access.shadow_stack = x86 && w->world.pair.one.cr4_cet && w->world.one.format->levels &&
			      random_once_in(random, 3) &&
			      (access.op == SLOW_OP_READ || access.op == SLOW_OP_WRITE);
	return access;
}

static void try_pair(struct world *w, const struct pw_format *one, const struct pw_format *two)
{
	pw_va tried[8];

	nested_world_rules(&w->world, one, two);
	for (int i = 0; i < 8; i++) {
		uint64_t va = tried[i] = random_va(&w->world.random, one, false);

		if (one->levels)
			random_path(&w->world.random, &w->world.guest, one, w->world.root, va);
		nested_world_map(&w->world, va);
		for (int j = 0; j < 4; j++) {
			struct slow_access access = random_access(w);

			compare(w, va, &access);
		}
	}
	if (one == &pw_format_x86_64)
		compare_batch(w, tried, 8);
}

static void try_family(
	struct world *w, const char *const *ones, const char *const *twos, unsigned rounds)
{
	for (; *ones; ones++) {
		for (const char *const *two = twos; *two; two++) {
			memset(w->stage, 0, sizeof w->stage);
			memset(w->during, 0, sizeof w->during);
			memset(w->exit, 0, sizeof w->exit);
			for (unsigned i = 0; i < rounds; i++)
				try_pair(w, pw_format_find(*ones), pw_format_find(*two));
			cr_expect(w->stage[0] > 100 && w->stage[2] > 100 &&
					  (w->stage[1] > 100 || !strcmp(*ones, "x86-none")),
				"%s over %s: %u translated, %u and %u refused", *ones, *two,
				w->stage[0], w->stage[1], w->stage[2]);
			cr_expect(w->during[PW_DURING_TABLE] > 100 || !strcmp(*ones, "x86-none"),
				"%s over %s: only %u tables out of reach", *ones, *two,
				w->during[PW_DURING_TABLE]);
		}
	}
}

static void run(uint64_t seed, uint64_t base, const char *const *ones, const char *const *twos)
{
	static struct world w;

	seed = random_seed(seed);
	nested_world_begin(&w.world, seed, base);
	try_family(&w, ones, twos, share_of(700, 300));
	nested_world_end(&w.world);
	printf("seed %llu\n", (unsigned long long)seed);
}

Test(nested_twin, x86_over_ept_and_npt)
{
	static const char *const ones[] = {
		"x86-none", "x86-32", "x86-pae", "x86-64", "x86-64-la57", NULL};
	static const char *const twos[] = {"ept-4", "ept-5", "npt-4", "npt-5", NULL};

	run(20260911, ELSEWHERE, ones, twos);
}

/* Where the quick path is, with the window where it likes it best. */
Test(nested_twin, x86_64_in_memory_from_0)
{
	static const char *const ones[] = {"x86-64", NULL};
	static const char *const twos[] = {"ept-4", "npt-4", NULL};

	run(20261124, 0, ones, twos);
}

Test(nested_twin, arm_stage_1_over_stage_2)
{
	static const char *const ones[] = {
		"arm64-4k", "arm64-4k-39", "arm64-16k", "arm64-64k", "armv7-lpae", NULL};
	static const char *const twos[] = {"arm64-s2-4k", "arm64-s2-16k", "arm64-s2-64k", NULL};

	run(20260912, ELSEWHERE, ones, twos);
}

Test(nested_twin, riscv_vs_stage_over_g_stage)
{
	static const char *const wide[] = {"riscv-sv39", "riscv-sv48", "riscv-sv57", NULL};
	static const char *const wide_guest[] = {
		"riscv-sv39x4", "riscv-sv48x4", "riscv-sv57x4", NULL};
	static const char *const narrow[] = {"riscv-sv32", NULL};
	static const char *const narrow_guest[] = {"riscv-sv32x4", NULL};

	run(20260913, ELSEWHERE, wide, wide_guest);
	run(20260914, ELSEWHERE, narrow, narrow_guest);
}
