/* SPDX-License-Identifier: MIT */
#include "entry_bits.h"

#include <inttypes.h>
#include <stdio.h>

/* Where a name holds. */
enum {
	IN_TABLE = 1,
	IN_PAGE = 2, /* a page of the last table */
	IN_HUGE = 4,
	IN_SPAN = 8, /* a page over several entries: armv7's large page and supersection */
	IN_PAGES = IN_PAGE | IN_HUGE | IN_SPAN,
	IN_ALL = IN_PAGES | IN_TABLE,
};

/* One bit, or a field of `width` bits that is printed with its value. */
struct bit_name {
	uint8_t first;
	uint8_t width;
	uint8_t where;
	const char *name;
};

#define END_OF_NAMES                                                                               \
	{                                                                                          \
		0, 0, 0, NULL                                                                      \
	}

/* SDM vol. 3A, "Paging". */
static const struct bit_name x86_names[] = {
	{0, 1, IN_ALL, "P"},
	{1, 1, IN_ALL, "RW"},
	{2, 1, IN_ALL, "US"},
	{3, 1, IN_ALL, "PWT"},
	{4, 1, IN_ALL, "PCD"},
	{5, 1, IN_ALL, "A"},
	{6, 1, IN_PAGES, "D"},
	{7, 1, IN_PAGE, "PAT"},
	{7, 1, IN_HUGE, "PS"},
	{8, 1, IN_PAGES, "G"},
	{12, 1, IN_HUGE, "PAT"},
	END_OF_NAMES,
};

static const struct bit_name x86_wide_names[] = {
	{63, 1, IN_ALL, "XD"},
	END_OF_NAMES,
};

static const struct bit_name x86_key_names[] = {
	{59, 4, IN_PAGES, "PKEY"},
	END_OF_NAMES,
};

/* A PDPTE of PAE paging has no rights of its own. */
static const struct bit_name x86_pdpte_names[] = {
	{0, 1, IN_ALL, "P"},
	{3, 1, IN_ALL, "PWT"},
	{4, 1, IN_ALL, "PCD"},
	END_OF_NAMES,
};

/* SDM vol. 3C, "The Extended Page Table Mechanism (EPT)". */
static const struct bit_name ept_names[] = {
	{0, 1, IN_ALL, "R"},
	{1, 1, IN_ALL, "W"},
	{2, 1, IN_ALL, "X"},
	{3, 3, IN_PAGES, "MT"},
	{6, 1, IN_PAGES, "IPAT"},
	{7, 1, IN_HUGE, "PS"},
	{8, 1, IN_ALL, "A"},
	{9, 1, IN_PAGES, "D"},
	{10, 1, IN_ALL, "XU"},
	{57, 1, IN_PAGES, "VGP"},
	{58, 1, IN_PAGES, "PW"},
	{60, 1, IN_PAGES, "SSS"},
	{61, 1, IN_PAGE, "SPP"},
	{63, 1, IN_PAGES, "SVE"},
	END_OF_NAMES,
};

/* Arm ARM DDI 0487, D8, VMSAv8-64 descriptors of stage 1; armv7-lpae shares what it has. */
static const struct bit_name arm_names[] = {
	{0, 1, IN_ALL, "VALID"},
	{1, 1, IN_TABLE, "TABLE"},
	{1, 1, IN_PAGE, "PAGE"},
	{2, 3, IN_PAGES, "ATTR"},
	{5, 1, IN_PAGES, "NS"},
	{6, 1, IN_PAGES, "AP1"},
	{7, 1, IN_PAGES, "AP2"},
	{8, 2, IN_PAGES, "SH"},
	{10, 1, IN_PAGES, "AF"},
	{11, 1, IN_PAGES, "nG"},
	{50, 1, IN_PAGES, "GP"},
	{51, 1, IN_PAGES, "DBM"},
	{52, 1, IN_PAGES, "CONTIG"},
	{53, 1, IN_PAGES, "PXN"},
	{54, 1, IN_PAGES, "UXN"},
	{59, 1, IN_TABLE, "PXNTable"},
	{60, 1, IN_TABLE, "UXNTable"},
	{61, 1, IN_TABLE, "APTable0"},
	{62, 1, IN_TABLE, "APTable1"},
	{63, 1, IN_TABLE, "NSTable"},
	END_OF_NAMES,
};

static const struct bit_name arm_stage2_names[] = {
	{0, 1, IN_ALL, "VALID"},
	{1, 1, IN_TABLE, "TABLE"},
	{1, 1, IN_PAGE, "PAGE"},
	{2, 4, IN_PAGES, "ATTR"},
	{6, 1, IN_PAGES, "R"},
	{7, 1, IN_PAGES, "W"},
	{8, 2, IN_PAGES, "SH"},
	{10, 1, IN_PAGES, "AF"},
	{51, 1, IN_PAGES, "DBM"},
	{52, 1, IN_PAGES, "CONTIG"},
	{53, 1, IN_PAGES, "XN0"},
	{54, 1, IN_PAGES, "XN1"},
	END_OF_NAMES,
};

/* Arm ARM DDI 0406, B3.5, short descriptors. */
static const struct bit_name arm_short_last_names[] = {
	{0, 1, IN_PAGE, "XN"},
	{1, 1, IN_PAGE, "SMALL"},
	{0, 1, IN_SPAN, "LARGE"},
	{2, 1, IN_PAGES, "B"},
	{3, 1, IN_PAGES, "C"},
	{4, 1, IN_PAGES, "AP0"},
	{5, 1, IN_PAGES, "AP1"},
	{6, 3, IN_PAGE, "TEX"},
	{9, 1, IN_PAGES, "AP2"},
	{10, 1, IN_PAGES, "S"},
	{11, 1, IN_PAGES, "nG"},
	{12, 3, IN_SPAN, "TEX"},
	{15, 1, IN_SPAN, "XN"},
	END_OF_NAMES,
};

static const struct bit_name arm_short_first_names[] = {
	{0, 1, IN_TABLE, "TABLE"},
	{2, 1, IN_TABLE, "PXN"},
	{3, 1, IN_TABLE, "NS"},
	{5, 4, IN_TABLE | IN_HUGE, "DOMAIN"},
	{0, 1, IN_PAGES, "PXN"},
	{1, 1, IN_PAGES, "SECTION"},
	{2, 1, IN_PAGES, "B"},
	{3, 1, IN_PAGES, "C"},
	{4, 1, IN_PAGES, "XN"},
	{10, 1, IN_PAGES, "AP0"},
	{11, 1, IN_PAGES, "AP1"},
	{12, 3, IN_PAGES, "TEX"},
	{15, 1, IN_PAGES, "AP2"},
	{16, 1, IN_PAGES, "S"},
	{17, 1, IN_PAGES, "nG"},
	{18, 1, IN_SPAN, "SUPER"},
	{19, 1, IN_PAGES, "NS"},
	END_OF_NAMES,
};

/* RISC-V Privileged ISA, "Sv32" and "Sv39". */
static const struct bit_name riscv_names[] = {
	{0, 1, IN_ALL, "V"},
	{1, 1, IN_ALL, "R"},
	{2, 1, IN_ALL, "W"},
	{3, 1, IN_ALL, "X"},
	{4, 1, IN_ALL, "U"},
	{5, 1, IN_ALL, "G"},
	{6, 1, IN_ALL, "A"},
	{7, 1, IN_ALL, "D"},
	{8, 1, IN_ALL, "RSW0"},
	{9, 1, IN_ALL, "RSW1"},
	END_OF_NAMES,
};

static const struct bit_name riscv_wide_names[] = {
	{61, 2, IN_ALL, "PBMT"},
	{63, 1, IN_ALL, "N"},
	END_OF_NAMES,
};

#define LISTS 3

static void find_names(
	const struct pw_format *format, unsigned level, const struct bit_name *lists[LISTS])
{
	bool wide = format->entry_bytes == 8;

	switch (format->family) {
	case PW_FAMILY_X86:
	case PW_FAMILY_NPT:
		lists[0] = wide && format->levels == 3 && level == 2 ? x86_pdpte_names : x86_names;
		lists[1] = wide ? x86_wide_names : NULL;
		lists[2] = format->key_bits != 0 ? x86_key_names : NULL;
		break;
	case PW_FAMILY_EPT:
		lists[0] = ept_names;
		break;
	case PW_FAMILY_ARM:
		if (!wide)
			lists[0] = level == 0 ? arm_short_last_names : arm_short_first_names;
		else
			lists[0] = format->has_user ? arm_names : arm_stage2_names;
		break;
	case PW_FAMILY_RISCV:
		lists[0] = riscv_names;
		lists[1] = wide ? riscv_wide_names : NULL;
		break;
	default:
		break;
	}
}

const struct pw_page *entry_shape(const struct pw_format *format, unsigned level, uint64_t entry)
{
	const struct pw_level *row = &format->level[level];

	if (row->span.size_log2 != 0 && (entry & row->span.mask) == row->span.value)
		return &row->span;
	return &row->page;
}

struct anatomy {
	unsigned where;
	uint64_t address;  /* the address itself, */
	uint64_t encrypts; /* bits among it that encrypt the memory, */
	uint64_t reserved; /* and those that are set and refused */
};

/* A BAD entry is taken for what its bits claim it to be. */
static struct anatomy dissect(const struct pw_space *space, unsigned level, uint64_t entry)
{
	const struct pw_format *format = space->format;
	const struct pw_level *row = &format->level[level];
	const struct pw_page *shape = entry_shape(format, level, entry);
	struct anatomy parts = {.reserved = pw_reserved_bits(space, level, entry)};
	uint64_t field = row->table_address;

	if ((entry & row->table_mask) == row->table_value) {
		parts.where = IN_TABLE;
	} else {
		parts.where = shape == &row->span ? IN_SPAN : level == 0 ? IN_PAGE : IN_HUGE;
		field = shape->address | shape->high[0].mask | shape->high[1].mask;
	}
	field &= ~parts.reserved;
	parts.encrypts = field & space->address_clear;
	parts.address = field & ~parts.encrypts;
	return parts;
}

static uint64_t field_mask(const struct bit_name *name)
{
	return ((UINT64_C(1) << name->width) - 1) << name->first;
}

static const struct bit_name *name_at(
	const struct bit_name *const lists[LISTS], unsigned where, unsigned bit)
{
	for (unsigned i = 0; i < LISTS; i++)
		for (const struct bit_name *name = lists[i]; name != NULL && name->name; name++)
			if ((name->where & where) && bit >= name->first &&
				bit < (unsigned)name->first + name->width)
				return name;
	return NULL;
}

/* Names one bit or the field it belongs to; returns the bits that are done with. */
static uint64_t describe(const struct bit_name *name, const struct anatomy *parts, unsigned bit,
	uint64_t entry, char *text, size_t size)
{
	uint64_t mask;

	if (name == NULL) {
		(void)snprintf(text, size, "%s%u",
			parts->reserved >> bit & 1   ? "RSVD"
			: parts->encrypts >> bit & 1 ? "C"
						     : "AVL",
			bit);
		return UINT64_C(1) << bit;
	}
	mask = field_mask(name);
	if (name->width == 1)
		(void)snprintf(text, size, "%s", name->name);
	else
		(void)snprintf(
			text, size, "%s=%" PRIu64, name->name, (entry & mask) >> name->first);
	return mask;
}

static void name_bits(const struct pw_space *space, unsigned level, uint64_t entry,
	const struct anatomy *parts, uint64_t left, void (*each)(void *ctx, const char *name),
	void *ctx)
{
	const struct bit_name *lists[LISTS] = {NULL};

	find_names(space->format, level, lists);
	for (unsigned bit = 0; bit < 64; bit++) {
		char text[ENTRY_BIT_NAME_BYTES];

		if (!(left >> bit & 1))
			continue;
		left &= ~describe(
			name_at(lists, parts->where, bit), parts, bit, entry, text, sizeof text);
		each(ctx, text);
	}
}

void entry_bits(const struct pw_space *space, unsigned level, uint64_t entry, enum pw_kind kind,
	void (*each)(void *ctx, const char *name), void *ctx)
{
	struct anatomy parts = dissect(space, level, entry);

	if (kind != PW_HOLE)
		name_bits(space, level, entry, &parts, entry & ~parts.address, each, ctx);
}

void entry_reserved_bits(const struct pw_space *space, unsigned level, uint64_t entry,
	void (*each)(void *ctx, const char *name), void *ctx)
{
	struct anatomy parts = dissect(space, level, entry);

	name_bits(space, level, entry, &parts, parts.reserved, each, ctx);
}
