/* SPDX-License-Identifier: MIT */
/*
 * The part of Criterion's interface that our tests use, for targets that have no Criterion: cross
 * builds under qemu-user, and machines without the library. The tests include
 * <criterion/criterion.h> as ever and do not know. Each Test runs in a process of its own, as
 * there.
 *
 * Here: Test, TestSuite (.init .fini .timeout .signal .exit_code .disabled .description),
 * cr_assert, cr_expect, their _eq _neq _lt _leq _gt _geq _null _not_null _not _str_eq _str_neq
 * _arr_eq _arr_neq forms, cr_fatal, cr_fail, cr_skip, cr_skip_test, cr_log_*, and the eq() family
 * of new/assert.h. Not here: parameter rows and theories, which would cost a process a row anyway.
 */
#ifndef PLAIN_CRITERION_H
#define PLAIN_CRITERION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct plain_options {
	void (*init)(void);
	void (*fini)(void);
	const char *description;
	double timeout; /* seconds */
	int signal;     /* the test is to end by this signal */
	int exit_code;  /* the test is to end with this exit status */
	bool disabled;
	char end_; /* so that Test(suite, name) gives an initializer too */
};

struct plain_suite {
	const char *name;
	struct plain_options options;
	struct plain_suite *next;
};

struct plain_test {
	const char *suite, *name;
	void (*run)(void);
	struct plain_options options;
	struct plain_test *next;
};

void plain_add_suite(struct plain_suite *suite);
void plain_add_test(struct plain_test *test);

/* A failed check: prints, and ends the test if it is fatal. The format may be "". */
void plain_fail(bool fatal, const char *file, int line, const char *text, const char *format, ...);
_Noreturn void plain_skip(const char *format, ...);
void plain_log(const char *format, ...);
/* The two values that an eq() and the like compared last, for the failure's text. */
void plain_compared(const char *type, const char *left, const char *right);
void plain_compared_numbers(const char *type, uint64_t left, uint64_t right);

#define Test(...) PLAIN_TEST(__VA_ARGS__, .end_ = 0)
#define PLAIN_TEST(suite_, name_, ...)                                                             \
	static void suite_##_##name_##_run(void);                                                  \
	__attribute__((constructor)) static void suite_##_##name_##_add(void)                      \
	{                                                                                          \
		static struct plain_test test = {                                                  \
			#suite_, #name_, suite_##_##name_##_run, {__VA_ARGS__}, NULL};             \
		plain_add_test(&test);                                                             \
	}                                                                                          \
	static void suite_##_##name_##_run(void)

#define TestSuite(...) PLAIN_SUITE(__VA_ARGS__, .end_ = 0)
#define PLAIN_SUITE(suite_, ...)                                                                   \
	__attribute__((constructor)) static void suite_##_suite_add(void)                          \
	{                                                                                          \
		static struct plain_suite suite = {#suite_, {__VA_ARGS__}, NULL};                  \
		plain_add_suite(&suite);                                                           \
	}                                                                                          \
	struct plain_suite

#define PLAIN_CHECK(fatal, text, condition, ...)                                                   \
	((condition) ? (void)0 : plain_fail(fatal, __FILE__, __LINE__, text, __VA_ARGS__))

/*
 * The last "" is the format if none was given, and a surplus argument of the format if one was.
 * The text is taken here, where the macros of the condition are not expanded yet.
 */
#define cr_assert(...)            PLAIN_CHECK(true, #__VA_ARGS__, __VA_ARGS__, "")
#define cr_expect(...)            PLAIN_CHECK(false, #__VA_ARGS__, __VA_ARGS__, "")
#define cr_assert_not(...)        PLAIN_NOT(true, __VA_ARGS__, "")
#define cr_expect_not(...)        PLAIN_NOT(false, __VA_ARGS__, "")
#define PLAIN_NOT(fatal, a, ...)  PLAIN_CHECK(fatal, "not " #a, !(a), __VA_ARGS__)
#define cr_assert_null(...)       PLAIN_NULL(true, __VA_ARGS__, "")
#define cr_expect_null(...)       PLAIN_NULL(false, __VA_ARGS__, "")
#define PLAIN_NULL(fatal, a, ...) PLAIN_CHECK(fatal, #a " is NULL", (a) == NULL, __VA_ARGS__)
#define cr_assert_not_null(...)   PLAIN_NOT_NULL(true, __VA_ARGS__, "")
#define cr_expect_not_null(...)   PLAIN_NOT_NULL(false, __VA_ARGS__, "")
#define PLAIN_NOT_NULL(fatal, a, ...)                                                              \
	PLAIN_CHECK(fatal, #a " is not NULL", (a) != NULL, __VA_ARGS__)

#define PLAIN_TWO(fatal, op, a, b, ...) PLAIN_CHECK(fatal, #a " " #op " " #b, (a)op(b), __VA_ARGS__)
#define cr_assert_eq(...)               PLAIN_TWO(true, ==, __VA_ARGS__, "")
#define cr_expect_eq(...)               PLAIN_TWO(false, ==, __VA_ARGS__, "")
#define cr_assert_neq(...)              PLAIN_TWO(true, !=, __VA_ARGS__, "")
#define cr_expect_neq(...)              PLAIN_TWO(false, !=, __VA_ARGS__, "")
#define cr_assert_lt(...)               PLAIN_TWO(true, <, __VA_ARGS__, "")
#define cr_expect_lt(...)               PLAIN_TWO(false, <, __VA_ARGS__, "")
#define cr_assert_leq(...)              PLAIN_TWO(true, <=, __VA_ARGS__, "")
#define cr_expect_leq(...)              PLAIN_TWO(false, <=, __VA_ARGS__, "")
#define cr_assert_gt(...)               PLAIN_TWO(true, >, __VA_ARGS__, "")
#define cr_expect_gt(...)               PLAIN_TWO(false, >, __VA_ARGS__, "")
#define cr_assert_geq(...)              PLAIN_TWO(true, >=, __VA_ARGS__, "")
#define cr_expect_geq(...)              PLAIN_TWO(false, >=, __VA_ARGS__, "")

bool plain_str_equal(const char *left, const char *right);
bool plain_arr_equal(const void *left, const void *right, size_t bytes);

#define PLAIN_STR(fatal, want, a, b, ...)                                                          \
	PLAIN_CHECK(fatal, #a ", " #b, plain_str_equal(a, b) == (want), __VA_ARGS__)
#define cr_assert_str_eq(...)  PLAIN_STR(true, true, __VA_ARGS__, "")
#define cr_expect_str_eq(...)  PLAIN_STR(false, true, __VA_ARGS__, "")
#define cr_assert_str_neq(...) PLAIN_STR(true, false, __VA_ARGS__, "")
#define cr_expect_str_neq(...) PLAIN_STR(false, false, __VA_ARGS__, "")
#define PLAIN_ARR(fatal, want, a, b, bytes, ...)                                                   \
	PLAIN_CHECK(fatal, #a ", " #b, plain_arr_equal(a, b, bytes) == (want), __VA_ARGS__)
#define cr_assert_arr_eq(...)  PLAIN_ARR(true, true, __VA_ARGS__, "")
#define cr_expect_arr_eq(...)  PLAIN_ARR(false, true, __VA_ARGS__, "")
#define cr_assert_arr_neq(...) PLAIN_ARR(true, false, __VA_ARGS__, "")
#define cr_expect_arr_neq(...) PLAIN_ARR(false, false, __VA_ARGS__, "")

#define cr_fatal(...)       plain_fail(true, __FILE__, __LINE__, "failed", "" __VA_ARGS__)
#define cr_fail(...)        plain_fail(false, __FILE__, __LINE__, "failed", "" __VA_ARGS__)
#define cr_assert_fail(...) cr_fatal(__VA_ARGS__)
#define cr_expect_fail(...) cr_fail(__VA_ARGS__)
#define cr_skip_test(...)   plain_skip("" __VA_ARGS__)
#define cr_skip(...)        plain_skip("" __VA_ARGS__)
#define cr_log_info(...)    plain_log("" __VA_ARGS__)
#define cr_log_warn(...)    plain_log("" __VA_ARGS__)
#define cr_log_error(...)   plain_log("" __VA_ARGS__)

#endif
