/* SPDX-License-Identifier: MIT */
/* Single entries by address, and new roots. */
#include "build.h"
#include "store.h"

/* The entry that decides about an address. */
struct place {
	uint64_t entry;
	pw_pa pa;
	unsigned level;
	bool in_register; /* a PDPTE register: it has no address */
};

static enum pw_status read_entry(const struct pw_space *space, pw_va va, struct place *place)
{
	const struct pw_format *f = space->format;
	const struct pw_level *row = &f->level[place->level];
	uint64_t index = va >> row->shift & PW_LOW(row->index_bits);

	place->pa += index * f->entry_bytes;
	place->in_register = (space->flags & PW_SPACE_PDPTE) && place->level + 1u == f->levels;
	if (place->in_register)
		place->entry = space->pdpte[index];
	else if (!pw_load(f, space, place->pa, &place->entry))
		return PW_NO_MEMORY;
	return PW_OK;
}

/* PW_RESERVED with the place filled in: the entry there is BAD. */
static enum pw_status find(const struct pw_space *space, pw_va va, struct place *place)
{
	const struct pw_format *f = space->format;
	enum pw_status status;

	if (!f->levels)
		return PW_E_UNSUPPORTED;
	if (!pw_takes(space->extension, f->va_bits, va))
		return PW_NON_CANONICAL;
	*place = (struct place){.pa = space->root, .level = f->levels - 1u};
	for (;; place->level--) {
		const struct pw_level *row = &f->level[place->level];
		const struct pw_page *shape;

		status = read_entry(space, va, place);
		if (status != PW_OK || !pw_is_present(row, place->entry))
			return status;
		if (!pw_is_table(row, place->entry)) {
			shape = pw_shape(row, place->entry);
			return pw_page_is_bad(space, row, shape, place->level, place->entry)
				       ? PW_RESERVED
				       : PW_OK;
		}
		if (pw_table_is_bad(space, row, place->level, place->entry))
			return PW_RESERVED;
		place->pa = pw_table_address(f, space, row, place->entry);
	}
}

enum pw_status pw_read_pte(const struct pw_space *space, pw_va va, uint64_t *entry, unsigned *level)
{
	struct place place;
	enum pw_status status;

	if (!space || !entry)
		return PW_E_ARGUMENT;
	status = find(space, va, &place);
	if (status != PW_OK)
		return status;
	*entry = place.entry;
	if (level)
		*level = place.level;
	return PW_OK;
}

enum pw_status pw_write_pte(const struct pw_space *space, pw_va va, uint64_t old, uint64_t entry)
{
	struct place place;
	enum pw_status status;

	if (!space)
		return PW_E_ARGUMENT;
	status = find(space, va, &place);
	if (status != PW_OK && status != PW_RESERVED)
		return status;
	if (entry & ~PW_LOW(8u * space->format->entry_bytes))
		return PW_E_ARGUMENT;
	if (place.entry != old)
		return PW_UNSTABLE;
	if (place.in_register)
		return PW_E_UNSUPPORTED;
	return entry == old ? PW_OK : pw_store(space, place.pa, old, entry);
}

/* A space to build in before there is a root: only its format and memory count. */
static enum pw_status begin(
	struct pw_build *b, const struct pw_format *format, const struct pw_memory *memory)
{
	static const struct pw_memory none = {.window_count = 0};
	static const struct pw_space nowhere = {.memory = &none};

	if (!format || !memory)
		return PW_E_ARGUMENT;
	if (!format->levels)
		return PW_E_UNSUPPORTED;
	*b = (struct pw_build){
		.space = &nowhere, .format = format, .memory = memory, .top = format->levels - 1u};
	return PW_OK;
}

/* It can be a root: the register holds it, as entries hold tables. CR3 has 32 bits outside IA-32e.
 */
static bool can_be_root(const struct pw_format *format, pw_pa pa)
{
	const struct pw_level *row = &format->level[format->levels - 1];
	uint64_t field = row->table_address ? row->table_address << format->address_left : pa;

	if (format->family == PW_FAMILY_X86 && format->va_bits == 32)
		field &= UINT32_MAX;
	return !(pa & (pw_root_align(format) - 1)) && pa <= PW_LOW(format->pa_bits) && pa <= field;
}

enum pw_status pw_root_create_with(
	const struct pw_format *format, const struct pw_memory *memory, uint64_t empty, pw_pa *root)
{
	struct pw_build b;
	struct pw_run run = {.op = PW_OP_STORE, .value = empty};
	struct pw_table table;
	enum pw_status status = root ? begin(&b, format, memory) : PW_E_ARGUMENT;
	uint64_t bytes;
	pw_pa pa;

	if (status != PW_OK)
		return status;
	if (!pw_is_empty(format, empty))
		return PW_E_ARGUMENT;
	b.empty = empty;
	bytes = pw_table_room(&b, b.top);
	if (!memory->allocate_table || !memory->allocate_table(memory->ctx, bytes, &pa))
		return PW_E_NO_TABLES;
	table = pw_table_open(&b, b.top, pa);
	run.table = &table;
	run.level = (uint8_t)b.top;
	run.count = pw_entry_count(pw_row(&b, b.top));
	if (!can_be_root(format, pa))
		status = PW_E_NO_TABLES; /* not what was asked for */
	else if (!pw_can_write(&b, &table, 0, run.count) || !pw_commit(&b, &run))
		status = PW_E_READ_ONLY;
	if (status == PW_OK)
		*root = pa;
	else if (memory->free_table)
		memory->free_table(memory->ctx, pa, bytes);
	return status;
}

enum pw_status pw_root_create(
	const struct pw_format *format, const struct pw_memory *memory, pw_pa *root)
{
	return pw_root_create_with(format, memory, 0, root);
}
