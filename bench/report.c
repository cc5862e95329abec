/* SPDX-License-Identifier: MIT */
/*
 * pagewalk_bench_report table FILE.json         the figures and their ratios
 *                       markdown FILE.json      the ratios alone, to be pasted
 *                       plot FILE.json          the lines as SVG
 *                       compare OLD.json NEW.json
 */
#include "report.h"

#include <stdio.h>
#include <string.h>

const struct figure *run_find(const struct run *run, const char *name)
{
	for (size_t i = 0; i < run->count; i++) {
		if (!strcmp(run->figure[i].name, name))
			return &run->figure[i];
	}
	return NULL;
}

double figure_median(const struct figure *figure)
{
	size_t middle = figure->count / 2;

	if (figure->count % 2)
		return figure->ns[middle];
	return (figure->ns[middle - 1] + figure->ns[middle]) / 2;
}

double figure_spread(const struct figure *figure)
{
	return (figure->ns[figure->count - 1] - figure->ns[0]) / figure_median(figure);
}

bool name_split(const char *name, struct parts *parts)
{
	const char *who = strrchr(name, '/'), *column = who;

	while (column && column > name && column[-1] != '/')
		column--;
	if (!column || column == name)
		return false;
	snprintf(parts->section, sizeof parts->section, "%.*s", (int)(column - 1 - name), name);
	snprintf(parts->column, sizeof parts->column, "%.*s", (int)(who - column), column);
	snprintf(parts->who, sizeof parts->who, "%s", who + 1);
	return true;
}

/* The runs do not overlap: that is more than noise inside a run. */
static const char *verdict(const struct figure *old, const struct figure *new)
{
	if (new->ns[0] > old->ns[old->count - 1])
		return "slower";
	if (new->ns[new->count - 1] < old->ns[0])
		return "faster";
	return "";
}

static void compare(const struct run *old, const struct run *new)
{
	printf("%-44s %10s %10s %8s %8s\n", "ns per item", "old", "new", "new/old", "spread");
	for (size_t i = 0; i < new->count; i++) {
		const struct figure *after = &new->figure[i];
		const struct figure *before = run_find(old, after->name);
		double spread = figure_spread(after);

		if (!before) {
			printf("%-44s %10s %10.2f\n", after->name, "-", figure_median(after));
			continue;
		}
		if (figure_spread(before) > spread)
			spread = figure_spread(before);
		printf("%-44s %10.2f %10.2f %8.2f %7.0f%% %s\n", after->name, figure_median(before),
			figure_median(after), figure_median(after) / figure_median(before),
			spread * 100, verdict(before, after));
	}
	for (size_t i = 0; i < old->count; i++) {
		if (!run_find(new, old->figure[i].name))
			printf("%-44s %10.2f %10s\n", old->figure[i].name,
				figure_median(&old->figure[i]), "-");
	}
}

static int usage(void)
{
	fprintf(stderr, "usage: pagewalk_bench_report table|markdown|plot FILE.json\n"
			"       pagewalk_bench_report compare OLD.json NEW.json\n");
	return 2;
}

static const struct verb {
	const char *name;
	void (*print)(const struct run *run);
} verbs[] = {
	{"table", table_print},
	{"markdown", ratios_print_markdown},
	{"plot", plot_print},
};

int main(int argc, char **argv)
{
	struct run run, other;

	if (argc == 4 && !strcmp(argv[1], "compare")) {
		run_load(&run, argv[2]);
		run_load(&other, argv[3]);
		compare(&run, &other);
		run_free(&other);
		run_free(&run);
		return 0;
	}
	for (size_t i = 0; argc == 3 && i < sizeof verbs / sizeof verbs[0]; i++) {
		if (strcmp(argv[1], verbs[i].name))
			continue;
		run_load(&run, argv[2]);
		verbs[i].print(&run);
		run_free(&run);
		return 0;
	}
	return usage();
}
