/* SPDX-License-Identifier: MIT */
/*
 * The library's main paths, for counting their instructions: bench/instructions.sh runs this under
 * callgrind, which counts inside of measured() only. Without an argument it lists the paths.
 */
#include <pagewalk/pagewalk.h>

#include <stdio.h>
#include <string.h>

#define TABLES  64u
#define ENTRIES 512u
#define TABLE   (ENTRIES * 8u)
#define BYTES   ((uint64_t)TABLES * TABLE)
#define PAGES   4096u
#define PRESENT UINT64_C(0x27) /* P, W, U, A */
#define LARGE   UINT64_C(0x80)

/* 16 MiB in 4 KiB pages, 1 GiB in 2 MiB pages, and where is built. Stage 2: 1 GiB as it is. */
#define SMALL_VA UINT64_C(0x40000000)
#define LARGE_VA UINT64_C(0x80000000)
#define BUILD_VA UINT64_C(0x7f0000000000)

/* Pages far from one another. */
#define SPARSE      24u
#define SPARSE_STEP UINT64_C(0x20001000)

struct bench {
	uint64_t memory[TABLES + 1][ENTRIES]; /* the last: data */
	unsigned used;
	struct pw_window window;
	struct pw_memory windows, callbacks;
	struct pw_space space, through_callbacks, stage2[2]; /* EPT, NPT */
	struct pw_flush flush;
	struct pw_flush_range range[8];
	struct pw_freed_table freed[TABLES];
	pw_va va[PAGES];
	struct pw_hit hit[PAGES];
	struct pw_nested_hit nested_hit[PAGES];
	_Alignas(16) char scratch[PW_REGIONS_SCRATCH(2 * TABLES)];
	char buffer[8 * TABLE];
	unsigned wrong;
};

static _Alignas(4096) struct bench bench;

static bool read_pte(void *ctx, pw_pa pa, unsigned bytes, uint64_t *entry)
{
	struct bench *b = ctx;

	if (pa >= BYTES || bytes != 8)
		return false;
	*entry = __atomic_load_n(&b->memory[pa / TABLE][pa % TABLE / 8], __ATOMIC_RELAXED);
	return true;
}

static bool allocate_table(void *ctx, uint64_t bytes, pw_pa *pa)
{
	struct bench *b = ctx;

	if (b->used == TABLES)
		return false;
	*pa = b->used++ * bytes;
	return true;
}

/* The last that was taken comes back first, or all do. */
static void free_table(void *ctx, pw_pa pa, uint64_t bytes)
{
	struct bench *b = ctx;

	(void)pa;
	(void)bytes;
	b->used--;
}

/* ---- The paths ---- */

static void translate(struct bench *b, const struct pw_space *space, pw_va va, pw_access access,
	enum pw_status wanted)
{
	struct pw_result result;

	for (unsigned i = 0; i < PAGES; i++) {
		pw_va at = va + (i % 64) * (TABLE + 8);

		b->wrong += pw_translate(space, at, access, &result) != wanted;
	}
}

static void translate_4k(struct bench *b)
{
	translate(b, &b->space, SMALL_VA, PW_ACCESS_READ, PW_OK);
}

static void translate_4k_write_user(struct bench *b)
{
	translate(b, &b->space, SMALL_VA, PW_ACCESS_WRITE | PW_ACCESS_USER, PW_OK);
}

static void translate_2m(struct bench *b)
{
	translate(b, &b->space, LARGE_VA, PW_ACCESS_READ, PW_OK);
}

static void translate_hole(struct bench *b)
{
	translate(b, &b->space, SMALL_VA + (UINT64_C(1) << 25), PW_ACCESS_READ, PW_NOT_PRESENT);
}

static void translate_4k_callbacks(struct bench *b)
{
	translate(b, &b->through_callbacks, SMALL_VA, PW_ACCESS_READ, PW_OK);
}

static void translate_hole_callbacks(struct bench *b)
{
	translate(b, &b->through_callbacks, SMALL_VA + (UINT64_C(1) << 25), PW_ACCESS_READ,
		PW_NOT_PRESENT);
}

static void nested(struct bench *b, const struct pw_space *stage2, pw_va va, enum pw_status wanted)
{
	struct pw_nested_result result;

	for (unsigned i = 0; i < PAGES; i++) {
		pw_va at = va + (i % 64) * (TABLE + 8);

		b->wrong += pw_nested_translate(&b->space, stage2, at, PW_ACCESS_READ, &result) !=
			    wanted;
	}
}

static void nested_4k_ept(struct bench *b)
{
	nested(b, &b->stage2[0], SMALL_VA, PW_OK);
}

static void nested_2m_ept(struct bench *b)
{
	nested(b, &b->stage2[0], LARGE_VA, PW_OK);
}

static void nested_hole_ept(struct bench *b)
{
	nested(b, &b->stage2[0], SMALL_VA + (UINT64_C(1) << 25), PW_NOT_PRESENT);
}

static void nested_4k_npt(struct bench *b)
{
	nested(b, &b->stage2[1], SMALL_VA, PW_OK);
}

static void nested_batch(struct bench *b)
{
	b->wrong += pw_nested_translate_batch(&b->space, &b->stage2[0], b->va, PAGES,
			    PW_ACCESS_READ, b->nested_hit) != PAGES;
}

static void batch(struct bench *b)
{
	b->wrong += pw_translate_batch(&b->space, b->va, PAGES, PW_ACCESS_READ, b->hit) != PAGES;
}

static void regions(struct bench *b)
{
	struct pw_regions it;
	struct pw_region region;
	unsigned found = 0;

	pw_regions_begin(&it, &b->space, SMALL_VA, LARGE_VA - 1, b->scratch, sizeof b->scratch);
	while (pw_regions_next(&it, &region))
		found += region.kind == PW_REGION_MAPPED;
	b->wrong += it.status != PW_OK || found != PAGES;
}

static void regions_at_once(struct bench *b)
{
	struct pw_regions it;
	struct pw_region region[256];
	size_t found = 0, some;

	pw_regions_begin(&it, &b->space, SMALL_VA, LARGE_VA - 1, b->scratch, sizeof b->scratch);
	while ((some = pw_regions_fill(&it, region, 256)) > 0)
		found += some;
	b->wrong += it.status != PW_OK || found != PAGES;
}

/* Two last tables for each table above them, and one page in each. */
static void map_sparse(struct bench *b)
{
	for (unsigned i = 0; i < SPARSE; i++)
		b->wrong += pw_map(&b->space, BUILD_VA + i * SPARSE_STEP, TABLE, TABLE,
				    PW_R | PW_W | PW_U, &b->flush) != PW_OK;
}

static void regions_sparse(struct bench *b)
{
	struct pw_regions it;
	struct pw_region region[256];
	size_t found = 0, some;

	pw_regions_begin(&it, &b->space, BUILD_VA, BUILD_VA + SPARSE * SPARSE_STEP - 1, b->scratch,
		sizeof b->scratch);
	while ((some = pw_regions_fill(&it, region, 256)) > 0)
		found += some;
	b->wrong += it.status != PW_OK || found != SPARSE;
}

static int count_page(void *ctx, const struct pw_visit *visit)
{
	*(unsigned *)ctx -= visit->level == 0;
	return 0;
}

static void walk(struct bench *b)
{
	unsigned left = PAGES;
	struct pw_walker walker = {.handle_pte = count_page, .ctx = &left};

	b->wrong += pw_walk(&b->space, SMALL_VA, LARGE_VA - 1, &walker) != PW_OK || left;
}

static void map(struct bench *b)
{
	b->wrong += pw_map(&b->space, BUILD_VA, TABLE, (uint64_t)PAGES * TABLE, PW_R | PW_W | PW_U,
			    &b->flush) != PW_OK;
}

static void protect(struct bench *b)
{
	b->wrong += pw_protect(&b->space, BUILD_VA, (uint64_t)PAGES * TABLE, PW_R | PW_U,
			    &b->flush) != PW_OK;
}

static void unmap(struct bench *b)
{
	b->wrong += pw_unmap(&b->space, BUILD_VA, (uint64_t)PAGES * TABLE, &b->flush) != PW_OK;
}

static void read_page(struct bench *b)
{
	for (unsigned i = 0; i < 64; i++)
		b->wrong += pw_read(&b->space, SMALL_VA + (uint64_t)i * 8 * TABLE, b->buffer,
				    sizeof b->buffer) != PW_OK;
}

static void read_word(struct bench *b)
{
	for (unsigned i = 0; i < PAGES; i++)
		b->wrong += pw_read(&b->space, SMALL_VA + i % 64 * 8, b->buffer, 8) != PW_OK;
}

static void space_of_cpu(struct bench *b)
{
	const struct pw_x86_state state = {
		.cr0 = PW_CR0_PG | PW_CR0_PE | PW_CR0_WP,
		.cr4 = PW_CR4_PAE,
		.efer = PW_EFER_LME | PW_EFER_LMA | PW_EFER_NXE,
		.maxphyaddr = 48,
	};
	struct pw_space space;

	for (unsigned i = 0; i < 64; i++)
		b->wrong += pw_space_init_x86(&space, &state, &b->windows, NULL) != PW_OK;
}

static void live_mapped(struct bench *b)
{
	b->flush.live = true;
	map(b);
}

static const struct path {
	const char *name;
	void (*prepare)(struct bench *b);
	void (*run)(struct bench *b);
	unsigned operations;
} paths[] = {
	{"translate-4k", NULL, translate_4k, PAGES},
	{"translate-4k-write-user", NULL, translate_4k_write_user, PAGES},
	{"translate-2m", NULL, translate_2m, PAGES},
	{"translate-hole", NULL, translate_hole, PAGES},
	{"translate-4k-callbacks", NULL, translate_4k_callbacks, PAGES},
	{"translate-hole-callbacks", NULL, translate_hole_callbacks, PAGES},
	{"batch-4k", NULL, batch, PAGES},
	{"nested-4k-ept", NULL, nested_4k_ept, PAGES},
	{"nested-2m-ept", NULL, nested_2m_ept, PAGES},
	{"nested-hole-ept", NULL, nested_hole_ept, PAGES},
	{"nested-4k-npt", NULL, nested_4k_npt, PAGES},
	{"nested-batch-4k-ept", NULL, nested_batch, PAGES},
	{"regions-4k", NULL, regions, PAGES},
	{"regions-4k-fill", NULL, regions_at_once, PAGES},
	{"regions-sparse", map_sparse, regions_sparse, SPARSE},
	{"walk-4k", NULL, walk, PAGES},
	{"map-4k", NULL, map, PAGES},
	{"protect-4k", map, protect, PAGES},
	{"unmap-4k", map, unmap, PAGES},
	{"protect-4k-live", live_mapped, protect, PAGES},
	{"unmap-4k-live", live_mapped, unmap, PAGES},
	{"read-4k-page", NULL, read_page, 512},
	{"read-8-bytes", NULL, read_word, PAGES},
	{"space-of-cpu", NULL, space_of_cpu, 64},
};

/*
 * The C library's own depend on the CPU. One instruction each: a string instruction counts as often
 * as it repeats.
 */
void *memcpy(void *restrict to, const void *restrict from, size_t bytes)
{
	void *at = to;

	__asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(bytes) : : "memory");
	return to;
}

void *memset(void *to, int byte, size_t bytes)
{
	void *at = to;

	__asm__ volatile("rep stosb" : "+D"(at), "+c"(bytes) : "a"(byte) : "memory");
	return to;
}

/* ---- */

/* Its name is known to bench/instructions.sh. */
void measured(const struct path *path);

__attribute__((noinline)) void measured(const struct path *path)
{
	path->run(&bench);
	__asm__ volatile("" ::: "memory"); /* what is behind the last call is counted, too */
}

static void make_tables(struct bench *b)
{
	uint64_t(*t)[ENTRIES] = b->memory;
	const unsigned small = 3, tables = PAGES / ENTRIES;

	t[0][0] = TABLE | PRESENT;
	t[1][1] = 2 * TABLE | PRESENT; /* SMALL_VA */
	t[1][2] = (uint64_t)(small + tables) * TABLE | PRESENT;
	for (unsigned i = 0; i < tables; i++)
		t[2][i] = (uint64_t)(small + i) * TABLE | PRESENT;
	/* All pages are the data page behind the tables, and so no two are one region. */
	for (unsigned i = 0; i < PAGES; i++)
		t[small + i / ENTRIES][i % ENTRIES] = BYTES | PRESENT;
	for (unsigned i = 0; i < ENTRIES; i++)
		t[small + tables][i] = (uint64_t)i << 21 | PRESENT | LARGE;
	b->used = small + tables + 1;
	for (unsigned i = 0; i < PAGES; i++)
		b->va[i] = SMALL_VA + (uint64_t)(i * 2654435761u % PAGES) * TABLE + i % ENTRIES * 8;
}

/* Of what is in memory the first GiB, in 2 MiB pages. `bits`: of an entry of a table, of a page. */
static bool make_stage2(struct bench *b, struct pw_space *space, const struct pw_format *format,
	uint64_t table_bits, uint64_t page_bits)
{
	uint64_t(*t)[ENTRIES] = &b->memory[b->used];
	pw_pa root = (pw_pa)b->used * TABLE;

	t[0][0] = (root + TABLE) | table_bits;
	t[1][0] = (root + 2 * TABLE) | table_bits;
	for (unsigned i = 0; i < ENTRIES; i++)
		t[2][i] = (uint64_t)i << 21 | page_bits | LARGE;
	b->used += 3;
	return pw_space_init(space, format, root, &b->windows) == PW_OK;
}

static bool make_spaces(struct bench *b)
{
	b->window = (struct pw_window){.size = sizeof b->memory, .host = b->memory};
	b->windows = (struct pw_memory){
		.windows = &b->window,
		.window_count = 1,
		.allocate_table = allocate_table,
		.free_table = free_table,
		.ctx = b,
	};
	b->callbacks = (struct pw_memory){.read_pte = read_pte, .ctx = b};
	b->flush.ranges = b->range;
	b->flush.range_max = sizeof b->range / sizeof b->range[0];
	b->flush.freed = b->freed;
	b->flush.freed_max = TABLES;
	return make_stage2(b, &b->stage2[0], &pw_format_ept_4, 7, 0x37) && /* write back */
	       make_stage2(b, &b->stage2[1], &pw_format_npt_4, PRESENT, PRESENT) &&
	       pw_space_init(&b->space, &pw_format_x86_64, 0, &b->windows) == PW_OK &&
	       pw_space_init(&b->through_callbacks, &pw_format_x86_64, 0, &b->callbacks) == PW_OK;
}

int main(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		if (argc < 2)
			printf("%s %u\n", paths[i].name, paths[i].operations);
		if (argc < 2 || strcmp(argv[1], paths[i].name))
			continue;
		make_tables(&bench);
		if (!make_spaces(&bench))
			return 1;
		if (paths[i].prepare)
			paths[i].prepare(&bench);
		measured(&paths[i]);
		return bench.wrong != 0;
	}
	return argc < 2 ? 0 : 2;
}
