/* SPDX-License-Identifier: MIT */
/*
 * Checks the slow twin itself, on vectors built by hand from the manuals, and then on noise: random
 * tables, for what must hold of any answer. Usage: slow_selftest; exit status 0 if all is well.
 */
#include "slow_selftest.h"

#include <string.h>

static uint8_t bytes[MEMORY_SIZE];

struct slow_config cfg;
struct slow_memory memory = {bytes, 0, MEMORY_SIZE, false, NULL};
struct slow_result got;
int failures;

void fresh(const char *name, uint64_t root)
{
	memset(bytes, 0, sizeof(bytes));
	memory.base = 0;
	memory.size = MEMORY_SIZE;
	memory.big_endian_entries = false;
	if (!slow_config_tables(&cfg, name, root)) {
		printf("unknown format %s\n", name);
		failures++;
	}
}

void put4(uint64_t pa, uint32_t value)
{
	for (unsigned n = 0; n < 4; n++)
		bytes[pa + n] = (uint8_t)(value >> (8 * n));
}

void put8(uint64_t pa, uint64_t value)
{
	put4(pa, (uint32_t)value);
	put4(pa + 4, (uint32_t)(value >> 32));
}

enum slow_status try_access(uint64_t va, struct slow_access access)
{
	slow_walk(&cfg, &memory, va, &access, &got);
	return got.status;
}

enum slow_status look(uint64_t va)
{
	return try_access(va, (struct slow_access){SLOW_OP_NONE, false, false, false});
}

enum slow_status try(uint64_t va, enum slow_op op, enum who who)
{
	return try_access(va, (struct slow_access){op, who == USER, false, false});
}

void each_bit(uint64_t pa, uint64_t entry, unsigned first, unsigned last, uint64_t va,
	enum slow_status status)
{
	for (unsigned n = first; n <= last; n++) {
		put8(pa, entry ^ (uint64_t)1 << n);
		CHECK(look(va) == status && (status == SLOW_MAPPED || got.entry_pa == pa));
	}
	put8(pa, entry);
}

void plant(uint64_t va, uint64_t entry_pa, uint64_t entry)
{
	CHECK(look(va) == SLOW_NOT_PRESENT && got.entry_pa == entry_pa);
	put8(entry_pa, entry);
}

bool are(const struct slow_rights *rights, const char *letters)
{
	return rights->read == (letters[0] == 'r') && rights->write == (letters[1] == 'w') &&
	       rights->execute == (letters[2] == 'x');
}

static void memory_door(void)
{
	fresh("riscv-sv39", 0x1000);
	bytes[0x1007] = 0x0f; /* big-endian: level 2 leaf, RWX; little-endian: a hole */
	CHECK(look(0x123) == SLOW_NOT_PRESENT);
	memory.big_endian_entries = true;
	CHECK(look(0x123) == SLOW_MAPPED && got.pa == 0x123 && got.entry == 0xf);

	fresh("riscv-sv39", 0x80001000);
	memory.base = 0x80000000;
	put8(0x1000, 0xf);
	CHECK(look(0x123) == SLOW_MAPPED && got.entry_pa == 0x80001000);
	memory.size = 0x1007; /* the last byte of the entry is missing */
	CHECK(look(0x123) == SLOW_NO_MEMORY && got.level == 2 && got.entry_pa == 0x80001000);
	memory.base = 0x80001004;
	CHECK(look(0x123) == SLOW_NO_MEMORY);
}

static const char *const all_formats[] = {"x86-none", "x86-32", "x86-pae", "x86-64", "x86-64-la57",
	"ept-4", "ept-5", "armv7-short", "armv7-lpae", "arm64-4k", "arm64-4k-39", "arm64-16k",
	"arm64-64k", "arm64-s2-4k", "arm64-s2-16k", "arm64-s2-64k", "riscv-sv32", "riscv-sv39",
	"riscv-sv48", "riscv-sv57", "riscv-sv32x4", "riscv-sv39x4", "riscv-sv48x4", "riscv-sv57x4"};

/* xorshift64: noise that is the same on every run. */
static uint64_t noise(void)
{
	static uint64_t state = 0x9e3779b97f4a7c15;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/*
 * Entries that name pages of this memory, with low bits that mean something in one format or
 * another, and now and then a bit that is wrong.
 */
static void fill_with_noise(const char *format)
{
	static const uint16_t low_bits[] = {
		0x1, 0x1, 0x3, 0x7, 0x7, 0xf, 0x1b, 0xdf, 0x37, 0xe7, 0x443};
	bool riscv = !strncmp(format, "riscv", 5);
	bool narrow = !strcmp(format, "x86-32") || !strcmp(format, "armv7-short") ||
		      !strncmp(format, "riscv-sv32", 10);

	for (uint64_t pa = 0; pa < MEMORY_SIZE; pa += 4) {
		uint64_t page = noise() & (MEMORY_SIZE - 1) & ~(uint64_t)0xfff;
		uint64_t value = low_bits[noise() % (sizeof(low_bits) / sizeof(low_bits[0]))];

		if (noise() % 4 == 0)
			page = 0; /* the one that is aligned enough for any leaf */
		value |= riscv ? page >> 2 : page;
		if (noise() % 8 == 0)
			value ^= (uint64_t)1 << noise() % 64;
		put4(pa, (uint32_t)value);
		if (!narrow)
			put4(pa += 4, (uint32_t)(value >> 32));
	}
}

static bool has_right(const struct slow_rights *rights, enum slow_op op)
{
	if (op == SLOW_OP_READ)
		return rights->read;
	return op == SLOW_OP_WRITE ? rights->write : rights->execute;
}

/* An access succeeds exactly where there is a page with that right. */
static void one_noisy_walk(uint64_t va)
{
	struct slow_result plain;

	look(va);
	plain = got;
	CHECK(!plain.error_code_valid);
	for (enum slow_op op = SLOW_OP_READ; op <= SLOW_OP_FETCH; op++) {
		for (enum who who = SUPERVISOR; who <= USER; who++) {
			const struct slow_rights *rights =
				who == USER ? &plain.user : &plain.supervisor;
			bool right = has_right(rights, op);

			try(va, op, who);
			CHECK(got.level == plain.level && got.entry == plain.entry);
			if (plain.status != SLOW_MAPPED)
				CHECK(got.status == plain.status);
			else
				CHECK(got.status == (right ? SLOW_MAPPED : SLOW_PROTECTION));
		}
	}
	if (plain.status == SLOW_MAPPED)
		CHECK(plain.pa % plain.page_size == va % plain.page_size);
}

static void noisy_memory(void)
{
	for (size_t n = 0; n < sizeof(all_formats) / sizeof(all_formats[0]); n++) {
		unsigned mapped = 0;

		for (unsigned round = 0; round < 4000; round++) {
			uint64_t va = noise();

			if (round % 400 == 0) {
				fresh(all_formats[n], 0);
				fill_with_noise(all_formats[n]);
			}
			/* Most addresses small enough for some format, one in eight for none. */
			if (round % 8)
				va >>= 16 + noise() % 20;
			one_noisy_walk(va);
			mapped += look(va) == SLOW_MAPPED;
		}
		CHECK(mapped > 20); /* or the noise says nothing */
	}
}

int main(void)
{
	selftest_x86();
	selftest_x86_bits();
	selftest_ept();
	selftest_arm();
	selftest_riscv();
	memory_door();
	noisy_memory();
	printf("slow_selftest: %d failures\n", failures);
	return failures ? 1 : 0;
}
