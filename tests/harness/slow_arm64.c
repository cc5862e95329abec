/* SPDX-License-Identifier: MIT */
/*
 * Arm's 64-bit descriptors, after the Arm Architecture Reference Manual (DDI 0487), D8 "The AArch64
 * Virtual Memory System Architecture", and for armv7-lpae ARMv7-A B3.6 "Long-descriptor translation
 * table format". No LPA, no LPA2: 48 bits of output address at most.
 *
 * In this file "manual level" is the one Arm counts, 0 or 1 at the root and 3 at the pages.
 */
#include "slow_parts.h"

#include <assert.h>
#include <string.h>

enum {
	VALID = 0,
	TABLE = 1, /* at manual level 3: page */
	AP1 = 6,   /* stage 1: EL0 access; stage 2: readable */
	AP2 = 7,   /* stage 1: read-only; stage 2: writable */
	AF = 10,
	NG = 11,
	DBM = 51,
	PXN = 53,
	UXN = 54, /* XN where there is one execute-never bit for all */
	PXN_TABLE = 59,
	UXN_TABLE = 60,
	AP_TABLE_NO_EL0 = 61,
	AP_TABLE_NO_WRITE = 62,
};

struct geometry {
	unsigned page_shift; /* the granule */
	unsigned input_bits;
	unsigned start; /* manual level of the root */
	bool stage2;
	bool armv7;
};

/* What table descriptors forbid to everything below them. Stage 1 only. */
struct hierarchy {
	bool no_el0;
	bool no_write;
	bool pxn;
	bool uxn;
};

static struct geometry geometry_of(const char *format)
{
	if (!strcmp(format, "armv7-lpae")) /* T0SZ=0: four entries at manual level 1 */
		return (struct geometry){12, 32, 1, false, true};
	if (!strcmp(format, "arm64-4k"))
		return (struct geometry){12, 48, 0, false, false};
	if (!strcmp(format, "arm64-4k-39"))
		return (struct geometry){12, 39, 1, false, false};
	if (!strcmp(format, "arm64-16k")) /* two entries at manual level 0 */
		return (struct geometry){14, 48, 0, false, false};
	if (!strcmp(format, "arm64-64k")) /* 64 entries at manual level 1 */
		return (struct geometry){16, 48, 1, false, false};
	if (!strcmp(format, "arm64-s2-4k")) /* T0SZ=24, SL0=1: 2 concatenated tables */
		return (struct geometry){12, 40, 1, true, false};
	if (!strcmp(format, "arm64-s2-16k")) /* T0SZ=24, SL0=1: 16 concatenated tables */
		return (struct geometry){14, 40, 2, true, false};
	assert(!strcmp(format, "arm64-s2-64k")); /* T0SZ=24, SL0=1: 2048 entries of 8192 */
	return (struct geometry){16, 40, 2, true, false};
}

/* The lowest input address bit that indexes the table at @manual_level. */
static unsigned index_shift(const struct geometry *geometry, unsigned manual_level)
{
	unsigned stride = geometry->page_shift - 3; /* a granule full of 8-byte descriptors */

	return geometry->page_shift + (3 - manual_level) * stride;
}

static bool takes_address(const struct slow_job *job, const struct geometry *geometry)
{
	/* TTBR1, TBI off: all bits above must be ones. ARMv7 and stage 2 have the one table here.
	 */
	if (job->config->arm_high && !geometry->stage2 && !geometry->armv7) {
		unsigned above = 64 - geometry->input_bits;

		return slow_field(job->va, 63, geometry->input_bits) ==
		       slow_field(UINT64_MAX, above - 1, 0);
	}
	return !slow_any(job->va, 63, geometry->input_bits);
}

/* 512 GiB, 64 GiB and 4 TiB blocks need LPA or LPA2. */
static bool block_is_legal(const struct geometry *geometry, unsigned manual_level)
{
	if (geometry->page_shift == 12)
		return manual_level == 1 || manual_level == 2;
	return manual_level == 2;
}

static void descend(const struct geometry *geometry, struct hierarchy *hierarchy, uint64_t entry)
{
	if (geometry->stage2) /* stage 2 tables have no attributes */
		return;
	hierarchy->no_el0 = hierarchy->no_el0 || slow_bit(entry, AP_TABLE_NO_EL0);
	hierarchy->no_write = hierarchy->no_write || slow_bit(entry, AP_TABLE_NO_WRITE);
	hierarchy->pxn = hierarchy->pxn || slow_bit(entry, PXN_TABLE);
	hierarchy->uxn = hierarchy->uxn || slow_bit(entry, UXN_TABLE);
}

static void stage2_rights(struct slow_result *result)
{
	struct slow_rights rights = {
		.read = slow_bit(result->entry, AP1),
		.write = slow_bit(result->entry, AP2), /* W without R is legal */
		.execute = !slow_bit(result->entry, UXN),
	};

	result->user = rights;
	result->supervisor = rights;
}

static void stage1_rights(const struct slow_config *config, bool armv7,
	const struct hierarchy *hierarchy, struct slow_result *result)
{
	uint64_t entry = result->entry;
	struct slow_rights *el0 = &result->user;
	struct slow_rights *el1 = &result->supervisor;
	bool el0_access = slow_bit(entry, AP1) && !hierarchy->no_el0;
	bool writable = !slow_bit(entry, AP2) && !hierarchy->no_write;
	bool uxn = slow_bit(entry, UXN) || hierarchy->uxn;
	bool pxn = slow_bit(entry, PXN) || hierarchy->pxn;

	el0->read = el0_access;
	el0->write = el0_access && writable;
	el1->read = true;
	el1->write = writable;
	if (armv7) {
		/* B3.7.2: XN is for everybody, PXN for PL1; who executes must be able to read. */
		el0->execute = el0->read && !uxn;
		el1->execute = !uxn && !pxn;
	} else {
		/* D8.4: APTable takes data rights only, and EL1 never runs what EL0 can write. */
		el0->execute = !uxn;
		el1->execute = !pxn && !el0->write;
	}
	if (config->arm_wxn) {
		el0->execute = el0->execute && !el0->write;
		el1->execute = el1->execute && !el1->write;
	}
	/* PAN is about data; it comes after WXN, which sees the right that the tables gave. */
	if (config->arm_pan && !armv7 && el0_access) {
		el1->read = false;
		el1->write = false;
	}
}

/* DDI 0487 puts the Access flag before the permissions. */
static enum slow_status check(const struct slow_job *job)
{
	bool access = job->access.op != SLOW_OP_NONE;

	if (access && job->config->arm_access_flag && !job->result->accessed)
		return SLOW_ACCESS_FLAG;
	return slow_rights_allow(job) ? SLOW_MAPPED : SLOW_PROTECTION;
}

static void leaf(const struct slow_job *job, const struct geometry *geometry, unsigned shift,
	const struct hierarchy *hierarchy)
{
	struct slow_result *result = job->result;
	uint64_t entry = result->entry;

	/* The Contiguous bit is a hint for TLBs: the page keeps its size. */
	result->pa = slow_keep(entry, 47, shift) + slow_field(job->va, shift - 1, 0);
	result->page_size = (uint64_t)1 << shift;
	result->accessed = slow_bit(entry, AF);
	if (geometry->stage2) {
		result->dirty = slow_bit(entry, DBM) && slow_bit(entry, AP2);
		stage2_rights(result);
	} else {
		result->dirty = !geometry->armv7 && slow_bit(entry, DBM) && !slow_bit(entry, AP2);
		result->global = !slow_bit(entry, NG);
		stage1_rights(job->config, geometry->armv7, hierarchy, result);
	}
	result->status = check(job);
}

/*
 * One descriptor, already read. True: go on at *@table. @shift is where its index begins, so also
 * the size of a leaf.
 */
static bool step(const struct slow_job *job, const struct geometry *geometry, unsigned manual_level,
	struct hierarchy *hierarchy, uint64_t *table)
{
	struct slow_result *result = job->result;
	uint64_t entry = result->entry;
	unsigned shift = index_shift(geometry, manual_level);
	unsigned pa_bits = slow_pa_bits(job->config, geometry->armv7 ? 40 : 48);
	bool is_table = manual_level < 3 && slow_bit(entry, TABLE);
	bool is_page = manual_level == 3 && slow_bit(entry, TABLE);
	bool is_block = !slow_bit(entry, TABLE) && block_is_legal(geometry, manual_level);

	if (!slow_bit(entry, VALID) || !(is_table || is_page || is_block)) {
		result->status = SLOW_NOT_PRESENT;
		return false;
	}
	/* Address size fault. Bits 51:48 and those below the address are RES0 and ignored. */
	if (slow_any(entry, 47, pa_bits)) {
		result->status = SLOW_RESERVED;
		return false;
	}
	if (is_table) {
		descend(geometry, hierarchy, entry);
		*table = slow_keep(entry, 47, geometry->page_shift);
		return true;
	}
	leaf(job, geometry, shift, hierarchy);
	return false;
}

void slow_walk_arm_long(const struct slow_job *job)
{
	const struct geometry geometry = geometry_of(job->config->format);
	struct hierarchy hierarchy = {false, false, false, false};
	unsigned root_bits = geometry.input_bits - index_shift(&geometry, geometry.start);
	unsigned pa_bits = slow_pa_bits(job->config, geometry.armv7 ? 40 : 48);
	uint64_t table = slow_keep(job->config->root, 63, root_bits + 3);

	job->result->has_user_notion = !geometry.stage2;
	if (!takes_address(job, &geometry)) {
		job->result->status = SLOW_NON_CANONICAL;
		return;
	}
	/* A TTBR too wide is an address size fault before any table. */
	if (slow_any(table, 63, pa_bits)) {
		job->result->status = SLOW_RESERVED;
		return;
	}
	for (unsigned manual_level = geometry.start; manual_level <= 3; manual_level++) {
		unsigned low = index_shift(&geometry, manual_level);
		unsigned high = low + geometry.page_shift - 3 - 1;

		if (manual_level == geometry.start)
			high = geometry.input_bits - 1; /* a part of a table, or several */
		if (!slow_read_entry(job, 3 - (int)manual_level,
			    table + 8 * slow_field(job->va, high, low), 8))
			return;
		if (!step(job, &geometry, manual_level, &hierarchy, &table))
			return;
	}
}
