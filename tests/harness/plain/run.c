/* SPDX-License-Identifier: MIT */
/* main() of a test program built without Criterion; prints its results in Criterion's words. */
#include "criterion/criterion.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_SKIPPED 77

static struct plain_suite *suites;
static struct plain_test *tests, **tests_end = &tests;
static bool failed; /* in a test's own process: a check that is not fatal has failed */

static struct {
	const char *type; /* NULL: nothing was compared since the last failure */
	const char *left_text, *right_text;
	uint64_t left, right;
} compared;

void plain_add_suite(struct plain_suite *suite)
{
	suite->next = suites;
	suites = suite;
}

void plain_add_test(struct plain_test *test)
{
	*tests_end = test;
	tests_end = &test->next;
}

void plain_compared(const char *type, const char *left, const char *right)
{
	compared.type = type;
	compared.left_text = left;
	compared.right_text = right;
}

void plain_compared_numbers(const char *type, uint64_t left, uint64_t right)
{
	plain_compared(type, NULL, NULL);
	compared.left = left;
	compared.right = right;
}

bool plain_str_equal(const char *left, const char *right)
{
	plain_compared("str", left, right);
	return strcmp(left, right) == 0;
}

bool plain_arr_equal(const void *left, const void *right, size_t bytes)
{
	return memcmp(left, right, bytes) == 0;
}

static void print_compared(void)
{
	if (!compared.type)
		return;
	if (compared.left_text && compared.right_text)
		printf("[----]   \"%s\", \"%s\"\n", compared.left_text, compared.right_text);
	else
		printf("[----]   %#" PRIx64 ", %#" PRIx64 " (%s)\n", compared.left, compared.right,
			compared.type);
	compared.type = NULL;
}

void plain_fail(bool fatal, const char *file, int line, const char *text, const char *format, ...)
{
	va_list arguments;

	printf("[----] %s:%d: Assertion Failed: %s\n", file, line, text);
	print_compared();
	if (format[0]) {
		printf("[----]   ");
		va_start(arguments, format);
		vprintf(format, arguments);
		va_end(arguments);
		printf("\n");
	}
	failed = true;
	if (fatal)
		exit(EXIT_FAILURE);
}

void plain_skip(const char *format, ...)
{
	va_list arguments;

	printf("[SKIP] ");
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf("\n");
	exit(EXIT_SKIPPED);
}

void plain_log(const char *format, ...)
{
	va_list arguments;

	printf("[----] ");
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf("\n");
}

static const struct plain_options *suite_options(const struct plain_test *test)
{
	static const struct plain_options none;

	for (const struct plain_suite *suite = suites; suite; suite = suite->next)
		if (strcmp(suite->name, test->suite) == 0)
			return &suite->options;
	return &none;
}

/* In the test's own process. Does not return. */
static void run_here(const struct plain_test *test)
{
	const struct plain_options *options = &test->options, *suite = suite_options(test);
	double seconds = options->timeout > 0 ? options->timeout : suite->timeout;
	void (*init)(void) = options->init ? options->init : suite->init;
	void (*fini)(void) = options->fini ? options->fini : suite->fini;
	struct itimerval timer = {.it_value = {.tv_sec = (time_t)seconds}};

	timer.it_value.tv_usec = (suseconds_t)((seconds - (double)timer.it_value.tv_sec) * 1e6);
	setitimer(ITIMER_REAL, &timer, NULL); /* all zero: no limit */
	if (init)
		init();
	test->run();
	if (fini)
		fini();
	exit(failed ? EXIT_FAILURE : EXIT_SUCCESS); /* not _exit(): LeakSanitizer reports now */
}

static const char *judge(const struct plain_test *test, int status)
{
	if (WIFSIGNALED(status)) {
		if (WTERMSIG(status) == test->options.signal)
			return "PASS";
		printf("[----] %s::%s: ended by signal %d (%s)\n", test->suite, test->name,
			WTERMSIG(status), WTERMSIG(status) == SIGALRM ? "timed out" : "crashed");
		return "CRASH";
	}
	if (WEXITSTATUS(status) == EXIT_SKIPPED)
		return "SKIP";
	if (test->options.signal == 0 && WEXITSTATUS(status) == test->options.exit_code)
		return "PASS";
	return "FAIL";
}

static const char *run(const struct plain_test *test)
{
	int status;
	pid_t child;

	if (test->options.disabled || suite_options(test)->disabled) {
		printf("[SKIP] %s::%s: Test is disabled\n", test->suite, test->name);
		return "SKIP";
	}
	printf("[RUN ] %s::%s\n", test->suite, test->name);
	fflush(stdout); /* the child must not print it a second time */
	child = fork();
	if (child == 0)
		run_here(test);
	if (child < 0 || waitpid(child, &status, 0) != child) {
		perror("fork");
		return "CRASH";
	}
	return judge(test, status);
}

int main(void)
{
	unsigned passing = 0, failing = 0, crashing = 0;

	for (const struct plain_test *test = tests; test; test = test->next) {
		const char *result = run(test);

		passing += strcmp(result, "PASS") == 0;
		crashing += strcmp(result, "CRASH") == 0;
		failing += strcmp(result, "FAIL") == 0 || strcmp(result, "CRASH") == 0;
		if (strcmp(result, "SKIP") != 0)
			printf("[%s] %s::%s\n", strcmp(result, "PASS") == 0 ? "PASS" : "FAIL",
				test->suite, test->name);
	}
	printf("[====] Synthesis: Tested: %u | Passing: %u | Failing: %u | Crashing: %u\n",
		passing + failing, passing, failing, crashing);
	return failing > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
