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

/*
 * A series is what one line of a plot shows: the figures of one WHO against the number in their
 * COLUMN, ascending. What stands before the number's last "-" belongs to the series' name.
 */
#define DOTS_MAX   32
#define SERIES_MAX 16

struct dot {
	double x, ns;
};

struct series {
	char who[128];
	struct dot dot[DOTS_MAX];
	size_t dots;
};

struct series_set {
	struct series series[SERIES_MAX];
	size_t count;
};

/* Those of one section; false if there are none with two dots. */
bool series_collect(struct series_set *set, const struct run *run, const char *section);

/*
 * What is plotted, and how the cost grows: with time(x) = ns(x) * x for items that are counted by
 * x, the slope in a log-log plot (1: each costs the same); otherwise nanoseconds for each x more.
 */
enum growth {
	GROWTH_NONE,
	GROWTH_EXPONENT,
	GROWTH_PER_STEP,
};

struct growth_row {
	const char *section, *title, *x_label;
	bool bytes; /* x is in KiB */
	enum growth growth;
};

extern const struct growth_row growth_rows[];
extern const size_t growth_count;

/* In words; "" for GROWTH_NONE. */
void growth_describe(
	const struct growth_row *row, const struct series *series, char *text, size_t size);

void table_print(const struct run *run);
void slopes_print(const struct run *run);
void ratios_print(const struct run *run);
void ratios_print_markdown(const struct run *run);
void plot_print(const struct run *run);

#endif
