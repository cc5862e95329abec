/* SPDX-License-Identifier: MIT */
/* Which entry of a walk decided. */
#include <pagewalk/regions.h>

#include "entry_bits.h"
#include "translation.h"

static unsigned attribute_value(const struct pw_attribute *attribute, unsigned page_bit,
	uint64_t page, const uint64_t *table)
{
	bool set = page_bit == PW_NO_BIT ? attribute->fold == PW_FOLD_AND : page >> page_bit & 1;
	bool in_table;

	if (table == NULL || attribute->table_bit == PW_NO_BIT)
		return set;
	in_table = *table >> attribute->table_bit & 1;
	switch (attribute->fold) {
	case PW_FOLD_AND:
		return set && in_table;
	case PW_FOLD_OR:
		return set || in_table;
	case PW_FOLD_AND_NOT:
		return set && !in_table;
	default:
		return set;
	}
}

/* What the page grants alone (table NULL), or below this one table entry. */
static pw_grant grant_of(const struct pw_format *format, const struct pw_trace_step *page,
	const struct pw_trace_step *table)
{
	const struct pw_page *shape = entry_shape(format, page->level, page->entry);
	bool counts = table != NULL && format->level[table->level].fold != 0;
	unsigned value = 0;

	for (unsigned i = 0; i < format->attribute_count; i++)
		value |= attribute_value(&format->attribute[i], shape->right_bit[i], page->entry,
				 counts ? &table->entry : NULL)
			 << i;
	return format->grant[value];
}

static bool by_user(const struct translation *t)
{
	return (t->access & PW_ACCESS_USER) && !(t->access & PW_ACCESS_IMPLICIT);
}

static bool is_enough(const struct translation *t, pw_grant grant)
{
	pw_rights rights = by_user(t) ? pw_grant_user(grant) : pw_grant_supervisor(grant);

	switch (t->result.rule) {
	case PW_RULE_SUPERVISOR_PAGE:
		return pw_grant_user(grant) != 0;
	case PW_RULE_NOT_READABLE:
		return rights & PW_R;
	case PW_RULE_NOT_WRITABLE:
		return rights & PW_W;
	case PW_RULE_NO_EXECUTE:
		return rights & PW_X;
	default:
		return false; /* a rule about the page as a whole */
	}
}

/* x86: a shadow stack takes R/W = 1 in every table entry, R/W = 0 and D = 1 in the page. */
static bool is_shadow_stack(const struct translation *t, const struct pw_trace_step *step)
{
	const struct pw_format *format = t->space->format;
	bool w = step->entry >> format->attribute[0].table_bit & 1;
	bool u = step->entry >> format->attribute[1].table_bit & 1;

	if (by_user(t) && !u)
		return false;
	return step->kind == PW_TABLE
		       ? w
		       : !w && step->entry & entry_shape(format, step->level, step->entry)->dirty;
}

/* As refusing_step() says it; a supervisor's stack in a user page is refused for the page. */
static int refusing_shadow_stack(const struct translation *t)
{
	int last = (int)t->step_count - 1;

	for (int i = 0; i < last && is_shadow_stack(t, &t->steps[last]); i++)
		if (!is_shadow_stack(t, &t->steps[i]))
			return i;
	return last;
}

/*
 * If the page's own entry grants what was asked for, the table entry nearest to the root that
 * takes it away; otherwise the page's.
 */
static int refusing_step(const struct translation *t)
{
	const struct pw_format *format = t->space->format;
	int last = (int)t->step_count - 1;

	if (t->result.rule == PW_RULE_SHADOW_STACK)
		return refusing_shadow_stack(t);
	if (!is_enough(t, grant_of(format, &t->steps[last], NULL)))
		return last;
	for (int i = 0; i < last; i++)
		if (!is_enough(t, grant_of(format, &t->steps[last], &t->steps[i])))
			return i;
	return last;
}

int translation_deciding_step(const struct translation *t)
{
	if (t->step_count == 0)
		return -1;
	if (t->result.status == PW_PROTECTION)
		return refusing_step(t);
	return (int)t->step_count - 1;
}
