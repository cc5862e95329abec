/* SPDX-License-Identifier: MIT */
/* 4-level x86-64 tables, as the workloads and the hand-written limits need them. */
#ifndef BENCH_X86_H
#define BENCH_X86_H

#include <stddef.h>
#include <stdint.h>

#define X86_P       UINT64_C(1)
#define X86_W       (UINT64_C(1) << 1)
#define X86_U       (UINT64_C(1) << 2)
#define X86_A       (UINT64_C(1) << 5)
#define X86_D       (UINT64_C(1) << 6)
#define X86_PS      (UINT64_C(1) << 7)
#define X86_G       (UINT64_C(1) << 8)
#define X86_NX      (UINT64_C(1) << 63)
#define X86_ADDRESS UINT64_C(0x000ffffffffff000)

#define TABLE_BYTES   4096u
#define TABLE_ENTRIES 512u
#define LEVELS        4u

#define LOW(bits)       ((UINT64_C(1) << (bits)) - 1)
/* lowest va bit of the index at a level: an entry there covers 1 << SHIFT(level) bytes */
#define SHIFT(level)    (12u + 9u * (level))
/* byte offset of the entry for va in a table of that level */
#define SLOT(va, level) ((va) >> (9u + 9u * (level)) & 0xff8)

/* R W X U of a page, folded over all levels. */
#define RIGHT_R 1u
#define RIGHT_W 2u
#define RIGHT_X 4u
#define RIGHT_U 8u

static inline uint64_t *x86_table(uint8_t *image, uint64_t pa)
{
	return (uint64_t *)(void *)(image + pa);
}

static inline uint64_t x86_load(const uint8_t *image, uint64_t pa)
{
	return __atomic_load_n((const uint64_t *)(const void *)(image + pa), __ATOMIC_RELAXED);
}

#endif
