/* SPDX-License-Identifier: MIT */
/*
 * Builds page tables with one of each kind of mapping, writes a pattern through every one of them,
 * and asks the VMM to translate and read them back. The expected answers stand in the table below,
 * beside the entries, not derived from them.
 */
#include "tables.h"

#define MEMORY_NEEDED UINT64_C(0x800000)

/* Physical frames, all under MEMORY_NEEDED and above the image. */
#define FRAME_2M_A UINT64_C(0x200000)
#define FRAME_2M_B UINT64_C(0x400000)
#define FRAME(n)   (UINT64_C(0x600000) + (n)*PAGE_4K)
#define BYTE_IN_1G UINT64_C(0x7a0010) /* a byte of RAM, as offset into the first GiB */

#define GREETING_VA     UINT64_C(0xffff800000000000)
#define GREETING_OFFSET (PAGE_4K - 16)

#define W     PTE_WRITE
#define U     PTE_USER
#define NX    PTE_NO_EXECUTE
#define LARGE PTE_LARGE
#define LINK  (PTE_WRITE | PTE_USER) /* a table that takes no right away */

#define CAN_READ  GUEST_RIGHT_MAPPED
#define CAN_WRITE (GUEST_RIGHT_MAPPED | GUEST_RIGHT_WRITE)
#define CAN_RUN   (GUEST_RIGHT_MAPPED | GUEST_RIGHT_EXECUTE)
#define USER      GUEST_RIGHT_USER

struct mapping {
	const char *label;
	uint64_t va;
	uint64_t pa;
	uint64_t flags;  /* of the entry, beside Present */
	uint64_t link;   /* of the table that holds it, if it is the first there */
	uint64_t offset; /* of the byte asked about */
	uint32_t rights;
	uint8_t level;
};

static const struct mapping mappings[] = {
	{"4 KiB page, writable", 0x800000, FRAME(0), W | NX, LINK, 0x18, CAN_WRITE, 0},
	{"4 KiB page, read-only", 0x801000, FRAME(1), NX, LINK, 0xff8, CAN_READ, 0},
	{"4 KiB page, executable", 0x802000, FRAME(2), 0, LINK, 0, CAN_RUN, 0},
	{"4 KiB page, user", 0x803000, FRAME(3), W | U | NX, LINK, 0x800, CAN_WRITE | USER, 0},
	{"4 KiB page, user, executable", 0x804000, FRAME(4), U, LINK, 8, CAN_RUN | USER, 0},
	{"4 KiB page, read-only alias", 0x805000, FRAME(0), NX, LINK, 0x18, CAN_READ, 0},
	{"4 KiB page with the PAT bit", 0x806000, FRAME(6), W | NX | PTE_PAT_4K, LINK, 0x10,
		CAN_WRITE, 0},
	{"4 KiB page, uncached", 0x808000, FRAME(8), W | NX | PTE_CACHE_DISABLE | PTE_WRITE_THROUGH,
		LINK, 0x20, CAN_WRITE, 0},
	{"4 KiB page, global", 0x809000, FRAME(9), W | NX | PTE_GLOBAL, LINK, 0x28, CAN_WRITE, 0},
	{"4 KiB page with software bits", 0x80a000, FRAME(10), W | NX | PTE_SOFTWARE, LINK, 0x30,
		CAN_WRITE, 0},
	{"user page in a supervisor table", 0xc00000, FRAME(12), W | U | NX, W, 0x38, CAN_WRITE, 0},
	{"writable page in a read-only table", 0xe00000, FRAME(13), W | NX, U, 0x40, CAN_READ, 0},
	{"executable page in a no-execute table", 0x1000000, FRAME(14), W, W | U | NX, 0x48,
		CAN_WRITE, 0},
	{"2 MiB page, writable", 0x40000000, FRAME_2M_A, W | NX | LARGE, LINK, 0x12340, CAN_WRITE,
		1},
	{"2 MiB page with the PAT bit", 0x40200000, FRAME_2M_B, W | NX | LARGE | PTE_PAT_LARGE,
		LINK, 0x1ffff8, CAN_WRITE, 1},
	{"2 MiB page, read-only alias", 0x40400000, FRAME_2M_A, NX | LARGE, LINK, 0x12340, CAN_READ,
		1},
	{"2 MiB page, user", 0x40600000, FRAME_2M_B, W | U | NX | LARGE, LINK, 0x1000,
		CAN_WRITE | USER, 1},
	{"2 MiB page, executable", 0x40a00000, FRAME_2M_A, LARGE, LINK, 0x100000, CAN_RUN, 1},
	{"1 GiB page, writable", 0x8000000000, 0, W | NX | LARGE, LINK, BYTE_IN_1G, CAN_WRITE, 2},
	{"1 GiB page with the PAT bit", 0x8040000000, 0, NX | LARGE | PTE_PAT_LARGE, LINK,
		BYTE_IN_1G + 0x100, CAN_READ, 2},
	{"last page of the low half", 0x7ffffffff000, FRAME(15), W | U | NX, LINK, 0xff8,
		CAN_WRITE | USER, 0},
	{"first page of the high half", GREETING_VA, FRAME(17), NX, LINK, 0, CAN_READ, 0},
	{"the next page, one frame before it", GREETING_VA + PAGE_4K, FRAME(16), NX, LINK, 0x800,
		CAN_READ, 0},
	{"2 MiB page in the high half", 0xffffffff80000000, FRAME_2M_A, W | NX | LARGE, LINK,
		0x1f0000, CAN_WRITE, 1},
	{"last page of the address space", 0xfffffffffffff000, FRAME(18), W | NX, LINK, 0xff8,
		CAN_WRITE, 0},
};

#define MAPPINGS (sizeof mappings / sizeof mappings[0])

static const struct {
	const char *label;
	uint64_t va;
} holes[] = {
	{"hole between 4 KiB pages", 0x807123},
	{"hole in a page directory", 0x40800000},
	{"hole in a page-directory-pointer table", 0xc0000000},
	{"hole in the root table", 0x10000000000},
	{"hole in the high half", 0xffff900000000000},
	{"no canonical address", 0x800000000000},
};

static const char greeting[] = "Greetings from the high half, across two frames";

static struct tables_cpu cpu;

static bool is_possible(const struct mapping *mapping)
{
	return mapping->level < 2 || cpu.gib_pages;
}

static uint64_t for_this_cpu(uint64_t flags)
{
	return cpu.no_execute ? flags : flags & ~PTE_NO_EXECUTE;
}

/* Depends on the physical address alone, so that aliases agree. */
static uint64_t pattern_of(const struct mapping *mapping)
{
	uint64_t pa = mapping->pa + mapping->offset;

	return (UINT64_C(0x6b6c617765676170) ^ pa << 24) + pa;
}

static volatile uint64_t *byte_of(const struct mapping *mapping)
{
	return (volatile uint64_t *)(uintptr_t)(mapping->va + mapping->offset);
}

static void map(const struct mapping *mapping)
{
	uint64_t entry = mapping->pa | for_this_cpu(mapping->flags) | PTE_PRESENT;

	tables_set(mapping->va, mapping->level, entry, for_this_cpu(mapping->link));
}

static void write_greeting(void)
{
	volatile char *to = (volatile char *)(uintptr_t)(GREETING_VA + GREETING_OFFSET);

	for (unsigned i = 0; i < sizeof greeting; i++)
		to[i] = greeting[i];
}

/* Through every mapping itself: read-only ones with write protection off. */
static void write_patterns(void)
{
	uint64_t cr0 = x86_read_cr0();

	x86_write_cr0(cr0 & ~CR0_WP);
	for (unsigned i = 0; i < MAPPINGS; i++)
		if (is_possible(&mappings[i]))
			*byte_of(&mappings[i]) = pattern_of(&mappings[i]);
	write_greeting();
	x86_write_cr0(cr0 | CR0_WP);
}

static void ask(const char *label, const struct guest_translate *question)
{
	static struct guest_call call;

	call.translate = *question;
	if (guest_make_call(&call, GUEST_CALL_TRANSLATE, label) == GUEST_ANSWER_DIFFER)
		guest_fail(__FILE__, __LINE__, GUEST_ANSWER_DIFFER, GUEST_ANSWER_AGREE);
}

static void ask_about(const struct mapping *mapping)
{
	struct guest_translate question = {
		.va = mapping->va + mapping->offset,
		.pa = mapping->pa + mapping->offset,
		.page_size = tables_page_size(mapping->level),
		.pattern = pattern_of(mapping),
		.rights = mapping->rights,
	};

	if (!cpu.no_execute)
		question.rights |= GUEST_RIGHT_EXECUTE;
	GUEST_EXPECT_EQ(*byte_of(mapping), question.pattern);
	ask(mapping->label, &question);
}

static void ask_about_hole(const char *label, uint64_t va)
{
	struct guest_translate question = {.va = va};

	ask(label, &question);
}

static void ask_about_greeting(void)
{
	static struct guest_call call;

	call.string.va = GREETING_VA + GREETING_OFFSET;
	call.string.bytes = sizeof greeting - 1;
	if (guest_make_call(&call, GUEST_CALL_STRING, "greeting") == GUEST_ANSWER_DIFFER)
		guest_fail(__FILE__, __LINE__, GUEST_ANSWER_DIFFER, GUEST_ANSWER_AGREE);
}

/* A translation is true only until the guest changes its tables. */
static void move_a_page(void)
{
	struct mapping moved = mappings[0];

	moved.pa = mappings[1].pa;
	moved.offset = mappings[1].offset;
	moved.label = "4 KiB page, moved to another frame";
	map(&moved);
	x86_invalidate_page(moved.va);
	ask_about(&moved);

	tables_set(moved.va, 0, 0, LINK);
	x86_invalidate_page(moved.va);
	ask_about_hole("4 KiB page, unmapped again", moved.va);
}

int main(void)
{
	if (guest_begin() < MEMORY_NEEDED) {
		guest_puts("paging: this guest needs 8 MiB of memory\n");
		return 1;
	}
	cpu = tables_init();
	tables_map_image();
	for (unsigned i = 0; i < MAPPINGS; i++)
		if (is_possible(&mappings[i]))
			map(&mappings[i]);
	tables_load();
	guest_puts("paging: running on tables of my own\n");
	write_patterns();
	for (unsigned i = 0; i < MAPPINGS; i++)
		if (is_possible(&mappings[i]))
			ask_about(&mappings[i]);
	for (unsigned i = 0; i < sizeof holes / sizeof holes[0]; i++)
		ask_about_hole(holes[i].label, holes[i].va);
	ask_about_greeting();
	move_a_page();
	guest_puts("paging: done\n");
	return guest_failures() != 0;
}
