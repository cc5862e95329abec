/* SPDX-License-Identifier: MIT */
/* The bench on which slow_selftest*.c builds tables by hand. */
#ifndef SLOW_SELFTEST_H
#define SLOW_SELFTEST_H

#include "slow_walk.h"

#include <stdio.h>

/* Where the vectors keep their tables: MEMORY_SIZE bytes of physical memory from 0. */
#define MEMORY_SIZE 0x200000u

/* The space under test and the answer of the last walk. */
extern struct slow_config cfg;
extern struct slow_memory memory;
extern struct slow_result got;
extern int failures;

#define CHECK(truth)                                                                               \
	do {                                                                                       \
		if (!(truth)) {                                                                    \
			failures++;                                                                \
			printf("%s:%d: %s\n", __FILE__, __LINE__, #truth);                         \
			printf("\tgot %s level %d entry 0x%llx pa 0x%llx code 0x%x\n",             \
				slow_status_name(got.status), got.level,                           \
				(unsigned long long)got.entry, (unsigned long long)got.pa,         \
				got.error_code);                                                   \
		}                                                                                  \
	} while (0)

enum who {
	SUPERVISOR,
	USER
};

/* Empty memory, and the space of `--format name --root root`. */
void fresh(const char *name, uint64_t root);
void put4(uint64_t pa, uint32_t value);
void put8(uint64_t pa, uint64_t value);

/* Walk, leaving the answer in got. */
enum slow_status look(uint64_t va);
enum slow_status try(uint64_t va, enum slow_op op, enum who who);
enum slow_status try_access(uint64_t va, struct slow_access access);

/*
 * Bits @first to @last of the entry at @pa, set or cleared one at a time: the walk of @va ends with
 * @status and, if that is not SLOW_MAPPED, in that very entry.
 */
void each_bit(uint64_t pa, uint64_t entry, unsigned first, unsigned last, uint64_t va,
	enum slow_status status);

/*
 * The walk of @va ends in a hole at @entry_pa; write @entry there. A chain of these checks every
 * index and every table address, the caller's numbers against the twin's.
 */
void plant(uint64_t va, uint64_t entry_pa, uint64_t entry);

/* Do the rights read like "rw-"? */
bool are(const struct slow_rights *rights, const char *letters);

void selftest_x86(void);
void selftest_x86_bits(void);
void selftest_ept(void);
void selftest_arm(void);
void selftest_riscv(void);

#endif
