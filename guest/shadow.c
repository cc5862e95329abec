/* SPDX-License-Identifier: MIT */
/*
 * A small kernel with two address spaces: it switches between them, maps pages when they are first
 * touched, remaps, write-protects and unmaps them, and looks at Accessed and Dirty. It neither
 * knows nor can find out whether it runs in ring 0 on its own tables.
 */
#include "lib.h"
#include "x86.h"

#define ENTRIES   512
#define PAGE      UINT64_C(0x1000)
#define IDENTITY  256 /* pages: the whole of 1 MiB */
#define WINDOW    UINT64_C(0x40000000)
#define PAGES     12 /* of the window in use */
#define FRAMES    UINT64_C(0xc0000)
#define FRAME_END UINT64_C(0x100000)
#define RIGHTS    (PTE_PRESENT | PTE_WRITE)

typedef volatile uint64_t table[ENTRIES];

static _Alignas(4096) table root[2], upper[2], window_directory[2], window[2];
static _Alignas(4096) table low_directory, low;

static uint64_t next_frame = FRAMES;
static unsigned current;
static volatile uint64_t faults, last_error, protection_faults;

struct gate {
	uint16_t offset_0, selector, type, offset_16;
	uint32_t offset_32, reserved;
};

struct __attribute__((packed)) table_register {
	uint16_t limit;
	uint64_t base;
};

static struct gate idt[15];
static struct table_register idtr = {sizeof idt - 1, 0};

void shadow_handle_14(void);
void shadow_page_fault(uint64_t cr2, uint64_t error_code);

static volatile uint64_t *word(unsigned page)
{
	return (volatile uint64_t *)(uintptr_t)(WINDOW + PAGE * page + 8 * page);
}

static volatile uint64_t *entry(unsigned page)
{
	return &window[current][page];
}

/* Pages of the window come when they are touched; a write to a read-only one makes it writable. */
void shadow_page_fault(uint64_t cr2, uint64_t error_code)
{
	uint64_t page = (cr2 - WINDOW) / PAGE;

	faults++;
	last_error = error_code;
	if (page >= PAGES) {
		guest_fail(__FILE__, __LINE__, cr2, WINDOW);
		guest_done(2);
	}
	if (error_code & 1) {
		protection_faults++;
		*entry((unsigned)page) |= PTE_WRITE;
		return;
	}
	if (next_frame == FRAME_END) {
		guest_fail(__FILE__, __LINE__, next_frame, 0);
		guest_done(3);
	}
	*entry((unsigned)page) = next_frame | RIGHTS;
	next_frame += PAGE;
}

static void set_up(void)
{
	uintptr_t handler = (uintptr_t)shadow_handle_14;

	for (unsigned i = 0; i < IDENTITY; i++)
		low[i] = i * PAGE | RIGHTS;
	low_directory[0] = (uintptr_t)low | RIGHTS;
	for (unsigned i = 0; i < 2; i++) {
		window_directory[i][0] = (uintptr_t)window[i] | RIGHTS;
		upper[i][0] = (uintptr_t)low_directory | RIGHTS;
		upper[i][1] = (uintptr_t)window_directory[i] | RIGHTS;
		root[i][0] = (uintptr_t)upper[i] | RIGHTS;
	}
	idt[14] = (struct gate){(uint16_t)handler, 0x18, 0x8e00, (uint16_t)(handler >> 16), 0, 0};
	idtr.base = (uintptr_t)idt;
	__asm__ volatile("lidt (%0)" : : "a"(&idtr) : "memory");
}

static void load(unsigned number)
{
	current = number;
	x86_write_cr3((uintptr_t)root[number]);
	GUEST_EXPECT_EQ(x86_read_cr3(), (uintptr_t)root[number]);
}

static void change(unsigned page, uint64_t value)
{
	*entry(page) = value;
	x86_invalidate_page(WINDOW + PAGE * page);
}

static void write_all(uint64_t pattern)
{
	for (unsigned i = 0; i < PAGES; i++)
		*word(i) = pattern + i;
}

static void check_all(uint64_t pattern)
{
	for (unsigned i = 0; i < PAGES; i++)
		GUEST_EXPECT_EQ(*word(i), pattern + i);
}

/* Two pages change places. */
static void swap(void)
{
	uint64_t first = *entry(0), second = *entry(1);
	uint64_t a = *word(0), b = *word(1);

	change(0, second);
	change(1, first);
	GUEST_EXPECT_EQ(*(volatile uint64_t *)(uintptr_t)(WINDOW + 8), b);
	GUEST_EXPECT_EQ(*(volatile uint64_t *)(uintptr_t)(WINDOW + PAGE), a);
	change(0, first);
	change(1, second);
}

static void take_rights(void)
{
	uint64_t before = faults, writes = protection_faults;

	change(2, *entry(2) & ~PTE_WRITE);
	(void)*word(2);
	GUEST_EXPECT_EQ(faults, before);
	*word(2) += 1;
	GUEST_EXPECT_EQ(protection_faults, writes + 1);
	GUEST_EXPECT_EQ(last_error, 3);
	*word(2) -= 1;
	GUEST_EXPECT_EQ(faults, before + 1);
}

static void take_page(void)
{
	uint64_t before = faults, old = *entry(3), value = *word(3);

	change(3, 0);
	GUEST_EXPECT_EQ(*word(3), 0); /* another frame, never written */
	GUEST_EXPECT_EQ(faults, before + 1);
	GUEST_EXPECT_EQ(last_error, 0);
	change(3, old);
	GUEST_EXPECT_EQ(*word(3), value);
}

static void look_at_flags(void)
{
	const uint64_t both = PTE_ACCESSED | PTE_DIRTY;
	uint64_t value;

	change(4, *entry(4) & ~both);
	value = *word(4);
	GUEST_EXPECT_EQ(*entry(4) & both, PTE_ACCESSED);
	*word(4) = value;
	GUEST_EXPECT_EQ(*entry(4) & both, both);
	GUEST_EXPECT_EQ(upper[current][1] & PTE_ACCESSED, PTE_ACCESSED);
}

int main(void)
{
	guest_begin();
	set_up();
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned number = 0; number < 2; number++) {
			load(number);
			if (round)
				check_all(0x1000 * (number + 1));
			write_all(0x1000 * (number + 1));
			swap();
			take_rights();
			take_page();
			look_at_flags();
			check_all(0x1000 * (number + 1));
		}
	}
	GUEST_EXPECT_EQ(faults, 2 * PAGES + 4 * 2);
	guest_puts(guest_failures() ? "shadow: wrong\n" : "shadow: all as it should be\n");
	return guest_failures() != 0;
}
