/* SPDX-License-Identifier: MIT */
/* What the hand-written limits with all checks share: how they say the library's full answer. */
#ifndef PW_BENCH_LIMIT_H
#define PW_BENCH_LIMIT_H

#include <pagewalk/translate.h>

#include <stddef.h>

#define INLINE    static inline __attribute__((always_inline))
#define RARELY    static __attribute__((noinline, cold))
#define LIKELY(x) __builtin_expect(!!(x), 1)

/* A result from error_code on is two words: the level and the key, and what the entry decides. */
#define TAIL    offsetof(struct pw_result, error_code)
#define SECOND  (TAIL + 8)
#define KEY_BIT ((offsetof(struct pw_result, key) - TAIL) * 8)

_Static_assert(sizeof(struct pw_result) == TAIL + 16, "two words");

#endif
