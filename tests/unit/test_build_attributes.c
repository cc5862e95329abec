/* SPDX-License-Identifier: MIT */
/* Memory types and software bits as attributes of mappings, in every format. */
#include "build_fixture.h"
#include "page_attributes.h"

#define PAGE (4 * KIB)
#define RWX  (PW_R | PW_W | PW_X)

/* Rights that the format can say, without a user if it can. */
static pw_rights any_rights(const struct pw_format *format)
{
	return format->encode[RWX] != PW_CANNOT ? RWX : RWX | PW_U;
}

static unsigned type_at(const struct fixture *f, pw_va va)
{
	struct slow_result r = fixture_look(f, va);

	cr_assert(r.status == SLOW_MAPPED);
	return page_type(f->format, r.page_size, r.entry);
}

/* Every index, in pages of every size: taken if the hardware knows it, else refused. */
static void every_type(const struct pw_format *format, unsigned level)
{
	static struct fixture f;
	uint64_t size = format->level[level].page.size_log2;
	pw_rights rights = any_rights(format);
	struct pw_result hit;

	if (!size)
		return;
	size = UINT64_C(1) << size;
	for (unsigned type = 0; type < 32; type++) {
		enum pw_status status;

		fixture_begin(&f, format, true);
		status = pw_map(&f.space, size, size, size, rights | PW_MEM_INDEX(type), NULL);
		cr_assert(status == (page_has_type(format, type) ? PW_OK : PW_E_RIGHTS),
			"%s level %u type %u: %s", format->name, level, type,
			pw_status_name(status));
		if (status == PW_OK) {
			cr_assert(type_at(&f, size) == type);
			fixture_expect(&f, size, size, size, rights);
			cr_assert(pw_translate(&f.space, size, PW_ACCESS_ANY, &hit) == PW_OK &&
				  hit.memory_type == type);
		}
		/* The same as a change of what is there. */
		cr_assert(pw_unmap(&f.space, size, size, NULL) == PW_OK);
		cr_assert(pw_map(&f.space, size, size, size, rights, NULL) == PW_OK);
		cr_assert(type_at(&f, size) == page_ordinary_type(format));
		cr_assert(pw_protect(&f.space, size, size, rights | PW_MEM_INDEX(type), NULL) ==
			  status);
		cr_assert(
			type_at(&f, size) == (status == PW_OK ? type : page_ordinary_type(format)));
		fixture_end(&f);
	}
}

Test(build_attributes, memory_types_by_index)
{
	const struct pw_format *format;

	for (size_t i = 0; (format = pw_format_at(i)); i++) {
		/* The rows of short descriptors have types too, but not one field for them. */
		for (unsigned level = 0; level < format->levels; level++) {
			if (format != &pw_format_armv7_short)
				every_type(format, level);
		}
	}
}

Test(build_attributes, ipat_beside_a_type)
{
	static struct fixture f;
	static const struct {
		pw_rights rights;
		unsigned type;
	} rows[] = {{PW_IPAT, 14}, {PW_IPAT | PW_MEM_WB, 14}, {PW_IPAT | PW_MEM_UC, 8},
		{PW_IPAT | PW_MEM_WC, 9}, {PW_IPAT | PW_MEM_INDEX(5), 13}, {PW_MEM_WT, 4}};

	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		fixture_begin(&f, &pw_format_ept_5, i & 1);
		cr_assert(pw_map(&f.space, 0, 0, 2 * MIB, RWX | rows[i].rights, NULL) == PW_OK);
		cr_assert(type_at(&f, 0) == rows[i].type);
		cr_assert(pw_protect(&f.space, PAGE, PAGE, PW_R, NULL) == PW_OK);
		cr_assert(type_at(&f, PAGE) == rows[i].type, "kept, and by the split too");
		cr_assert(pw_protect(&f.space, PAGE, PAGE, PW_R | PW_MEM_WB, NULL) == PW_OK);
		cr_assert(type_at(&f, PAGE) == 6, "a type without IPAT takes it away");
		cr_assert(pw_protect(&f.space, PAGE, PAGE, PW_R | PW_IPAT, NULL) == PW_E_ARGUMENT);
		fixture_end(&f);
	}
	fixture_begin(&f, &pw_format_npt_4, true);
	cr_assert(pw_map(&f.space, 0, 0, PAGE, PW_R | PW_IPAT, NULL) == PW_E_RIGHTS);
	fixture_end(&f);
}

/* ---- Software bits ---- */

static unsigned software_bits(const struct pw_format *format)
{
	unsigned bits = 0;

	while (bits < 64 && page_software(format, UINT64_MAX) >> bits)
		bits++;
	return bits;
}

static uint64_t software_at(const struct fixture *f, pw_va va)
{
	struct slow_result r = fixture_look(f, va);

	cr_assert(r.status == SLOW_MAPPED &&
		  pw_entry_software(f->format, r.entry) == page_software(f->format, r.entry));
	return page_software(f->format, r.entry);
}

/* As it was mapped, with nothing else changed by it; and there is no room for one bit more. */
static void every_value(const struct pw_format *format)
{
	static struct fixture f;
	unsigned bits = software_bits(format);
	pw_rights rights = any_rights(format);
	uint64_t page = pw_level_page_size(&format->level[0]), plain;

	fixture_begin(&f, format, true);
	cr_assert(pw_map(&f.space, page, 0, page, rights | PW_SOFTWARE(1u << bits), NULL) ==
		  PW_E_RIGHTS);
	cr_assert(pw_map(&f.space, page, page, page, rights, NULL) == PW_OK);
	plain = fixture_entry(&f, page);
	for (unsigned value = 0; value < 1u << bits; value++) {
		cr_assert(pw_unmap(&f.space, page, page, NULL) == PW_OK);
		cr_assert(pw_map(&f.space, page, page, page, rights | PW_SOFTWARE(value), NULL) ==
			  PW_OK);
		cr_assert(software_at(&f, page) == value, "%s: %#x", format->name, value);
		cr_assert((fixture_entry(&f, page) & ~page_software_mask(format)) == plain);
		cr_assert(pw_protect(&f.space, page, page, rights, NULL) == PW_OK);
		cr_assert(software_at(&f, page) == value);
	}
	cr_assert(pw_protect(&f.space, page, page, rights | PW_SOFTWARE(1), NULL) == PW_E_ARGUMENT);
	fixture_end(&f);
}

Test(build_attributes, software_values)
{
	const struct pw_format *format;

	for (size_t i = 0; (format = pw_format_at(i)); i++) {
		if (format->levels)
			every_value(format);
	}
}

/* A split keeps the value in every page, and pages that differ in it are not merged. */
static void resized(const struct pw_format *format)
{
	static struct fixture f;
	unsigned value = 1u << (software_bits(format) - 1);
	pw_rights rights = any_rights(format);
	uint64_t page = pw_level_page_size(&format->level[0]), size, merged;

	if (!format->level[1].page.size_log2)
		return;
	size = pw_level_page_size(&format->level[1]);
	fixture_begin(&f, format, true);
	cr_assert(pw_map(&f.space, size, size, size, rights | PW_SOFTWARE(value), NULL) == PW_OK);
	cr_assert(software_at(&f, size) == value);
	cr_assert(pw_split(&f.space, size, size, 0, NULL) == PW_OK);
	for (pw_va va = size; va < 2 * size; va += page)
		cr_assert(software_at(&f, va) == value);
	fixture_set_entry(&f, size + 3 * page,
		fixture_entry(&f, size + 3 * page) ^ page_software_mask(format));
	cr_assert(pw_collapse(&f.space, size, size, 1, &merged, NULL) == PW_OK && merged == 0);
	cr_assert(software_at(&f, size + 3 * page) == (value ^ page_software(format, UINT64_MAX)));
	fixture_set_entry(&f, size + 3 * page,
		fixture_entry(&f, size + 3 * page) ^ page_software_mask(format));
	cr_assert(pw_collapse(&f.space, size, size, 1, &merged, NULL) == PW_OK && merged == 1);
	cr_assert(software_at(&f, size) == value);
	fixture_expect(&f, size, size, size, rights);
	fixture_end(&f);
}

Test(build_attributes, software_values_of_pages_that_change_their_size)
{
	const struct pw_format *format;

	for (size_t i = 0; (format = pw_format_at(i)); i++) {
		if (format->levels && software_bits(format))
			resized(format);
	}
}

Test(build_attributes, unknown_bits)
{
	static struct fixture f;

	fixture_begin(&f, &pw_format_ept_4, true);
	/* An index needs its PW_MEM_INDEX(). */
	cr_assert(pw_map(&f.space, 0, 0, PAGE, PW_R | (PW_MEM_INDEX(5) & ~PW_MEM_MASK), NULL) ==
		  PW_E_ARGUMENT);
	cr_assert(pw_map(&f.space, 0, 0, PAGE, PW_R | PW_MEM_WB | (PW_MEM_INDEX(5) & ~PW_MEM_MASK),
			  NULL) == PW_E_ARGUMENT);
	cr_assert(pw_map(&f.space, 0, 0, PAGE, PW_R | (pw_rights)6 << PW_MEM_SHIFT, NULL) ==
		  PW_E_RIGHTS);
	fixture_end(&f);
}
