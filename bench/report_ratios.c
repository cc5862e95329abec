/* SPDX-License-Identifier: MIT */
/* The ratios that matter and the goals they have, as text and as Markdown. */
#include "report.h"

#include <stdio.h>
#include <string.h>

enum goal {
	NO_GOAL,
	AT_MOST,
	AT_LEAST,
};

struct ratio {
	const char *section;
	const char *columns; /* separated by spaces */
	const char *over, *under;
	enum goal goal;
	double limit;
	const char *under_section; /* NULL: the same */
};

static const struct ratio ratios[] = {
	{"translate/random", "W1 W2 W4", "pagewalk", "limit-checked", AT_MOST, 1.15, NULL},
	{"translate/random", "W1 W2 W3 W4", "pagewalk", "limit", NO_GOAL, 0, NULL},
	{"translate/random", "W1", "libaddrxlat", "pagewalk", AT_LEAST, 8, NULL},
	{"translate/random", "W2", "libaddrxlat", "pagewalk", AT_LEAST, 5, NULL},
	{"translate/random", "W3 W4", "libaddrxlat", "pagewalk", NO_GOAL, 0, NULL},
	{"translate/random", "W1 W2 W3 W4", "kvm-translate", "pagewalk", NO_GOAL, 0, NULL},
	{"translate/random", "W1", "pagewalk-callbacks", "pagewalk", AT_MOST, 2.5, NULL},
	{"translate/random", "W2 W3 W4", "pagewalk-batch", "limit-batch", AT_MOST, 1.3, NULL},
	{"translate/random", "W2 W3 W4", "pagewalk-scalar", "limit-batch-scalar", AT_MOST, 1.3,
		NULL},
	{"translate/random", "W2 W3", "libaddrxlat", "pagewalk-batch", AT_LEAST, 30, NULL},
	{"translate/random", "W1", "pagewalk-batch", "pagewalk", AT_MOST, 1, NULL},
	{"translate/sequential", "W1 W2", "pagewalk", "limit-last", AT_MOST, 1.5, NULL},
	{"translate/random", "W2 W3", "pagewalk", "pagewalk", NO_GOAL, 0, "translate-huge/random"},
	{"translate/random", "W2 W3", "pagewalk-batch", "pagewalk-batch", NO_GOAL, 0,
		"translate-huge/random"},
	{"translate/unmapped", "W1 W2 W3 W4", "pagewalk", "limit-checked", NO_GOAL, 0, NULL},
	{"nested/random", "W2", "pagewalk", "limit-checked", AT_MOST, 1.15, NULL},
	{"nested/random", "W2", "pagewalk", "single", AT_MOST, 2.5, NULL},
	{"nested/random", "W2", "pagewalk-batch", "single", NO_GOAL, 0, NULL},
	{"enumerate", "W1 W2 W4", "pagewalk", "limit", AT_MOST, 1.5, NULL},
	{"enumerate", "W3", "pagewalk", "limit", AT_MOST, 1.3, NULL},
	{"enumerate", "W1 W2 W3 W4", "pagewalk-scalar", "limit-batch-scalar", AT_MOST, 1.5, NULL},
	{"build", "map protect unmap harvest", "pagewalk", "limit", AT_MOST, 1.5, NULL},
	{"build", "map protect unmap", "pagewalk-scalar", "limit", NO_GOAL, 0, NULL},
	{"build", "map", "pagewalk", "memset", AT_MOST, 1.3, NULL},
	{"build-live", "protect unmap harvest", "pagewalk", "limit", AT_MOST, 1.3, NULL},
	{"read", "4k", "memcpy", "pagewalk", AT_LEAST, 0.85, NULL},
	{"read", "2m", "memcpy", "pagewalk", AT_LEAST, 0.97, NULL},
	{"threads/random", "W2", "pagewalk-1", "pagewalk-2", AT_LEAST, 1.8, NULL},
	{"threads/random", "W2", "pagewalk-batch-1", "pagewalk-batch-2", AT_LEAST, 1.8, NULL},
	{"exit", "translate", "kvm-translate", "pagewalk", NO_GOAL, 0, NULL},
	{"exit", "port", "pagewalk", "bare-kvm", AT_MOST, 1.1, NULL},
	{"exit", "start", "pagewalk", "bare-kvm", AT_MOST, 1.2, NULL},
};

struct result {
	const struct ratio *ratio;
	char what[128];
	const struct figure *over, *under;
	double value;
};

static const struct figure *find(
	const struct run *run, const char *section, const char *column, const char *who)
{
	char name[200];

	snprintf(name, sizeof name, "%s/%s/%s", section, column, who);
	return run_find(run, name);
}

static void goal_text(const struct result *result, char *text, size_t size)
{
	const struct ratio *ratio = result->ratio;
	bool missed = ratio->goal == AT_MOST ? result->value > ratio->limit
					     : result->value < ratio->limit;

	if (ratio->goal == NO_GOAL)
		snprintf(text, size, "%s", "");
	else
		snprintf(text, size, "at %s %g%s", ratio->goal == AT_MOST ? "most" : "least",
			ratio->limit, missed ? ", missed" : "");
}

static void print_text(const struct result *r)
{
	double over = figure_spread(r->over), under = figure_spread(r->under);
	char goal[64];

	goal_text(r, goal, sizeof goal);
	printf("  %-28s %-18s / %-18s %8.2f  best %8.2f  spread %3.0f%%  %s\n", r->what,
		r->ratio->over, r->ratio->under, r->value, r->over->ns[0] / r->under->ns[0],
		100 * (over > under ? over : under), goal);
}

static void print_markdown(const struct result *r)
{
	double over = figure_median(r->over), under = figure_median(r->under);
	char goal[64];

	goal_text(r, goal, sizeof goal);
	printf("| `%s` | %s %.*f | %s %.*f | %.2f | %.2f | %s |\n", r->what, r->ratio->over,
		over < 10 ? 2 : 0, over, r->ratio->under, under < 10 ? 2 : 0, under, r->value,
		r->over->ns[0] / r->under->ns[0], goal);
}

static void each(const struct run *run, void (*print)(const struct result *))
{
	for (size_t i = 0; i < sizeof ratios / sizeof ratios[0]; i++) {
		struct result result = {.ratio = &ratios[i]};
		char columns[64], *rest = columns, *column;

		snprintf(columns, sizeof columns, "%s", ratios[i].columns);
		while ((column = strsep(&rest, " "))) {
			result.over = find(run, ratios[i].section, column, ratios[i].over);
			result.under = find(run,
				ratios[i].under_section ? ratios[i].under_section
							: ratios[i].section,
				column, ratios[i].under);
			if (!result.over || !result.under)
				continue;
			snprintf(result.what, sizeof result.what, "%s/%s%s", ratios[i].section,
				column, ratios[i].under_section ? " / huge" : "");
			result.value = figure_median(result.over) / figure_median(result.under);
			print(&result);
		}
	}
}

void ratios_print(const struct run *run)
{
	printf("\nRatios of the medians and of the best, the larger spread of the two, and the "
	       "goals\n");
	each(run, print_text);
}

void ratios_print_markdown(const struct run *run)
{
	printf("%s. Nanoseconds per item, medians.\n\n", run->machine);
	printf("| | | | ratio | of the best | goal |\n|---|---|---|---|---|---|\n");
	each(run, print_markdown);
}
