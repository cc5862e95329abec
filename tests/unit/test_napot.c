/* SPDX-License-Identifier: MIT */
/*
 * RISC-V "Svnapot": 64 KiB pages of 16 entries. Every encoding of N and ppn[3:0] at every level,
 * with and without the extension, against the slow twin.
 */
#include "agree.h"
#include "twin.h"
#include <criterion/criterion.h>

#define BASE  UINT64_C(0x400000)
#define PPN   UINT64_C(0x123450)
#define N     (UINT64_C(1) << 63)
#define RWXAD UINT64_C(0xdf) /* V R W X U, A, D */

static const char *const names[] = {
	"riscv-sv39", "riscv-sv48", "riscv-sv57", "riscv-sv39x4", "riscv-sv48x4", "riscv-sv57x4"};

struct scene {
	struct ram ram;
	struct twin twin;
	const struct pw_format *format;
	struct pw_space space;
	pw_pa root;
	unsigned spans;
};

static void begin(struct scene *s, const char *name, bool napot)
{
	const struct pw_rules rules = {.riscv_napot = napot};

	*s = (struct scene){.format = pw_format_find(name)};
	cr_assert(s->format != NULL);
	ram_begin(&s->ram, BASE, UINT64_C(1) << 18);
	s->root = ram_new_table(&s->ram, pw_table_bytes(s->format, s->format->levels - 1u));
	cr_assert(twin_begin(&s->twin, s->format, s->root, &s->ram, false));
	s->twin.config.riscv_svnapot = napot;
	cr_assert(pw_space_init_rules(&s->space, s->format, s->root, &s->ram.windows, &rules) ==
		  PW_OK);
}

static void look(struct scene *s, pw_va va, const char *what)
{
	static const struct slow_access any = {.op = SLOW_OP_NONE};
	struct slow_result twin;
	struct pw_result r;
	const char *differs;

	(void)!pw_translate(&s->space, va, PW_ACCESS_ANY, &r);
	slow_walk(&s->twin.config, &s->twin.memory, va, &any, &twin);
	differs = agree_difference(s->format, &r, &twin);
	cr_assert(!differs, "%s: %s: %s differs at %#llx, entry %#llx", s->format->name, what,
		differs, (unsigned long long)va, (unsigned long long)r.entry);
	s->spans += r.status == PW_OK && r.page_size == 0x10000;
}

/* One entry of every kind at `level`, its low bits from `bits`, met by 16 addresses. */
static void encodings(struct scene *s, unsigned level)
{
	uint64_t size = pw_level_page_size(&s->format->level[level]);

	for (uint64_t low = 0; low < 16; low++) {
		for (uint64_t bits = 0; bits < 16; bits++) {
			uint64_t entry = (PPN | low) << 10 | (RWXAD & ~(bits << 1)) | N;
			pw_va va = 5 * 16 * size + bits * size;

			ram_enter(&s->ram, s->format, s->root, va, level, entry);
			look(s, va + 0x123, "N");
			ram_enter(&s->ram, s->format, s->root, va, level, entry & ~N);
			look(s, va + 0x123, "no N");
			ram_enter(&s->ram, s->format, s->root, va, level,
				entry | UINT64_C(1) << (54 + bits % 9));
			look(s, va + 0x123, "N and a reserved bit");
		}
	}
}

Test(napot, every_encoding)
{
	struct scene s;

	for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
		for (unsigned napot = 0; napot < 2; napot++) {
			begin(&s, names[i], napot);
			for (unsigned level = s.format->levels; level-- > 0;)
				encodings(&s, level);
			cr_assert((s.spans > 0) == (napot != 0), "%s", names[i]);
			ram_end(&s.ram);
		}
	}
}

/* 32 entries: a page of 4 KiB, one of 64 KiB, holes. */
static void fill(struct scene *s, pw_va base, uint64_t entry)
{
	ram_enter(&s->ram, s->format, s->root, base + 0xf000, 0, (PPN - 1) << 10 | RWXAD);
	for (uint64_t i = 16; i < 32; i++)
		ram_enter(&s->ram, s->format, s->root, base + (i << 12), 0, entry);
}

Test(napot, enumeration)
{
	struct pw_regions it;
	struct pw_region r;
	struct scene s;

	begin(&s, "riscv-sv39", true);
	fill(&s, 0x200000, (PPN | 8) << 10 | RWXAD | N);
	for (uint64_t i = 15; i < 32; i++)
		look(&s, 0x200456 + (i << 12), "enumerated");
	cr_assert(s.spans == 16);
	pw_regions_begin(&it, &s.space, 0, 0x7fffffffff, NULL, 0);
	cr_assert(pw_regions_next(&it, &r) && r.kind == PW_REGION_MAPPED);
	cr_assert(r.first == 0x20f000 && r.last == 0x20ffff && r.page_size == 0x1000);
	cr_assert(pw_regions_next(&it, &r) && r.kind == PW_REGION_MAPPED);
	cr_assert(r.first == 0x210000 && r.last == 0x21ffff && r.page_size == 0x10000);
	cr_assert(r.pa == PPN << 12);
	cr_assert(!pw_regions_next(&it, &r) && it.status == PW_OK);
	ram_end(&s.ram);

	begin(&s, "riscv-sv39", false);
	fill(&s, 0x200000, (PPN | 8) << 10 | RWXAD | N);
	pw_regions_begin(&it, &s.space, 0, 0x7fffffffff, NULL, 0);
	cr_assert(pw_regions_next(&it, &r) && r.last == 0x20ffff);
	cr_assert(pw_regions_next(&it, &r) && r.kind == PW_REGION_BAD && r.first == 0x210000);
	ram_end(&s.ram);
}
