/* SPDX-License-Identifier: MIT */
/* What the report knows of one run of pagewalk_bench. Times are nanoseconds per item. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#define REPETITIONS_MAX 64
#define CACHES_MAX      8

/* All repetitions of one benchmark, ascending. */
struct figure {
	char name[64];
	double ns[REPETITIONS_MAX];
	size_t count;
};

struct cache {
	int level;
	double bytes;
};

struct run {
	struct figure *figure;
	size_t count;
	struct cache cache[CACHES_MAX]; /* that hold data */
	size_t caches;
	char machine[256]; /* one line about the machine and the build */
	char left_out[1024];
};

/* Reads a file that Google Benchmark wrote as JSON; exits with a message if it cannot. */
void run_load(struct run *run, const char *path);
void run_free(struct run *run);

const struct figure *run_find(const struct run *run, const char *name);
double figure_median(const struct figure *figure);
/* (largest - smallest) / median */
double figure_spread(const struct figure *figure);

/*
 * A name is SECTION/COLUMN/WHO: "translate/random/W1/limit" is column W1 of "translate/random".
 * Copies the parts, each at most 63 characters; false if there are fewer than three.
 */
struct parts {
	char section[64], column[64], who[64];
};

bool name_split(const char *name, struct parts *parts);

void table_print(const struct run *run);
void plot_print(const struct run *run);

#endif
