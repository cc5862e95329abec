/* SPDX-License-Identifier: MIT */
#include "report.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void die(const char *path, const char *why)
{
	fprintf(stderr, "pagewalk_bench_report: %s: %s\n", path, why);
	exit(1);
}

static const char *text(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value ? value : "";
}

static struct figure *add_figure(struct run *run, const char *name)
{
	struct figure *figure = NULL;

	for (size_t i = 0; i < run->count; i++) {
		if (!strcmp(run->figure[i].name, name))
			return &run->figure[i];
	}
	run->figure = realloc(run->figure, (run->count + 1) * sizeof *run->figure);
	if (!run->figure)
		die(name, "no memory");
	figure = &run->figure[run->count++];
	*figure = (struct figure){.count = 0};
	snprintf(figure->name, sizeof figure->name, "%s", name);
	return figure;
}

static void add_time(struct figure *figure, double ns)
{
	size_t at = figure->count;

	if (at == REPETITIONS_MAX)
		return;
	for (; at > 0 && figure->ns[at - 1] > ns; at--)
		figure->ns[at] = figure->ns[at - 1];
	figure->ns[at] = ns;
	figure->count++;
}

/* Repetitions only: medians are taken here, so that all are taken alike. */
static void load_benchmark(struct run *run, const json_t *benchmark)
{
	double rate = json_number_value(json_object_get(benchmark, "items_per_second"));

	if (!strcmp(text(benchmark, "run_type"), "iteration") && rate > 0)
		add_time(add_figure(run, text(benchmark, "name")), 1e9 / rate);
}

static void load_context(struct run *run, const json_t *context)
{
	const json_t *caches = json_object_get(context, "caches");

	for (size_t i = 0; i < json_array_size(caches) && run->caches < CACHES_MAX; i++) {
		const json_t *cache = json_array_get(caches, i);
		struct cache *to = &run->cache[run->caches];

		to->level = (int)json_integer_value(json_object_get(cache, "level"));
		to->bytes = (double)json_integer_value(json_object_get(cache, "size"));
		run->caches += strcmp(text(cache, "type"), "Instruction") != 0;
	}
	snprintf(run->machine, sizeof run->machine, "%s, %d CPUs, %s, %s, AVX-512: %s",
		*text(context, "cpu") ? text(context, "cpu") : "unknown processor",
		(int)json_integer_value(json_object_get(context, "num_cpus")),
		text(context, "compiler"), text(context, "build_type"), text(context, "avx512"));
	snprintf(run->left_out, sizeof run->left_out, "%s", text(context, "left_out"));
}

void run_load(struct run *run, const char *path)
{
	json_error_t error;
	json_t *root = json_load_file(path, 0, &error);
	const json_t *benchmarks = json_object_get(root, "benchmarks");

	*run = (struct run){.count = 0};
	if (!root)
		die(path, error.text);
	for (size_t i = 0; i < json_array_size(benchmarks); i++)
		load_benchmark(run, json_array_get(benchmarks, i));
	load_context(run, json_object_get(root, "context"));
	json_decref(root);
	if (!run->count)
		die(path, "holds no benchmark");
}

void run_free(struct run *run)
{
	free(run->figure);
	*run = (struct run){.count = 0};
}
