/* SPDX-License-Identifier: MIT */
/*
 * A benchmark: a name, and how to make, verify, run and drop what it measures. Google Benchmark
 * does the timing, in main.cc; everything else is C.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bench;

struct bench_kind {
	/* Makes what is needed, runs it once over everything and compares: dies of a wrong answer.
	 */
	void (*open)(struct bench *bench);
	/* Before each run, not timed. May be NULL. */
	void (*prepare)(struct bench *bench);
	/* One run: `items` items. */
	void (*run)(struct bench *bench);
	/* In the place of run(): looks at the clock itself and returns the nanoseconds of all items
	 * together. For what is too short to switch Google Benchmark's clock on and off around it.
	 */
	double (*clocked)(struct bench *bench);
	void (*close)(struct bench *bench);
};

struct bench {
	char name[64]; /* "translate/random/W1/limit": what is done, with what, by whom */
	const struct bench_kind *kind;
	const void *who; /* the kind's own; variant and what mean what the kind says */
	unsigned what, variant;
	uint64_t size;
	uint64_t items;
	uint64_t item_bytes; /* of data moved for each item, 0: none */
	void *state;
	bool open;
};

/* All benchmarks that can run here. What cannot is said on standard error. */
struct bench *bench_all(size_t *count);

/* Those that are compared may be open together: of one column. Opening one again costs nothing. */
void bench_open(struct bench *bench);
void bench_close_all(void);

/* For the kinds: appends a benchmark. The name is formatted as by printf(). */
struct bench *bench_add(const struct bench_kind *kind, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* For the kinds: `who` cannot run, and why. Said once. */
void bench_left_out(const char *who, const char *why);

/* What was left out so far, in one line; "" if nothing. */
const char *bench_left_out_text(void);
size_t bench_left_out_count(void);

/* A wrong answer, or nothing to go on with. Names the open benchmark and exits with 1. */
void bench_die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* All results are small and only verified; sets the sizes before bench_all(). */
void bench_be_small(void);
bool bench_is_small(void);

bool bench_has_avx512(void);

/* The processor's name. */
const char *bench_cpu(void);

#ifdef __cplusplus
}
#endif

#endif
