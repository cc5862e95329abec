/* SPDX-License-Identifier: MIT */
/* What the families of the slow twin share; for slow_*.c only. */
#ifndef SLOW_PARTS_H
#define SLOW_PARTS_H

#include "slow_walk.h"

#define SLOW_KIB ((uint64_t)1 << 10)
#define SLOW_MIB ((uint64_t)1 << 20)

/* One translation: the question and where its answer goes. */
struct slow_job {
	const struct slow_config *config;
	const struct slow_memory *memory;
	uint64_t va;
	struct slow_access access;
	struct slow_result *result;
};

/* Bit @n, as the manuals number them. */
static inline bool slow_bit(uint64_t value, unsigned n)
{
	return (value >> n) & 1;
}

/* Bits @high:@low, moved down to bit 0. */
static inline uint64_t slow_field(uint64_t value, unsigned high, unsigned low)
{
	if (high < low)
		return 0;
	return value >> low & (UINT64_MAX >> (63 - (high - low)));
}

/* Bits @high:@low where they are, all others cleared. */
static inline uint64_t slow_keep(uint64_t value, unsigned high, unsigned low)
{
	return slow_field(value, high, low) << low;
}

/* Is any bit of @high:@low set? An empty range (high < low) has none. */
static inline bool slow_any(uint64_t value, unsigned high, unsigned low)
{
	return slow_field(value, high, low) != 0;
}

/* Are all bits from @bits - 1 up equal? */
static inline bool slow_sign_extended(uint64_t va, unsigned bits)
{
	bool sign = slow_bit(va, bits - 1);

	for (unsigned n = bits; n < 64; n++) {
		if (slow_bit(va, n) != sign)
			return false;
	}
	return true;
}

/* The config's physical address width, at most @widest. */
unsigned slow_pa_bits(const struct slow_config *config, unsigned widest);

/* Read an entry into the result. False: it lies outside memory, and the status says so. */
bool slow_read_entry(const struct slow_job *job, int level, uint64_t pa, unsigned bytes);

/* May the access, if there is one, be made with the rights in the result? */
bool slow_rights_allow(const struct slow_job *job);

/* The families. Each gets a cleared result with level -1 and sets the rest. */
void slow_walk_x86(const struct slow_job *job);
void slow_walk_ept(const struct slow_job *job);
void slow_walk_npt(const struct slow_job *job);
void slow_walk_armv7_short(const struct slow_job *job);
void slow_walk_arm_long(const struct slow_job *job);
void slow_walk_riscv(const struct slow_job *job);

/*
 * x86 only. The page that a walk ended in, as SDM "Determination of access rights" speaks of it:
 * user, writable and xd are folded over every entry used.
 */
struct slow_x86_page {
	bool user;
	bool writable;
	bool xd;
	bool shadow_stack;
	unsigned key; /* 0 where the format has no keys; see has_keys */
	bool has_keys;
};

/*
 * The address of @bits bits that is walked for the access. False: there is none, and the status
 * says why.
 */
bool slow_x86_linear(const struct slow_job *job, unsigned bits, uint64_t *va);

/* Report the rights of @page; with an access, enforce them: status and error code. */
void slow_x86_check_rights(const struct slow_job *job, const struct slow_x86_page *page);

/* The access, if there is one, ended in a page fault: set the error code. */
void slow_x86_page_fault(const struct slow_job *job, bool present, bool reserved, bool key);

#endif
