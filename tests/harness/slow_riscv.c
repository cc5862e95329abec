/* SPDX-License-Identifier: MIT */
/*
 * RISC-V, after the Privileged Architecture: "Sv32/Sv39/Sv48/Sv57", "Virtual Address Translation
 * Process", and for SvNNx4 the Hypervisor extension, "Guest Physical Address Translation". Sv32's
 * levels 1 and 0 and so on are the manual's own numbers.
 */
#include "slow_parts.h"

#include <assert.h>
#include <string.h>

enum {
	V = 0,
	R = 1,
	W = 2,
	X = 3,
	U = 4,
	G = 5,
	A = 6,
	D = 7,
	PPN = 10,
	N = 63
};

struct mode {
	unsigned levels;
	unsigned vpn_bits; /* of one index */
	unsigned pte_bytes;
	unsigned va_bits;
	bool g_stage; /* SvNNx4: two more bits at the top, zero-extended addresses */
};

static struct mode mode_of(const char *format)
{
	size_t length = strlen(format);
	bool x4 = length > 2 && !strcmp(format + length - 2, "x4");
	unsigned extra = x4 ? 2 : 0;

	if (!strncmp(format, "riscv-sv32", 10))
		return (struct mode){2, 10, 4, 32 + extra, x4};
	if (!strncmp(format, "riscv-sv39", 10))
		return (struct mode){3, 9, 8, 39 + extra, x4};
	if (!strncmp(format, "riscv-sv48", 10))
		return (struct mode){4, 9, 8, 48 + extra, x4};
	assert(!strncmp(format, "riscv-sv57", 10));
	return (struct mode){5, 9, 8, 57 + extra, x4};
}

static bool takes_address(const struct mode *mode, uint64_t va)
{
	if (mode->g_stage || mode->pte_bytes == 4)
		return !slow_any(va, 63, mode->va_bits);
	return slow_sign_extended(va, mode->va_bits);
}

/* The physical page number, as an address. */
static uint64_t address_of(const struct mode *mode, uint64_t pte)
{
	return slow_field(pte, mode->pte_bytes == 4 ? 31 : 53, PPN) << 12;
}

static bool is_leaf(uint64_t pte)
{
	return slow_bit(pte, R) || slow_bit(pte, X);
}

/* Bits 63:54, which Sv32 does not have. */
static bool bad_high_bits(const struct slow_config *config, uint64_t pte, unsigned level)
{
	uint64_t pbmt = slow_field(pte, 62, 61);

	if (slow_any(pte, 60, 54))
		return true;
	if (pbmt != 0 && (!config->riscv_svpbmt || !is_leaf(pte) || pbmt == 3))
		return true;
	if (!slow_bit(pte, N))
		return false;
	/* Svnapot: 64 KiB at level 0 is the one encoding so far. */
	return !config->riscv_svnapot || !is_leaf(pte) || level != 0 ||
	       slow_field(pte, PPN + 3, PPN) != 8;
}

static bool bad(
	const struct slow_config *config, const struct mode *mode, uint64_t pte, unsigned level)
{
	unsigned pa_bits = slow_pa_bits(config, mode->pte_bytes == 4 ? 34 : 56);

	if (slow_bit(pte, W) && !slow_bit(pte, R))
		return true;
	if (bad_high_bits(config, pte, level))
		return true;
	/* A narrower machine raises an access fault; the command calls it reserved. */
	if (slow_any(address_of(mode, pte), 63, pa_bits))
		return true;
	if (!is_leaf(pte)) /* nowhere to go from level 0; A, D, U are for leaves */
		return level == 0 || slow_bit(pte, A) || slow_bit(pte, D) || slow_bit(pte, U);
	/* A superpage whose PPN[level-1:0] is not zero. */
	return level > 0 && slow_any(pte, PPN + level * mode->vpn_bits - 1, PPN);
}

static void set_rights(const struct slow_config *config, bool g_stage, struct slow_result *result)
{
	uint64_t pte = result->entry;
	struct slow_rights all = {
		.read = slow_bit(pte, R) || (config->riscv_mxr && slow_bit(pte, X)),
		.write = slow_bit(pte, W),
		.execute = slow_bit(pte, X),
	};

	if (g_stage) {
		/* Every access counts as a user one, so U=0 lets nobody in. */
		if (slow_bit(pte, U)) {
			result->user = all;
			result->supervisor = all;
		}
		return;
	}
	if (!slow_bit(pte, U)) {
		result->supervisor = all;
		return;
	}
	result->user = all;
	if (config->riscv_sum) {
		result->supervisor = all;
		result->supervisor.execute = false; /* whatever SUM says */
	}
}

/* "Virtual Address Translation Process": permissions first, A and D last. */
static enum slow_status check(const struct slow_job *job)
{
	if (!slow_rights_allow(job))
		return SLOW_PROTECTION;
	if (job->access.op == SLOW_OP_NONE || !job->config->riscv_svade)
		return SLOW_MAPPED;
	if (!job->result->accessed)
		return SLOW_ACCESS_FLAG;
	if (job->access.op == SLOW_OP_WRITE && !job->result->dirty)
		return SLOW_ACCESS_FLAG;
	return SLOW_MAPPED;
}

static void leaf(const struct slow_job *job, const struct mode *mode, unsigned level, bool global)
{
	struct slow_result *result = job->result;
	uint64_t pte = result->entry;
	unsigned shift = 12 + level * mode->vpn_bits;

	if (mode->pte_bytes == 8 && slow_bit(pte, N))
		shift = 16; /* PPN[3:0] is the size; VA[15:12] stands in for it */
	result->pa =
		slow_keep(address_of(mode, pte), 63, shift) + slow_field(job->va, shift - 1, 0);
	result->page_size = (uint64_t)1 << shift;
	result->accessed = slow_bit(pte, A);
	result->dirty = slow_bit(pte, D);
	result->global = !mode->g_stage && global; /* G-stage: software's own bit */
	set_rights(job->config, mode->g_stage, result);
	result->status = check(job);
}

/* Read and judge the PTE of @level in @table. True: it is good. */
static bool get_pte(
	const struct slow_job *job, const struct mode *mode, unsigned level, uint64_t table)
{
	struct slow_result *result = job->result;
	unsigned low = 12 + level * mode->vpn_bits;
	unsigned high = low + mode->vpn_bits - 1;

	if (level == mode->levels - 1)
		high = mode->va_bits - 1; /* SvNNx4: a root of 16 KiB */
	if (!slow_read_entry(job, (int)level,
		    table + mode->pte_bytes * slow_field(job->va, high, low), mode->pte_bytes))
		return false;
	if (!slow_bit(result->entry, V)) {
		result->status = SLOW_NOT_PRESENT;
		return false;
	}
	if (bad(job->config, mode, result->entry, level)) {
		result->status = SLOW_RESERVED;
		return false;
	}
	return true;
}

void slow_walk_riscv(const struct slow_job *job)
{
	const struct mode mode = mode_of(job->config->format);
	struct slow_result *result = job->result;
	uint64_t table = slow_keep(job->config->root, 63, mode.g_stage ? 14 : 12);
	bool global = false;

	result->has_user_notion = !mode.g_stage;
	if (!takes_address(&mode, job->va)) {
		result->status = SLOW_NON_CANONICAL;
		return;
	}
	/* A good PTE at level 0 is a leaf, so the loop ends by itself. */
	for (unsigned level = mode.levels - 1;; level--) {
		if (!get_pte(job, &mode, level, table))
			return;
		/* G in a pointer makes everything below it global. */
		global = global || slow_bit(result->entry, G);
		if (is_leaf(result->entry)) {
			leaf(job, &mode, level, global);
			return;
		}
		table = address_of(&mode, result->entry);
	}
}
