/* SPDX-License-Identifier: MIT */
/* What the library says will become of a case. */
#include "nested_case.h"

#define VECTOR_PROTECTION 13
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
static struct pw_x86_state first_state(const struct nested_world *world, uint64_t cr3)
{
	struct pw_x86_state state = {
		.cr0 = world->guest.cr0,
		.cr3 = cr3,
		.cr4 = world->guest.cr4,
		.efer = world->guest.efer,
		.maxphyaddr = nested_address_width(),
		.no_1g_pages = !(x86_extended_edx() & CPUID_EDX_1G),
		.amd = nested_is_amd,
	};

	memcpy(state.pdpte, world->guest.pdpte, sizeof state.pdpte);
	return state;
}

static enum pw_status translate(const struct nested_world *world, const struct pw_x86_state *state,
	uint64_t va, pw_access access, struct pw_nested_result *r)
{
	struct pw_space first;
	enum pw_status status = pw_space_init_x86(&first, state, &world->memory, NULL);

	if (status == PW_OK)
		status = pw_nested_translate(&first, &world->second, va, access, r);
	return status;
}

/* MOV to CR3 with PAE paging, and the way to the next instruction: from memory, through EPT. */
static enum pw_status load_cr3(const struct nested_world *world, struct pw_nested_result *r)
{
	struct pw_x86_state state = first_state(world, world->guest.rax);
	struct pw_nested_memory memory;
	struct pw_space first;
	enum pw_status status = translate(
		world, &state, world->guest.rip + NESTED_LOAD_CR3_BYTES, PW_ACCESS_FETCH, r);

	if (status != PW_OK || nested_is_amd)
		return status;
	/* All four are loaded, and looked at. */
	pw_nested_memory_begin(&memory, &world->second, true);
	state.pdpte_load = true;
	status = pw_space_init_x86(&first, &state, &memory.memory, NULL);
	if (status == PW_E_STATE)
		*r = (struct pw_nested_result){.status = PW_E_STATE, .exit = PW_EXIT_GUEST};
	return status;
}

/* The instruction first, then what it does. */
static enum pw_status translate_all(const struct nested_world *world, struct pw_nested_result *r)
{
	pw_access user = world->guest.user ? PW_ACCESS_USER : 0;
	bool loads = world->c->access & NESTED_ACCESS_LOAD_CR3;
	struct pw_x86_state state = first_state(world, world->guest.cr3);
	enum pw_status status;

	state.pdpte_loaded = loads && !nested_is_amd;
	status = translate(world, &state, world->guest.rip, PW_ACCESS_FETCH | user, r);
	if (status != PW_OK)
		return status;
	if (loads)
		return load_cr3(world, r);
	return translate(world, &state, world->guest.rdi, access_of(world->c) | user, r);
}

struct nested_wanted nested_foretell(const struct nested_world *world)
{
	struct pw_nested_result r = {.exit = PW_EXIT_NONE, .status = PW_E_ARGUMENT};
	struct nested_wanted wanted;

	if (translate_all(world, &r) == PW_OK)
		return (struct nested_wanted){.kind = NESTED_DONE};
	wanted = (struct nested_wanted){
		.kind = kind_of(&r),
		.qualification = r.code,
		.mask = r.code_known,
		.gpa = r.address,
		.gla = r.va,
	};
	if (wanted.kind == NESTED_EXCEPTION) {
		bool page_fault = r.stage1.flags & PW_RESULT_ERROR_CODE;

		wanted.vector = page_fault ? VECTOR_PAGE_FAULT : VECTOR_PROTECTION;
		wanted.gpa = page_fault ? r.va : 0; /* CR2 */
	}
	pw_nested_explain(&r, wanted.text, sizeof wanted.text);
	return wanted;
}
