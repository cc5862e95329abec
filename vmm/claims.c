/* SPDX-License-Identifier: MIT */
#include "claims.h"

#include <pagewalk_vmm/ports.h>

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
	return call->number == GUEST_CALL_FAULT ? vmm_guest_access(call->fault.access)
						: PW_ACCESS_ANY;
}

const char *claim_access_text(uint32_t guest_access)
{
	bool user = guest_access & GUEST_ACCESS_USER;

	if (guest_access & GUEST_ACCESS_IMPLICIT)
		return "supervisor implicit read";
	if (guest_access & GUEST_ACCESS_WRITE)
		return user ? "user write" : "supervisor write";
	if (guest_access & GUEST_ACCESS_FETCH)
		return user ? "user fetch" : "supervisor fetch";
	return user ? "user read" : "supervisor read";
}
