/* SPDX-License-Identifier: MIT */
#include "journal_scene.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

void scene_attach(struct scene *s)
{
	s->journal = (struct pw_journal){.records = s->records, .max = RECORDS};
	s->f.flush.journal = &s->journal;
	free(s->copy);
	s->copy = malloc(s->f.tm.size + s->f.tm.size / TEST_GRAIN);
	cr_assert(s->copy != NULL);
	test_memory_copy_tables(&s->f.tm, s->copy);
}

void scene_begin(struct scene *s, const struct pw_format *format, bool windows)
{
	memset(s, 0, sizeof *s);
	fixture_begin(&s->f, format, windows);
	scene_attach(s);
}

void scene_expect_undone(struct scene *s)
{
	enum pw_status status = pw_undo(&s->f.space, &s->f.flush, 0);

	cr_assert(status == PW_OK, "%s: %s", s->f.format->name, pw_status_name(status));
	pw_flush_done(&s->f.space, &s->f.flush);
	cr_assert(s->journal.count == 0);
	cr_assert(test_memory_tables_equal(&s->f.tm, s->copy), "%s: not as before",
		s->f.format->name);
}

void scene_end(struct scene *s)
{
	s->f.flush.journal = NULL;
	free(s->copy);
	s->copy = NULL;
	fixture_end(&s->f);
}

void scene_count_flush(void *ctx, struct pw_flush *flush)
{
	struct scene *s = ctx;

	(void)flush;
	s->flushes++;
	s->holes += fixture_look(&s->f, s->watched).status == SLOW_NOT_PRESENT;
}
