/* SPDX-License-Identifier: MIT */
/*
 * threads/random/W2/WHO-1 and WHO-2: one thread, or two at once, translate over one space. The item
 * is a translation of either. The time is the longer one of the threads' own CPU times, so that a
 * thread that waits for a CPU does not count: what shows is what the two cost each other.
 */
#define _GNU_SOURCE /* pthread_setaffinity_np */
#include "bench.h"
#include "kinds.h"
#include "pagewalk.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define PART    4096u
#define PARTS   64u /* of each thread */
#define THREADS 2u

/* Each by itself in its lines: nothing is shared but what is only read. */
struct worker {
	_Alignas(256) struct pw_result result[64];
	struct pw_hit hit[PART];
	const struct pw_space *space;
	const struct list *list;
	pthread_barrier_t *start;
	size_t first;
	unsigned cpu;
	bool batch;
	uint64_t sum;       /* of the answers */
	double nanoseconds; /* of this thread's CPU time */
};

struct threads {
	struct worker worker[THREADS];
	struct pagewalk pagewalk;
	pthread_barrier_t start;
};

static uint64_t one_by_one(struct worker *w, const uint64_t *va)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < PART; i++) {
		struct pw_result *r = &w->result[i % 64];

		if (pw_translate(w->space, va[i], PW_ACCESS_READ, r) == PW_OK)
			sum += r->pa;
	}
	return sum;
}

static uint64_t as_batch(struct worker *w, const uint64_t *va)
{
	uint64_t sum = 0;

	if (pw_translate_batch(w->space, va, PART, PW_ACCESS_READ, w->hit) == PART) {
		for (unsigned i = 0; i < PART; i++)
			sum += w->hit[i].pa;
	}
	return sum;
}

static size_t part_at(const struct worker *w, unsigned part)
{
	return (w->first + (size_t)part * PART) % w->list->count;
}

static double cpu_time(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void *work(void *argument)
{
	struct worker *w = argument;
	double start;

	w->sum = 0;
	pthread_barrier_wait(w->start);
	start = cpu_time();
	for (unsigned i = 0; i < PARTS; i++) {
		const uint64_t *va = w->list->va + part_at(w, i);

		w->sum += w->batch ? as_batch(w, va) : one_by_one(w, va);
	}
	w->nanoseconds = cpu_time() - start;
	return NULL;
}

/* A CPU each, whatever the program as a whole is pinned to; where that is refused it runs on. */
static void start(struct worker *w, pthread_t *thread)
{
	cpu_set_t cpus;

	if (pthread_create(thread, NULL, work, w) != 0)
		bench_die("no thread");
	CPU_ZERO(&cpus);
	CPU_SET(w->cpu, &cpus);
	pthread_setaffinity_np(*thread, sizeof cpus, &cpus);
}

static void check(const struct worker *w)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < PARTS; i++) {
		for (unsigned j = 0; j < PART; j++)
			sum += w->list->pa[part_at(w, i) + j];
	}
	if (w->sum != sum)
		bench_die("a thread's answers are not the generator's");
}

static double run_threads(struct threads *t, unsigned count)
{
	pthread_t thread[THREADS];
	double longest = 0;

	pthread_barrier_init(&t->start, NULL, count);
	for (unsigned i = 0; i < count; i++)
		start(&t->worker[i], &thread[i]);
	for (unsigned i = 0; i < count; i++) {
		pthread_join(thread[i], NULL);
		if (t->worker[i].nanoseconds > longest)
			longest = t->worker[i].nanoseconds;
	}
	pthread_barrier_destroy(&t->start);
	return longest;
}

static double clocked(struct bench *bench)
{
	return run_threads(bench->state, bench->what);
}

static void open_threads(struct bench *bench)
{
	const struct workload *w = workload_get(W2, false);
	struct threads *t = aligned_alloc(_Alignof(struct threads), sizeof *t);

	if (!t)
		bench_die("no memory");
	pagewalk_open(&t->pagewalk, &w->image, w->root, DOOR_WINDOW);
	t->pagewalk.memory.kernels = pw_kernels_best();
	for (unsigned i = 0; i < THREADS; i++) {
		struct worker *worker = &t->worker[i];

		worker->space = &t->pagewalk.space;
		worker->list = workload_list(w, ORDER_RANDOM);
		worker->start = &t->start;
		worker->first = i * (worker->list->count / THREADS);
		worker->cpu = i;
		worker->batch = bench->variant;
	}
	bench->state = t;
	bench->items = (uint64_t)bench->what * PARTS * PART;
	run_threads(t, bench->what);
	for (unsigned i = 0; i < bench->what; i++)
		check(&t->worker[i]);
}

static void close_threads(struct bench *bench)
{
	free(bench->state);
}

static const struct bench_kind threads_kind = {
	.open = open_threads,
	.clocked = clocked,
	.close = close_threads,
};

void threads_add(void)
{
	static const char *const who[] = {"pagewalk", "pagewalk-batch"};

	if (sysconf(_SC_NPROCESSORS_ONLN) < (long)THREADS) {
		bench_left_out("threads", "this machine has one CPU");
		return;
	}
	for (unsigned batch = 0; batch < 2; batch++) {
		for (unsigned count = 1; count <= THREADS; count++) {
			struct bench *bench = bench_add(
				&threads_kind, "threads/random/W2/%s-%u", who[batch], count);

			bench->what = count;
			bench->variant = batch;
		}
	}
}
