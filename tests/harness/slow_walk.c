/* SPDX-License-Identifier: MIT */
#include "slow_walk.h"
#include "slow_parts.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum family {
	FAMILY_UNKNOWN,
	FAMILY_X86,
	FAMILY_EPT,
	FAMILY_NPT,
	FAMILY_ARMV7_SHORT,
	FAMILY_ARM_LONG,
	FAMILY_RISCV,
};

static bool is_one_of(const char *name, const char *const names[])
{
	for (; *names; names++) {
		if (**names == *name && !strcmp(name, *names))
			return true;
	}
	return false;
}

static enum family family_of(const char *name)
{
	static const char *const x86[] = {
		"x86-none", "x86-32", "x86-pae", "x86-64", "x86-64-la57", NULL};
	static const char *const ept[] = {"ept-4", "ept-5", NULL};
	static const char *const npt[] = {"npt-4", "npt-5", NULL};
	static const char *const armv7_short[] = {"armv7-short", NULL};
	static const char *const arm_long[] = {"armv7-lpae", "arm64-4k", "arm64-4k-39", "arm64-16k",
		"arm64-64k", "arm64-s2-4k", "arm64-s2-16k", "arm64-s2-64k", NULL};
	static const char *const riscv[] = {"riscv-sv32", "riscv-sv39", "riscv-sv48", "riscv-sv57",
		"riscv-sv32x4", "riscv-sv39x4", "riscv-sv48x4", "riscv-sv57x4", NULL};

	if (is_one_of(name, x86))
		return FAMILY_X86;
	if (is_one_of(name, ept))
		return FAMILY_EPT;
	if (is_one_of(name, npt))
		return FAMILY_NPT;
	if (is_one_of(name, armv7_short))
		return FAMILY_ARMV7_SHORT;
	if (is_one_of(name, arm_long))
		return FAMILY_ARM_LONG;
	if (is_one_of(name, riscv))
		return FAMILY_RISCV;
	return FAMILY_UNKNOWN;
}

/* The physical address width a format has when nobody narrows it. */
static unsigned default_maxphyaddr(const char *name, enum family family)
{
	switch (family) {
	case FAMILY_ARMV7_SHORT:
		return 40; /* supersections */
	case FAMILY_ARM_LONG:
		return strcmp(name, "armv7-lpae") ? 48 : 40;
	case FAMILY_RISCV:
		return strncmp(name, "riscv-sv32", 10) ? 56 : 34;
	default:
		return strcmp(name, "x86-32") ? 52 : 40;
	}
}

bool slow_config_tables(struct slow_config *config, const char *name, uint64_t root)
{
	enum family family = family_of(name);

	if (family == FAMILY_UNKNOWN)
		return false;
	memset(config, 0, sizeof(*config));
	config->format = name;
	config->root = root;
	config->maxphyaddr = default_maxphyaddr(name, family);
	config->gbpages = true;
	config->cr0_wp = true; /* write rights as the tables say */
	config->efer_nxe = true;
	config->cr4_pse = true;
	config->cr4_pae = strcmp(name, "x86-32") != 0;
	config->cr4_la57 = !strcmp(name, "x86-64-la57");
	config->pse36 = true;
	config->ept_exec_only = true;
	config->ept_ad = true;
	config->ept_2m_pages = true;
	return true;
}

unsigned slow_pa_bits(const struct slow_config *config, unsigned widest)
{
	return config->maxphyaddr < widest ? config->maxphyaddr : widest;
}

bool slow_read_entry(const struct slow_job *job, int level, uint64_t pa, unsigned bytes)
{
	const struct slow_memory *memory = job->memory;
	struct slow_result *result = job->result;
	uint64_t offset;

	result->level = level;
	result->entry_pa = pa;
	result->entry = 0;
	if (memory->through && !memory->through->reach(memory->through->ctx, level, pa, &pa)) {
		result->status = SLOW_NO_MEMORY;
		return false;
	}
	offset = pa - memory->base;
	if (pa < memory->base || offset >= memory->size || memory->size - offset < bytes) {
		result->status = SLOW_NO_MEMORY;
		return false;
	}
	for (unsigned n = 0; n < bytes; n++) {
		unsigned place = memory->big_endian_entries ? bytes - 1 - n : n;

		result->entry |= (uint64_t)memory->bytes[offset + n] << (8 * place);
	}
	return true;
}

bool slow_rights_allow(const struct slow_job *job)
{
	const struct slow_rights *rights =
		job->access.user ? &job->result->user : &job->result->supervisor;

	switch (job->access.op) {
	case SLOW_OP_READ:
		return rights->read;
	case SLOW_OP_WRITE:
		return rights->write;
	case SLOW_OP_FETCH:
		return rights->execute;
	case SLOW_OP_NONE:
		break;
	}
	return true;
}

void slow_walk(const struct slow_config *config, const struct slow_memory *memory, uint64_t va,
	const struct slow_access *access, struct slow_result *result)
{
	const struct slow_job job = {config, memory, va, *access, result};

	assert(config->maxphyaddr >= 32);
	memset(result, 0, sizeof(*result));
	result->level = -1;
	switch (family_of(config->format)) {
	case FAMILY_X86:
		slow_walk_x86(&job);
		return;
	case FAMILY_EPT:
		slow_walk_ept(&job);
		return;
	case FAMILY_NPT:
		slow_walk_npt(&job);
		return;
	case FAMILY_ARMV7_SHORT:
		slow_walk_armv7_short(&job);
		return;
	case FAMILY_ARM_LONG:
		slow_walk_arm_long(&job);
		return;
	case FAMILY_RISCV:
		slow_walk_riscv(&job);
		return;
	case FAMILY_UNKNOWN:
		break;
	}
	fprintf(stderr, "slow_walk: unknown format %s\n", config->format);
	abort();
}

const char *slow_status_name(enum slow_status status)
{
	switch (status) {
	case SLOW_MAPPED:
		return "mapped";
	case SLOW_NOT_PRESENT:
		return "not-present";
	case SLOW_RESERVED:
		return "reserved";
	case SLOW_NON_CANONICAL:
		return "non-canonical";
	case SLOW_NO_MEMORY:
		return "no-memory";
	case SLOW_PROTECTION:
		return "protection";
	case SLOW_PROTECTION_KEY:
		return "protection-key";
	case SLOW_LASS:
		return "lass";
	case SLOW_ACCESS_FLAG:
		return "access-flag";
	}
	return "?";
}
