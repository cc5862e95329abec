/* SPDX-License-Identifier: MIT */
/*
 * Looking is not touching: whatever is translated, however, in random tables of every format, not
 * one byte of memory is other than before. Memory could be written in every way there is.
 */
#include "ram.h"
#include "random_tables.h"
#include <criterion/criterion.h>
#include <pagewalk/pagewalk.h>
#include <stdio.h>
#include <string.h>

#define BASE   UINT64_C(0x200000)
#define BYTES  (UINT64_C(1) << 18)
#define ROUNDS 100

struct sight {
	struct ram ram;
	struct pw_memory callbacks;
	uint8_t *before;
	struct random random;
	uint64_t looks, mapped;
};

static void begin(struct sight *s, uint64_t seed)
{
	*s = (struct sight){.random = random_from(seed)};
	ram_begin(&s->ram, BASE, BYTES);
	s->before = malloc(BYTES);
	cr_assert(s->before != NULL);
	for (uint64_t i = 0; i < BYTES; i++)
		s->ram.bytes[i] = (uint8_t)random_next(&s->random);
	s->callbacks = s->ram.callbacks;
	s->callbacks.exchange_pte = ram_exchange_pte;
}

static pw_access random_access(struct random *random)
{
	static const pw_access kinds[] = {
		PW_ACCESS_READ, PW_ACCESS_WRITE, PW_ACCESS_FETCH, PW_ACCESS_ANY};
	pw_access access = kinds[random_below(random, 4)];

	if (access != PW_ACCESS_ANY && random_once_in(random, 2))
		access |= PW_ACCESS_USER;
	return access;
}

/* Every function that only translates. */
static void look(struct sight *s, const struct pw_space *space, pw_va va)
{
	pw_access access = random_access(&s->random);
	struct pw_trace_step steps[PW_MAX_LEVELS];
	struct pw_result r, traced, stable;
	uint8_t byte;
	size_t count;
	enum pw_status status = pw_translate(space, va, access, &r);

	cr_expect(pw_translate_trace(space, va, access, &traced, steps, &count) == status);
	cr_expect(pw_translate_stable(space, va, access, 1, &stable) == status);
	cr_expect(traced.pa == r.pa && stable.pa == r.pa && traced.entry == r.entry &&
		  stable.entry == r.entry);
	(void)!pw_read(space, va, &byte, 1);
	s->looks++;
	s->mapped += status == PW_OK;
}

static void look_around(
	struct sight *s, const struct pw_format *format, const struct pw_memory *memory)
{
	struct image image = {s->ram.bytes, BASE, BYTES};
	uint64_t bytes = format->levels ? pw_table_bytes(format, format->levels - 1u) : 4096;
	uint64_t root;
	struct pw_space space;
	pw_va va[8];

	bytes = bytes < 4096 ? 4096 : bytes;
	root = BASE + random_below(&s->random, BYTES / bytes) * bytes;
	for (unsigned i = 0; i < 8; i++) {
		va[i] = random_va(&s->random, format, false);
		random_path(&s->random, &image, format, root, va[i]);
	}
	cr_assert(pw_space_init(&space, format, root, memory) == PW_OK);
	memcpy(s->before, s->ram.bytes, BYTES);
	for (unsigned i = 0; i < 8; i++)
		look(s, &space, va[i]);
	cr_assert(memcmp(s->before, s->ram.bytes, BYTES) == 0, "%s", format->name);
}

Test(looking, never_changes_a_byte)
{
	static struct sight s;
	uint64_t seed = random_seed(20260903);
	const struct pw_format *format;

	begin(&s, seed);
	for (size_t i = 0; (format = pw_format_at(i)); i++) {
		for (unsigned round = 0; round < ROUNDS; round++)
			look_around(&s, format, round % 2 ? &s.callbacks : &s.ram.windows);
	}
	cr_expect(s.ram.writes == 0);
	cr_expect(s.mapped > s.looks / 20, "only %llu of %llu mapped", (unsigned long long)s.mapped,
		(unsigned long long)s.looks);
	printf("%llu translations, %llu mapped, seed %llu\n", (unsigned long long)s.looks,
		(unsigned long long)s.mapped, (unsigned long long)seed);
	free(s.before);
	ram_end(&s.ram);
}
