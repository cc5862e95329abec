/* SPDX-License-Identifier: MIT */
/* A batch answers each address as a single translation does: in plain C and with vectors. */
#include "random_tables.h"
#include <criterion/criterion.h>
#include <pagewalk/pagewalk.h>
#include <stdio.h>
#include <string.h>

#define IMAGE_BYTES (UINT64_C(1) << 20)
#define IMAGE_BASE  UINT64_C(0x40000)
#define LIST        700

static struct pw_hit hits[LIST + 1];
static pw_va list[LIST];

static void expect_same(const struct pw_space *space, size_t count, pw_access access)
{
	size_t good = 0;

	memset(&hits[count], 0xa5, sizeof hits[count]);
	size_t told = pw_translate_batch(space, list, count, access, hits);

	for (size_t i = 0; i < count; i++) {
		struct pw_result r;
		bool ok = pw_translate(space, list[i], access, &r) == PW_OK;
		uint64_t size = hits[i].size_log2 ? UINT64_C(1) << hits[i].size_log2 : 0;

		good += ok;
		cr_assert(hits[i].status == r.status && hits[i].level == r.level &&
				  hits[i].pa == r.pa && size == r.page_size &&
				  hits[i].rights == r.rights && hits[i].user == r.user &&
				  hits[i].supervisor == r.supervisor &&
				  hits[i].implicit == r.implicit &&
				  hits[i].flags == (r.flags & 0xb),
			"%s: va %#llx access %#x: batch %s %#llx, single %s %#llx",
			space->format->name, (unsigned long long)list[i], access,
			pw_status_name((enum pw_status)hits[i].status),
			(unsigned long long)hits[i].pa, pw_status_name((enum pw_status)r.status),
			(unsigned long long)r.pa);
	}
	cr_assert_eq(told, good);
	cr_assert_eq(hits[count].level, (int8_t)0xa5, "wrote behind the list");
}

static bool read_pte(void *ctx, pw_pa pa, unsigned bytes, uint64_t *entry)
{
	const struct image *image = ctx;
	uint64_t offset = pa - image->base;

	*entry = 0;
	if (offset >= image->size || image->size - offset < bytes)
		return false;
	for (unsigned i = 0; i < bytes; i++)
		*entry |= (uint64_t)image->bytes[offset + i] << (8 * i);
	return true;
}

static void one_space(struct random *random, struct image *image, const struct pw_format *format,
	const struct pw_memory *memory)
{
	static const pw_access accesses[] = {PW_ACCESS_ANY, PW_ACCESS_READ, PW_ACCESS_WRITE,
		PW_ACCESS_FETCH, PW_ACCESS_READ | PW_ACCESS_USER, PW_ACCESS_WRITE | PW_ACCESS_USER,
		PW_ACCESS_FETCH | PW_ACCESS_USER, PW_ACCESS_READ | PW_ACCESS_IMPLICIT, 0,
		PW_ACCESS_READ | PW_ACCESS_WRITE};
	uint64_t bytes = pw_table_bytes(format, format->levels - 1u);
	pw_pa root = IMAGE_BASE + random_below(random, IMAGE_BYTES / bytes) * bytes;
	size_t count = random_below(random, LIST + 1);
	struct pw_space space;

	cr_assert(pw_space_init(&space, format, root, memory) == PW_OK);
	for (size_t i = 0; i < count; i++) {
		list[i] = random_va(random, format, false);
		random_path(random, image, format, root, list[i]);
	}
	expect_same(&space, count, accesses[random_below(random, 10)]);
}

static void every_kind_of_memory(const struct pw_kernels *kernels)
{
	uint64_t seed = random_seed(20260903);
	struct random random = random_from(seed);
	struct image image = {aligned_alloc(4096, IMAGE_BYTES), IMAGE_BASE, IMAGE_BYTES};
	struct pw_window window = {IMAGE_BASE, IMAGE_BYTES, image.bytes, true};
	struct pw_memory windows = {.windows = &window, .window_count = 1, .kernels = kernels};
	struct pw_memory callbacks = {.read_pte = read_pte, .ctx = &image, .kernels = kernels};

	cr_assert(image.bytes != NULL);
	for (uint64_t i = 0; i < IMAGE_BYTES; i++)
		image.bytes[i] = (uint8_t)random_next(&random);
	for (int round = 0; round < 300; round++) {
		one_space(&random, &image, &pw_format_x86_64, &windows);
		if (round % 16 == 0)
			one_space(&random, &image, &pw_format_x86_64, &callbacks);
		if (round % 8 == 0)
			one_space(&random, &image, pw_format_at(1 + random_below(&random, 23)),
				&windows);
	}
	free(image.bytes);
	printf("seed %llu\n", (unsigned long long)seed);
}

Test(batch, in_plain_c_answers_as_single_translations_do)
{
	every_kind_of_memory(NULL);
}

#if defined(__x86_64__)
Test(batch, with_vectors_answers_as_single_translations_do)
{
	const struct pw_kernels *kernels = pw_kernels_best();

	if (!kernels)
		cr_skip_test("this CPU has no AVX-512");
	every_kind_of_memory(kernels);
}
#endif
