/* SPDX-License-Identifier: MIT */
/* Private: writes little-endian tables into guest RAM, field by field. */
#ifndef VMM_TABLE_H
#define VMM_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include <pagewalk_vmm/vm.h>

/* A table that grows at its end. Its room is the caller's business: it was planned before. */
struct table {
	uint8_t *bytes;
	uint32_t used;
};

/* In the RAM at `gpa`, which must be there. */
static inline struct table table_begin(const struct vmm_vm *vm, uint64_t gpa)
{
	return (struct table){.bytes = vmm_vm_host(vm, gpa, 1)};
}

/* Overwrites a field of `count` bytes, at most 8. */
static inline void table_patch(
	const struct table *table, uint32_t offset, uint64_t value, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		table->bytes[offset + i] = (uint8_t)(value >> 8 * i);
}

static inline void table_put(struct table *table, uint64_t value, unsigned count)
{
	table_patch(table, table->used, value, count);
	table->used += count;
}

/* The first `count` characters, without an end. */
static inline void table_text(struct table *table, const char *text, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		table->bytes[table->used++] = (uint8_t)text[i];
}

/* Sets the byte at `offset` so that the first `count` bytes add up to 0. */
static inline void table_checksum(const struct table *table, uint32_t offset, uint32_t count)
{
	uint8_t sum = 0;

	table->bytes[offset] = 0;
	for (uint32_t i = 0; i < count; i++)
		sum = (uint8_t)(sum + table->bytes[i]);
	table->bytes[offset] = (uint8_t)-sum;
}

#endif
