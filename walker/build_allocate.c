/* SPDX-License-Identifier: MIT */
/* Allocating: like mapping, to pages that the memory gives one by one and of which it may run out.
 */
#include "build.h"

enum pw_status pw_allocate(const struct pw_space *space, pw_va va, uint64_t size, pw_rights rights,
	struct pw_flush *flush)
{
	struct pw_build b;
	enum pw_status status = pw_build_begin(&b, space, va, size, flush);

	if (status == PW_OK)
		status = pw_map_wish(&b, rights);
	if (status != PW_OK)
		return status;
	if (!space->memory->allocate_page)
		return PW_E_NO_TABLES;
	if (!space->memory->free_page)
		return PW_E_ARGUMENT; /* could not give back what it took */
	b.source = PW_SOURCE_PAGES;
	status = pw_plan_map(&b);
	return status == PW_OK ? pw_fill_holes(&b) : status;
}
