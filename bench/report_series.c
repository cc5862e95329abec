/* SPDX-License-Identifier: MIT */
/* Figures that belong together as one line, and how fast it rises. */
#include "report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct growth_row growth_rows[] = {
	{"sweep", "Random translation against the size of the tables", "bytes of page tables", true,
		GROWTH_NONE},
	{"levels", "Random translation against the number of levels", "levels", false,
		GROWTH_PER_STEP},
	{"enumerate-pages", "Enumeration against mapped pages", "pages", false, GROWTH_EXPONENT},
	{"enumerate-tables", "Enumeration against distinct tables", "tables", false,
		GROWTH_EXPONENT},
	{"build-pages", "Mapping against the number of pages", "pages", false, GROWTH_EXPONENT},
};
const size_t growth_count = sizeof growth_rows / sizeof growth_rows[0];

static struct series *series_of(struct series_set *set, const char *who)
{
	for (size_t i = 0; i < set->count; i++) {
		if (!strcmp(set->series[i].who, who))
			return &set->series[i];
	}
	if (set->count == SERIES_MAX)
		return NULL;
	snprintf(set->series[set->count].who, sizeof set->series[0].who, "%s", who);
	return &set->series[set->count++];
}

static void add_dot(struct series *series, double x, double ns)
{
	size_t at = series->dots;

	if (at == DOTS_MAX)
		return;
	for (; at > 0 && series->dot[at - 1].x > x; at--)
		series->dot[at] = series->dot[at - 1];
	series->dot[at] = (struct dot){x, ns};
	series->dots++;
}

bool series_collect(struct series_set *set, const struct run *run, const char *section)
{
	size_t most = 0;

	set->count = 0;
	memset(set->series, 0, sizeof set->series);
	for (size_t i = 0; i < run->count; i++) {
		const char *number;
		struct series *series;
		struct parts parts;
		char who[128];

		if (!name_split(run->figure[i].name, &parts) || strcmp(parts.section, section))
			continue;
		number = strrchr(parts.column, '-');
		if (number)
			snprintf(who, sizeof who, "%.*s %s", (int)(number - parts.column),
				parts.column, parts.who);
		else
			snprintf(who, sizeof who, "%s", parts.who);
		number = number ? number + 1 : parts.column;
		series = series_of(set, who);
		if (!series)
			continue;
		add_dot(series, strtod(number, NULL), figure_median(&run->figure[i]));
		most = series->dots > most ? series->dots : most;
	}
	return most > 1;
}

/* Least squares. */
static double slope(const double *x, const double *y, size_t count)
{
	double mean_x = 0, mean_y = 0, product = 0, square = 0;

	for (size_t i = 0; i < count; i++) {
		mean_x += x[i] / (double)count;
		mean_y += y[i] / (double)count;
	}
	for (size_t i = 0; i < count; i++) {
		product += (x[i] - mean_x) * (y[i] - mean_y);
		square += (x[i] - mean_x) * (x[i] - mean_x);
	}
	return square > 0 ? product / square : 0;
}

void growth_describe(
	const struct growth_row *row, const struct series *series, char *text, size_t size)
{
	bool exponent = row->growth == GROWTH_EXPONENT;
	double x[DOTS_MAX], y[DOTS_MAX];

	for (size_t i = 0; i < series->dots; i++) {
		const struct dot *dot = &series->dot[i];

		x[i] = exponent ? log(dot->x) : dot->x;
		y[i] = exponent ? log(dot->ns * dot->x) : dot->ns;
	}
	if (row->growth == GROWTH_NONE || series->dots < 2)
		snprintf(text, size, "%s", "");
	else if (exponent)
		snprintf(text, size, "time ~ %s^%.2f", row->x_label, slope(x, y, series->dots));
	else
		snprintf(text, size, "%+.1f ns for each of the %s", slope(x, y, series->dots),
			row->x_label);
}

void slopes_print(const struct run *run)
{
	static struct series_set set;
	char text[96];

	printf("\nHow cost grows\n");
	for (size_t i = 0; i < growth_count; i++) {
		const struct growth_row *row = &growth_rows[i];

		if (row->growth == GROWTH_NONE || !series_collect(&set, run, row->section))
			continue;
		for (size_t j = 0; j < set.count; j++) {
			growth_describe(row, &set.series[j], text, sizeof text);
			printf("  %-20s %-28s %s\n", row->section, set.series[j].who, text);
		}
	}
}
