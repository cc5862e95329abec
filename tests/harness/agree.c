/* SPDX-License-Identifier: MIT */
#include "agree.h"

static const enum slow_status slow_of[PW_STATUS_COUNT] = {
	[PW_OK] = SLOW_MAPPED,
	[PW_NOT_PRESENT] = SLOW_NOT_PRESENT,
	[PW_RESERVED] = SLOW_RESERVED,
	[PW_NON_CANONICAL] = SLOW_NON_CANONICAL,
	[PW_NO_MEMORY] = SLOW_NO_MEMORY,
	[PW_PROTECTION] = SLOW_PROTECTION,
	[PW_PROTECTION_KEY] = SLOW_PROTECTION_KEY,
	[PW_ACCESS_FLAG] = SLOW_ACCESS_FLAG,
	[PW_LASS] = SLOW_LASS,
};

enum slow_status agree_slow_status(unsigned status)
{
	return slow_of[status];
}

static unsigned letters(struct slow_rights rights)
{
	return (rights.read ? PW_R : 0) | (rights.write ? PW_W : 0) | (rights.execute ? PW_X : 0);
}

bool agree_has_page(const struct pw_result *r)
{
	return r->status == PW_OK || r->status == PW_PROTECTION || r->status == PW_PROTECTION_KEY ||
	       r->status == PW_ACCESS_FLAG;
}

static const char *difference_of_pages(
	const struct pw_format *format, const struct pw_result *r, const struct slow_result *twin)
{
	if (r->pa != twin->pa)
		return "pa";
	if (r->page_size != twin->page_size)
		return "page size";
	if (r->user != letters(twin->user))
		return "user rights";
	if (r->supervisor != letters(twin->supervisor))
		return "supervisor rights";
	if (!!(r->flags & PW_RESULT_ACCESSED) != twin->accessed)
		return "accessed";
	if (!!(r->flags & PW_RESULT_DIRTY) != twin->dirty)
		return "dirty";
	if (!!(r->flags & PW_RESULT_GLOBAL) != twin->global)
		return "global";
	if (r->key != twin->key)
		return "key";
	if ((format->family == PW_FAMILY_X86 || format->family == PW_FAMILY_NPT) &&
		r->memory_type != twin->pat_index)
		return "memory type";
	return NULL;
}

const char *agree_difference(
	const struct pw_format *format, const struct pw_result *r, const struct slow_result *twin)
{
	bool pdpte = format == &pw_format_x86_pae && r->status == PW_RESERVED && r->level == 2;

	bool lass = r->status == PW_LASS;

	if ((r->status > PW_ACCESS_FLAG && !lass) || slow_of[r->status] != twin->status)
		return "status";
	if (r->level != twin->level && format->levels)
		return "level";
	/* The twin gives the #PF of nested paging for PDPTEs; here a CR3 load raises #GP. */
	if (!pdpte && twin->error_code_valid != !!(r->flags & PW_RESULT_ERROR_CODE))
		return "whether there is an error code";
	if (!pdpte && r->error_code != twin->error_code)
		return "error code";
	if (r->status != PW_NON_CANONICAL && !lass && r->status != PW_NO_MEMORY && format->levels &&
		(r->entry != twin->entry || r->entry_pa != twin->entry_pa))
		return "entry";
	return agree_has_page(r) ? difference_of_pages(format, r, twin) : NULL;
}
