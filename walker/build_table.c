/* SPDX-License-Identifier: MIT */
/* Tables as builders see them: where they are, whether they can be written, and new ones. */
#include "build_notes.h"
#include "store.h"

struct pw_table pw_table_open(const struct pw_build *b, unsigned level, pw_pa pa)
{
	return (struct pw_table){
		pa, pw_window_at(b->memory, pa, pw_table_bytes(b->format, level), true)};
}

/* Bytes of [first, last] that the window holds. */
static uint64_t overlap(const struct pw_window *w, pw_pa first, pw_pa last)
{
	pw_pa from, to;

	if (!w->size)
		return 0;
	from = w->base > first ? w->base : first;
	to = w->base + (w->size - 1) < last ? w->base + (w->size - 1) : last;
	return from <= to ? to - from + 1 : 0;
}

bool pw_can_write(
	const struct pw_build *b, const struct pw_table *table, uint64_t index, uint64_t count)
{
	const struct pw_memory *memory = b->memory;
	uint64_t bytes = count * b->format->entry_bytes, covered = 0;
	pw_pa first = table->pa + index * b->format->entry_bytes;

	if (table->host)
		return true;
	for (size_t i = 0; i < memory->window_count; i++) {
		uint64_t inside = overlap(&memory->windows[i], first, first + (bytes - 1));

		if (inside && memory->windows[i].read_only)
			return false;
		covered += inside;
	}
	if (covered == bytes)
		return true;
	return memory->write_pte && (!b->live || memory->exchange_pte);
}

bool pw_poke(const struct pw_build *b, const struct pw_table *table, uint64_t index, uint64_t entry)
{
	const struct pw_memory *memory = b->memory;
	unsigned bytes = b->format->entry_bytes;
	pw_pa pa = table->pa + index * bytes;
	char *at =
		table->host ? table->host + index * bytes : pw_window_at(memory, pa, bytes, true);

	if (at) {
		pw_put(b->format, at, entry);
		return true;
	}
	if (pw_window_at(memory, pa, bytes, false) || !memory->write_pte)
		return false;
	return memory->write_pte(memory->ctx, pa, bytes, entry);
}

static bool exchange_in_place(
	const struct pw_format *format, char *at, uint64_t *expected, uint64_t entry)
{
	bool swap = format->big_endian != PW_HOST_BIG, done;

	if (format->entry_bytes == 4) {
		uint32_t old = (uint32_t)*expected, new = (uint32_t)entry;

		old = swap ? __builtin_bswap32(old) : old;
		done = __atomic_compare_exchange_n((uint32_t *)(void *)at, &old,
			swap ? __builtin_bswap32(new) : new, false, __ATOMIC_ACQ_REL,
			__ATOMIC_RELAXED);
		*expected = swap ? __builtin_bswap32(old) : old;
		return done;
	}
	*expected = swap ? __builtin_bswap64(*expected) : *expected;
	done = __atomic_compare_exchange_n((pw_word *)(void *)at, expected,
		swap ? __builtin_bswap64(entry) : entry, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
	*expected = swap ? __builtin_bswap64(*expected) : *expected;
	return done;
}

bool pw_exchange(const struct pw_build *b, const struct pw_table *table, uint64_t index,
	uint64_t *expected, uint64_t entry)
{
	unsigned bytes = b->format->entry_bytes;
	enum pw_status status;
	uint64_t seen;

	if (table->host)
		return exchange_in_place(b->format, table->host + index * bytes, expected, entry);
	status = pw_store(b->space, table->pa + index * bytes, *expected, entry);
	if (status == PW_UNSTABLE && pw_peek_at(b, table, index, &seen))
		*expected = seen;
	return status == PW_OK;
}

/* ---- New tables ---- */

uint64_t pw_chain_link(const struct pw_build *b, pw_pa pa)
{
	return (pa >> b->format->address_left & b->link_mask) | (b->empty & ~b->link_mask);
}

pw_pa pw_chain_target(const struct pw_build *b, uint64_t link)
{
	return (link & b->link_mask) << b->format->address_left;
}

uint64_t pw_table_room(const struct pw_build *b, unsigned level)
{
	uint64_t bytes = pw_table_bytes(b->format, level), field, step;

	if (level == b->top)
		return bytes > pw_root_align(b->format) ? bytes : pw_root_align(b->format);
	field = pw_row(b, level + 1)->table_address << b->format->address_left;
	step = field & (~field + 1); /* the lowest bit: entries cannot lead between its multiples */
	return step > bytes ? step : bytes;
}

/* An entry of the level above can lead to it, and it is memory that can be written. */
static bool is_usable(const struct pw_build *b, unsigned level, pw_pa pa)
{
	uint64_t entries = pw_entry_count(pw_row(b, level));
	uint64_t bytes = entries * b->format->entry_bytes;
	struct pw_table table = pw_table_open(b, level, pa);

	if (pa & (bytes - 1) || pw_chain_target(b, pw_chain_link(b, pa)) != pa)
		return false;
	if (level < b->top) {
		const struct pw_level *row = pw_row(b, level + 1);
		uint64_t link = pw_link_to(b->format, level + 1, pa);

		if (pw_kind_in(b, level + 1, link) != PW_TABLE ||
			pw_table_address(b->format, b->space, row, link) != pa)
			return false;
	}
	return pw_can_write(b, &table, 0, entries);
}

bool pw_new_table(struct pw_build *b, unsigned level, pw_pa *pa)
{
	const struct pw_memory *memory = b->memory;
	uint64_t bytes = pw_table_room(b, level);

	if (!memory->allocate_table || !memory->allocate_table(memory->ctx, bytes, pa))
		return false;
	if (is_usable(b, level, *pa))
		return true;
	pw_return_table(b, level, *pa);
	return false;
}

void pw_return_table(const struct pw_build *b, unsigned level, pw_pa pa)
{
	if (b->memory->free_table)
		b->memory->free_table(b->memory->ctx, pa, pw_table_room(b, level));
}

bool pw_pop_reserve(struct pw_build *b, unsigned level, pw_va at, struct pw_table *table)
{
	struct pw_reserve *reserve = &b->reserve[level];
	struct pw_note note;
	pw_pa kept;

	if (pw_use_retained(b, level, at, &kept)) {
		*table = pw_table_open(b, level, kept);
		return true;
	}
	/* What is needed comes in the order of the notes, though perhaps not all of it. */
	while (b->stock && pw_note_next(b, b->stock, &note)) {
		pw_pa pa = pw_chain_target(b, note.entry);

		if (pw_note_level(&note) == level) {
			*table = pw_table_open(b, level, pa);
			return true;
		}
		pw_return_table(b, pw_note_level(&note), pa);
	}
	if (!reserve->count)
		return false;
	*table = pw_table_open(b, level, reserve->table[--reserve->count]);
	return true;
}
