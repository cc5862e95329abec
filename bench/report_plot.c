/* SPDX-License-Identifier: MIT */
/* Lines as SVG, a panel for each row of growth_rows: both axes logarithmic but for few levels. */
#include "report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH  1000.0
#define HEIGHT 460.0 /* of a panel */
#define LEFT   70.0
#define RIGHT  300.0
#define TOP    64.0
#define BOTTOM 56.0

struct panel {
	const struct growth_row *row;
	const struct series_set *set;
	bool log_x;
	double first_x, last_x, low_ns, high_ns;
	double y; /* of its upper edge */
};

/* Limits and rivals are dashed: the library's own lines stand out. */
static const char *const color[] = {"#1b6ca8", "#c0392b", "#1e8449", "#7d3c98", "#b9770e",
	"#148f77", "#5d6d7e", "#d35400", "#2e4053", "#d4ac0d"};

static double x_of(const struct panel *panel, double x)
{
	double part = panel->log_x ? log(x / panel->first_x) / log(panel->last_x / panel->first_x)
				   : (x - panel->first_x) / (panel->last_x - panel->first_x);

	return LEFT + (WIDTH - LEFT - RIGHT) * part;
}

static double y_of(const struct panel *panel, double ns)
{
	double span = log10(panel->high_ns / panel->low_ns);

	return panel->y + HEIGHT - BOTTOM -
	       (HEIGHT - TOP - BOTTOM) * log10(ns / panel->low_ns) / span;
}

/* To 1, 2 or 5 times a power of ten. */
static double round_down(double value)
{
	double decade = pow(10, floor(log10(value) + 1e-9)), digit = value / decade;

	return decade * (digit >= 5 - 1e-9 ? 5 : digit >= 2 - 1e-9 ? 2 : 1);
}

static void set_bounds(struct panel *panel)
{
	double low = INFINITY, high = 0;

	panel->first_x = INFINITY;
	panel->last_x = 0;
	for (size_t i = 0; i < panel->set->count; i++) {
		const struct series *series = &panel->set->series[i];

		for (size_t j = 0; j < series->dots; j++) {
			panel->first_x = fmin(panel->first_x, series->dot[j].x);
			panel->last_x = fmax(panel->last_x, series->dot[j].x);
			low = fmin(low, series->dot[j].ns);
			high = fmax(high, series->dot[j].ns);
		}
	}
	panel->log_x = panel->last_x > 16 * panel->first_x;
	panel->low_ns = round_down(low);
	panel->high_ns = 10 / round_down(10 / high);
	if (panel->high_ns <= panel->low_ns)
		panel->high_ns = panel->low_ns * 10;
}

static void print_x(const struct panel *panel, double x, char *text, size_t size)
{
	static const char *const binary[] = {"KiB", "MiB", "GiB"};
	unsigned unit = 0;

	for (; panel->row->bytes && x >= 1024 && unit < 2; unit++)
		x /= 1024;
	if (panel->row->bytes)
		snprintf(text, size, "%.0f %s", x, binary[unit]);
	else if (x >= 1e6)
		snprintf(text, size, "%.3gM", x / 1e6);
	else if (x >= 1e4)
		snprintf(text, size, "%.3gk", x / 1e3);
	else
		snprintf(text, size, "%.0f", x);
}

/* Grid lines at 1, 2 and 5 of each decade. */
static void print_y_axis(const struct panel *panel)
{
	static const double steps[] = {1, 2, 5};

	for (double decade = pow(10, floor(log10(panel->low_ns))); decade <= panel->high_ns;
		decade *= 10) {
		for (unsigned i = 0; i < 3; i++) {
			double ns = decade * steps[i], y = y_of(panel, ns);

			if (ns < panel->low_ns * 0.999 || ns > panel->high_ns * 1.001)
				continue;
			printf("<line x1='%.0f' y1='%.1f' x2='%.0f' y2='%.1f' stroke='%s'/>\n",
				LEFT, y, WIDTH - RIGHT, y, i ? "#eee" : "#ccc");
			printf("<text x='%.0f' y='%.1f' text-anchor='end'%s>%g</text>\n", LEFT - 8,
				y + 4, i ? " fill='#888'" : "", ns);
		}
	}
	printf("<text x='%.0f' y='%.1f'>ns per item</text>\n", 16.0, panel->y + TOP - 14);
}

static void print_x_axis(const struct panel *panel)
{
	double step = !panel->log_x ? 1 : panel->row->bytes ? 4 : 10;
	char text[32];

	for (double x = panel->first_x; x <= panel->last_x * 1.001;
		x = panel->log_x ? x * step : x + step) {
		print_x(panel, x, text, sizeof text);
		printf("<text x='%.1f' y='%.0f' text-anchor='middle'>%s</text>\n", x_of(panel, x),
			panel->y + HEIGHT - BOTTOM + 18, text);
	}
	printf("<text x='%.0f' y='%.0f' text-anchor='middle'>%s</text>\n",
		(LEFT + WIDTH - RIGHT) / 2, panel->y + HEIGHT - 16, panel->row->x_label);
}

static void print_caches(const struct panel *panel, const struct run *run)
{
	for (size_t i = 0; i < run->caches; i++) {
		double kib = run->cache[i].bytes / 1024, x = x_of(panel, kib);

		if (kib < panel->first_x || kib > panel->last_x)
			continue;
		printf("<line x1='%.1f' y1='%.0f' x2='%.1f' y2='%.0f' stroke='#999' "
		       "stroke-dasharray='2 4'/>\n",
			x, panel->y + TOP, x, panel->y + HEIGHT - BOTTOM);
		printf("<text x='%.1f' y='%.0f' fill='#666' text-anchor='end'>L%d</text>\n", x - 4,
			panel->y + TOP + 12, run->cache[i].level);
	}
}

static void print_series(const struct panel *panel, size_t index)
{
	const struct series *series = &panel->set->series[index];
	const char *stroke = color[index % (sizeof color / sizeof color[0])];
	const char *dash = strstr(series->who, "pagewalk") ? "" : " stroke-dasharray='6 3'";
	double y = panel->y + TOP + 34.0 * (double)index + 6;
	char text[96];

	printf("<polyline fill='none' stroke='%s' stroke-width='2'%s points='", stroke, dash);
	for (size_t i = 0; i < series->dots; i++)
		printf("%.1f,%.1f ", x_of(panel, series->dot[i].x), y_of(panel, series->dot[i].ns));
	printf("'/>\n");
	for (size_t i = 0; i < series->dots; i++)
		printf("<circle cx='%.1f' cy='%.1f' r='2.5' fill='%s'/>\n",
			x_of(panel, series->dot[i].x), y_of(panel, series->dot[i].ns), stroke);
	printf("<line x1='%.0f' y1='%.1f' x2='%.0f' y2='%.1f' stroke='%s' stroke-width='3'%s/>\n",
		WIDTH - RIGHT + 16, y, WIDTH - RIGHT + 46, y, stroke, dash);
	printf("<text x='%.0f' y='%.1f'>%s</text>\n", WIDTH - RIGHT + 54, y + 4, series->who);
	growth_describe(panel->row, series, text, sizeof text);
	printf("<text x='%.0f' y='%.1f' fill='#666'>%s</text>\n", WIDTH - RIGHT + 54, y + 19, text);
}

static void print_panel(struct panel *panel, const struct run *run)
{
	set_bounds(panel);
	printf("<text x='%.0f' y='%.0f' font-size='16'>%s</text>\n", LEFT, panel->y + 26,
		panel->row->title);
	print_y_axis(panel);
	print_x_axis(panel);
	if (panel->row->bytes)
		print_caches(panel, run);
	for (size_t i = 0; i < panel->set->count; i++)
		print_series(panel, i);
}

void plot_print(const struct run *run)
{
	static struct series_set set;
	size_t panels = 0;

	for (size_t i = 0; i < growth_count; i++)
		panels += series_collect(&set, run, growth_rows[i].section);
	if (!panels) {
		fprintf(stderr, "pagewalk_bench_report: nothing to plot among the benchmarks\n");
		exit(1);
	}
	printf("<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %.0f %.0f' "
	       "font-family='sans-serif' font-size='13'>\n"
	       "<rect width='100%%' height='100%%' fill='white'/>\n"
	       "<text x='%.0f' y='18' fill='#666'>%s</text>\n",
		WIDTH, HEIGHT * (double)panels + 24, LEFT, run->machine);
	panels = 0;
	for (size_t i = 0; i < growth_count; i++) {
		struct panel panel = {.row = &growth_rows[i], .set = &set};

		panel.y = 24 + HEIGHT * (double)panels;
		if (series_collect(&set, run, growth_rows[i].section)) {
			print_panel(&panel, run);
			panels++;
		}
	}
	printf("</svg>\n");
}
