/* SPDX-License-Identifier: MIT */
/*
 * Arbitrary memory, root, registers and addresses: translation, iteration, regions and copies never
 * crash, never read outside the image, never write, read a bounded number of entries, and agree
 * with each other; windows and callbacks give the same answers.
 */
#include "agree.h"
#include "expect.h"
#include "random_tables.h"

#include <pagewalk/pagewalk.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input begins with this; what follows is laid over the image by exclusive or. */
struct input {
	uint64_t root, va, last, cr0, cr4, efer, seed;
	uint32_t access;
	uint8_t format, image_pages, paths, flags;
};

enum {
	FLAG_X86_STATE = 1, /* the space of control registers, not of a format */
	FLAG_HIGH = 2,      /* Arm: TTBR1 */
	FLAG_FREE_ROOT = 4, /* the root need not lie in the image */
};

#define STEPS_MAX   2000
#define READS_MAX   4000
#define COPY_BYTES  300
#define BATCH       37
#define MANY        53
#define TABLE_BYTES 0x10000u /* the largest table: no root needs more alignment */

/* An image in a block of its own, so that AddressSanitizer sees the first byte outside. */
struct world {
	struct image image;
	struct pw_window window;
	struct pw_memory windows, callbacks;
	unsigned reads; /* entries read through the callback */
	unsigned entry_bytes;
};

static bool read_pte(void *ctx, pw_pa pa, unsigned bytes, uint64_t *entry)
{
	struct world *world = ctx;
	const struct image *image = &world->image;
	uint64_t offset = pa - image->base, value = 0;

	EXPECT(bytes == world->entry_bytes && pa % bytes == 0);
	world->reads++;
	if (pa < image->base || offset >= image->size || image->size - offset < bytes)
		return false;
	for (unsigned i = 0; i < bytes; i++)
		value |= (uint64_t)image->bytes[offset + i] << (8 * i);
	*entry = value;
	return true;
}

static bool read_bytes(void *ctx, pw_pa pa, void *to, size_t bytes)
{
	const struct image *image = &((struct world *)ctx)->image;

	if (pa < image->base || pa - image->base >= image->size ||
		image->size - (pa - image->base) < bytes)
		return false;
	memcpy(to, image->bytes + (pa - image->base), bytes);
	return true;
}

static void make_world(struct world *world, const struct input *input,
	const struct pw_format *format, const uint8_t *patch, size_t patch_bytes)
{
	struct random random = random_from(input->seed);
	size_t bytes = (size_t)(input->image_pages % 32) * 4096 + input->seed % 64;
	pw_pa base = (input->seed >> 8) % 4 * TABLE_BYTES;

	*world = (struct world){.entry_bytes = format->entry_bytes};
	world->image = (struct image){.bytes = malloc(bytes), .base = base, .size = bytes};
	EXPECT(world->image.bytes || bytes == 0);
	if (bytes > 0)
		memset(world->image.bytes, 0, bytes);
	for (unsigned i = 0; bytes >= TABLE_BYTES && i < input->paths % 8; i++)
		random_path(&random, &world->image, format, input->root, input->va + i * 4096);
	for (size_t i = 0; i < patch_bytes && i < bytes; i++)
		world->image.bytes[i] ^= patch[i];

	world->window = (struct pw_window){.base = base, .size = bytes, .host = world->image.bytes};
	world->windows = (struct pw_memory){.windows = &world->window, .window_count = bytes > 0};
	world->callbacks =
		(struct pw_memory){.read_pte = read_pte, .read_bytes = read_bytes, .ctx = world};
}

/* False: these registers or this root make no space. */
static bool make_space(struct pw_space *space, const struct input *input,
	const struct pw_format *format, const struct pw_memory *memory)
{
	const struct pw_x86_state state = {.cr0 = input->cr0 | PW_CR0_PE,
		.cr3 = input->root,
		.cr4 = input->cr4,
		.efer = input->efer,
		.pkru = (uint32_t)input->seed,
		.maxphyaddr = (uint8_t)(32 + input->seed % 21)};
	const struct pw_rules rules = {.arm_high = (input->flags & FLAG_HIGH) != 0,
		.riscv_mxr = input->seed & 1,
		.arm_access_flag_fault = input->seed & 2};

	if (input->flags & FLAG_X86_STATE)
		return pw_space_init_x86(space, &state, memory, NULL) == PW_OK;
	return pw_space_init_rules(space, format, input->root, memory, &rules) == PW_OK;
}

static void fuzz_translate(struct world *world, const struct pw_space *windows,
	const struct pw_space *callbacks, const struct input *input)
{
	struct pw_trace_step steps[PW_MAX_LEVELS];
	struct pw_result one, other, traced;
	size_t count = 0;
	char text[40];
	enum pw_status status;

	world->reads = 0;
	status = pw_translate(callbacks, input->va, input->access, &one);
	EXPECT(status == one.status && world->reads <= callbacks->format->levels);
	EXPECT(pw_translate(windows, input->va, input->access, &other) == status);
	EXPECT(agree_same_result(&one, &other));
	EXPECT(pw_translate_trace(windows, input->va, input->access, &traced, steps, &count) ==
		status);
	EXPECT(agree_same_result(&one, &traced) && count <= windows->format->levels);
	EXPECT(memchr(pw_explain(&one, text, sizeof text), 0, sizeof text) != NULL);
	if (status == PW_OK && one.page_size > 0)
		EXPECT((one.pa & (one.page_size - 1)) == (one.va & (one.page_size - 1)));
}

/* A list of addresses gives the answers of each alone, with and without vector code. */
static void fuzz_batch(struct world *world, const struct pw_space *space, const struct input *input)
{
	pw_va va[BATCH];
	struct pw_hit hits[BATCH];
	struct pw_result one;

	for (unsigned i = 0; i < BATCH; i++)
		va[i] = input->va + (i % 8) * 4096 + (i / 8) * (input->last / 8);
	for (unsigned vector = 0; vector < 2; vector++) {
		size_t mapped = 0;

		world->windows.kernels = vector ? pw_kernels_best() : NULL;
		EXPECT(pw_translate_batch(space, va, BATCH, input->access, hits) <= BATCH);
		for (unsigned i = 0; i < BATCH; i++) {
			EXPECT(pw_translate(space, va[i], input->access, &one) ==
				(enum pw_status)hits[i].status);
			EXPECT(one.pa == hits[i].pa && one.level == hits[i].level);
			EXPECT(one.user == hits[i].user && one.supervisor == hits[i].supervisor);
			EXPECT(one.page_size ==
				(hits[i].size_log2 ? UINT64_C(1) << hits[i].size_log2 : 0));
			mapped += one.status == PW_OK;
		}
		EXPECT(pw_translate_batch(space, va, BATCH, input->access, hits) == mapped);
	}
}

/* Where an enumeration says "mapped", so does a translation. */
static void expect_mapped(const struct pw_space *space, pw_va va, pw_pa pa, uint64_t page_size)
{
	struct pw_result hit;

	EXPECT(pw_translate(space, va, PW_ACCESS_ANY, &hit) == PW_OK);
	EXPECT(hit.pa == pa && hit.page_size == page_size);
}

static void fuzz_iterate(const struct pw_space *space, const struct input *input)
{
	struct pw_iter it;
	pw_va next = input->va;
	bool more = true;

	if (pw_iter_begin(&it, space, input->va, input->last) != PW_OK)
		return;
	for (unsigned i = 0; i < STEPS_MAX && pw_iter_next(&it) != PW_STEP_END; i++) {
		EXPECT(it.first <= it.last && it.last <= input->last);
		if (it.step == PW_STEP_TABLE || it.step == PW_STEP_LEAVE)
			continue;
		EXPECT(more && it.first >= next);
		if (it.step == PW_STEP_PAGE)
			expect_mapped(space, it.first, it.pa, it.page_size);
		next = it.last + 1;
		more = next != 0;
	}
	EXPECT(it.reads <= (uint64_t)STEPS_MAX * PW_MAX_LEVELS);
}

static bool same_page(const struct pw_space *space, pw_va va, pw_va other)
{
	struct pw_result a, b;

	(void)!pw_translate(space, va, PW_ACCESS_ANY, &a);
	(void)!pw_translate(space, other, PW_ACCESS_ANY, &b);
	return a.status == b.status && a.pa == b.pa && a.page_size == b.page_size &&
	       a.user == b.user && a.supervisor == b.supervisor;
}

/* A region, at its first and last address and somewhere between. */
static void expect_region(
	const struct pw_space *space, const struct pw_region *region, uint64_t any)
{
	static const uint8_t statuses[] = {[PW_REGION_MAPPED] = PW_OK,
		[PW_REGION_BAD] = PW_RESERVED,
		[PW_REGION_LOST] = PW_NO_MEMORY};
	pw_va size = region->last - region->first;
	const pw_va at[] = {0, size, size == UINT64_MAX ? any : any % (size + 1)};

	for (unsigned i = 0; i < 3; i++) {
		pw_va va = region->first + at[i];

		if (region->kind == PW_REGION_REPEATS)
			EXPECT(same_page(space, va, region->repeats + at[i]));
		else if (region->kind == PW_REGION_MAPPED)
			expect_mapped(space, va, region->pa + at[i], region->page_size);
		else
			EXPECT(pw_translate(space, va, PW_ACCESS_ANY, NULL) ==
				(enum pw_status)statuses[region->kind]);
	}
}

/* Nothing is listed between `from` and `to`: nothing is there. */
static void expect_nothing(const struct pw_space *space, pw_va from, pw_va to)
{
	enum pw_status status = pw_translate(space, from, PW_ACCESS_ANY, NULL);

	/* LAM takes metadata out of a single address; ranges have none. */
	if (space->format->family == PW_FAMILY_X86 && !pw_format_takes(space->format, from))
		return;
	EXPECT(from == to || status == PW_NOT_PRESENT || status == PW_NON_CANONICAL);
}

static bool same_region(const struct pw_region *a, const struct pw_region *b)
{
	return a->first == b->first && a->last == b->last && a->kind == b->kind &&
	       a->level == b->level && a->pa == b->pa && a->page_size == b->page_size &&
	       a->grant == b->grant && a->entry == b->entry && a->repeats == b->repeats;
}

struct many {
	struct pw_region region[MANY];
	size_t at, count, most;
};

static void begin_regions(struct pw_regions *regions, const struct pw_space *space,
	const struct input *input, uint64_t *scratch, size_t bytes)
{
	pw_regions_begin(regions, space, input->va, input->last, scratch,
		input->seed & 4 ? bytes - input->seed % 8 : 0);
	regions->budget = READS_MAX;
	regions->expand = input->seed & 8;
}

/* One region, or what is left of some that were listed at once. */
static bool next_of_many(struct pw_regions *regions, struct many *many, struct pw_region *region)
{
	if (many->at == many->count) {
		many->count = pw_regions_fill(regions, many->region, many->most);
		many->at = 0;
	}
	if (many->at == many->count)
		return false;
	*region = many->region[many->at++];
	return true;
}

/*
 * Both doors give the same list, within the budget, and it is true. Through the window it is made
 * many at a time, with and without vector code.
 */
static void fuzz_regions(struct world *world, const struct pw_space *windows,
	const struct pw_space *callbacks, const struct input *input)
{
	static uint64_t scratch[2][PW_REGIONS_SCRATCH(64) / sizeof(uint64_t)];
	struct many many = {.most = 1 + input->seed % MANY};
	struct pw_regions regions, also;
	struct pw_region region, other;
	pw_va next = input->va;
	bool more = true;

	world->reads = 0;
	world->windows.kernels = input->seed & 16 ? pw_kernels_best() : NULL;
	begin_regions(&regions, windows, input, scratch[0], sizeof scratch[0]);
	begin_regions(&also, callbacks, input, scratch[1], sizeof scratch[1]);
	while (next_of_many(&regions, &many, &region)) {
		EXPECT(pw_regions_next(&also, &other) && same_region(&region, &other));
		EXPECT(more && region.first >= next && region.first <= region.last);
		EXPECT(region.last <= input->last);
		if (region.kind == PW_REGION_REPEATS)
			EXPECT(region.repeats + (region.last - region.first) < region.first);
		expect_nothing(windows, next, region.first);
		expect_region(windows, &region, input->seed);
		next = region.last + 1;
		more = next != 0;
	}
	EXPECT(!pw_regions_next(&also, &other) && also.status == regions.status);
	EXPECT(regions.status == PW_OK || regions.status == PW_E_BUDGET ||
		regions.status == PW_E_RANGE);
	EXPECT(regions.status != PW_E_BUDGET ||
		(regions.position >= next && regions.position == also.position));
	if (regions.status == PW_OK && more && input->last >= next)
		expect_nothing(windows, next, input->last);
	EXPECT(regions.it.reads <= READS_MAX && world->reads <= READS_MAX);
}

static void fuzz_copy(
	const struct pw_space *windows, const struct pw_space *callbacks, const struct input *input)
{
	uint8_t one[COPY_BYTES] = {0}, other[COPY_BYTES] = {0};
	size_t done = COPY_BYTES + 1, also = COPY_BYTES + 1;
	enum pw_status status;

	status = pw_copy_some(windows, input->va, one, sizeof one, input->access, &done);
	EXPECT(pw_copy_some(callbacks, input->va, other, sizeof other, input->access, &also) ==
		status);
	if (status == PW_E_ARGUMENT || status == PW_E_RANGE)
		return;
	/* A callback gives all of a page's piece or nothing, a window what it has of it. */
	EXPECT(also <= done && done <= sizeof one && memcmp(one, other, also) == 0);
	EXPECT((status == PW_OK) == (done == sizeof one));
	if (pw_copy_from(windows, input->va, other, sizeof other, input->access, NULL) == PW_OK)
		EXPECT(status == PW_OK && memcmp(one, other, sizeof one) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct pw_format *format;
	struct pw_space windows, callbacks;
	struct input input;
	struct world world;
	size_t formats = 0;
	uint8_t *before;

	if (size < sizeof input)
		return 0;
	memcpy(&input, data, sizeof input);
	while (pw_format_at(formats))
		formats++;
	format = pw_format_at(input.format % formats);
	if (!(input.flags & FLAG_FREE_ROOT))
		input.root = input.root % 8 * TABLE_BYTES;

	make_world(&world, &input, format, data + sizeof input, size - sizeof input);
	before = malloc((size_t)world.image.size + 1);
	EXPECT(before != NULL);
	memcpy(before, world.image.bytes, (size_t)world.image.size);
	if (make_space(&windows, &input, format, &world.windows) &&
		make_space(&callbacks, &input, format, &world.callbacks)) {
		world.entry_bytes = callbacks.format->entry_bytes;
		fuzz_translate(&world, &windows, &callbacks, &input);
		fuzz_batch(&world, &windows, &input);
		fuzz_iterate(&windows, &input);
		fuzz_regions(&world, &windows, &callbacks, &input);
		fuzz_copy(&windows, &callbacks, &input);
	}
	EXPECT(memcmp(before, world.image.bytes, (size_t)world.image.size) == 0);
	free(before);
	free(world.image.bytes);
	return 0;
}
