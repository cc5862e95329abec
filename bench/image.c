/* SPDX-License-Identifier: MIT */
#include "image.h"
#include "bench.h"
#include "x86.h"

#include <stdlib.h>
#include <sys/mman.h>

#define HUGE_BYTES (UINT64_C(1) << 21)

uint64_t rng_next(struct rng *rng)
{
	uint64_t x = rng->state += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

uint64_t rng_below(struct rng *rng, uint64_t limit)
{
	return (rng_next(rng) >> 32) * limit >> 32;
}

static void shuffle(struct image *image, uint64_t seed)
{
	struct rng rng = {seed};

	for (size_t i = image->frames; i > 1; i--) {
		size_t j = (size_t)rng_below(&rng, i);
		uint32_t swap = image->frame[i - 1];

		image->frame[i - 1] = image->frame[j];
		image->frame[j] = swap;
	}
}

void image_open(struct image *image, size_t frames, uint64_t seed, bool huge)
{
	uint64_t size = ((uint64_t)frames * TABLE_BYTES + HUGE_BYTES - 1) & ~(HUGE_BYTES - 1);
	uint8_t *at = mmap(NULL, size + HUGE_BYTES, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint64_t skew = -(uintptr_t)at & (HUGE_BYTES - 1);

	*image = (struct image){.size = size, .frames = frames};
	image->frame = malloc(frames * sizeof *image->frame);
	if (at == MAP_FAILED || !image->frame)
		bench_die("no memory for an image of %zu frames", frames);
	if (skew)
		munmap(at, skew);
	munmap(at + skew + size, HUGE_BYTES - skew);
	image->bytes = at + skew;
	/* Advice only: without it the pages are of the host's choosing. */
	(void)madvise(image->bytes, size, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	for (size_t i = 0; i < frames; i++)
		image->frame[i] = (uint32_t)i;
	if (seed)
		shuffle(image, seed);
}

void image_close(struct image *image)
{
	if (image->bytes)
		munmap(image->bytes, image->size);
	free(image->frame);
	*image = (struct image){.size = 0};
}

uint64_t image_take(struct image *image)
{
	if (image->used == image->frames)
		bench_die("the image of %zu frames is full", image->frames);
	return (uint64_t)image->frame[image->used++] * TABLE_BYTES;
}

void image_map(struct image *image, uint64_t root, uint64_t va, unsigned level, uint64_t entry,
	uint64_t table_bits)
{
	uint64_t table = root;

	for (unsigned i = LEVELS - 1; i > level; i--) {
		uint64_t *slot = x86_table(image->bytes, table + SLOT(va, i));

		if (!(*slot & X86_P))
			*slot = image_take(image) | (i == 1 ? table_bits : table_bits | X86_W);
		table = *slot & X86_ADDRESS;
	}
	*x86_table(image->bytes, table + SLOT(va, level)) = entry;
}
