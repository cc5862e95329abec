/* SPDX-License-Identifier: MIT */
/* What the library says will become of a case. */
#include "nested_case.h"

#define VECTOR_PAGE_FAULT 14

static enum nested_end_kind kind_of(const struct pw_nested_result *r)
{
	switch (r->exit) {
	case PW_EXIT_NONE:
		return r->status == PW_OK ? NESTED_DONE : NESTED_OTHER;
	case PW_EXIT_GUEST:
		return NESTED_EXCEPTION;
	case PW_EXIT_EPT_VIOLATION:
	case PW_EXIT_NPF:
		return NESTED_VIOLATION;
	case PW_EXIT_EPT_MISCONFIGURATION:
		return NESTED_MISCONFIGURED;
	default:
		return NESTED_OTHER;
	}
}

static pw_access access_of(const struct nested_case *c)
{
	if (c->access & GUEST_ACCESS_WRITE)
		return PW_ACCESS_WRITE;
	return c->access & GUEST_ACCESS_FETCH ? PW_ACCESS_FETCH : PW_ACCESS_READ;
}

/* The nested guest's own paging. */
static enum pw_status first_space(const struct nested_world *world, struct pw_space *space)
{
	const struct pw_x86_state state = {
		.cr0 = world->guest.cr0,
		.cr3 = world->guest.cr3,
		.cr4 = world->guest.cr4,
		.efer = world->guest.efer,
		.maxphyaddr = nested_address_width(),
		.no_1g_pages = !(x86_extended_edx() & CPUID_EDX_1G),
		.amd = nested_is_amd,
	};

	return pw_space_init_x86(space, &state, &world->memory, NULL);
}

struct nested_wanted nested_foretell(const struct nested_world *world)
{
	pw_access user = world->guest.user ? PW_ACCESS_USER : 0;
	struct nested_wanted wanted = {.kind = NESTED_OTHER};
	struct pw_nested_result r;
	struct pw_space first;

	if (first_space(world, &first) != PW_OK)
		return wanted;
	/* The instruction first, then what it does. */
	if (pw_nested_translate(&first, &world->second, world->guest.rip, PW_ACCESS_FETCH | user,
		    &r) == PW_OK &&
		pw_nested_translate(&first, &world->second, world->guest.rdi,
			access_of(world->c) | user, &r) == PW_OK)
		return (struct nested_wanted){.kind = NESTED_DONE};
	wanted = (struct nested_wanted){
		.kind = kind_of(&r),
		.qualification = r.code,
		.mask = r.code_known,
		.gpa = r.address,
		.gla = r.va,
	};
	if (wanted.kind == NESTED_EXCEPTION) {
		wanted.vector = VECTOR_PAGE_FAULT;
		wanted.gpa = r.va; /* CR2 */
	}
	pw_nested_explain(&r, wanted.text, sizeof wanted.text);
	return wanted;
}
