/* SPDX-License-Identifier: MIT */
/* translate/ORDER/WORKLOAD/WHO, translate-huge/... and sweep/SIZE/WHO. */
#include "bench.h"
#include "kinds.h"
#include "translator.h"
#include "x86.h"

#include <stdlib.h>

#define ITEMS 4096u

static const struct translator *const translators[] = {
	&translator_limit,
	&translator_limit_checked,
	&translator_limit_called,
	&translator_pagewalk,
	&translator_pagewalk_callbacks,
	&translator_limit_last,
	&translator_limit_batch,
	&translator_limit_batch_scalar,
	&translator_pagewalk_batch,
	&translator_pagewalk_scalar,
	&translator_pointers,
	&translator_slow,
	&translator_addrxlat,
	&translator_kvm,
};

#define TRANSLATORS (sizeof translators / sizeof translators[0])

struct state {
	void *self;
	const struct list *list;
	size_t position;
};

enum variant {
	NORMAL,
	HUGE,
	SWEEP,
};

static const struct workload *workload_of(const struct bench *bench)
{
	if (bench->variant == SWEEP)
		return workload_sweep(bench->size);
	return workload_get((enum workload_id)bench->size, bench->variant == HUGE);
}

static void compare(const struct list *list, size_t i, const struct answer *got)
{
	bool mapped = list->pa[i] != LIST_HOLE;
	unsigned long long va = list->va[i];

	if (got->mapped != mapped)
		bench_die("%#llx: %smapped, says the generator", va, mapped ? "" : "not ");
	if (!mapped)
		return;
	if (got->pa != list->pa[i])
		bench_die("%#llx: pa is %#llx, not %#llx", va, (unsigned long long)list->pa[i],
			(unsigned long long)got->pa);
	if (got->level >= 0 && got->level != list->level[i])
		bench_die("%#llx: level is %d, not %d", va, list->level[i], got->level);
	if (got->rights >= 0 && got->rights != list->rights[i])
		bench_die("%#llx: rights are %#x, not %#x", va, (unsigned)list->rights[i],
			(unsigned)got->rights);
}

static void verify(const struct translator *t, void *self, const struct list *list)
{
	size_t count = list->count;
	struct answer answer;

	if (t->verify_count && count > t->verify_count)
		count = t->verify_count;
	for (size_t first = 0; first < count; first += t->group) {
		size_t part = count - first < t->group ? count - first : t->group;

		t->run(self, list->va + first, part);
		for (size_t i = 0; i < part; i++) {
			answer = (struct answer){.level = -1, .rights = -1};
			t->answer(self, i, &answer);
			compare(list, first + i, &answer);
		}
	}
}

static void open_translate(struct bench *bench)
{
	const struct translator *t = bench->who;
	const struct workload *w = workload_of(bench);
	struct state *state = calloc(1, sizeof *state);

	if (!state)
		bench_die("no memory");
	state->list = workload_list(w, (enum order)bench->what);
	state->self = t->open(w, (enum order)bench->what);
	verify(t, state->self, state->list);
	bench->state = state;
}

static void run_translate(struct bench *bench)
{
	const struct translator *t = bench->who;
	struct state *state = bench->state;

	t->run(state->self, state->list->va + state->position, ITEMS);
	state->position = (state->position + ITEMS) & (state->list->count - 1);
}

static void close_translate(struct bench *bench)
{
	const struct translator *t = bench->who;
	struct state *state = bench->state;

	if (state)
		t->close(state->self);
	free(state);
}

static const struct bench_kind translate_kind = {
	.open = open_translate,
	.run = run_translate,
	.close = close_translate,
};

static void set(struct bench *bench, const struct translator *t, enum order order,
	enum variant variant, uint64_t size)
{
	bench->who = t;
	bench->what = order;
	bench->variant = variant;
	bench->size = size;
	bench->items = ITEMS;
}

static void add_workload(enum order order, const char *order_name, enum workload_id id)
{
	for (size_t i = 0; i < TRANSLATORS; i++) {
		const struct translator *t = translators[i];
		const char *why = id == W4 && t->refuses_large ? t->refuses_large() : NULL;

		if ((t->missing && t->missing()) ||
			(t->sequential_only && order != ORDER_SEQUENTIAL))
			continue;
		if (why)
			bench_left_out(t->who, why);
		else
			set(bench_add(&translate_kind, "translate/%s/%s/%s", order_name,
				    workload_name(id), t->who),
				t, order, NORMAL, id);
	}
}

static void add_huge(enum workload_id id)
{
	for (size_t i = 0; i < TRANSLATORS; i++) {
		const struct translator *t = translators[i];

		if (t->huge && !(t->missing && t->missing()))
			set(bench_add(&translate_kind, "translate-huge/random/%s/%s",
				    workload_name(id), t->who),
				t, ORDER_RANDOM, HUGE, id);
	}
}

static void add_sweep(void)
{
	uint64_t last = bench_is_small() ? UINT64_C(1) << 18 : UINT64_C(1) << 30;

	for (uint64_t bytes = 1 << 14; bytes <= last; bytes *= 2) {
		for (size_t i = 0; i < TRANSLATORS; i++) {
			const struct translator *t = translators[i];

			if (t->sweeps && !(t->missing && t->missing()))
				set(bench_add(&translate_kind, "sweep/%lluKiB/%s",
					    (unsigned long long)bytes / 1024, t->who),
					t, ORDER_RANDOM, SWEEP, bytes);
		}
	}
}

void translate_add(void)
{
	static const char *const order_name[ORDERS] = {
		[ORDER_RANDOM] = "random",
		[ORDER_SEQUENTIAL] = "sequential",
		[ORDER_UNMAPPED] = "unmapped",
	};

	for (size_t i = 0; i < TRANSLATORS; i++) {
		if (translators[i]->missing && translators[i]->missing())
			bench_left_out(translators[i]->who, translators[i]->missing());
	}
	for (unsigned order = 0; order < ORDERS; order++) {
		for (unsigned id = 0; id < WORKLOADS; id++)
			add_workload((enum order)order, order_name[order], (enum workload_id)id);
	}
	add_huge(W2);
	add_huge(W3);
	add_sweep();
}
