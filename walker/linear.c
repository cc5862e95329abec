/* SPDX-License-Identifier: MIT */
/*
 * Linear-address masking (LAM) and linear-address-space separation (LASS), which act on 64-bit
 * linear addresses only. Bit 63 says whose address it is, whoever makes the access.
 */
#include "linear.h"
#include "entry.h"

#define SUPERVISOR_HALF PW_BIT(63)

/*
 * Ordinary data accesses only: not fetches, nor the loads that the CPU makes for itself, nor
 * shadow stacks. Bits 62 down to the width become copies of the address's highest bit; with bit 63,
 * which stays, the ordinary test for a canonical address is then LAM's own.
 */
static pw_va without_metadata(const struct pw_space *space, pw_va va, pw_access access)
{
	const pw_access bare = PW_ACCESS_FETCH | PW_ACCESS_IMPLICIT | PW_ACCESS_SHADOW_STACK;
	unsigned width = va & SUPERVISOR_HALF ? space->lam_supervisor : space->lam_user;
	uint64_t metadata;

	if (!width || access & bare)
		return va;
	metadata = PW_BITS(width, 62);
	return va >> (width - 1) & 1 ? va | metadata : va & ~metadata;
}

static bool lies_in_the_wrong_half(const struct pw_space *space, pw_va va, pw_access access)
{
	bool user = (access & PW_ACCESS_USER) && !(access & PW_ACCESS_IMPLICIT);
	unsigned need = PW_LASS_EXPLICIT;

	if (!space->lass || access & PW_ACCESS_ANY)
		return false;
	if (user)
		return va & SUPERVISOR_HALF;
	if (access & PW_ACCESS_FETCH)
		need = PW_LASS_ON;
	else if (access & PW_ACCESS_IMPLICIT)
		need = PW_LASS_IMPLICIT;
	return (space->lass & need) && !(va & SUPERVISOR_HALF);
}

enum pw_status pw_linear(const struct pw_space *space, pw_va *va, pw_access access)
{
	*va = without_metadata(space, *va, access);
	if (!pw_takes(space->extension, space->format->va_bits, *va))
		return PW_NON_CANONICAL;
	return lies_in_the_wrong_half(space, *va, access) ? PW_LASS : PW_OK;
}
