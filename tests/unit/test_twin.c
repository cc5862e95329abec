/* SPDX-License-Identifier: MIT */
/*
 * The walker against its slow twin, which was written from the manuals and shares no code with it:
 * random tables in every format, every kind of access, through windows and through callbacks.
 */
#include "agree.h"
#include "random_tables.h"
#include "share.h"
#include <criterion/criterion.h>
#include <pagewalk/pagewalk.h>
#include <stdio.h>
#include <string.h>

#define IMAGE_BYTES (UINT64_C(4) << 20)
#define IMAGE_BASE  UINT64_C(0x200000)

struct bench {
	struct random random;
	struct image image;
	struct slow_memory slow;
	struct pw_window window;
	struct pw_memory windows, callbacks;
	unsigned reached[PW_STATUS_COUNT][PW_MAX_LEVELS + 1];
};

static bool read_pte(void *ctx, pw_pa pa, unsigned bytes, uint64_t *entry)
{
	const struct image *image = ctx;
	uint64_t offset = pa - image->base, value = 0;

	if (offset >= image->size || image->size - offset < bytes)
		return false;
	for (unsigned i = 0; i < bytes; i++)
		value |= (uint64_t)image->bytes[offset + i] << (8 * i);
	*entry = value;
	return true;
}

static void bench_begin(struct bench *bench, uint64_t seed)
{
	*bench = (struct bench){.random = random_from(seed)};
	bench->image = (struct image){aligned_alloc(4096, IMAGE_BYTES), IMAGE_BASE, IMAGE_BYTES};
	cr_assert(bench->image.bytes != NULL, "no memory for the image");
	for (uint64_t i = 0; i < IMAGE_BYTES; i++)
		bench->image.bytes[i] = (uint8_t)random_next(&bench->random);
	bench->slow =
		(struct slow_memory){bench->image.bytes, IMAGE_BASE, IMAGE_BYTES, false, NULL};
	bench->window = (struct pw_window){IMAGE_BASE, IMAGE_BYTES, bench->image.bytes, true};
	bench->windows = (struct pw_memory){.windows = &bench->window, .window_count = 1};
	bench->callbacks = (struct pw_memory){.read_pte = read_pte, .ctx = &bench->image};
}

static pw_access access_of(const struct slow_access *access)
{
	static const pw_access kinds[] = {
		[SLOW_OP_NONE] = PW_ACCESS_ANY,
		[SLOW_OP_READ] = PW_ACCESS_READ,
		[SLOW_OP_WRITE] = PW_ACCESS_WRITE,
		[SLOW_OP_FETCH] = PW_ACCESS_FETCH,
	};
	pw_access result = kinds[access->op];

	if (access->op == SLOW_OP_NONE)
		return result;
	result |= access->user ? PW_ACCESS_USER : 0;
	result |= access->implicit_supervisor ? PW_ACCESS_IMPLICIT : 0;
	result |= access->shadow_stack ? PW_ACCESS_SHADOW_STACK : 0;
	return result;
}

static struct slow_access random_access(
	struct random *random, const struct slow_config *config, bool x86)
{
	struct slow_access access = {
		.op = (enum slow_op)random_below(random, 4),
		.user = random_once_in(random, 2),
		.implicit_supervisor = x86 && random_once_in(random, 6),
	};

	access.shadow_stack = x86 && config->cr4_cet && random_once_in(random, 4) &&
			      (access.op == SLOW_OP_READ || access.op == SLOW_OP_WRITE);
	return access;
}

static void compare(struct bench *bench, const struct slow_config *config,
	const struct pw_space *space, uint64_t va)
{
	struct slow_access access =
		random_access(&bench->random, config, space->format->family == PW_FAMILY_X86);
	struct slow_result twin;
	struct pw_result result;
	enum pw_status status = pw_translate(space, va, access_of(&access), &result);
	const char *what;

	slow_walk(config, &bench->slow, va, &access, &twin);
	what = agree_difference(space->format, &result, &twin);
	bench->reached[result.status][result.level + 1]++;
	if (what || status != (enum pw_status)result.status) {
		char text[160];

		cr_assert(false,
			"%s: %s differs at va %#llx root %#llx access %#x: walker %s level %d "
			"entry "
			"%#llx pa %#llx (%s), twin %s level %d entry %#llx pa %#llx error %#x",
			config->format, what, (unsigned long long)va,
			(unsigned long long)space->root, access_of(&access), pw_status_name(status),
			result.level, (unsigned long long)result.entry,
			(unsigned long long)result.pa, pw_explain(&result, text, sizeof text),
			slow_status_name(twin.status), twin.level, (unsigned long long)twin.entry,
			(unsigned long long)twin.pa, twin.error_code);
	}
}

static uint64_t random_root(struct bench *bench, const struct pw_format *format)
{
	uint64_t bytes = format->levels ? pw_table_bytes(format, format->levels - 1u) : 4096;

	if (bytes < 4096 && format->family == PW_FAMILY_X86 && format->levels != 3)
		bytes = 4096;
	return IMAGE_BASE + random_below(&bench->random, IMAGE_BYTES / bytes) * bytes;
}

static const struct pw_memory *random_memory(struct bench *bench)
{
	return random_once_in(&bench->random, 4) ? &bench->callbacks : &bench->windows;
}

/* The rules of EPT and NPT. */
static void second_stage(struct bench *bench, struct pw_rules *rules, struct slow_config *config)
{
	rules->ept_mode_based_execute = random_once_in(&bench->random, 2);
	rules->ept_no_2m_pages = random_once_in(&bench->random, 4);
	rules->no_1g_pages = random_once_in(&bench->random, 4);
	rules->npt_no_execute_disable = random_once_in(&bench->random, 3);
	rules->npt_gmet = random_once_in(&bench->random, 2);
	config->ept_mbec = rules->ept_mode_based_execute;
	config->ept_2m_pages = !rules->ept_no_2m_pages;
	config->npt_gmet = rules->npt_gmet;
	if (!strncmp(config->format, "npt", 3))
		config->efer_nxe = !rules->npt_no_execute_disable;
	if (!strncmp(config->format, "npt", 3) || !strncmp(config->format, "ept", 3))
		config->gbpages = !rules->no_1g_pages;
}

/* The tables as they are: the default rules, with a narrower physical width now and then. */
static void tables_as_they_are(struct bench *bench, const struct pw_format *format)
{
	struct pw_rules rules = {.riscv_sum = random_once_in(&bench->random, 3),
		.riscv_mxr = random_once_in(&bench->random, 3),
		.riscv_hardware_ad = random_once_in(&bench->random, 3),
		.riscv_napot = random_once_in(&bench->random, 2),
		.arm_access_flag_fault = random_once_in(&bench->random, 3),
		.arm_pan = random_once_in(&bench->random, 3),
		.ept_no_execute_only = random_once_in(&bench->random, 3)};
	struct slow_config config;
	struct pw_space space;
	bool arm64 = format->family == PW_FAMILY_ARM && format->va_bits > 32 && format->has_user;

	rules.arm_high = arm64 && random_once_in(&bench->random, 2);
	if (random_once_in(&bench->random, 3))
		rules.pa_bits = (uint8_t)(32 + random_below(&bench->random, 21));
	cr_assert(slow_config_tables(&config, format->name, random_root(bench, format)));
	if (rules.pa_bits)
		config.maxphyaddr = rules.pa_bits;
	config.riscv_sum = rules.riscv_sum;
	config.riscv_mxr = rules.riscv_mxr;
	config.riscv_svade = !rules.riscv_hardware_ad;
	config.riscv_svnapot = rules.riscv_napot;
	config.arm_high = rules.arm_high;
	config.arm_access_flag = rules.arm_access_flag_fault;
	config.arm_pan = rules.arm_pan && arm64;
	rules.arm_pan = config.arm_pan;
	config.ept_exec_only = !rules.ept_no_execute_only;
	second_stage(bench, &rules, &config);
	cr_assert(pw_space_init_rules(&space, format, config.root, random_memory(bench), &rules) ==
		  PW_OK);
	for (int i = 0; i < 12; i++) {
		uint64_t va = random_va(&bench->random, format, rules.arm_high);

		random_path(&bench->random, &bench->image, format, config.root, va);
		for (int j = 0; j < 4; j++)
			compare(bench, &config, &space, va);
	}
}

Test(twin, every_format)
{
	static struct bench bench;
	unsigned rounds = share_of(2500, 400);
	uint64_t seed = random_seed(20260901);
	const struct pw_format *format;

	bench_begin(&bench, seed);
	for (size_t i = 0; (format = pw_format_at(i)); i++) {
		memset(bench.reached, 0, sizeof bench.reached);
		for (unsigned round = 0; round < rounds; round++)
			tables_as_they_are(&bench, format);
		for (unsigned level = 0; level < format->levels; level++)
			cr_expect(!format->level[level].page.size_log2 ||
					  bench.reached[PW_OK][level + 1] > 50,
				"%s: only %u pages at level %u", format->name,
				bench.reached[PW_OK][level + 1], level);
	}
	free(bench.image.bytes);
	printf("seed %llu\n", (unsigned long long)seed);
}

/* ---- x86 from control registers ---- */

struct registers {
	struct pw_x86_state state;
	struct slow_config config;
	const struct pw_format *format;
};

static uint64_t maybe(struct random *random, uint64_t bit)
{
	return random_once_in(random, 2) ? bit : 0;
}

static void random_linear_rules(struct random *random, struct pw_x86_state *s)
{
	if (random_once_in(random, 4))
		s->cr4 |= PW_CR4_LASS;
	if (random_once_in(random, 2))
		return;
	s->cr4 |= maybe(random, PW_CR4_LAM_SUP);
	s->cr3 |= maybe(random, PW_CR3_LAM_U48) | maybe(random, PW_CR3_LAM_U57);
}

/* Metadata that LAM may or may not know. */
static uint64_t random_tag(struct random *random, const struct registers *r, uint64_t va)
{
	uint64_t lam = (r->state.cr3 & (PW_CR3_LAM_U48 | PW_CR3_LAM_U57)) |
		       (r->state.cr4 & PW_CR4_LAM_SUP);

	if (r->format->va_bits == 32 || !lam || random_once_in(random, 2))
		return va;
	return va ^ (random_next(random) & random_next(random) & UINT64_C(0x7fff000000000000));
}

/* PAE's registers as they are in memory now; the memory may change later. False: none can be. */
static bool load_pdptes(struct bench *bench, struct registers *r)
{
	struct pw_space space;
	enum pw_status status;
	const char *why;
	uint64_t entry = 0;

	r->state.pdpte_load = true;
	status = pw_space_init_x86(&space, &r->state, &bench->windows, &why);
	for (unsigned i = 0; i < 4; i++) {
		uint64_t bad = UINT64_C(0x1e6) | ~UINT64_C(0) << r->state.maxphyaddr;

		cr_assert(read_pte(&bench->image, r->config.root + 8 * i, 8, &entry));
		r->config.pdpte[i] = entry;
		if ((entry & 1) && (entry & bad & ~r->state.encryption_mask)) {
			cr_assert(status == PW_E_STATE && why);
			return false;
		}
	}
	cr_assert(status == PW_OK);
	r->config.pdpte_given = true;
	return true;
}

static struct registers random_registers(struct bench *bench)
{
	static const char *const names[] = {"x86-32", "x86-pae", "x86-64", "x86-64-la57"};
	struct random *random = &bench->random;
	struct registers r = {.state = {0}};
	struct pw_x86_state *s = &r.state;
	unsigned mode = (unsigned)random_below(random, 4);

	r.format = pw_format_find(names[mode]);
	s->cr0 = PW_CR0_PE | PW_CR0_PG | maybe(random, PW_CR0_WP);
	s->cr4 = maybe(random, PW_CR4_PSE) | maybe(random, PW_CR4_SMEP) |
		 maybe(random, PW_CR4_SMAP) | maybe(random, PW_CR4_PKE) | maybe(random, PW_CR4_PKS);
	s->cr4 |= s->cr0 & PW_CR0_WP ? maybe(random, PW_CR4_CET) : 0;
	s->efer = maybe(random, PW_EFER_NXE);
	if (mode >= 1)
		s->cr4 |= PW_CR4_PAE;
	if (mode >= 2)
		s->efer |= PW_EFER_LMA | PW_EFER_LME;
	if (mode == 3)
		s->cr4 |= PW_CR4_LA57;
	s->rflags = maybe(random, PW_RFLAGS_AC);
	s->pkru = (uint32_t)(random_next(random) & random_next(random));
	s->pkrs = (uint32_t)(random_next(random) & random_next(random));
	s->maxphyaddr = (uint8_t)(32 + random_below(random, 21));
	s->no_1g_pages = random_once_in(random, 2);
	s->no_pse36 = random_once_in(random, 2);
	s->amd = random_once_in(random, 2);
	s->cr3 = random_root(bench, r.format);
	if (mode >= 2)
		random_linear_rules(random, s);
	if (mode >= 1 && random_once_in(random, 3))
		s->encryption_mask = UINT64_C(1) << (32 + random_below(random, 20));
	/* What is no address in CR3. */
	s->cr3 |= random_below(random, 4096) & (mode == 1 ? 31 : 4095);
	s->cr3 |= mode >= 2 ? maybe(random, s->encryption_mask) : random_next(random) << 32;
	return r;
}

static void twin_registers(struct registers *r)
{
	const struct pw_x86_state *s = &r->state;
	struct slow_config *c = &r->config;

	cr_assert(slow_config_tables(c, r->format->name, s->cr3));
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
	c->root = s->cr3 & (c->format[4] == 'p' ? UINT64_C(0xffffffe0) : ~UINT64_C(0xfff));
	if (r->format->levels < 4)
		c->root &= UINT32_MAX;
	c->encryption_mask = s->encryption_mask;
	c->cr4_lass = s->cr4 & PW_CR4_LASS;
	c->cr4_lam_sup = s->cr4 & PW_CR4_LAM_SUP;
	c->cr3_lam_u48 = s->cr3 & PW_CR3_LAM_U48;
	c->cr3_lam_u57 = s->cr3 & PW_CR3_LAM_U57;
	c->root &= ~(UINT64_C(7) << 61 | s->encryption_mask);
}

Test(twin, x86_from_control_registers)
{
	static struct bench bench;
	unsigned rounds = share_of(20000, 10000);
	uint64_t seed = random_seed(20260902);

	bench_begin(&bench, seed);
	for (unsigned round = 0; round < rounds; round++) {
		struct registers r = random_registers(&bench);
		struct pw_space space;
		const char *why;

		twin_registers(&r);
		if (r.format->levels == 3 && random_once_in(&bench.random, 2)) {
			uint64_t va = random_va(&bench.random, r.format, false);

			random_path(&bench.random, &bench.image, r.format, r.config.root, va);
			if (!load_pdptes(&bench, &r))
				continue;
		}
		r.state.pdpte_loaded = r.config.pdpte_given;
		for (unsigned i = 0; i < 4; i++)
			r.state.pdpte[i] = r.config.pdpte[i];
		cr_assert(pw_space_init_x86(&space, &r.state, random_memory(&bench), &why) == PW_OK,
			"%s", why);
		for (int i = 0; i < 6; i++) {
			uint64_t va = random_va(&bench.random, r.format, false);

			random_path(&bench.random, &bench.image, r.format, r.config.root, va);
			for (int j = 0; j < 4; j++)
				compare(&bench, &r.config, &space,
					random_tag(&bench.random, &r, va));
		}
	}
	for (unsigned status = PW_OK; status <= PW_PROTECTION_KEY; status++) {
		unsigned seen = 0;

		for (unsigned level = 0; level <= PW_MAX_LEVELS; level++)
			seen += bench.reached[status][level];
		cr_expect(seen > 100, "%s: only %u", pw_status_name((enum pw_status)status), seen);
	}
	free(bench.image.bytes);
	printf("seed %llu\n", (unsigned long long)seed);
}
