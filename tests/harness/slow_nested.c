/* SPDX-License-Identifier: MIT */
#include "slow_nested.h"
#include "slow_parts.h"

#include <string.h>

enum family {
	X86_EPT,
	X86_NPT,
	ARM,
	RISCV
};

static enum family family_of(const struct slow_pair *pair)
{
	if (!strncmp(pair->two.format, "ept", 3))
		return X86_EPT;
	if (!strncmp(pair->two.format, "npt", 3))
		return X86_NPT;
	return strncmp(pair->two.format, "riscv", 5) ? ARM : RISCV;
}

struct job {
	const struct slow_pair *pair;
	const struct slow_memory *machine;
	enum family family;
	struct slow_access access;
	struct slow_result one, two;
	struct slow_reads reads;
	bool refused; /* by stage 2, on the way through stage 1 */
	uint64_t refused_gpa;
	struct slow_nested_result *result;
};

static bool is_pae_under_ept(const struct job *job)
{
	return job->family == X86_EPT && !strcmp(job->pair->one.format, "x86-pae") &&
	       !job->pair->one.pdpte_given;
}

/* How stage 2 is asked for an entry of a table of stage 1. */
static struct slow_access table_access(const struct job *job, bool pdpte)
{
	struct slow_access access = {.op = SLOW_OP_READ};

	if (job->access.op == SLOW_OP_NONE)
		access.op = SLOW_OP_NONE;
	else if (job->family == X86_NPT)
		access = (struct slow_access){.op = SLOW_OP_WRITE, .user = true};
	else if (job->family == X86_EPT && job->pair->two.ept_ad && !pdpte)
		access.op = SLOW_OP_WRITE;
	return access;
}

static bool through_stage_2(void *ctx, int level, uint64_t pa, uint64_t *to)
{
	struct job *job = ctx;
	bool pdpte = level == 2 && is_pae_under_ept(job);
	struct slow_access access = table_access(job, pdpte);
	unsigned at = job->reads.count++;

	slow_walk(&job->pair->two, job->machine, pa, &access, &job->two);
	job->reads.read[at].pa = pa;
	job->reads.read[at].to = job->two.pa;
	job->reads.read[at].level = level;
	if (job->two.status != SLOW_MAPPED) {
		job->refused = true;
		job->refused_gpa = pa;
		return false;
	}
	*to = job->two.pa;
	return true;
}

static bool note(void *ctx, int level, uint64_t pa, uint64_t *to)
{
	struct slow_reads *reads = ctx;
	unsigned at = reads->count++;

	reads->read[at].pa = reads->read[at].to = *to = pa;
	reads->read[at].level = level;
	return true;
}

void slow_walk_noting(const struct slow_config *config, const struct slow_memory *memory,
	uint64_t va, struct slow_result *result, struct slow_reads *reads)
{
	const struct slow_through through = {note, reads};
	struct slow_memory noted = *memory;
	const struct slow_access any = {.op = SLOW_OP_NONE};

	noted.through = &through;
	reads->count = 0;
	slow_walk(config, &noted, va, &any, result);
}

static uint64_t entry_at(const struct job *job, unsigned i)
{
	bool narrow = !strcmp(job->pair->one.format, "x86-32") ||
		      !strcmp(job->pair->one.format, "riscv-sv32");
	uint64_t offset = job->reads.read[i].to - job->machine->base, entry = 0;

	for (unsigned n = 0; n < (narrow ? 4 : 8); n++)
		entry |= (uint64_t)job->machine->bytes[offset + n] << (8 * n);
	return entry;
}

/* ---- Reports ---- */

static bool is_final(const struct job *job)
{
	return job->result->during == SLOW_FINAL;
}

/* U/S over every entry that has one. Without paging all addresses are user-mode ones. */
static bool users_page(const struct job *job)
{
	bool user = true;

	for (unsigned i = 0; i < job->reads.count; i++) {
		if (!strcmp(job->pair->one.format, "x86-pae") && job->reads.read[i].level == 2)
			continue;
		user = user && slow_bit(entry_at(job, i), 2);
	}
	return user;
}

static uint64_t advanced_information(const struct job *job)
{
	bool writable = true, xd = false;

	for (unsigned i = 0; i < job->reads.count; i++) {
		if (!strcmp(job->pair->one.format, "x86-pae") && job->reads.read[i].level == 2)
			continue;
		writable = writable && slow_bit(entry_at(job, i), 1);
		xd = xd || slow_bit(entry_at(job, i), 63);
	}
	return (uint64_t)users_page(job) << 9 | (uint64_t)writable << 10 | (uint64_t)xd << 11;
}

/* SDM vol. 3C, table "Exit Qualification for EPT Violations". */
static void violation(struct job *job)
{
	struct slow_nested_result *result = job->result;
	bool leaf = job->two.status == SLOW_PROTECTION;
	uint64_t q = 0;

	if (result->during == SLOW_UPDATE ||
		(result->during == SLOW_TABLE && job->pair->two.ept_ad))
		q = 3;
	else if (!is_final(job) || job->access.op == SLOW_OP_READ)
		q = 1;
	else
		q = job->access.op == SLOW_OP_WRITE ? 2 : 4;
	if (leaf) {
		q |= job->two.supervisor.read ? 1 << 3 : 0;
		q |= job->two.supervisor.write ? 1 << 4 : 0;
		q |= job->two.supervisor.execute ? 1 << 5 : 0;
		q |= job->pair->two.ept_mbec && job->two.user.execute ? 1 << 6 : 0;
	}
	q |= result->during == SLOW_PDPTE ? 0 : 1 << 7;
	q |= is_final(job) ? 1 << 8 : 0;
	result->known = 0x1bf | (job->pair->two.ept_mbec ? 1 << 6 : 0) | 1 << 13;
	if (is_final(job) && job->access.shadow_stack)
		q |= 1 << 13;
	if (is_final(job) && job->pair->ept_advanced) {
		q |= advanced_information(job);
		result->known |= 7 << 9;
	}
	if (leaf && job->pair->ept_shadow) {
		q |= slow_bit(job->two.entry, 60) << 14;
		result->known |= 1 << 14;
	}
	result->exit = SLOW_EXIT_VIOLATION;
	result->code = q;
}

/* APM vol. 2, "Nested versus Guest Page Faults": EXITINFO1. */
static void npf(struct job *job)
{
	struct slow_nested_result *result = job->result;
	bool fetch = is_final(job) && job->access.op == SLOW_OP_FETCH;
	bool write = !is_final(job) || job->access.op == SLOW_OP_WRITE;
	bool u_unknown = fetch && job->pair->two.npt_gmet;
	uint64_t info = (uint64_t)1 << (is_final(job) ? 32 : 33);

	info |= job->two.status == SLOW_PROTECTION || job->two.status == SLOW_RESERVED ? 1 : 0;
	info |= write ? 2 : 0;
	info |= u_unknown ? 0 : 4;
	info |= job->two.status == SLOW_RESERVED ? 8 : 0;
	info |= fetch && (job->pair->two.efer_nxe || job->pair->npt_smep) ? 16 : 0;
	result->exit = SLOW_EXIT_NPF;
	result->code = info;
	result->known = ((uint64_t)3 << 32) | 0x1b | (u_unknown ? 0 : 4);
}

/* Arm ARM, ESR_ELx.ISS: DFSC by status and level. False: no such fault. */
static bool arm_code(const struct slow_result *result, uint64_t *code)
{
	uint64_t level = (uint64_t)(3 - result->level);

	switch (result->status) {
	case SLOW_RESERVED:
		*code = 0x00 + level;
		return true;
	case SLOW_NOT_PRESENT:
		*code = 0x04 + level;
		return true;
	case SLOW_NON_CANONICAL:
		*code = 0x04;
		return true;
	case SLOW_ACCESS_FLAG:
		*code = 0x08 + level;
		return true;
	case SLOW_PROTECTION:
		*code = 0x0c + level;
		return true;
	default:
		return false;
	}
}

static void arm_abort(struct job *job)
{
	struct slow_nested_result *result = job->result;

	if (!arm_code(&job->two, &result->code))
		return;
	result->exit = SLOW_EXIT_ARM;
	result->known = 0xbf;
	if (is_final(job)) {
		result->known |= 0x40;
		result->code |= job->access.op == SLOW_OP_WRITE ? 0x40 : 0;
	} else {
		result->code |= 0x80;
	}
	if (!is_final(job) || job->two.status != SLOW_PROTECTION) {
		result->address_known = true;
		result->address = (result->gpa / 4096) * 16;
	}
}

static unsigned riscv_cause(const struct job *job, unsigned first)
{
	if (job->access.op == SLOW_OP_FETCH)
		return first;
	return job->access.op == SLOW_OP_READ ? first + 1 : first + 3;
}

static void report_stage_2(struct job *job)
{
	struct slow_nested_result *result = job->result;

	if (job->family == ARM) {
		arm_abort(job);
		return;
	}
	result->address_known = true;
	result->address = result->gpa;
	if (job->family == X86_EPT && job->two.status == SLOW_RESERVED) {
		result->exit = SLOW_EXIT_MISCONFIGURATION;
	} else if (job->family == X86_EPT) {
		violation(job);
	} else if (job->family == X86_NPT) {
		npf(job);
	} else {
		bool narrow = !strcmp(job->pair->one.format, "riscv-sv32");

		result->exit = SLOW_EXIT_RISCV;
		result->code = riscv_cause(job, 20);
		result->known = ~(uint64_t)0;
		result->address = result->gpa / 4;
		if (!is_final(job))
			result->htinst = (narrow ? 0x2000 : 0x3000) +
					 (result->during == SLOW_UPDATE ? 0x20 : 0);
	}
}

static void report_stage_1(struct job *job)
{
	struct slow_nested_result *result = job->result;
	bool pdpte = job->one.status == SLOW_RESERVED && is_pae_under_ept(job) &&
		     job->one.level == 2; /* #GP when CR3 is loaded */

	result->exit = SLOW_EXIT_GUEST;
	if (job->family == RISCV) {
		result->code = riscv_cause(job, 12);
		result->known = ~(uint64_t)0;
	} else if (job->family == ARM) {
		if (arm_code(&job->one, &result->code))
			result->known = 0x3f;
	} else if (job->one.error_code_valid && !pdpte) {
		result->code = job->one.error_code;
		result->known = 0xffffffff;
	}
}

static void refuse(struct job *job, int stage, enum slow_during during, int level)
{
	struct slow_nested_result *result = job->result;

	result->stage = stage;
	result->status = stage == 1 ? job->one.status : job->two.status;
	result->during = during;
	result->level = level;
	if (job->access.op == SLOW_OP_NONE || result->status == SLOW_NO_MEMORY)
		return;
	if (stage == 1)
		report_stage_1(job);
	else
		report_stage_2(job);
}

/* ---- The steps after stage 1 ---- */

/* The flags that hardware has to set in read i: none, if the answer is false. */
static bool flags_missing(const struct job *job, unsigned i)
{
	uint64_t entry = entry_at(job, i);
	bool leaf = i + 1 == job->reads.count, write = job->access.op == SLOW_OP_WRITE;
	const struct slow_config *one = &job->pair->one;

	switch (job->family) {
	case RISCV:
		return leaf && !one->riscv_svade &&
		       (!slow_bit(entry, 6) || (write && !slow_bit(entry, 7)));
	case ARM:
		return leaf && !one->arm_access_flag && !slow_bit(entry, 10);
	default:
		if (!strcmp(one->format, "x86-pae") && job->reads.read[i].level == 2)
			return false;
		return !slow_bit(entry, 5) || (leaf && write && !slow_bit(entry, 6));
	}
}

static bool update(struct job *job)
{
	const struct slow_access store = {.op = SLOW_OP_WRITE};

	if (job->access.op == SLOW_OP_NONE || job->family == X86_NPT ||
		(job->family == X86_EPT && job->pair->two.ept_ad))
		return true; /* every table access was one of a writer */
	for (unsigned i = 0; i < job->reads.count; i++) {
		if (!flags_missing(job, i))
			continue;
		slow_walk(&job->pair->two, job->machine, job->reads.read[i].pa, &store, &job->two);
		if (job->two.status == SLOW_MAPPED)
			continue;
		job->result->gpa = job->reads.read[i].pa;
		refuse(job, 2, SLOW_UPDATE, job->reads.read[i].level);
		return false;
	}
	return true;
}

/* SDM vol. 3C, "EPT Violations": R in all entries, W in all but the leaf, bit 60 in the leaf. */
static void supervisor_shadow_stack(struct job *job)
{
	struct slow_reads reads;
	bool good;

	slow_walk_noting(&job->pair->two, job->machine, job->one.pa, &job->two, &reads);
	if (job->two.status != SLOW_MAPPED)
		return;
	good = slow_bit(job->two.entry, 60) && job->two.supervisor.read;
	for (unsigned i = 0; i + 1 < reads.count; i++)
		good = good && job->machine->bytes[reads.read[i].to - job->machine->base] & 2;
	if (!good)
		job->two.status = SLOW_PROTECTION;
}

static void final_access(struct job *job)
{
	struct slow_access access = {.op = job->access.op};
	bool by_user = job->access.user && !job->access.implicit_supervisor;

	if (access.op != SLOW_OP_NONE && job->family == X86_EPT) {
		if (job->access.shadow_stack && !by_user && job->pair->ept_shadow) {
			supervisor_shadow_stack(job);
			return;
		}
		access.user = users_page(job);
	}
	if (access.op != SLOW_OP_NONE && job->family == X86_NPT)
		access.user = by_user || access.op != SLOW_OP_FETCH || !job->pair->two.npt_gmet;
	slow_walk(&job->pair->two, job->machine, job->one.pa, &access, &job->two);
}

static struct slow_rights both(struct slow_rights a, struct slow_rights b)
{
	return (struct slow_rights){a.read && b.read, a.write && b.write, a.execute && b.execute};
}

void slow_nested(const struct slow_pair *pair, const struct slow_memory *machine, uint64_t va,
	const struct slow_access *access, struct slow_nested_result *result)
{
	struct job job = {.pair = pair, .machine = machine, .access = *access, .result = result};
	const struct slow_through through = {through_stage_2, &job};
	struct slow_memory guest = *machine;
	struct slow_rights user;

	memset(result, 0, sizeof(*result));
	result->level = -1;
	job.family = family_of(pair);
	guest.through = &through;
	slow_walk(&pair->one, &guest, va, access, &job.one);
	if (job.refused) {
		bool pdpte = job.reads.count == 1 && is_pae_under_ept(&job);

		result->gpa = job.refused_gpa;
		refuse(&job, 2, pdpte ? SLOW_PDPTE : SLOW_TABLE, job.one.level);
		return;
	}
	if (job.one.status != SLOW_MAPPED) {
		refuse(&job, 1, SLOW_FINAL, -1);
		return;
	}
	if (!update(&job))
		return;
	result->gpa = job.one.pa;
	final_access(&job);
	if (job.two.status != SLOW_MAPPED) {
		refuse(&job, 2, SLOW_FINAL, -1);
		return;
	}
	result->pa = job.two.pa;
	result->page_size =
		job.one.page_size < job.two.page_size ? job.one.page_size : job.two.page_size;
	user = job.two.user;
	if (job.family == X86_EPT && !users_page(&job))
		user = job.two.supervisor;
	result->user = both(job.one.user, user);
	result->supervisor =
		both(job.one.supervisor, job.family == X86_EPT ? user : job.two.supervisor);
}
