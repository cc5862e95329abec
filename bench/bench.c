/* SPDX-License-Identifier: MIT */
#include "bench.h"
#include "kinds.h"
#include "workload.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BENCH_MAX 512

static struct bench benches[BENCH_MAX];
static size_t bench_count;
static struct bench *current; /* for messages */
static char left_out[1024];
static size_t left_out_count;

struct bench *bench_add(const struct bench_kind *kind, const char *format, ...)
{
	struct bench *bench = &benches[bench_count];
	va_list arguments;

	if (bench_count == BENCH_MAX)
		bench_die("more than %d benchmarks", BENCH_MAX);
	bench_count++;
	va_start(arguments, format);
	vsnprintf(bench->name, sizeof bench->name, format, arguments);
	va_end(arguments);
	bench->kind = kind;
	bench->items = 1;
	return bench;
}

struct bench *bench_all(size_t *count)
{
	if (!bench_count) {
		translate_add();
		enumerate_add();
		enumerate_hostile_add();
		build_add();
		read_add();
		exit_add();
		start_add();
		levels_add();
		nested_add();
		threads_add();
	}
	*count = bench_count;
	return benches;
}

void bench_close_all(void)
{
	for (size_t i = 0; i < bench_count; i++) {
		struct bench *bench = &benches[i];

		if (bench->open && bench->kind->close)
			bench->kind->close(bench);
		bench->open = false;
		bench->state = NULL;
	}
	current = NULL;
}

void bench_open(struct bench *bench)
{
	current = bench;
	if (bench->open)
		return;
	bench->open = true;
	bench->kind->open(bench);
}

void bench_left_out(const char *who, const char *why)
{
	size_t used = strlen(left_out);
	char text[128];

	snprintf(text, sizeof text, "%s: %s", who, why);
	if (strstr(left_out, text))
		return;
	left_out_count++;
	fprintf(stderr, "Left out: %s\n", text);
	snprintf(left_out + used, sizeof left_out - used, "%s%s", used ? "; " : "", text);
}

const char *bench_left_out_text(void)
{
	return left_out;
}

size_t bench_left_out_count(void)
{
	return left_out_count;
}

void bench_die(const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "pagewalk_bench: %s%s", current ? current->name : "", current ? ": " : "");
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, "\n");
	exit(1);
}

void bench_be_small(void)
{
	workload_be_small();
}

bool bench_is_small(void)
{
	return workload_is_small();
}

bool bench_has_avx512(void)
{
#if defined(__x86_64__)
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
	       __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
#else
	return false;
#endif
}

const char *bench_cpu(void)
{
	static char name[128] = "unknown processor";
	FILE *file = fopen("/proc/cpuinfo", "r");
	char line[256];

	while (file && fgets(line, sizeof line, file)) {
		if (sscanf(line, "model name : %127[^\n]", name) == 1)
			break;
	}
	if (file)
		fclose(file);
	return name;
}
