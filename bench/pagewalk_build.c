/* SPDX-License-Identifier: MIT */
#include "bench.h"
#include "builder.h"
#include "pagewalk.h"

#include <stdlib.h>

/* Room for every table of the range: none is given back before the flush. */
#define FREED_MAX 4096u

struct build {
	struct pw_window window;
	struct pw_memory memory;
	struct pw_space space;
	struct pw_flush flush;
	struct pw_flush_range range[16];
	struct pw_freed_table freed[FREED_MAX];
};

static bool allocate_table(void *ctx, uint64_t bytes, pw_pa *pa)
{
	(void)bytes;
	*pa = ground_take(ctx);
	return true;
}

static void free_table(void *ctx, pw_pa pa, uint64_t bytes)
{
	(void)bytes;
	ground_give(ctx, pa);
}

static void *open_with(struct ground *g, const struct pw_kernels *kernels)
{
	struct build *b = calloc(1, sizeof *b);

	if (!b)
		bench_die("no memory");
	b->window = (struct pw_window){.size = g->image.size, .host = g->image.bytes};
	b->memory.windows = &b->window;
	b->memory.window_count = 1;
	b->memory.allocate_table = allocate_table;
	b->memory.free_table = free_table;
	b->memory.ctx = g;
	b->memory.kernels = kernels;
	b->flush.ranges = b->range;
	b->flush.range_max = sizeof b->range / sizeof b->range[0];
	b->flush.freed = b->freed;
	b->flush.freed_max = FREED_MAX;
	b->flush.live = g->live;
	if (pw_space_init(&b->space, &pw_format_x86_64, g->root, &b->memory) != PW_OK)
		bench_die("the library refuses the space");
	return b;
}

static void *open_build(struct ground *g)
{
	return open_with(g, pw_kernels_best());
}

static void *open_scalar(struct ground *g)
{
	return open_with(g, NULL);
}

/* What a caller does: flush its TLBs (none here), and give the tables back. */
static void done(struct build *b, enum pw_status status)
{
	if (status != PW_OK)
		bench_die("%s", pw_status_name(status));
	pw_flush_done(&b->space, &b->flush);
}

static void map(struct ground *g)
{
	struct build *b = g->own;

	done(b, pw_map(&b->space, g->va, g->pa, g->size, PW_R | PW_W | PW_U, &b->flush));
}

static void protect(struct ground *g, bool writable)
{
	struct build *b = g->own;

	done(b, pw_protect(
			&b->space, g->va, g->size, PW_R | PW_U | (writable ? PW_W : 0), &b->flush));
}

static void unmap(struct ground *g)
{
	struct build *b = g->own;

	done(b, pw_unmap(&b->space, g->va, g->size, &b->flush));
}

static void split(struct ground *g)
{
	struct build *b = g->own;

	done(b, pw_split(&b->space, g->va, g->size, 0, &b->flush));
}

static void collapse(struct ground *g)
{
	struct build *b = g->own;

	done(b, pw_collapse(&b->space, g->va, g->size, 2, NULL, &b->flush));
}

static void harvest(struct ground *g, uint64_t *dirty)
{
	struct build *b = g->own;
	struct pw_marks h = {.clear = PW_MARK_DIRTY, .dirty = dirty};

	done(b, pw_harvest(&b->space, g->va, g->size, &h, &b->flush));
}

const struct builder builder_pagewalk = {
	.who = "pagewalk",
	.open = open_build,
	.map = map,
	.protect = protect,
	.unmap = unmap,
	.split = split,
	.collapse = collapse,
	.harvest = harvest,
};

const struct builder builder_pagewalk_scalar = {
	.who = "pagewalk-scalar",
	.open = open_scalar,
	.map = map,
	.protect = protect,
	.unmap = unmap,
	.split = split,
	.collapse = collapse,
	.harvest = harvest,
};
