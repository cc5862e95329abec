/* SPDX-License-Identifier: MIT */
/* The figures as tables, a section each, and the ratios that matter. */
#include "report.h"

#include <stdio.h>
#include <string.h>

#define NAMES_MAX   64
#define COLUMNS_MAX 8 /* with more, columns and rows change places */
#define WHO_WIDTH   20

struct names {
	char name[NAMES_MAX][64];
	size_t count;
};

static void add_name(struct names *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++) {
		if (!strcmp(names->name[i], name))
			return;
	}
	if (names->count < NAMES_MAX)
		snprintf(names->name[names->count++], 64, "%s", name);
}

static void print_cell(
	const struct run *run, const char *section, const char *column, const char *who, int width)
{
	const struct figure *figure;
	char name[200];

	snprintf(name, sizeof name, "%s/%s/%s", section, column, who);
	figure = run_find(run, name);
	if (!figure)
		printf(" %*s", width, "-");
	else
		printf(" %*.*f", width, figure_median(figure) < 10 ? 2 : 1, figure_median(figure));
}

static void print_section(const struct run *run, const char *section)
{
	struct names columns = {.count = 0}, whos = {.count = 0};
	struct parts parts;
	bool turned;

	for (size_t i = 0; i < run->count; i++) {
		if (!name_split(run->figure[i].name, &parts) || strcmp(parts.section, section))
			continue;
		add_name(&columns, parts.column);
		add_name(&whos, parts.who);
	}
	turned = columns.count > COLUMNS_MAX;
	const struct names *across = turned ? &whos : &columns, *down = turned ? &columns : &whos;

	printf("\n%-*s", WHO_WIDTH, section);
	for (size_t i = 0; i < across->count; i++)
		printf(" %*s", turned ? WHO_WIDTH - 1 : 10, across->name[i]);
	printf("\n");
	for (size_t i = 0; i < down->count; i++) {
		printf("  %-*s", WHO_WIDTH - 2, down->name[i]);
		for (size_t j = 0; j < across->count; j++)
			print_cell(run, section, turned ? down->name[i] : across->name[j],
				turned ? across->name[j] : down->name[i],
				turned ? WHO_WIDTH - 1 : 10);
		printf("\n");
	}
}

struct ratio {
	const char *section;
	const char *columns; /* separated by spaces */
	const char *over, *under;
	const char *goal;
};

static const struct ratio ratios[] = {
	{"translate/random", "W1 W2 W4", "pagewalk", "limit-checked", "at most 1.15"},
	{"translate/random", "W1 W2 W3 W4", "pagewalk", "limit", ""},
	{"translate/random", "W1", "libaddrxlat", "pagewalk", "at least 8"},
	{"translate/random", "W2", "libaddrxlat", "pagewalk", "at least 5"},
	{"translate/random", "W3 W4", "libaddrxlat", "pagewalk", ""},
	{"translate/random", "W1 W2 W3 W4", "kvm-translate", "pagewalk", ""},
	{"translate/random", "W1", "pagewalk-callbacks", "pagewalk", "at most 2.5"},
	{"translate/random", "W2 W3 W4", "pagewalk-batch", "limit-batch", "at most 1.3"},
	{"translate/random", "W2 W3 W4", "pagewalk-scalar", "limit-batch-scalar", "at most 1.3"},
	{"translate/random", "W2 W3", "libaddrxlat", "pagewalk-batch", "at least 30"},
	{"translate/random", "W1", "pagewalk-batch", "pagewalk", "at most 1"},
	{"translate/sequential", "W1 W2", "pagewalk", "limit-last", "at most 1.5"},
	{"translate/unmapped", "W1 W2 W3 W4", "pagewalk", "limit-checked", ""},
	{"enumerate", "W1 W2 W4", "pagewalk", "limit", "at most 1.5"},
	{"enumerate", "W3", "pagewalk", "limit", "at most 1.3"},
	{"enumerate", "W1 W2 W3 W4", "pagewalk", "limit-batch-scalar", ""},
	{"build", "map protect unmap", "pagewalk", "limit", "at most 1.5"},
	{"build", "map", "pagewalk", "memset", "at most 1.3"},
	{"build-live", "protect unmap", "pagewalk", "limit", "at most 1.3"},
	{"read", "4k", "memcpy", "pagewalk", "at least 0.85"},
	{"read", "2m", "memcpy", "pagewalk", "at least 0.97"},
	{"threads/random", "W2", "pagewalk-1", "pagewalk-2", "at least 1.8"},
	{"threads/random", "W2", "pagewalk-batch-1", "pagewalk-batch-2", "at least 1.8"},
	{"exit", "translate", "kvm-translate", "pagewalk", ""},
	{"exit", "port", "pagewalk", "bare-kvm", "at most 1.1"},
	{"exit", "start", "pagewalk", "bare-kvm", "at most 1.2"},
};

static void print_ratio(const struct run *run, const struct ratio *ratio, const char *column)
{
	const struct figure *over, *under;
	char name[200];

	snprintf(name, sizeof name, "%s/%s/%s", ratio->section, column, ratio->over);
	over = run_find(run, name);
	snprintf(name, sizeof name, "%s/%s/%s", ratio->section, column, ratio->under);
	under = run_find(run, name);
	if (!over || !under)
		return;
	snprintf(name, sizeof name, "%s/%s", ratio->section, column);
	printf("  %-26s %-18s / %-18s %8.2f  %s\n", name, ratio->over, ratio->under,
		figure_median(over) / figure_median(under), ratio->goal);
}

static void print_ratios(const struct run *run)
{
	printf("\nRatios of the medians, and the goals\n");
	for (size_t i = 0; i < sizeof ratios / sizeof ratios[0]; i++) {
		char columns[64], *rest = columns, *column;

		snprintf(columns, sizeof columns, "%s", ratios[i].columns);
		while ((column = strsep(&rest, " ")))
			print_ratio(run, &ratios[i], column);
	}
}

void table_print(const struct run *run)
{
	struct names sections = {.count = 0};
	struct parts parts;
	size_t fewest = REPETITIONS_MAX;

	for (size_t i = 0; i < run->count; i++) {
		if (name_split(run->figure[i].name, &parts))
			add_name(&sections, parts.section);
		if (run->figure[i].count < fewest)
			fewest = run->figure[i].count;
	}
	printf("%s\n", run->machine);
	if (*run->left_out)
		printf("Left out: %s\n", run->left_out);
	printf("Nanoseconds per item, thread CPU time, median of %zu or more repetitions\n",
		fewest);
	for (size_t i = 0; i < sections.count; i++)
		print_section(run, sections.name[i]);
	print_ratios(run);
}
