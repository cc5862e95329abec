/* SPDX-License-Identifier: MIT */
/* eq(u64, a, b) and its relatives; see criterion.h beside this folder. */
#ifndef PLAIN_CRITERION_NEW_ASSERT_H
#define PLAIN_CRITERION_NEW_ASSERT_H

#include <criterion/criterion.h>

struct cr_mem {
	const void *data;
	size_t size;
};

/* One comparison a tag: below 0, 0 or above 0, as strcmp(). */
#define PLAIN_NUMBER(tag, type)                                                                    \
	static inline int plain_compare_##tag(type left, type right)                               \
	{                                                                                          \
		plain_compared_numbers(#tag, (uint64_t)left, (uint64_t)right);                     \
		return left < right ? -1 : left > right;                                           \
	}
PLAIN_NUMBER(i8, int8_t)
PLAIN_NUMBER(i16, int16_t)
PLAIN_NUMBER(i32, int32_t)
PLAIN_NUMBER(i64, int64_t)
PLAIN_NUMBER(u8, uint8_t)
PLAIN_NUMBER(u16, uint16_t)
PLAIN_NUMBER(u32, uint32_t)
PLAIN_NUMBER(u64, uint64_t)
PLAIN_NUMBER(sz, size_t)
PLAIN_NUMBER(iptr, intptr_t)
PLAIN_NUMBER(uptr, uintptr_t)
PLAIN_NUMBER(chr, char)
PLAIN_NUMBER(int, int)
PLAIN_NUMBER(uint, unsigned int)
PLAIN_NUMBER(long, long)
PLAIN_NUMBER(ulong, unsigned long)
PLAIN_NUMBER(llong, long long)
PLAIN_NUMBER(ullong, unsigned long long)
#undef PLAIN_NUMBER

static inline int plain_compare_ptr(const volatile void *left, const volatile void *right)
{
	plain_compared_numbers("ptr", (uintptr_t)left, (uintptr_t)right);
	return left < right ? -1 : left > right;
}

static inline int plain_compare_dbl(double left, double right)
{
	plain_compared("dbl", NULL, NULL);
	return left < right ? -1 : left > right;
}

static inline int plain_compare_str(const char *left, const char *right)
{
	plain_compared("str", left, right);
	return strcmp(left, right);
}

static inline int plain_compare_mem(struct cr_mem left, struct cr_mem right)
{
	plain_compared("mem", NULL, NULL);
	if (left.size != right.size)
		return left.size < right.size ? -1 : 1;
	return memcmp(left.data, right.data, left.size);
}

/* Both forms: op(tag, a, b) and op(a, b). */
#define PLAIN_PICK(_1, _2, _3, form, ...)  form
#define PLAIN_TAGGED(op, tag, a, b)        (plain_compare_##tag(a, b) op 0)
#define PLAIN_UNTAGGED(op, a, b)           ((a)op(b))
#define eq(...)                            PLAIN_PICK(__VA_ARGS__, PLAIN_TAGGED, PLAIN_UNTAGGED, 0)(==, __VA_ARGS__)
#define ne(...)                            PLAIN_PICK(__VA_ARGS__, PLAIN_TAGGED, PLAIN_UNTAGGED, 0)(!=, __VA_ARGS__)
#define lt(...)                            PLAIN_PICK(__VA_ARGS__, PLAIN_TAGGED, PLAIN_UNTAGGED, 0)(<, __VA_ARGS__)
#define le(...)                            PLAIN_PICK(__VA_ARGS__, PLAIN_TAGGED, PLAIN_UNTAGGED, 0)(<=, __VA_ARGS__)
#define gt(...)                            PLAIN_PICK(__VA_ARGS__, PLAIN_TAGGED, PLAIN_UNTAGGED, 0)(>, __VA_ARGS__)
#define ge(...)                            PLAIN_PICK(__VA_ARGS__, PLAIN_TAGGED, PLAIN_UNTAGGED, 0)(>=, __VA_ARGS__)
#define PLAIN_ZERO_TAGGED(tag, a)          (plain_compare_##tag(a, 0) == 0)
#define PLAIN_ZERO_UNTAGGED(a)             (!(a))
#define PLAIN_PICK_ZERO(_1, _2, form, ...) form
#define zero(...)                                                                                  \
	PLAIN_PICK_ZERO(__VA_ARGS__, PLAIN_ZERO_TAGGED, PLAIN_ZERO_UNTAGGED, 0)(__VA_ARGS__)

static inline size_t plain_count(const bool *condition, size_t conditions)
{
	size_t count = 0;
	for (size_t i = 0; i < conditions; i++)
		count += condition[i];
	return count;
}

#define PLAIN_LIST(...)  ((const bool[]){__VA_ARGS__})
#define PLAIN_COUNT(...) plain_count(PLAIN_LIST(__VA_ARGS__), sizeof(PLAIN_LIST(__VA_ARGS__)))
#define not(condition) (!(condition))
#define all(...)  (PLAIN_COUNT(__VA_ARGS__) == sizeof(PLAIN_LIST(__VA_ARGS__)))
#define any(...)  (PLAIN_COUNT(__VA_ARGS__) > 0)
#define none(...) (PLAIN_COUNT(__VA_ARGS__) == 0)

#endif
