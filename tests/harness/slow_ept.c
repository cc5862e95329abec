/* SPDX-License-Identifier: MIT */
/*
 * Intel EPT, after SDM Vol 3C, "VMX Support for Address Translation", "The Extended Page Table
 * Mechanism". The address is guest-physical; an EPT misconfiguration is reported as reserved, an
 * EPT violation as not-present or protection.
 */
#include "slow_parts.h"

#include <string.h>

enum {
	R = 0,     /* read */
	W = 1,     /* write */
	X = 2,     /* execute; with MBEC: from supervisor-mode linear addresses */
	LARGE = 7, /* in a PDPTE or PDE: maps a page */
	A = 8,
	D = 9,
	XU = 10, /* with MBEC: execute from user-mode linear addresses */
};

/* What the entries so far allow. */
struct path {
	bool read;
	bool write;
	bool execute_supervisor;
	bool execute_user;
};

static bool present(const struct slow_config *config, uint64_t entry)
{
	return slow_any(entry, 2, 0) || (config->ept_mbec && slow_bit(entry, XU));
}

static bool is_leaf(uint64_t entry, int level)
{
	return level == 0 || (level <= 2 && slow_bit(entry, LARGE));
}

/* SDM "EPT Misconfigurations": reserved bits, by kind of entry. */
static bool reserved_bits(const struct slow_config *config, uint64_t entry, int level)
{
	if (slow_any(entry, 51, slow_pa_bits(config, 52)))
		return true;
	if (level >= 3) /* PML5E, PML4E */
		return slow_any(entry, 7, 3);
	if (!is_leaf(entry, level)) /* PDPTE, PDE that name a table */
		return slow_any(entry, 6, 3);
	if (level == 2) /* 1 GiB; unlike ordinary paging, bit 12 is no PAT bit */
		return !config->gbpages || slow_any(entry, 29, 12);
	if (level == 1) /* 2 MiB */
		return !config->ept_2m_pages || slow_any(entry, 20, 12);
	return false;
}

static bool misconfigured(const struct slow_config *config, uint64_t entry, int level)
{
	bool fetchable = slow_bit(entry, X) || (config->ept_mbec && slow_bit(entry, XU));
	uint64_t memory_type = slow_field(entry, 5, 3);

	if (!slow_bit(entry, R) && slow_bit(entry, W))
		return true;
	if (!slow_bit(entry, R) && fetchable && !config->ept_exec_only)
		return true;
	if (reserved_bits(config, entry, level))
		return true;
	return is_leaf(entry, level) && (memory_type == 2 || memory_type == 3 || memory_type == 7);
}

/* With mode-based execute control, bit 10 rules fetches that the guest's tables call user-mode. */
static void fold(const struct slow_config *config, struct path *path, uint64_t entry)
{
	path->read = path->read && slow_bit(entry, R);
	path->write = path->write && slow_bit(entry, W);
	path->execute_supervisor = path->execute_supervisor && slow_bit(entry, X);
	path->execute_user = path->execute_user && slow_bit(entry, config->ept_mbec ? XU : X);
}

static void leaf(const struct slow_job *job, const struct path *path, int level)
{
	struct slow_result *result = job->result;
	unsigned low = 12 + 9 * (unsigned)level;

	result->pa = slow_keep(result->entry, 51, low) + slow_field(job->va, low - 1, 0);
	result->page_size = (uint64_t)1 << low;
	/* One set of rights; only MBEC can make the two differ, and only in execute. */
	result->user = (struct slow_rights){path->read, path->write, path->execute_user};
	result->supervisor =
		(struct slow_rights){path->read, path->write, path->execute_supervisor};
	result->accessed = job->config->ept_ad && slow_bit(result->entry, A);
	result->dirty = job->config->ept_ad && slow_bit(result->entry, D);
	result->status = slow_rights_allow(job) ? SLOW_MAPPED : SLOW_PROTECTION;
}

void slow_walk_ept(const struct slow_job *job)
{
	const struct slow_config *config = job->config;
	struct slow_result *result = job->result;
	struct path path = {true, true, true, true};
	int top = strcmp(config->format, "ept-5") ? 3 : 4;
	uint64_t table = slow_keep(config->root, slow_pa_bits(config, 52) - 1, 12);

	/* No sign here. With 4 levels hardware gives a violation for 51:48, whatever the tables. */
	if (slow_any(job->va, 63, top == 4 ? 57 : 48)) {
		result->status = SLOW_NON_CANONICAL;
		return;
	}
	for (int level = top; level >= 0; level--) {
		unsigned low = 12 + 9 * (unsigned)level;
		uint64_t index = slow_field(job->va, low + 8, low);

		if (!slow_read_entry(job, level, table + 8 * index, 8))
			return;
		if (!present(config, result->entry)) {
			result->status = SLOW_NOT_PRESENT;
			return;
		}
		if (misconfigured(config, result->entry, level)) {
			result->status = SLOW_RESERVED;
			return;
		}
		fold(config, &path, result->entry);
		if (is_leaf(result->entry, level)) {
			leaf(job, &path, level);
			return;
		}
		table = slow_keep(result->entry, 51, 12);
	}
}
