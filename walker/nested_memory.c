/* SPDX-License-Identifier: MIT */
/* Guest-physical memory as a memory: every access translated by stage 2. */
#include "build.h"
#include "nested.h"
#include "space.h"
#include "store.h"
#include <pagewalk/copy.h>

static bool reach(const struct pw_nested_memory *nested, pw_pa gpa, pw_access access, pw_pa *pa)
{
	struct pw_result result;

	if (nested->regardless)
		access = PW_ACCESS_ANY;
	if (pw_translate(nested->stage2, gpa, access, &result) != PW_OK)
		return false;
	*pa = result.pa;
	return true;
}

/* A writer's access to a table: a user's under NPT, like all. */
static pw_access write_access(const struct pw_nested_memory *nested)
{
	pw_access user = pw_table_access(nested->stage2) & PW_ACCESS_USER;

	return PW_ACCESS_WRITE | user;
}

static pw_access read_access(const struct pw_nested_memory *nested)
{
	pw_access user = pw_table_access(nested->stage2) & PW_ACCESS_USER;

	return PW_ACCESS_READ | user;
}

/* Entries pass as values: those of a big-endian format are for the machine's memory to convert. */
static const struct pw_format *words(unsigned bytes)
{
	return bytes == 4 ? &pw_format_x86_32 : &pw_format_x86_64;
}

static bool read_pte(void *ctx, pw_pa gpa, unsigned bytes, uint64_t *entry)
{
	const struct pw_nested_memory *nested = ctx;
	pw_pa pa;

	return reach(nested, gpa, pw_table_access(nested->stage2), &pa) &&
	       pw_machine_entry(words(bytes), nested->stage2->memory, pa, entry);
}

static bool exchange_pte(void *ctx, pw_pa gpa, unsigned bytes, uint64_t *expected, uint64_t desired)
{
	const struct pw_nested_memory *nested = ctx;
	const struct pw_memory *memory = nested->stage2->memory;
	const struct pw_space machine = {.format = words(bytes), .memory = memory};
	enum pw_status status;
	pw_pa pa;

	if (!reach(nested, gpa, write_access(nested), &pa))
		return false;
	status = pw_store(&machine, pa, *expected, desired);
	if (status == PW_UNSTABLE)
		(void)pw_machine_entry(machine.format, memory, pa, expected);
	return status == PW_OK;
}

static bool write_pte(void *ctx, pw_pa gpa, unsigned bytes, uint64_t entry)
{
	const struct pw_nested_memory *nested = ctx;
	const struct pw_memory *memory = nested->stage2->memory;
	char *at;
	pw_pa pa;

	if (!reach(nested, gpa, write_access(nested), &pa))
		return false;
	at = pw_window_at(memory, pa, bytes, true);
	if (at)
		pw_put(words(bytes), at, entry);
	else if (pw_window_at(memory, pa, bytes, false))
		return false; /* read-only */
	return at || (memory->write_pte && memory->write_pte(memory->ctx, pa, bytes, entry));
}

static bool read_bytes(void *ctx, pw_pa gpa, void *to, size_t bytes)
{
	const struct pw_nested_memory *nested = ctx;
	pw_access access = nested->regardless ? PW_ACCESS_ANY : read_access(nested);

	return pw_copy_from(nested->stage2, gpa, to, bytes, access, NULL) == PW_OK;
}

static bool write_bytes(void *ctx, pw_pa gpa, const void *from, size_t bytes)
{
	const struct pw_nested_memory *nested = ctx;
	pw_access access = nested->regardless ? PW_ACCESS_ANY : write_access(nested);

	return pw_copy_to(nested->stage2, gpa, from, bytes, access, NULL) == PW_OK;
}

void pw_nested_memory_begin(
	struct pw_nested_memory *nested, const struct pw_space *stage2, bool regardless)
{
	*nested = (struct pw_nested_memory){
		.memory =
			{
				.read_pte = read_pte,
				.write_pte = write_pte,
				.exchange_pte = exchange_pte,
				.read_bytes = read_bytes,
				.write_bytes = write_bytes,
			},
		.stage2 = stage2,
		.regardless = regardless,
	};
	nested->memory.ctx = nested;
}
