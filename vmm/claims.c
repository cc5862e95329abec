/* SPDX-License-Identifier: MIT */
#include "claims.h"

#include <string.h>

#include <pagewalk/copy.h>
#include <pagewalk_vmm/ports.h>

/* No guest has more text than this for us. */
#define STRING_BYTES_MAX (UINT64_C(1) << 16)

static uint32_t rights_found(const struct pw_result *found)
{
	return GUEST_RIGHT_MAPPED | (found->rights & PW_W ? GUEST_RIGHT_WRITE : 0) |
	       (found->rights & PW_X ? GUEST_RIGHT_EXECUTE : 0) |
	       (found->rights & PW_U ? GUEST_RIGHT_USER : 0);
}

static bool mapping_agrees(const struct pw_space *space, const struct guest_translate *said)
{
	struct pw_result found;
	uint64_t pattern;
	enum pw_status status = pw_translate(space, said->va, PW_ACCESS_ANY, &found);

	if (said->rights == 0)
		return status == PW_NOT_PRESENT || status == PW_NON_CANONICAL;
	return status == PW_OK && found.pa == said->pa && found.page_size == said->page_size &&
	       rights_found(&found) == said->rights &&
	       pw_read(space, said->va, &pattern, sizeof pattern) == PW_OK &&
	       pattern == said->pattern;
}

static bool string_is_there(const struct pw_space *space, const struct guest_string *said)
{
	static char text[STRING_BYTES_MAX];

	return said->bytes > 0 && said->bytes <= sizeof text &&
	       pw_read(space, said->va, text, (size_t)said->bytes) == PW_OK;
}

static bool fault_agrees(const struct pw_space *space, const struct guest_fault *said)
{
	uint32_t vector, error_code;

	vmm_predict_fault(space, said->va, said->access, &vector, &error_code);
	return vector == said->vector && error_code == said->error_code;
}

bool claim_agrees(const struct pw_space *space, const struct guest_call *call)
{
	switch (call->number) {
	case GUEST_CALL_TRANSLATE:
		return mapping_agrees(space, &call->translate);
	case GUEST_CALL_STRING:
		return string_is_there(space, &call->string);
	case GUEST_CALL_FAULT:
		return fault_agrees(space, &call->fault);
	default:
		return false;
	}
}

pw_va claim_va(const struct guest_call *call)
{
	switch (call->number) {
	case GUEST_CALL_STRING:
		return call->string.va;
	case GUEST_CALL_FAULT:
		return call->fault.va;
	default:
		return call->translate.va;
	}
}

pw_access claim_access(const struct guest_call *call)
{
	pw_access access = PW_ACCESS_READ;

	if (call->number != GUEST_CALL_FAULT)
		return PW_ACCESS_ANY;
	if (call->fault.access & GUEST_ACCESS_WRITE)
		access = PW_ACCESS_WRITE;
	else if (call->fault.access & GUEST_ACCESS_FETCH)
		access = PW_ACCESS_FETCH;
	return call->fault.access & GUEST_ACCESS_USER ? access | PW_ACCESS_USER : access;
}

const char *claim_access_text(uint32_t guest_access)
{
	bool user = guest_access & GUEST_ACCESS_USER;

	if (guest_access & GUEST_ACCESS_WRITE)
		return user ? "user write" : "supervisor write";
	if (guest_access & GUEST_ACCESS_FETCH)
		return user ? "user fetch" : "supervisor fetch";
	return user ? "user read" : "supervisor read";
}
