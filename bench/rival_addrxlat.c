/* SPDX-License-Identifier: MIT */
/* libaddrxlat of libkdumpfile: the page-table walker under crash and drgn. */
#include "bench.h"
#include "translator.h"
#include "x86.h"

#ifdef PW_BENCH_ADDRXLAT

#include <libkdumpfile/addrxlat.h>

#include <stdlib.h>

struct rival {
	const struct image *image;
	addrxlat_ctx_t *ctx;
	addrxlat_meth_t method;
	uint64_t ring[RING];
};

static void put_page(const addrxlat_buffer_t *buffer)
{
	(void)buffer;
}

/* The whole image as one buffer: the library keeps it and does not ask again. */
static addrxlat_status get_page(const addrxlat_cb_t *cb, addrxlat_buffer_t *buffer)
{
	const struct rival *rival = cb->priv;

	if (buffer->addr.addr >= rival->image->size)
		return ADDRXLAT_ERR_NODATA;
	buffer->addr.addr = 0;
	buffer->ptr = rival->image->bytes;
	buffer->size = rival->image->size;
	buffer->byte_order = ADDRXLAT_LITTLE_ENDIAN;
	buffer->put_page = put_page;
	return ADDRXLAT_OK;
}

static unsigned long read_caps(const addrxlat_cb_t *cb)
{
	(void)cb;
	return ADDRXLAT_CAPS(ADDRXLAT_MACHPHYSADDR);
}

static void *open_rival(const struct workload *w, enum order order)
{
	struct rival *rival = calloc(1, sizeof *rival);
	addrxlat_cb_t *cb;

	(void)order;
	if (!rival)
		bench_die("no memory");
	rival->image = &w->image;
	rival->ctx = addrxlat_ctx_new();
	cb = rival->ctx ? addrxlat_ctx_add_cb(rival->ctx) : NULL;
	if (!cb)
		bench_die("no memory");
	cb->priv = rival;
	cb->get_page = get_page;
	cb->read_caps = read_caps;
	rival->method = (addrxlat_meth_t){.kind = ADDRXLAT_PGT, .target_as = ADDRXLAT_MACHPHYSADDR};
	rival->method.param.pgt = (addrxlat_param_pgt_t){
		.root = {w->root, ADDRXLAT_MACHPHYSADDR},
		.pf = {ADDRXLAT_PTE_X86_64, 5, {12, 9, 9, 9, 9}},
	};
	return rival;
}

static void run(void *self, const uint64_t *va, size_t count)
{
	struct rival *rival = self;
	addrxlat_step_t step = {.ctx = rival->ctx, .meth = &rival->method};

	for (size_t i = 0; i < count; i++) {
		addrxlat_status status;

		step.base = (addrxlat_fulladdr_t){va[i], ADDRXLAT_KVADDR};
		status = addrxlat_walk(&step);
		rival->ring[RING_AT(i)] =
			status == ADDRXLAT_OK ? (uint64_t)step.base.addr : LIST_HOLE;
		if (status != ADDRXLAT_OK)
			addrxlat_ctx_clear_err(rival->ctx);
	}
}

static void answer(const void *self, size_t index, struct answer *answer)
{
	answer->pa = ((const struct rival *)self)->ring[index];
	answer->mapped = answer->pa != LIST_HOLE;
}

static void close_rival(void *self)
{
	struct rival *rival = self;

	addrxlat_ctx_decref(rival->ctx);
	free(rival);
}

const struct translator translator_addrxlat = {
	.who = "libaddrxlat",
	.open = open_rival,
	.run = run,
	.answer = answer,
	.close = close_rival,
	.group = RING,
	.verify_count = 1u << 17,
	.sweeps = true,
};

#else

static const char *missing(void)
{
	return "built without it (Debian: libkdumpfile-dev)";
}

const struct translator translator_addrxlat = {
	.who = "libaddrxlat",
	.missing = missing,
};

#endif
