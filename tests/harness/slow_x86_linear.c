/* SPDX-License-Identifier: MIT */
/*
 * What becomes of a 64-bit linear address before paging, after Intel SDM Vol 3A, "Linear-Address
 * Masking" and "Linear-Address-Space Separation": the modified test for canonical addresses first,
 * then the masking.
 */
#include "slow_parts.h"

/* How many bits LAM leaves of this address; 64 if it has nothing to do with it. */
static unsigned width_left(const struct slow_job *job, unsigned bits)
{
	const struct slow_config *config = job->config;

	if (job->access.op == SLOW_OP_FETCH)
		return 64;
	if (job->access.op != SLOW_OP_NONE &&
		(job->access.implicit_supervisor || job->access.shadow_stack))
		return 64;
	if (slow_bit(job->va, 63)) /* a supervisor pointer */
		return config->cr4_lam_sup ? bits : 64;
	if (config->cr3_lam_u57)
		return 57;
	return config->cr3_lam_u48 ? 48 : 64;
}

/* Bit 63 has to be repeated in every bit that is neither metadata nor address. */
static bool is_canonical(uint64_t va, unsigned bits, unsigned width)
{
	for (unsigned n = (bits < width ? bits : width) - 1; n < 64; n++) {
		if (n < width && slow_bit(va, n) != slow_bit(va, 63))
			return false;
	}
	return true;
}

static bool lass_refuses(const struct slow_job *job)
{
	const struct slow_config *config = job->config;
	bool implicit = job->access.implicit_supervisor;
	bool upper = slow_bit(job->va, 63);

	if (!config->cr4_lass || job->access.op == SLOW_OP_NONE)
		return false;
	if (job->access.user && !implicit)
		return upper;
	if (upper)
		return false;
	if (job->access.op == SLOW_OP_FETCH)
		return true;
	return config->cr4_smap && (implicit || !config->rflags_ac);
}

bool slow_x86_linear(const struct slow_job *job, unsigned bits, uint64_t *va)
{
	unsigned width = width_left(job, bits);

	if (!is_canonical(job->va, bits, width)) {
		job->result->status = SLOW_NON_CANONICAL;
		return false;
	}
	if (lass_refuses(job)) {
		job->result->status = SLOW_LASS;
		return false;
	}
	*va = job->va;
	for (unsigned n = width; n < 63; n++) {
		*va &= ~((uint64_t)1 << n);
		*va |= (uint64_t)slow_bit(job->va, 63) << n;
	}
	return true;
}
