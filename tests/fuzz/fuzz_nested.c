/* SPDX-License-Identifier: MIT */
/*
 * Arbitrary tables of two stages, rules and addresses: the two-stage walk never crashes and never
 * reads outside the machine; a window and callbacks, one address and a list say the same to the
 * last field, and the slow twin agrees. The enumeration of both stages says what the walk says.
 */
#include "agree.h"
#include "expect.h"
#include "nested_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input begins with this; what follows is laid over the machine by exclusive or. */
struct input {
	uint64_t seed, va, patch_at;
	uint8_t pair, paths, flags;
	uint8_t zero[5];
};

enum {
	FLAG_FROM_0 = 1,  /* the machine's memory begins at address 0 */
	FLAG_ANY_VA = 14, /* if all are set, any address; otherwise one that stage 1 takes */
};

#define BATCH     70
#define READS_MAX 4000

/* The pairs that hardware has; those of the quick path more than once. */
static const char *const pairs[][2] = {
	{"x86-64", "ept-4"},
	{"x86-64", "ept-4"},
	{"x86-64", "npt-4"},
	{"x86-64", "npt-4"},
	{"x86-64", "ept-5"},
	{"x86-64-la57", "ept-4"},
	{"x86-64-la57", "npt-5"},
	{"x86-pae", "ept-4"},
	{"x86-32", "npt-4"},
	{"x86-none", "ept-4"},
	{"arm64-4k", "arm64-s2-4k"},
	{"arm64-16k", "arm64-s2-16k"},
	{"arm64-64k", "arm64-s2-64k"},
	{"armv7-lpae", "arm64-s2-4k"},
	{"riscv-sv39", "riscv-sv39x4"},
	{"riscv-sv57", "riscv-sv48x4"},
	{"riscv-sv32", "riscv-sv32x4"},
};
#define PAIRS (sizeof pairs / sizeof pairs[0])

struct asked {
	pw_access access;
	struct slow_access slow;
};

static struct asked make_access(unsigned number)
{
	static const pw_access kinds[] = {
		PW_ACCESS_ANY, PW_ACCESS_READ, PW_ACCESS_WRITE, PW_ACCESS_FETCH};
	struct asked asked = {.slow.op = (enum slow_op)(number % 4)};

	asked.access = kinds[number % 4];
	if (asked.slow.op == SLOW_OP_NONE)
		return asked;
	asked.slow.user = number & 4;
	asked.access |= asked.slow.user ? PW_ACCESS_USER : 0;
	asked.slow.implicit_supervisor = number & 8;
	asked.access |= asked.slow.implicit_supervisor ? PW_ACCESS_IMPLICIT : 0;
	return asked;
}

/* Implicit accesses are x86's alone. */
static void suit(struct asked *asked, const struct pw_format *format)
{
	if (format->family == PW_FAMILY_X86)
		return;
	asked->slow.implicit_supervisor = false;
	asked->access &= ~PW_ACCESS_IMPLICIT;
}

static void count_step(void *ctx, const struct pw_nested_step *step)
{
	unsigned *steps = ctx;

	EXPECT(step->stage == 1 || step->stage == 2);
	++*steps;
}

/* A walk that tells its steps has the same end, and not more of them than it says. */
static void fuzz_trace(struct nested_world *w, pw_va va, const struct asked *asked,
	const struct pw_nested_result *wanted)
{
	unsigned steps = 0;
	const struct pw_nested_tracer tracer = {.step = count_step, .ctx = &steps};
	struct pw_nested_result told;

	(void)!pw_nested_translate_trace(&w->one, &w->two, va, asked->access, &told, &tracer);
	EXPECT(agree_same_nested(wanted, &told));
	EXPECT(steps <= PW_NESTED_MAX_STEPS);
}

static void fuzz_translate(struct nested_world *w, pw_va va, const struct asked *asked)
{
	struct slow_nested_result twin;
	struct pw_nested_result one, other;
	char text[60];

	(void)!pw_nested_translate(&w->one, &w->two, va, asked->access, &one);
	(void)!pw_nested_translate(&w->one, &w->two_by_callbacks, va, asked->access, &other);
	EXPECT(agree_same_nested(&one, &other));
	fuzz_trace(w, va, asked, &one);
	EXPECT(pw_nested_translate(&w->one, &w->two, va, asked->access, NULL) ==
		(enum pw_status)one.status);
	slow_nested(&w->pair, &w->machine, va, &asked->slow, &twin);
	EXPECT(nested_world_difference(&one, &twin) == NULL);
	EXPECT(memchr(pw_nested_explain(&one, text, sizeof text), 0, sizeof text) != NULL);
}

static void fuzz_batch(struct nested_world *w, pw_va va, const struct asked *asked)
{
	struct pw_nested_hit hit[BATCH];
	struct pw_nested_result one;
	pw_va list[BATCH];
	size_t mapped = 0, done;

	for (unsigned i = 0; i < BATCH; i++)
		list[i] = va + i % 9 * 4096 + (i & 1 ? random_next(&w->random) % 4096 : 0);
	done = pw_nested_translate_batch(&w->one, &w->two, list, BATCH, asked->access, hit);
	for (unsigned i = 0; i < BATCH; i++) {
		mapped += pw_nested_translate(&w->one, &w->two_by_callbacks, list[i], asked->access,
				  &one) == PW_OK;
		EXPECT(agree_same_hit(&hit[i], &one));
	}
	EXPECT(done == mapped);
}

static void expect_region(struct nested_world *w, const struct pw_nested_region *region, pw_va va)
{
	enum pw_status wanted = region->kind == PW_REGION_MAPPED     ? PW_OK
				: region->kind == PW_REGION_UNBACKED ? PW_NOT_PRESENT
				: region->kind == PW_REGION_BAD      ? PW_RESERVED
								     : PW_NO_MEMORY;
	struct pw_nested_result r;
	enum pw_status status = pw_nested_translate(&w->one, &w->two, va, PW_ACCESS_ANY, &r);

	if (region->kind == PW_REGION_REPEATS)
		return;
	/* What stage 2 refuses to a walk through stage 1 is lost to it. */
	if (region->kind == PW_REGION_LOST && region->stage == 1) {
		EXPECT(status != PW_OK);
		return;
	}
	/* An address that stage 2 has no bits for is no hole in its tables. */
	EXPECT(status == wanted ||
		(region->kind == PW_REGION_UNBACKED && status == PW_NON_CANONICAL));
	if (status == PW_OK)
		EXPECT(r.pa == region->pa + (va - region->first) &&
			r.page_size == region->page_size);
}

static void fuzz_regions(struct nested_world *w, pw_va va)
{
	static uint64_t scratch[PW_REGIONS_SCRATCH(64) / sizeof(uint64_t)];
	pw_va last = va | 0xffffff, next = va;
	struct pw_nested_regions regions;
	struct pw_nested_region region;
	bool more = true;

	pw_nested_regions_begin(
		&regions, &w->one, &w->two, va, last, true, scratch, sizeof scratch);
	regions.budget = READS_MAX;
	while (pw_nested_regions_next(&regions, &region)) {
		EXPECT(more && region.first >= next && region.first <= region.last);
		EXPECT(region.last <= last);
		expect_region(w, &region, region.first);
		expect_region(w, &region, region.last);
		next = region.last + 1;
		more = next != 0;
	}
}

static void lay_over(
	struct nested_world *w, const struct input *input, const uint8_t *patch, size_t bytes)
{
	uint8_t *memory = w->guest.bytes;
	uint64_t at = input->patch_at % w->machine.size;

	for (size_t i = 0; i < bytes && at + i < w->machine.size; i++)
		memory[at + i] ^= patch[i];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct nested_world w;
	const struct pw_format *one, *two;
	struct input input;

	if (size < sizeof input)
		return 0;
	memcpy(&input, data, sizeof input);
	one = pw_format_find(pairs[input.pair % PAIRS][0]);
	two = pw_format_find(pairs[input.pair % PAIRS][1]);
	if ((input.flags & FLAG_ANY_VA) != FLAG_ANY_VA && one->levels)
		input.va &= (UINT64_C(1) << (one->va_bits - 1)) - 1;
	nested_world_begin(&w, input.seed, input.flags & FLAG_FROM_0 ? 0 : UINT64_C(1) << 30);
	nested_world_rules(&w, one, two);
	for (unsigned i = 0; i < 1 + input.paths % 8u; i++) {
		pw_va va = input.va + i * 4096;

		if (one->levels)
			random_path(&w.random, &w.guest, one, w.root, va);
		nested_world_map(&w, va);
	}
	lay_over(&w, &input, data + sizeof input, size - sizeof input);
	for (unsigned number = 0; number < 16; number++) {
		struct asked asked = make_access(number);

		suit(&asked, one);
		for (unsigned i = 0; i < 9; i++)
			fuzz_translate(&w, input.va + i * 4096, &asked);
		fuzz_batch(&w, input.va, &asked);
	}
	fuzz_regions(&w, input.va);
	nested_world_end(&w);
	return 0;
}
