/* SPDX-License-Identifier: MIT */
/* A builder's fixture with a journal, and the memory as it was before. */
#ifndef PW_TEST_JOURNAL_SCENE_H
#define PW_TEST_JOURNAL_SCENE_H

#include "build_fixture.h"
#include <pagewalk/journal.h>

#define RWX     (PW_R | PW_W | PW_X)
#define RECORDS 4096

struct scene {
	struct fixture f;
	struct pw_record records[RECORDS];
	struct pw_journal journal;
	uint8_t *copy; /* of the memory before */
	/* What flush_now saw. */
	pw_va watched;
	unsigned flushes, holes;
};

void scene_begin(struct scene *s, const struct pw_format *format, bool windows);
void scene_end(struct scene *s);

/* An empty journal: what is in the memory now is what undoing leads back to. */
void scene_attach(struct scene *s);
/* Undone, flushed: the same tables as before, with the same in them. */
void scene_expect_undone(struct scene *s);

/* For flush_now: counts the calls, and those that find a hole at s->watched. */
void scene_count_flush(void *ctx, struct pw_flush *flush);

#endif
