/* SPDX-License-Identifier: MIT */
/* Bit helpers for rows and code. PW_BITS(a, b) names bits a to b inclusive, low to high. */
#ifndef PW_PRIVATE_BITS_H
#define PW_PRIVATE_BITS_H

#include <stdint.h>

#define PW_BIT(n)          ((uint64_t)1 << (n))
#define PW_BITS(low, high) ((~(uint64_t)0 << (low)) & (~(uint64_t)0 >> (63 - (high))))

_Static_assert(PW_BITS(0, 63) == ~(uint64_t)0, "the whole word");
_Static_assert(PW_BITS(12, 51) == UINT64_C(0x000ffffffffff000), "the x86 address field");
_Static_assert(PW_BITS(63, 63) == PW_BIT(63), "one bit at the top");

/* An entry of eight bytes where it stands: aligned to them even where uint64_t itself is not. */
#if defined(__GNUC__)
typedef uint64_t pw_word __attribute__((aligned(8)));
#else
typedef uint64_t pw_word;
#endif

/* What a prefetch brings. */
#define PW_LINE_BYTES 64u

/* The n lowest bits; n may be 64. */
#define PW_LOW(n) ((n) >= 64 ? ~(uint64_t)0 : PW_BIT((n)&63) - 1)

#if defined(__GNUC__)
#define PW_LIKELY(x)    __builtin_expect(!!(x), 1)
#define PW_UNLIKELY(x)  __builtin_expect(!!(x), 0)
#define PW_INLINE       static inline __attribute__((always_inline))
#define PW_NOINLINE     __attribute__((noinline, cold))
#define PW_SEPARATE     __attribute__((noinline))
#define PW_PREFETCH(at) __builtin_prefetch(at)
#else
#define PW_LIKELY(x)   (x)
#define PW_UNLIKELY(x) (x)
#define PW_INLINE      static inline
#define PW_NOINLINE
#define PW_SEPARATE
#define PW_PREFETCH(at) (void)(at)
#endif

/*
 * The number of the lowest bit that is set; there is one. In halves, and only where that is an
 * instruction: elsewhere the compiler would call a function that may not be there.
 */
PW_INLINE unsigned pw_lowest_bit(uint64_t word)
{
#if defined(__x86_64__) || defined(__i386__) || defined(__aarch64__)
	uint32_t low = (uint32_t)word;

	return low ? (unsigned)__builtin_ctz(low)
		   : 32 + (unsigned)__builtin_ctz((uint32_t)(word >> 32));
#else
	unsigned bit = 0;

	while (!(word >> bit & 1))
		bit++;
	return bit;
#endif
}

#endif
