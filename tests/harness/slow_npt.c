/* SPDX-License-Identifier: MIT */
/*
 * AMD nested paging, after AMD APM Vol 2, "Nested Paging": the host's long-mode tables, walked for
 * a guest-physical address as if by a user of the host. CR0.WP, protection keys and G do not count.
 */
#include "slow_parts.h"

#include <string.h>

enum {
	P = 0,
	RW = 1,
	US = 2,
	PWT = 3,
	PCD = 4,
	A = 5,
	D = 6,
	PS = 7, /* of a PDPTE or PDE; of a PTE it is PAT */
	XD = 63,
};

struct path {
	bool writable, user, xd;
};

static bool is_leaf(uint64_t entry, int level)
{
	return level == 0 || (level <= 2 && slow_bit(entry, PS));
}

static bool bad(const struct slow_config *config, uint64_t entry, int level)
{
	if (slow_any(entry, 51, slow_pa_bits(config, 52)))
		return true;
	if (slow_bit(entry, XD) && !config->efer_nxe)
		return true;
	if (level >= 3) /* PML4E, PML5E: bits 7 and 8 must be zero */
		return slow_any(entry, 8, 7);
	if (level == 2 && slow_bit(entry, PS))
		return !config->gbpages || slow_any(entry, 29, 13);
	return level == 1 && slow_bit(entry, PS) && slow_any(entry, 20, 13);
}

/* What "user access" leaves: nothing without U. GMET turns U around for the supervisor's fetches.
 */
static void rights(const struct slow_job *job, const struct path *all)
{
	struct slow_result *result = job->result;

	result->user.read = all->user;
	result->user.write = all->user && all->writable;
	result->user.execute = all->user && !all->xd;
	result->supervisor = result->user;
	if (job->config->npt_gmet)
		result->supervisor.execute = !all->user && !all->xd;
}

static void leaf(const struct slow_job *job, const struct path *all, int level)
{
	struct slow_result *result = job->result;
	unsigned low = 12 + 9 * (unsigned)level;

	result->pa = slow_keep(result->entry, 51, low) + slow_field(job->va, low - 1, 0);
	result->page_size = (uint64_t)1 << low;
	result->accessed = slow_bit(result->entry, A);
	result->dirty = slow_bit(result->entry, D);
	result->pat_index =
		(unsigned)(slow_bit(result->entry, level ? 12 : 7) << 2 |
			   slow_bit(result->entry, PCD) << 1 | slow_bit(result->entry, PWT));
	rights(job, all);
	result->status = slow_rights_allow(job) ? SLOW_MAPPED : SLOW_PROTECTION;
}

void slow_walk_npt(const struct slow_job *job)
{
	const struct slow_config *config = job->config;
	struct slow_result *result = job->result;
	struct path path = {true, true, false};
	int top = strcmp(config->format, "npt-5") ? 3 : 4;
	uint64_t table = slow_keep(config->root, slow_pa_bits(config, 52) - 1, 12);

	if (slow_any(job->va, 63, top == 4 ? 57 : 48)) {
		result->status = SLOW_NON_CANONICAL;
		return;
	}
	for (int level = top; level >= 0; level--) {
		unsigned low = 12 + 9 * (unsigned)level;

		if (!slow_read_entry(job, level, table + 8 * slow_field(job->va, low + 8, low), 8))
			return;
		if (!slow_bit(result->entry, P)) {
			result->status = SLOW_NOT_PRESENT;
			return;
		}
		if (bad(config, result->entry, level)) {
			result->status = SLOW_RESERVED;
			return;
		}
		path.writable = path.writable && slow_bit(result->entry, RW);
		path.user = path.user && slow_bit(result->entry, US);
		path.xd = path.xd || slow_bit(result->entry, XD);
		if (is_leaf(result->entry, level)) {
			leaf(job, &path, level);
			return;
		}
		table = slow_keep(result->entry, 51, 12);
	}
}
