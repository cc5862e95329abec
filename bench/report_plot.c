/* SPDX-License-Identifier: MIT */
/* The sweep as SVG: ns per translation against the size of the tables, both logarithmic. */
#include "report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH     960.0
#define HEIGHT    560.0
#define LEFT      70.0
#define RIGHT     190.0
#define TOP       50.0
#define BOTTOM    60.0
#define LINES_MAX 16
#define DOTS_MAX  32

struct dot {
	double kib, ns;
};

struct line {
	char who[64];
	struct dot dot[DOTS_MAX];
	size_t dots;
};

struct plot {
	struct line line[LINES_MAX];
	size_t lines;
	double first_kib, last_kib, low_ns, high_ns;
};

static const char *const color[] = {"#1b6ca8", "#c0392b", "#1e8449", "#7d3c98", "#b9770e",
	"#117a65", "#5d6d7e", "#a04000", "#2e4053", "#d4ac0d"};

static double x_of(const struct plot *plot, double kib)
{
	double span = log2(plot->last_kib / plot->first_kib);

	return LEFT + (WIDTH - LEFT - RIGHT) * log2(kib / plot->first_kib) / (span > 0 ? span : 1);
}

static double y_of(const struct plot *plot, double ns)
{
	double span = log10(plot->high_ns / plot->low_ns);

	return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * log10(ns / plot->low_ns) / span;
}

static struct line *line_of(struct plot *plot, const char *who)
{
	for (size_t i = 0; i < plot->lines; i++) {
		if (!strcmp(plot->line[i].who, who))
			return &plot->line[i];
	}
	if (plot->lines == LINES_MAX)
		return NULL;
	snprintf(plot->line[plot->lines].who, 64, "%s", who);
	return &plot->line[plot->lines++];
}

static void collect(struct plot *plot, const struct run *run)
{
	double low = INFINITY, high = 0;

	plot->first_kib = INFINITY;
	for (size_t i = 0; i < run->count; i++) {
		double ns = figure_median(&run->figure[i]);
		struct parts parts;
		struct line *line;

		if (!name_split(run->figure[i].name, &parts) || strcmp(parts.section, "sweep"))
			continue;
		line = line_of(plot, parts.who);
		if (!line || line->dots == DOTS_MAX)
			continue;
		line->dot[line->dots++] = (struct dot){strtod(parts.column, NULL), ns};
		plot->first_kib = fmin(plot->first_kib, strtod(parts.column, NULL));
		plot->last_kib = fmax(plot->last_kib, strtod(parts.column, NULL));
		low = fmin(low, ns);
		high = fmax(high, ns);
	}
	plot->low_ns = pow(10, floor(log10(low)));
	plot->high_ns = pow(10, ceil(log10(high)));
	if (plot->high_ns <= plot->low_ns)
		plot->high_ns = plot->low_ns * 10;
}

static void print_size(double kib, char *text, size_t size)
{
	if (kib >= 1 << 20)
		snprintf(text, size, "%.0f GiB", kib / (1 << 20));
	else if (kib >= 1 << 10)
		snprintf(text, size, "%.0f MiB", kib / (1 << 10));
	else
		snprintf(text, size, "%.0f KiB", kib);
}

static void print_axes(const struct plot *plot)
{
	char text[32];

	for (double ns = plot->low_ns; ns <= plot->high_ns * 1.001; ns *= 10) {
		double y = y_of(plot, ns);

		printf("<line x1='%.0f' y1='%.1f' x2='%.0f' y2='%.1f' stroke='#ddd'/>\n", LEFT, y,
			WIDTH - RIGHT, y);
		printf("<text x='%.0f' y='%.1f' text-anchor='end'>%g</text>\n", LEFT - 8, y + 4,
			ns);
	}
	for (double kib = plot->first_kib; kib <= plot->last_kib; kib *= 4) {
		print_size(kib, text, sizeof text);
		printf("<text x='%.1f' y='%.0f' text-anchor='middle'>%s</text>\n", x_of(plot, kib),
			HEIGHT - BOTTOM + 20, text);
	}
	printf("<text x='%.0f' y='%.0f' text-anchor='middle'>bytes of page tables</text>\n",
		(LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14);
	printf("<text x='%.0f' y='%.0f'>ns per translation</text>\n", LEFT - 50, TOP - 14);
}

static void print_caches(const struct plot *plot, const struct run *run)
{
	for (size_t i = 0; i < run->caches; i++) {
		double kib = run->cache[i].bytes / 1024, x = x_of(plot, kib);

		if (kib < plot->first_kib || kib > plot->last_kib)
			continue;
		printf("<line x1='%.1f' y1='%.0f' x2='%.1f' y2='%.0f' stroke='#999' "
		       "stroke-dasharray='4 4'/>\n",
			x, TOP, x, HEIGHT - BOTTOM);
		printf("<text x='%.1f' y='%.0f' fill='#666'>L%d</text>\n", x + 4, TOP + 12,
			run->cache[i].level);
	}
}

static void print_line(const struct plot *plot, size_t index)
{
	const struct line *line = &plot->line[index];
	const char *stroke = color[index % (sizeof color / sizeof color[0])];
	double y = TOP + 20.0 * (double)index + 10;

	printf("<polyline fill='none' stroke='%s' stroke-width='2' points='", stroke);
	for (size_t i = 0; i < line->dots; i++)
		printf("%.1f,%.1f ", x_of(plot, line->dot[i].kib), y_of(plot, line->dot[i].ns));
	printf("'/>\n");
	printf("<line x1='%.0f' y1='%.1f' x2='%.0f' y2='%.1f' stroke='%s' stroke-width='3'/>\n",
		WIDTH - RIGHT + 16, y, WIDTH - RIGHT + 40, y, stroke);
	printf("<text x='%.0f' y='%.1f'>%s</text>\n", WIDTH - RIGHT + 46, y + 4, line->who);
}

void plot_print(const struct run *run)
{
	static struct plot plot;

	collect(&plot, run);
	if (!plot.lines) {
		fprintf(stderr, "pagewalk_bench_report: no sweep/... among the benchmarks\n");
		exit(1);
	}
	printf("<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %.0f %.0f' "
	       "font-family='sans-serif' font-size='13'>\n"
	       "<rect width='100%%' height='100%%' fill='white'/>\n"
	       "<text x='%.0f' y='20'>Random translation against the size of the tables: "
	       "%s</text>\n",
		WIDTH, HEIGHT, LEFT, run->machine);
	print_axes(&plot);
	print_caches(&plot, run);
	for (size_t i = 0; i < plot.lines; i++)
		print_line(&plot, i);
	printf("</svg>\n");
}
