/* SPDX-License-Identifier: MIT */
/*
 * x86 access rights and page-fault error codes, after Intel SDM Vol 3A, "Determination of Access
 * Rights", "Protection Keys" and "Page-Fault Exceptions".
 */
#include "slow_parts.h"

#include <string.h>

enum {
	PF_P = 0,
	PF_WRITE = 1,
	PF_USER = 2,
	PF_RSVD = 3,
	PF_FETCH = 4,
	PF_PK = 5,
	PF_SS = 6
};

/* "User-mode access": CPL 3 and not one the CPU makes on its own behalf (GDT, TSS, ...). */
static bool is_user_access(const struct slow_access *access)
{
	return access->user && !access->implicit_supervisor;
}

static bool is_shadow_stack_access(const struct slow_job *job)
{
	return job->config->cr4_cet && job->access.shadow_stack &&
	       (job->access.op == SLOW_OP_READ || job->access.op == SLOW_OP_WRITE);
}

void slow_x86_page_fault(const struct slow_job *job, bool present, bool reserved, bool key)
{
	const struct slow_config *config = job->config;
	bool pae = strcmp(config->format, "x86-32") != 0;
	bool fetches_are_told = (pae && config->efer_nxe) || config->cr4_smep;
	uint32_t code = 0;

	if (job->access.op == SLOW_OP_NONE)
		return;
	if (present)
		code |= 1u << PF_P;
	if (job->access.op == SLOW_OP_WRITE)
		code |= 1u << PF_WRITE;
	if (is_user_access(&job->access))
		code |= 1u << PF_USER;
	if (reserved)
		code |= 1u << PF_RSVD;
	if (job->access.op == SLOW_OP_FETCH && fetches_are_told)
		code |= 1u << PF_FETCH;
	if (key)
		code |= 1u << PF_PK;
	if (is_shadow_stack_access(job))
		code |= 1u << PF_SS;
	job->result->error_code_valid = true;
	job->result->error_code = code;
}

static bool user_may(const struct slow_x86_page *page, enum slow_op op)
{
	if (!page->user)
		return false;
	switch (op) {
	case SLOW_OP_WRITE:
		return page->writable;
	case SLOW_OP_FETCH:
		return !page->xd;
	default:
		return true;
	}
}

static bool supervisor_may(const struct slow_config *config, const struct slow_x86_page *page,
	enum slow_op op, bool implicit)
{
	bool smap_stops = page->user && config->cr4_smap && !(config->rflags_ac && !implicit);
	bool smep_stops = page->user && config->cr4_smep;

	switch (op) {
	case SLOW_OP_WRITE:
		return !smap_stops && (page->writable || !config->cr0_wp);
	case SLOW_OP_FETCH:
		return !smep_stops && !page->xd;
	default:
		return !smap_stops;
	}
}

/* SDM: SMAP is not consulted, but the modes must match. CR4.CET implies CR0.WP=1. */
static bool shadow_stack_access_may(const struct slow_x86_page *page, bool user)
{
	return page->shadow_stack && page->user == user;
}

/*
 * PKRU rules user pages, PKRS supervisor pages, whoever makes the access. So a user access to a
 * supervisor page, which the rights refuse anyway, can have PK in its error code.
 */
static bool key_refuses(const struct slow_job *job, const struct slow_x86_page *page)
{
	const struct slow_config *config = job->config;
	uint32_t reg = page->user ? config->pkru : config->pkrs;
	bool enabled = page->has_keys && (page->user ? config->cr4_pke : config->cr4_pks);
	bool access_disable = slow_bit(reg, 2 * page->key);
	bool write_disable = slow_bit(reg, 2 * page->key + 1);
	bool write_disable_counts = config->cr0_wp;

	if (!enabled || job->access.op == SLOW_OP_NONE || job->access.op == SLOW_OP_FETCH)
		return false;
	if (page->user && is_user_access(&job->access))
		write_disable_counts = true;
	if (access_disable)
		return true;
	return job->access.op == SLOW_OP_WRITE && write_disable && write_disable_counts;
}

static bool rights_refuse(const struct slow_job *job, const struct slow_x86_page *page)
{
	bool user = is_user_access(&job->access);

	if (job->access.op == SLOW_OP_NONE)
		return false;
	if (is_shadow_stack_access(job))
		return !shadow_stack_access_may(page, user);
	if (user)
		return !user_may(page, job->access.op);
	return !supervisor_may(job->config, page, job->access.op, job->access.implicit_supervisor);
}

void slow_x86_check_rights(const struct slow_job *job, const struct slow_x86_page *page)
{
	struct slow_result *result = job->result;
	bool key = key_refuses(job, page);

	result->user.read = user_may(page, SLOW_OP_READ);
	result->user.write = user_may(page, SLOW_OP_WRITE);
	result->user.execute = user_may(page, SLOW_OP_FETCH);
	result->supervisor.read = supervisor_may(job->config, page, SLOW_OP_READ, false);
	result->supervisor.write = supervisor_may(job->config, page, SLOW_OP_WRITE, false);
	result->supervisor.execute = supervisor_may(job->config, page, SLOW_OP_FETCH, false);

	/* Where both refuse, the status names the rights; the error code has PK all the same. */
	if (rights_refuse(job, page))
		result->status = SLOW_PROTECTION;
	else if (key)
		result->status = SLOW_PROTECTION_KEY;
	else
		result->status = SLOW_MAPPED;
	if (result->status != SLOW_MAPPED)
		slow_x86_page_fault(job, true, false, key);
}
