/* SPDX-License-Identifier: MIT */
/* Holds what a guest says about its memory against what libpagewalk finds there. */
#include <pagewalk_vmm/ports.h>

#include <string.h>

#define VECTOR_GENERAL_PROTECTION 13
#define VECTOR_PAGE_FAULT         14

/* A string is read through this much at a time, so that its length costs no memory. */
#define CHUNK_BYTES      4096
/* No guest has this much to say; and a guest cannot make its VMM read for ever. */
#define STRING_BYTES_MAX (UINT64_C(1) << 20)

static uint32_t guest_rights(const struct pw_result *found)
{
	uint32_t rights = GUEST_RIGHT_MAPPED;

	if (found->rights & PW_W)
		rights |= GUEST_RIGHT_WRITE;
	if (found->rights & PW_X)
		rights |= GUEST_RIGHT_EXECUTE;
	if (found->rights & PW_U)
		rights |= GUEST_RIGHT_USER;
	return rights;
}

static bool translation_agrees(const struct pw_space *space, const struct guest_translate *said)
{
	struct pw_result found;
	uint64_t pattern;
	enum pw_status status = pw_translate(space, said->va, PW_ACCESS_ANY, &found);

	if (said->rights == 0)
		return status == PW_NOT_PRESENT || status == PW_NON_CANONICAL;
	if (status != PW_OK || found.pa != said->pa || found.page_size != said->page_size ||
		guest_rights(&found) != said->rights)
		return false;
	if (pw_read(space, said->va, &pattern, sizeof pattern) != PW_OK)
		return false;
	return pattern == said->pattern; /* the host is x86, as the guest is: one byte order */
}

static bool string_agrees(const struct pw_space *space, const struct guest_string *said)
{
	char chunk[CHUNK_BYTES];
	uint64_t done = 0;

	if (said->bytes == 0 || said->bytes > STRING_BYTES_MAX ||
		said->va + (said->bytes - 1) < said->va)
		return false;
	while (done < said->bytes) {
		uint64_t left = said->bytes - done;
		size_t count = left < sizeof chunk ? (size_t)left : sizeof chunk;

		if (pw_read(space, said->va + done, chunk, count) != PW_OK)
			return false;
		done += count;
	}
	return true;
}

pw_access vmm_guest_access(uint32_t guest_access)
{
	pw_access access = PW_ACCESS_READ;

	if (guest_access & GUEST_ACCESS_WRITE)
		access = PW_ACCESS_WRITE;
	else if (guest_access & GUEST_ACCESS_FETCH)
		access = PW_ACCESS_FETCH;
	return access | (guest_access & GUEST_ACCESS_USER ? PW_ACCESS_USER : 0) |
	       (guest_access & GUEST_ACCESS_IMPLICIT ? PW_ACCESS_IMPLICIT : 0);
}

void vmm_predict_fault(const struct pw_space *space, uint64_t va, uint32_t guest_access,
	uint32_t *vector, uint32_t *error_code)
{
	struct pw_result found;
	enum pw_status status = pw_translate(space, va, vmm_guest_access(guest_access), &found);

	*error_code = 0;
	if (status == PW_OK) {
		*vector = GUEST_NO_FAULT;
	} else if (status == PW_NON_CANONICAL || found.flags & PW_RESULT_GP) {
		*vector = VECTOR_GENERAL_PROTECTION;
	} else {
		*vector = VECTOR_PAGE_FAULT;
		*error_code = found.error_code;
	}
}

static bool fault_agrees(const struct pw_space *space, const struct guest_fault *said)
{
	uint32_t vector, error_code;

	vmm_predict_fault(space, said->va, said->access, &vector, &error_code);
	if (vector != said->vector || error_code != said->error_code)
		return false;
	return vector != VECTOR_PAGE_FAULT || said->cr2 == said->va;
}

bool vmm_claim_agrees(const struct pw_space *space, const struct guest_call *call)
{
	switch (call->number) {
	case GUEST_CALL_TRANSLATE:
		return translation_agrees(space, &call->translate);
	case GUEST_CALL_STRING:
		return string_agrees(space, &call->string);
	case GUEST_CALL_FAULT:
		return fault_agrees(space, &call->fault);
	default:
		return false;
	}
}

static bool is_claim(const struct guest_call *call)
{
	return call->number == GUEST_CALL_TRANSLATE || call->number == GUEST_CALL_STRING ||
	       call->number == GUEST_CALL_FAULT;
}

enum vmm_status vmm_call_judge(struct vmm_vcpu *vcpu, struct guest_call *call)
{
	struct pw_space space;
	enum vmm_status status = vmm_vcpu_space(vcpu, &space);

	if (status == VMM_OK && is_claim(call))
		call->answer =
			vmm_claim_agrees(&space, call) ? GUEST_ANSWER_AGREE : GUEST_ANSWER_DIFFER;
	return status;
}
