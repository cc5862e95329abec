/* SPDX-License-Identifier: MIT */
/* One case on the walker and on its twin. */
#include "access_model.h"
#include "agree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BASE      UINT64_C(0x100000)
#define TABLE(n)  (BASE + UINT64_C(0x1000) * (n))
#define ACCESSED  UINT64_C(0x20)
#define DIRTY     UINT64_C(0x40)
#define LARGE     UINT64_C(0x80)
#define VA_32     UINT64_C(0x92a4b67b)
#define VA_4LEVEL UINT64_C(0xffff923456a4b67b)
#define VA_LA57   UINT64_C(0xff12923456a4b67b)

/* Where pages lead, by level; under 4 GiB, so that no physical width makes them reserved. */
static const uint64_t frame[MODEL_LEVELS] = {
	UINT64_C(0x5a5a5000), UINT64_C(0x5a400000), UINT64_C(0x40000000)};

void model_bench_begin(struct model_bench *bench)
{
	memset(bench, 0, sizeof *bench);
	bench->window = (struct pw_window){BASE, sizeof bench->tables, bench->tables, false};
	bench->memory = (struct pw_memory){.windows = &bench->window, .window_count = 1};
	bench->slow = (struct slow_memory){
		(const uint8_t *)bench->tables, BASE, sizeof bench->tables, false, NULL};
}

static uint64_t load(const struct model_bench *bench, pw_pa pa)
{
	const uint8_t *at = (const uint8_t *)bench->tables + (pa - BASE);
	uint64_t entry = 0;

	for (unsigned i = 0; i < bench->entry_bytes; i++)
		entry |= (uint64_t)at[i] << (8 * i);
	return entry;
}

static void store(struct model_bench *bench, pw_pa pa, uint64_t entry)
{
	uint8_t *at = (uint8_t *)bench->tables + (pa - BASE);

	for (unsigned i = 0; i < bench->entry_bytes; i++)
		at[i] = (uint8_t)(entry >> (8 * i));
}

static pw_pa entry_pa(const struct model_bench *bench, unsigned level)
{
	const struct pw_format *format = bench->space.format;

	return TABLE(level) + pw_level_index(&format->level[level], bench->va) * bench->entry_bytes;
}

/* Above the PTE, bit 7 tells whether the entry leads to a table or a page. */
static uint64_t entry_of(
	const struct model_bench *bench, const struct model_case *c, unsigned level)
{
	uint64_t bits = c->field[MODEL_PTE + level];
	bool page = level == 0 || ((bits & LARGE) && level <= 2);

	/* With CR4.PSE = 0 bit 7 means nothing in 32-bit paging. */
	if (bench->entry_bytes == 4 && level == 1 && !(c->field[MODEL_CR4] & PW_CR4_PSE))
		page = false;
	if (level < 2 && bench->levels > 3)
		bits ^= c->field[MODEL_KEY] << 59;
	return bits ^ (page ? frame[level] : TABLE(level - 1));
}

static void set_config(struct model_bench *bench, const struct pw_x86_state *s)
{
	struct slow_config *c = &bench->config;

	if (!slow_config_tables(c, bench->space.format->name, s->cr3))
		abort();
	c->cr0_wp = s->cr0 & PW_CR0_WP;
	c->efer_nxe = s->efer & PW_EFER_NXE;
	c->cr4_pse = s->cr4 & PW_CR4_PSE;
	c->cr4_smep = s->cr4 & PW_CR4_SMEP;
	c->cr4_smap = s->cr4 & PW_CR4_SMAP;
	c->cr4_pke = s->cr4 & PW_CR4_PKE;
	c->cr4_pks = s->cr4 & PW_CR4_PKS;
	c->cr4_cet = s->cr4 & PW_CR4_CET;
	c->rflags_ac = s->rflags & PW_RFLAGS_AC;
	c->pkru = s->pkru;
	c->pkrs = s->pkrs;
	c->maxphyaddr = s->maxphyaddr;
	c->gbpages = !s->no_1g_pages;
	c->pse36 = !s->no_pse36;
	c->amd = s->amd;
}

static void set_registers(struct model_bench *bench, const struct model_case *c)
{
	bool la57 = c->field[MODEL_CR4] & PW_CR4_LA57, lma = c->field[MODEL_EFER] & PW_EFER_LMA;
	bool pae = c->field[MODEL_CR4] & PW_CR4_PAE;
	unsigned levels = lma ? la57 ? 5 : 4 : pae ? 3 : 2;
	struct pw_x86_state state = model_state(c, TABLE(levels - 1));
	const char *why = "";

	if (pw_space_init_x86(&bench->space, &state, &bench->memory, &why) != PW_OK) {
		fprintf(stderr, "access model: %s\n", why);
		abort();
	}
	bench->levels = levels;
	bench->entry_bytes = pae ? 8 : 4;
	bench->va = levels == 5 ? VA_LA57 : levels == 4 ? VA_4LEVEL : VA_32;
	set_config(bench, &state);
}

/* Only what differs from the case before is written. */
static void show(struct model_bench *bench, const struct model_case *c)
{
	size_t registers = sizeof c->field[0] * (MODEL_KEY - MODEL_CR0);
	bool anew = !bench->begun ||
		    memcmp(&c->field[MODEL_CR0], &bench->shown.field[MODEL_CR0], registers) != 0;

	if (anew)
		set_registers(bench, c);
	for (unsigned level = 0; level < bench->levels; level++)
		store(bench, entry_pa(bench, level), entry_of(bench, c, level));
	bench->shown = *c;
	bench->begun = true;
}

static struct slow_access slow_access(pw_access access)
{
	return (struct slow_access){
		.op = access & PW_ACCESS_ANY     ? SLOW_OP_NONE
		      : access & PW_ACCESS_WRITE ? SLOW_OP_WRITE
		      : access & PW_ACCESS_FETCH ? SLOW_OP_FETCH
						 : SLOW_OP_READ,
		.user = access & PW_ACCESS_USER,
		.implicit_supervisor = access & PW_ACCESS_IMPLICIT,
		.shadow_stack = access & PW_ACCESS_SHADOW_STACK,
	};
}

static const char *report(struct model_bench *bench, const char *what, const struct pw_result *r,
	const struct slow_result *twin)
{
	char words[160];

	snprintf(bench->text, sizeof bench->text,
		"%s: %s differs: walker %s level %d pa %#llx (%s), twin %s level %d pa %#llx error "
		"code %#x",
		bench->space.format->name, what, pw_status_name((enum pw_status)r->status),
		r->level, (unsigned long long)r->pa, pw_explain(r, words, sizeof words),
		slow_status_name(twin->status), twin->level, (unsigned long long)twin->pa,
		twin->error_code);
	return bench->text;
}

/* What the twin says, and which flags that means. SDM vol. 3A "Accessed and Dirty Flags". */
static const char *try_update(
	struct model_bench *bench, pw_access access, const struct slow_result *twin)
{
	uint64_t wanted[MODEL_LEVELS];
	struct pw_result r;

	for (unsigned level = 0; level < bench->levels; level++)
		wanted[level] = load(bench, entry_pa(bench, level));
	for (int level = (int)bench->levels - 1;
		twin->status == SLOW_MAPPED && level >= twin->level; level--) {
		bool pdpte = bench->levels == 3 && level == 2;

		wanted[level] |= pdpte ? 0 : ACCESSED;
		if (level == twin->level && (access & PW_ACCESS_WRITE))
			wanted[level] |= DIRTY;
	}
	if (agree_slow_status(pw_translate_update(&bench->space, bench->va, access, 1, &r)) !=
		twin->status)
		return report(bench, "status of the update", &r, twin);
	for (unsigned level = 0; level < bench->levels; level++) {
		if (load(bench, entry_pa(bench, level)) != wanted[level])
			return report(bench, "a flag that was set", &r, twin);
	}
	return NULL;
}

static const char *try_access(struct model_bench *bench, pw_access access)
{
	const struct slow_access slow = slow_access(access);
	struct slow_result twin;
	struct pw_result r;
	const char *what;

	slow_walk(&bench->config, &bench->slow, bench->va, &slow, &twin);
	if (pw_translate(&bench->space, bench->va, access, &r) != (enum pw_status)r.status)
		return report(bench, "what is returned", &r, &twin);
	what = agree_difference(bench->space.format, &r, &twin);
	if (what)
		return report(bench, what, &r, &twin);
	return access & PW_ACCESS_ANY ? NULL : try_update(bench, access, &twin);
}

const char *model_try(struct model_bench *bench, const struct model_case *c)
{
	const char *difference = NULL;

	show(bench, c);
	if (c->field[MODEL_TWICE])
		difference = try_access(bench, PW_ACCESS_READ);
	return difference ? difference : try_access(bench, (pw_access)c->field[MODEL_ACCESS]);
}
