/* SPDX-License-Identifier: MIT */
/*
 * x86 ordinary paging, after Intel SDM Vol 3A, chapter "Paging": sections "32-Bit Paging", "PAE
 * Paging", "4-Level Paging and 5-Level Paging". Access rights are in slow_x86_rights.c.
 *
 *	level 4   PML5E
 *	level 3   PML4E
 *	level 2   PDPTE  (PAE: one of four registers)
 *	level 1   PDE
 *	level 0   PTE
 */
#include "slow_parts.h"

#include <string.h>

enum {
	P = 0,     /* present */
	RW = 1,    /* writable */
	US = 2,    /* user */
	PWT = 3,   /* page-level write-through */
	PCD = 4,   /* page-level cache disable */
	A = 5,     /* accessed */
	D = 6,     /* dirty, in a leaf */
	PS = 7,    /* page size, in a PDPTE or PDE */
	PAT0 = 7,  /* PAT bit of a 4 KiB leaf */
	G = 8,     /* global, in a leaf */
	PATN = 12, /* PAT bit of a larger leaf */
	XD = 63,   /* execute disable */
};

/* Rights gathered on the way down. */
struct path {
	bool writable;
	bool user;
	bool xd;
};

static void fold(const struct slow_job *job, struct path *path, uint64_t entry)
{
	path->writable = path->writable && slow_bit(entry, RW);
	path->user = path->user && slow_bit(entry, US);
	path->xd = path->xd || (job->config->efer_nxe && slow_bit(entry, XD));
}

/* The entry in the result, without what encrypts memory: neither address nor reserved. */
static uint64_t plain(const struct slow_job *job)
{
	return job->result->entry & ~job->config->encryption_mask;
}

/* The walk ends: an entry has P=0. Nothing else in it counts. */
static void hole(const struct slow_job *job)
{
	job->result->status = SLOW_NOT_PRESENT;
	slow_x86_page_fault(job, false, false, false);
}

static void bad(const struct slow_job *job)
{
	job->result->status = SLOW_RESERVED;
	slow_x86_page_fault(job, true, true, false);
}

/*
 * The entry in the result is the leaf of a page of @size at @base. @tables is what the entries
 * above it gave.
 */
static void leaf(
	const struct slow_job *job, const struct path *tables, uint64_t base, uint64_t size)
{
	struct slow_result *result = job->result;
	uint64_t entry = result->entry;
	struct path all = *tables;
	struct slow_x86_page page = {0};

	fold(job, &all, entry);
	result->pa = base + job->va % size;
	result->page_size = size;
	result->accessed = slow_bit(entry, A);
	result->dirty = slow_bit(entry, D);
	result->global = slow_bit(entry, G);
	result->pat_index = (unsigned)(slow_bit(entry, size == 4 * SLOW_KIB ? PAT0 : PATN) << 2 |
				       slow_bit(entry, PCD) << 1 | slow_bit(entry, PWT));
	page.user = all.user;
	page.writable = all.writable;
	page.xd = all.xd;
	/* SDM "Shadow-stack pages": writable down to the leaf, which is read-only and dirty. */
	page.shadow_stack = tables->writable && !slow_bit(entry, RW) && slow_bit(entry, D);
	page.has_keys = !strncmp(job->config->format, "x86-64", 6);
	page.key = page.has_keys ? (unsigned)slow_field(entry, 62, 59) : 0;
	result->key = page.key;
	slow_x86_check_rights(job, &page);
}

/* CR0.PG=0: linear is physical. There is no page; 4 KiB is as good an answer as any. */
static void walk_none(const struct slow_job *job)
{
	struct slow_result *result = job->result;

	if (job->va >> 32) {
		result->status = SLOW_NON_CANONICAL;
		return;
	}
	/* Without paging there is nothing to refuse: WP, SMEP, SMAP and keys are all part of it. */
	result->pa = job->va;
	result->page_size = 4 * SLOW_KIB;
	result->user = (struct slow_rights){true, true, true};
	result->supervisor = result->user;
}

/* A 4 MiB PDE. SDM "32-Bit Paging": PSE-36 gives bits up to min(MAXPHYADDR, 40). */
static bool bad_4m(const struct slow_config *config, uint64_t pde)
{
	unsigned bits = slow_pa_bits(config, 40);

	if (!config->pse36)
		return slow_any(pde, 21, 13);
	return slow_any(pde, 21, bits - 19);
}

static void walk_32bit(const struct slow_job *job)
{
	const struct slow_config *config = job->config;
	struct slow_result *result = job->result;
	struct path path = {true, true, false};
	uint64_t table = slow_keep(config->root, 31, 12);
	uint64_t pde;

	if (job->va >> 32) {
		result->status = SLOW_NON_CANONICAL;
		return;
	}
	if (!slow_read_entry(job, 1, table + 4 * slow_field(job->va, 31, 22), 4))
		return;
	pde = result->entry;
	if (!slow_bit(pde, P)) {
		hole(job);
		return;
	}
	if (config->cr4_pse && slow_bit(pde, PS)) {
		uint64_t base = slow_keep(pde, 31, 22);

		if (bad_4m(config, pde)) {
			bad(job);
			return;
		}
		if (config->pse36)
			base |= slow_field(pde, 20, 13) << 32;
		leaf(job, &path, base, 4 * SLOW_MIB);
		return;
	}
	fold(job, &path, pde);
	if (!slow_read_entry(job, 0, slow_keep(pde, 31, 12) + 4 * slow_field(job->va, 21, 12), 4))
		return;
	if (!slow_bit(result->entry, P))
		hole(job);
	else
		leaf(job, &path, slow_keep(result->entry, 31, 12), 4 * SLOW_KIB);
}

/*
 * Puts PDPTE number @index into the result. A register cannot hold a reserved bit (its load gives
 * #GP), but a nested-paging walk on AMD meets one in memory and gives #PF(RSVD): that is what we
 * report in both cases.
 */
static bool get_pdpte(const struct slow_job *job, unsigned index)
{
	const struct slow_config *config = job->config;
	unsigned maxphyaddr = slow_pa_bits(config, 52);
	uint64_t pdpte;

	if (config->pdpte_given) {
		job->result->level = 2;
		job->result->entry = config->pdpte[index];
	} else if (!slow_read_entry(job, 2, slow_keep(config->root, 31, 5) + 8 * index, 8)) {
		return false;
	}
	pdpte = plain(job);
	if (!slow_bit(pdpte, P)) {
		hole(job);
		return false;
	}
	if (slow_any(pdpte, 2, 1) || slow_any(pdpte, 8, 5) || slow_any(pdpte, 63, maxphyaddr)) {
		bad(job);
		return false;
	}
	return true;
}

/* PAE has no ignored bits above MAXPHYADDR: 62:M are reserved, and XD too without EFER.NXE. */
static bool bad_pae(const struct slow_config *config, uint64_t entry, bool large)
{
	if (large && slow_any(entry, 20, 13))
		return true;
	if (slow_any(entry, 62, slow_pa_bits(config, 52)))
		return true;
	return slow_bit(entry, XD) && !config->efer_nxe;
}

static void walk_pae(const struct slow_job *job)
{
	struct slow_result *result = job->result;
	struct path path = {true, true, false}; /* the PDPTE gives and takes no rights */
	uint64_t pde;
	bool large;

	if (job->va >> 32) {
		result->status = SLOW_NON_CANONICAL;
		return;
	}
	if (!get_pdpte(job, (unsigned)slow_field(job->va, 31, 30)))
		return;
	if (!slow_read_entry(
		    job, 1, slow_keep(plain(job), 51, 12) + 8 * slow_field(job->va, 29, 21), 8))
		return;
	pde = plain(job);
	large = slow_bit(pde, PS); /* CR4.PSE does not count here */
	if (!slow_bit(pde, P)) {
		hole(job);
	} else if (bad_pae(job->config, pde, large)) {
		bad(job);
	} else if (large) {
		leaf(job, &path, slow_keep(pde, 51, 21), 2 * SLOW_MIB);
	} else {
		uint64_t table = slow_keep(pde, 51, 12);

		fold(job, &path, pde);
		if (!slow_read_entry(job, 0, table + 8 * slow_field(job->va, 20, 12), 8))
			return;
		if (!slow_bit(result->entry, P))
			hole(job);
		else if (bad_pae(job->config, plain(job), false))
			bad(job);
		else
			leaf(job, &path, slow_keep(plain(job), 51, 12), 4 * SLOW_KIB);
	}
}

/* 4- and 5-level: bits 62:52 are ignored, 51:M reserved. */
static bool bad_long(const struct slow_config *config, uint64_t entry, int level)
{
	bool large = slow_bit(entry, PS);

	if (slow_any(entry, 51, slow_pa_bits(config, 52)))
		return true;
	if (slow_bit(entry, XD) && !config->efer_nxe)
		return true;
	switch (level) {
	case 4: /* PML5E */
	case 3: /* PML4E */
		return large || (config->amd && slow_bit(entry, 8));
	case 2: /* PDPTE */
		return large && (!config->gbpages || slow_any(entry, 29, 13));
	case 1: /* PDE */
		return large && slow_any(entry, 20, 13);
	default: /* PTE; bit 7 is PAT */
		return false;
	}
}

static void walk_long(const struct slow_job *job, int top)
{
	struct slow_result *result = job->result;
	struct path path = {true, true, false};
	uint64_t root = job->config->root & ~job->config->encryption_mask;
	uint64_t table = slow_keep(root, slow_pa_bits(job->config, 52) - 1, 12);
	uint64_t va;

	if (!slow_x86_linear(job, top == 4 ? 57 : 48, &va))
		return;
	for (int level = top; level >= 0; level--) {
		unsigned low = 12 + 9 * (unsigned)level; /* lowest VA bit of this index */
		uint64_t index = slow_field(va, low + 8, low);

		if (!slow_read_entry(job, level, table + 8 * index, 8))
			return;
		if (!slow_bit(result->entry, P)) {
			hole(job);
			return;
		}
		if (bad_long(job->config, plain(job), level)) {
			bad(job);
			return;
		}
		/* PS of a PML5E or PML4E has just been refused. */
		if (level == 0 || slow_bit(result->entry, PS)) {
			leaf(job, &path, slow_keep(plain(job), 51, low), (uint64_t)1 << low);
			return;
		}
		fold(job, &path, result->entry);
		table = slow_keep(plain(job), 51, 12);
	}
}

void slow_walk_x86(const struct slow_job *job)
{
	const char *format = job->config->format;

	job->result->has_user_notion = true;
	if (!strcmp(format, "x86-none"))
		walk_none(job);
	else if (!strcmp(format, "x86-32"))
		walk_32bit(job);
	else if (!strcmp(format, "x86-pae"))
		walk_pae(job);
	else
		walk_long(job, strcmp(format, "x86-64-la57") ? 3 : 4);
}
