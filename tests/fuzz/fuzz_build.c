/* SPDX-License-Identifier: MIT */
/*
 * Arbitrary sequences of builders' operations, in any format, on tables of their own or ones that
 * somebody scribbles into: never a byte outside the memory, what fails changes nothing, what is
 * undone was never done, and on tables of their own everything goes back to the pool in the end.
 */
#include "expect.h"
#include <pagewalk/pagewalk.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define GRAIN   1024u
#define GRAINS  640u
#define BASE    UINT64_C(0x400000)
#define CELLS   4096u
#define STEPS   200u
#define RECORDS 96u /* few enough to be too few at times */

struct header {
	uint8_t format, flags, level, tables;
};

struct step {
	uint8_t op, rights, argument, count_shift;
	uint16_t from, count;
};

enum {
	FLAG_LIVE = 1,
	FLAG_KERNELS = 2,
	FLAG_SCRIBBLE = 4, /* entries are overwritten from outside */
	FLAG_FLUSH_NOW = 8,
	FLAG_FREED = 16, /* there is room for freed tables */
	FLAG_JOURNAL = 32,
};

struct world {
	uint8_t *
		bytes; /* a block of its own, so that AddressSanitizer sees the first one outside */
	uint8_t *copy, *kept;
	/* 1: a table begins here, 2: it goes on; now, before the step, when the journal began. */
	uint8_t state[GRAINS], before[GRAINS], at_begin[GRAINS];
	unsigned out, limit;
	bool scribbled;
	const struct pw_format *format;
	struct pw_window window;
	struct pw_memory memory;
	struct pw_space space;
	struct pw_flush flush;
	struct pw_flush_range ranges[4];
	struct pw_freed_table freed[8];
	struct pw_journal journal;
	struct pw_record record[RECORDS];
	pw_va first;
};

static unsigned grains_of(uint64_t bytes)
{
	return bytes <= GRAIN ? 1 : (unsigned)(bytes / GRAIN);
}

static bool allocate_table(void *ctx, uint64_t bytes, pw_pa *pa)
{
	struct world *w = ctx;
	unsigned grains = grains_of(bytes);

	if (w->out == w->limit)
		return false;
	for (unsigned at = 0; at + grains <= GRAINS; at += grains) {
		unsigned used = 0;

		for (unsigned i = at; i < at + grains; i++)
			used |= w->state[i];
		if (used)
			continue;
		memset(w->state + at, 2, grains);
		w->state[at] = 1;
		w->out++;
		*pa = BASE + at * GRAIN;
		return true;
	}
	return false;
}

static void free_table(void *ctx, pw_pa pa, uint64_t bytes)
{
	struct world *w = ctx;
	unsigned at = (unsigned)((pa - BASE) / GRAIN), grains = grains_of(bytes);

	/* Scribbled entries may lead to anything. */
	if (w->scribbled && (pa < BASE || at + grains > GRAINS || w->state[at] != 1))
		return;
	EXPECT(pa >= BASE && at + grains <= GRAINS && w->state[at] == 1);
	EXPECT(at + grains == GRAINS || w->state[at + grains] != 2 || w->scribbled);
	memset(w->state + at, 0, grains);
	w->out--;
}

static void flush_now(void *ctx, struct pw_flush *flush)
{
	(void)ctx;
	EXPECT(flush->range_count <= 4 && flush->freed_count <= 8);
}

/* What is undone from now on leads back to here. */
static void begin_journal(struct world *w)
{
	memcpy(w->kept, w->bytes, GRAINS * GRAIN);
	memcpy(w->at_begin, w->state, sizeof w->state);
}

static bool begin(struct world *w, const struct header *h)
{
	unsigned count = 0;
	pw_pa root;

	while (pw_format_at(count))
		count++;
	memset(w, 0, sizeof *w);
	w->format = pw_format_at(h->format % count);
	if (!w->format->levels)
		return false;
	w->bytes = malloc(GRAINS * GRAIN);
	w->copy = malloc(GRAINS * GRAIN);
	w->kept = malloc(GRAINS * GRAIN);
	EXPECT(w->bytes && w->copy && w->kept);
	memset(w->bytes, 0x5a, GRAINS * GRAIN);
	w->limit = GRAINS;
	w->window = (struct pw_window){.base = BASE, .size = GRAINS * GRAIN, .host = w->bytes};
	w->memory = (struct pw_memory){.windows = &w->window,
		.window_count = 1,
		.allocate_table = allocate_table,
		.free_table = free_table,
		.ctx = w,
		.kernels = h->flags & FLAG_KERNELS ? pw_kernels_best() : NULL};
	if (pw_root_create(w->format, &w->memory, &root) != PW_OK)
		return false;
	EXPECT(pw_space_init(&w->space, w->format, root, &w->memory) == PW_OK);
	w->limit = 2 + h->tables;
	w->flush = (struct pw_flush){.ranges = w->ranges,
		.range_max = 4,
		.freed = w->freed,
		.freed_max = h->flags & FLAG_FREED ? 8 : 0,
		.live = h->flags & FLAG_LIVE,
		.flush_now = h->flags & FLAG_FLUSH_NOW ? flush_now : NULL};
	w->journal = (struct pw_journal){.records = w->record, .max = RECORDS};
	if (h->flags & FLAG_JOURNAL)
		w->flush.journal = &w->journal;
	begin_journal(w);
	/* Across an entry of a level that the input chooses. */
	w->first = pw_level_page_size(&w->format->level[h->level % w->format->levels]);
	w->first -= CELLS / 2 * pw_level_page_size(&w->format->level[0]) < w->first
			    ? CELLS / 2 * pw_level_page_size(&w->format->level[0])
			    : w->first;
	w->first = pw_format_extend(w->format, w->first);
	return true;
}

/* Tables that were in use before are, with what was in them. */
static void expect_as(const struct world *w, const uint8_t *state, const uint8_t *bytes)
{
	for (unsigned i = 0; i < GRAINS; i++) {
		if (!state[i])
			continue;
		EXPECT(w->state[i] == state[i]);
		EXPECT(memcmp(w->bytes + i * GRAIN, bytes + i * GRAIN, GRAIN) == 0);
	}
}

/* What fails leaves every table that was in use as it was. */
static void expect_unchanged(const struct world *w)
{
	expect_as(w, w->before, w->copy);
	/* What had been linked in live tables, and was undone, waits. */
	for (unsigned i = 0; i < GRAINS; i++)
		EXPECT(!w->state[i] || w->before[i] || (w->flush.journal && w->flush.live));
}

/* Either all is undone, or all done for good. */
static enum pw_status settle(struct world *w, bool undo)
{
	enum pw_status status = PW_OK;

	if (undo && w->flush.journal) {
		status = pw_undo(&w->space, &w->flush, 0);
		if (w->scribbled) /* tables may overlap: it may stop anywhere */
			return PW_OK;
		/* Undone live, pages that were split may be marked dirty. */
		if (status == PW_OK && !w->flush.live)
			expect_as(w, w->at_begin, w->kept);
		return status;
	}
	pw_flush_done(&w->space, &w->flush);
	EXPECT(!w->flush.journal || w->journal.count == 0);
	begin_journal(w);
	return status;
}

static void scribble(struct world *w, const struct step *s)
{
	unsigned bytes = w->format->entry_bytes;
	uint64_t value = (uint64_t)s->count << (s->count_shift & 31), *at;

	/* Often to a table that is there, with the low bits of an entry. */
	value = s->argument & 1
			? value
			: ((BASE + s->count % GRAINS / 4 * 4 * GRAIN) >> w->format->address_left) |
				  s->rights;
	at = (uint64_t *)(void *)(w->bytes + s->from * 8u % (GRAINS * GRAIN));
	if (!w->state[s->from * 8u % (GRAINS * GRAIN) / GRAIN])
		return;
	w->scribbled = true;
	memcpy(at, &value, bytes);
}

static enum pw_status operate(struct world *w, const struct step *s)
{
	uint64_t page = pw_level_page_size(&w->format->level[0]), from = s->from % CELLS;
	uint64_t count = 1 + (s->count >> (s->count_shift & 15)) % CELLS;
	pw_rights rights = s->rights & PW_RIGHTS_MASK;
	struct pw_marks marks = {.clear = s->argument & 3};
	pw_va va = w->first + from * page;
	pw_pa pa = s->argument & 1 ? va & 0xffffffff : (uint64_t)s->argument << 24;
	uint64_t size, merged;

	count = count > CELLS - from ? CELLS - from : count;
	size = count * page;
	switch (s->op % 7) {
	case 0:
		rights |= s->rights & 0x40; /* PW_REPLACE */
		return pw_map(&w->space, va, pa & ~(page - 1), size, rights, &w->flush);
	case 1:
		if (s->rights & 0x80)
			return pw_modify(&w->space, va, size, rights & s->argument,
				(rights & ~s->argument) | PW_SOFTWARE(s->argument), &w->flush);
		return pw_protect(&w->space, va, size, rights, &w->flush);
	case 2:
		return pw_unmap(&w->space, va, size, &w->flush);
	case 3:
		return pw_split(&w->space, va, size, s->argument % 3, &w->flush);
	case 4:
		(void)!pw_collapse(&w->space, va, size,
			s->argument % 3 | (s->rights & 0x80 ? PW_CONTIGUOUS : 0), &merged,
			&w->flush);
		return PW_OK; /* what it did before it stopped stays done */
	case 5:
		(void)!pw_harvest(&w->space, va, size, &marks, &w->flush);
		return PW_OK;
	default:
		return settle(w, s->argument & 1);
	}
}

static void one(struct world *w, const struct header *h, const struct step *s)
{
	if (s->op % 8 == 7) {
		if (h->flags & FLAG_SCRIBBLE)
			scribble(w, s);
		return;
	}
	memcpy(w->copy, w->bytes, GRAINS * GRAIN);
	memcpy(w->before, w->state, sizeof w->state);
	if (operate(w, s) != PW_OK)
		expect_unchanged(w);
}

static void end(struct world *w)
{
	uint64_t size = CELLS * pw_level_page_size(&w->format->level[0]);

	if (!w->scribbled) {
		w->limit = GRAINS;
		pw_flush_done(&w->space, &w->flush);
		w->flush.journal = NULL;
		w->flush.live = false;
		EXPECT(pw_unmap(&w->space, w->first, size, &w->flush) == PW_OK);
		pw_flush_done(&w->space, &w->flush);
		EXPECT(w->out == 1);
	}
	free(w->bytes);
	free(w->copy);
	free(w->kept);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world w;
	struct header h;
	struct step step;

	if (size < sizeof h)
		return 0;
	memcpy(&h, data, sizeof h);
	if (!begin(&w, &h)) {
		free(w.bytes);
		free(w.copy);
		free(w.kept);
		return 0;
	}
	data += sizeof h;
	size -= sizeof h;
	for (unsigned i = 0; i < STEPS && size >= sizeof step; i++) {
		memcpy(&step, data, sizeof step);
		one(&w, &h, &step);
		data += sizeof step;
		size -= sizeof step;
	}
	end(&w);
	return 0;
}
