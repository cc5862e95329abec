/* SPDX-License-Identifier: MIT */
/*
 * ARMv7 short descriptors, after the ARM Architecture Reference Manual ARMv7-A, B3.5
 * "Short-descriptor translation table format" and B3.7 "Memory access control". SCTLR.AFE=0,
 * TTBCR.N=0 (TTBR0 has it all), every domain a client. Manual level 1 is our level 1, 2 is our 0.
 */
#include "slow_parts.h"

/* The attributes of a leaf, gathered from wherever its kind keeps them. */
struct attributes {
	unsigned ap; /* AP[2:0] */
	bool xn;
	bool pxn;
	bool ng;
};

/* B3.7.1, table "VMSAv7 AP[2:0] encodings": who may read and write. */
static void data_rights(unsigned ap, struct slow_rights *privileged, struct slow_rights *user)
{
	switch (ap) {
	case 0: /* nobody */
		break;
	case 1:
		privileged->read = privileged->write = true;
		break;
	case 2:
		privileged->read = privileged->write = true;
		user->read = true;
		break;
	case 3:
		privileged->read = privileged->write = true;
		user->read = user->write = true;
		break;
	case 4: /* reserved encoding: taken as no access */
		break;
	case 5:
		privileged->read = true;
		break;
	case 6: /* deprecated twin of 7 */
	case 7:
		privileged->read = true;
		user->read = true;
		break;
	}
}

static void leaf(const struct slow_job *job, uint64_t base, uint64_t size,
	const struct attributes *attributes)
{
	struct slow_result *result = job->result;
	struct slow_rights *user = &result->user;
	struct slow_rights *privileged = &result->supervisor;
	bool wxn = job->config->arm_wxn;

	if (slow_any(base, 39, slow_pa_bits(job->config, 40))) {
		result->status = SLOW_RESERVED;
		return;
	}
	result->pa = base + job->va % size;
	result->page_size = size;
	result->global = !attributes->ng;
	data_rights(attributes->ap, privileged, user);
	/* B3.7.2: to execute, one must be allowed to read. */
	user->execute = user->read && !attributes->xn && !(wxn && user->write);
	privileged->execute = privileged->read && !attributes->xn && !attributes->pxn &&
			      !(wxn && privileged->write);
	result->status = slow_rights_allow(job) ? SLOW_MAPPED : SLOW_PROTECTION;
}

static void section(const struct slow_job *job)
{
	uint64_t entry = job->result->entry;
	struct attributes attributes = {
		.ap = (unsigned)(slow_field(entry, 15, 15) << 2 | slow_field(entry, 11, 10)),
		.xn = slow_bit(entry, 4),
		.pxn = slow_bit(entry, 0),
		.ng = slow_bit(entry, 17),
	};

	if (slow_bit(entry, 18)) { /* supersection: PA[35:32] in 23:20, PA[39:36] in 8:5 */
		uint64_t base = slow_keep(entry, 31, 24) | slow_field(entry, 23, 20) << 32 |
				slow_field(entry, 8, 5) << 36;

		leaf(job, base, 16 * SLOW_MIB, &attributes);
	} else {
		leaf(job, slow_keep(entry, 31, 20), SLOW_MIB, &attributes);
	}
}

/* A second-level descriptor. PXN stands in the first-level one that named the table. */
static void page(const struct slow_job *job, bool pxn)
{
	uint64_t entry = job->result->entry;
	struct attributes attributes = {
		.ap = (unsigned)(slow_field(entry, 9, 9) << 2 | slow_field(entry, 5, 4)),
		.pxn = pxn,
		.ng = slow_bit(entry, 11),
	};

	switch (slow_field(entry, 1, 0)) {
	case 0:
		job->result->status = SLOW_NOT_PRESENT;
		break;
	case 1:
		attributes.xn = slow_bit(entry, 15);
		leaf(job, slow_keep(entry, 31, 16), 64 * SLOW_KIB, &attributes);
		break;
	default: /* bit 0 is XN */
		attributes.xn = slow_bit(entry, 0);
		leaf(job, slow_keep(entry, 31, 12), 4 * SLOW_KIB, &attributes);
		break;
	}
}

void slow_walk_armv7_short(const struct slow_job *job)
{
	struct slow_result *result = job->result;
	uint64_t table = slow_keep(job->config->root, 31, 14); /* 4096 entries of 4 bytes */
	uint64_t first;

	result->has_user_notion = true;
	if (job->va >> 32) {
		result->status = SLOW_NON_CANONICAL;
		return;
	}
	if (!slow_read_entry(job, 1, table + 4 * slow_field(job->va, 31, 20), 4))
		return;
	first = result->entry;
	switch (slow_field(first, 1, 0)) {
	case 0:
		result->status = SLOW_NOT_PRESENT;
		break;
	case 1: /* a table of 256 entries, 1 KiB aligned */
		table = slow_keep(first, 31, 10);
		if (slow_read_entry(job, 0, table + 4 * slow_field(job->va, 19, 12), 4))
			page(job, slow_bit(first, 2));
		break;
	default: /* 0b11 is a section with PXN=1 */
		section(job);
		break;
	}
}
