/* SPDX-License-Identifier: MIT */
/* The figures as tables, a section each. */
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
	slopes_print(run);
	ratios_print(run);
}
