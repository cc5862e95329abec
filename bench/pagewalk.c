/* SPDX-License-Identifier: MIT */
#include "pagewalk.h"
#include "batch.h"
#include "bench.h"
#include "translator.h"
#include "x86.h"

#include <stdlib.h>

_Static_assert(RIGHT_R == PW_R && RIGHT_W == PW_W && RIGHT_X == PW_X && RIGHT_U == PW_U,
	"rights are compared as they are");

/* What a user would write: a bounds check and a load. */
static bool read_pte(void *ctx, pw_pa pa, unsigned bytes, uint64_t *entry)
{
	const struct pw_window *window = ctx;

	if (pa >= window->size || bytes != 8)
		return false;
	*entry = x86_load(window->host, pa);
	return true;
}

void pagewalk_open(struct pagewalk *p, const struct image *image, uint64_t root, enum door door)
{
	*p = (struct pagewalk){.window = {.size = image->size, .host = image->bytes}};
	if (door == DOOR_WINDOW) {
		p->memory.windows = &p->window;
		p->memory.window_count = 1;
	} else {
		p->memory.read_pte = read_pte;
		p->memory.ctx = &p->window;
	}
	if (pw_space_init(&p->space, &pw_format_x86_64, root, &p->memory) != PW_OK)
		bench_die("the library refuses the space");
}

unsigned pagewalk_rights(pw_rights rights)
{
	return rights & (RIGHT_R | RIGHT_W | RIGHT_X | RIGHT_U);
}

/* ---- One by one ---- */

struct single {
	struct pagewalk pagewalk;
	struct pw_result ring[RING];
	unsigned refused;
	/* Of addresses that lie near each other: */
	bool near;
	struct pw_cursor cursor;
	struct pw_hit hit[RING];
};

static void *open_door(const struct workload *w, enum door door)
{
	struct single *single = calloc(1, sizeof *single);

	if (!single)
		bench_die("no memory");
	pagewalk_open(&single->pagewalk, &w->image, w->root, door);
	return single;
}

/* In sequence with a cursor, as a user would. */
static void *open_window(const struct workload *w, enum order order)
{
	struct single *single = open_door(w, DOOR_WINDOW);

	single->near = order == ORDER_SEQUENTIAL;
	if (pw_cursor_begin(&single->cursor, &single->pagewalk.space, PW_ACCESS_READ) != PW_OK)
		bench_die("the library refuses the access");
	return single;
}

static void *open_callbacks(const struct workload *w, enum order order)
{
	(void)order;
	return open_door(w, DOOR_CALLBACKS);
}

/* Each loop is a function of its own, as the limits' are: in one they would share the registers. */
static __attribute__((noinline)) void run(void *self, const uint64_t *va, size_t count)
{
	struct single *single = self;
	const struct pw_space *space = &single->pagewalk.space;
	unsigned refused = 0;

	for (size_t i = 0; i < count; i += RING) {
		size_t part = count - i < RING ? count - i : RING;

		for (size_t j = 0; j < part; j++)
			refused += pw_translate(space, va[i + j], PW_ACCESS_READ,
					   &single->ring[j]) != PW_OK;
	}
	single->refused += refused;
}

static __attribute__((noinline)) void run_near(
	struct single *single, const uint64_t *va, size_t count)
{
	unsigned refused = 0;

	for (size_t i = 0; i < count; i += RING) {
		size_t part = count - i < RING ? count - i : RING;

		for (size_t j = 0; j < part; j++)
			refused += pw_cursor_translate(
					   &single->cursor, va[i + j], &single->hit[j]) != PW_OK;
	}
	single->refused += refused;
}

static void run_window(void *self, const uint64_t *va, size_t count)
{
	struct single *single = self;

	if (single->near)
		run_near(single, va, count);
	else
		run(self, va, count);
}

static void tell(const struct pw_hit *hit, struct answer *answer)
{
	answer->mapped = hit->status == PW_OK;
	answer->pa = hit->pa;
	answer->level = hit->level;
	answer->rights = (int)pagewalk_rights(hit->rights);
	if (!answer->mapped && hit->status != PW_NOT_PRESENT)
		bench_die("%s", pw_status_name((enum pw_status)hit->status));
}

static void answer(const void *self, size_t index, struct answer *answer)
{
	const struct pw_result *result = &((const struct single *)self)->ring[index];

	answer->mapped = result->status == PW_OK;
	answer->pa = result->pa;
	answer->level = result->level;
	answer->rights = (int)pagewalk_rights(result->rights);
	if (!answer->mapped && result->status != PW_NOT_PRESENT)
		bench_die("%#llx: %s", (unsigned long long)result->va,
			pw_status_name((enum pw_status)result->status));
}

static void answer_window(const void *self, size_t index, struct answer *told)
{
	const struct single *single = self;

	if (single->near)
		tell(&single->hit[index], told);
	else
		answer(self, index, told);
}

const struct translator translator_pagewalk = {
	.who = "pagewalk",
	.open = open_window,
	.run = run_window,
	.answer = answer_window,
	.close = free,
	.group = RING,
	.sweeps = true,
	.huge = true,
};

const struct translator translator_pagewalk_callbacks = {
	.who = "pagewalk-callbacks",
	.open = open_callbacks,
	.run = run,
	.answer = answer,
	.close = free,
	.group = RING,
};

/* ---- Lists ---- */

struct list_of_hits {
	struct pagewalk pagewalk;
	size_t done;
	struct pw_hit hit[BATCH_MAX];
};

static void *open_list(const struct workload *w, const struct pw_kernels *kernels)
{
	struct list_of_hits *list = calloc(1, sizeof *list);

	if (!list)
		bench_die("no memory");
	pagewalk_open(&list->pagewalk, &w->image, w->root, DOOR_WINDOW);
	list->pagewalk.memory.kernels = kernels;
	return list;
}

static void *open_batch(const struct workload *w, enum order order)
{
	(void)order;
	return open_list(w, pw_kernels_best());
}

static void *open_scalar(const struct workload *w, enum order order)
{
	(void)order;
	return open_list(w, NULL);
}

static void run_list(void *self, const uint64_t *va, size_t count)
{
	struct list_of_hits *list = self;

	list->done +=
		pw_translate_batch(&list->pagewalk.space, va, count, PW_ACCESS_READ, list->hit);
}

static void answer_hit(const void *self, size_t index, struct answer *answer)
{
	tell(&((const struct list_of_hits *)self)->hit[index], answer);
}

/* With the best vector code for this processor. */
const struct translator translator_pagewalk_batch = {
	.who = "pagewalk-batch",
	.open = open_batch,
	.run = run_list,
	.answer = answer_hit,
	.close = free,
	.group = BATCH_MAX,
	.sweeps = true,
	.huge = true,
};

/* In plain C. */
const struct translator translator_pagewalk_scalar = {
	.who = "pagewalk-scalar",
	.open = open_scalar,
	.run = run_list,
	.answer = answer_hit,
	.close = free,
	.group = BATCH_MAX,
	.sweeps = true,
};
