/* SPDX-License-Identifier: MIT */
#include "access_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t model_count(const struct model_group *group)
{
	uint64_t count = 1;

	for (unsigned i = 0; i < MODEL_CHOICES && group->choices[i].settings; i++)
		count *= group->choices[i].count + 1;
	return count;
}

/* at[i] for all i <= from, from the digits. */
static void flip_from(struct model_cursor *cursor, unsigned from)
{
	for (unsigned i = from + 1; i-- > 0;) {
		cursor->at[i] = cursor->at[i + 1];
		if (cursor->digit[i]) {
			const struct model_choice *choice = &cursor->group->choices[i];
			const struct model_setting *taken = &choice->settings[cursor->digit[i] - 1];

			cursor->at[i].field[taken->field] ^= taken->flip;
		}
	}
}

void model_begin(struct model_cursor *cursor, const struct model_group *group)
{
	*cursor = (struct model_cursor){.group = group};
	while (cursor->choices < MODEL_CHOICES && group->choices[cursor->choices].settings)
		cursor->choices++;
	cursor->at[cursor->choices] = group->base;
	flip_from(cursor, cursor->choices - 1);
}

/* Addition in the mixed radix of the choices. */
bool model_advance(struct model_cursor *cursor, uint64_t steps)
{
	unsigned i = 0;

	for (; steps > 0 && i < cursor->choices; i++) {
		unsigned ways = cursor->group->choices[i].count + 1;

		steps += cursor->digit[i];
		cursor->digit[i] = (unsigned)(steps % ways);
		steps /= ways;
	}
	if (steps > 0)
		return false;
	if (i > 0)
		flip_from(cursor, i - 1);
	return true;
}

bool model_is_access(const struct model_case *c)
{
	uint64_t access = c->field[MODEL_ACCESS];
	uint64_t kind = access & (PW_ACCESS_READ | PW_ACCESS_WRITE | PW_ACCESS_FETCH);
	bool cet = c->field[MODEL_CR4] & PW_CR4_CET;

	if (access & PW_ACCESS_ANY)
		return access == PW_ACCESS_ANY;
	if (kind & (kind - 1))
		return false;
	if ((access & PW_ACCESS_SHADOW_STACK) && (!cet || kind == PW_ACCESS_FETCH))
		return false;
	return !cet || (c->field[MODEL_CR0] & PW_CR0_WP);
}

bool model_is_legal(const struct model_cursor *cursor)
{
	const struct model_case *c = &cursor->at[0];

	return model_is_access(c) && (!cursor->group->is_legal || cursor->group->is_legal(c));
}

const char *model_describe(const struct model_cursor *cursor, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < cursor->choices; i++) {
		const struct model_choice *choice = &cursor->group->choices[i];

		if (cursor->digit[i] && used < size)
			used += (size_t)snprintf(text + used, size - used, "%s%s", used ? " " : "",
				choice->settings[cursor->digit[i] - 1].name);
	}
	return text;
}

struct pw_x86_state model_state(const struct model_case *c, uint64_t cr3)
{
	return (struct pw_x86_state){
		.cr0 = c->field[MODEL_CR0],
		.cr3 = cr3,
		.cr4 = c->field[MODEL_CR4],
		.efer = c->field[MODEL_EFER],
		.rflags = c->field[MODEL_RFLAGS],
		.pkru = (uint32_t)c->field[MODEL_PKRU],
		.pkrs = (uint32_t)c->field[MODEL_PKRS],
		.maxphyaddr = (uint8_t)c->field[MODEL_WIDTH],
		.no_1g_pages = c->field[MODEL_CPU] & MODEL_CPU_NO_1G,
		.no_pse36 = c->field[MODEL_CPU] & MODEL_CPU_NO_PSE36,
		.amd = c->field[MODEL_CPU] & MODEL_CPU_AMD,
	};
}
