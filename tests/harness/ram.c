/* SPDX-License-Identifier: MIT */
#include "ram.h"

#include <stdlib.h>
#include <string.h>

#define PAGE UINT64_C(4096)

/* Not assert(): a test's mistake must show in every build type. */
static void must(bool holds)
{
	if (!holds)
		abort();
}

static uint8_t *at(const struct ram *ram, pw_pa pa, size_t bytes)
{
	uint64_t offset = pa - ram->base;

	if (offset >= ram->size || ram->size - offset < bytes)
		return NULL;
	return ram->bytes + offset;
}

static bool read_pte(void *ctx, pw_pa pa, unsigned bytes, uint64_t *entry)
{
	struct ram *ram = ctx;

	ram->reads++;
	if (!at(ram, pa, bytes))
		return false;
	*entry = ram_load(ram, pa, bytes);
	return true;
}

static bool write_pte(void *ctx, pw_pa pa, unsigned bytes, uint64_t entry)
{
	struct ram *ram = ctx;

	if (!at(ram, pa, bytes))
		return false;
	ram_store(ram, pa, bytes, entry);
	if (ram->writes < RAM_LOG) {
		ram->log[ram->writes].pa = pa;
		ram->log[ram->writes].entry = entry;
	}
	ram->writes++;
	return true;
}

bool ram_exchange_pte(void *ctx, pw_pa pa, unsigned bytes, uint64_t *expected, uint64_t desired)
{
	struct ram *ram = ctx;
	uint64_t seen;

	if (!at(ram, pa, bytes))
		return false;
	seen = ram_load(ram, pa, bytes) ^ ram->interfere;
	ram_store(ram, pa, bytes, seen);
	if (seen == *expected)
		return write_pte(ctx, pa, bytes, desired);
	*expected = seen;
	return false;
}

static bool read_bytes(void *ctx, pw_pa pa, void *to, size_t bytes)
{
	const uint8_t *from = at(ctx, pa, bytes);

	if (from)
		memcpy(to, from, bytes);
	return from != NULL;
}

static bool write_bytes(void *ctx, pw_pa pa, const void *from, size_t bytes)
{
	uint8_t *to = at(ctx, pa, bytes);

	if (to)
		memcpy(to, from, bytes);
	return to != NULL;
}

void ram_begin(struct ram *ram, uint64_t base, uint64_t size)
{
	*ram = (struct ram){.base = base, .size = size, .next_table = base};
	ram->bytes = aligned_alloc((size_t)PAGE, (size_t)size);
	must(ram->bytes != NULL);
	memset(ram->bytes, 0, (size_t)size);
	ram->window = (struct pw_window){.base = base, .size = size, .host = ram->bytes};
	ram->windows = (struct pw_memory){.windows = &ram->window, .window_count = 1};
	ram->callbacks = (struct pw_memory){
		.read_pte = read_pte,
		.write_pte = write_pte,
		.read_bytes = read_bytes,
		.write_bytes = write_bytes,
		.ctx = ram,
	};
}

void ram_end(struct ram *ram)
{
	free(ram->bytes);
	ram->bytes = NULL;
}

void ram_store(struct ram *ram, pw_pa pa, unsigned bytes, uint64_t value)
{
	uint8_t *to = at(ram, pa, bytes);

	must(to != NULL);
	for (unsigned i = 0; i < bytes; i++)
		to[i] = (uint8_t)(value >> (8 * i));
}

uint64_t ram_load(const struct ram *ram, pw_pa pa, unsigned bytes)
{
	const uint8_t *from = at(ram, pa, bytes);
	uint64_t value = 0;

	must(from != NULL);
	for (unsigned i = 0; i < bytes; i++)
		value |= (uint64_t)from[i] << (8 * i);
	return value;
}

pw_pa ram_new_table(struct ram *ram, uint64_t bytes)
{
	uint64_t align = bytes < PAGE ? PAGE : bytes;
	pw_pa table = (ram->next_table + align - 1) & ~(align - 1);

	must(table - ram->base + align <= ram->size);
	ram->next_table = table + align;
	return table;
}

pw_pa ram_enter(struct ram *ram, const struct pw_format *format, pw_pa root, pw_va va,
	unsigned level, uint64_t entry)
{
	pw_pa table = root;
	unsigned bytes = format->entry_bytes;

	for (unsigned at_level = format->levels - 1u;; at_level--) {
		const struct pw_level *row = &format->level[at_level];
		pw_pa place = table + pw_level_index(row, va) * bytes;
		uint64_t found = ram_load(ram, place, bytes);

		if (at_level == level) {
			ram_store(ram, place, bytes, entry);
			return place;
		}
		if (!pw_entry_is_table(format, at_level, found)) {
			found = ram_new_table(ram, pw_table_bytes(format, at_level - 1));
			found = (found >> format->address_left) | row->table_bits;
			ram_store(ram, place, bytes, found);
		}
		table = pw_entry_address(format, at_level, found);
	}
}
