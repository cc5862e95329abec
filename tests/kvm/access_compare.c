/* SPDX-License-Identifier: MIT */
/* What the walker foretells of a batch, and what the processor made of it. */
#include "access_judge.h"

#include <string.h>

#include <criterion/criterion.h>

#define ACCESSED UINT64_C(0x20)
#define GP       13
#define PF       14

static pw_access walker_access(uint32_t access)
{
	return (access & (GUEST_ACCESS_READ | GUEST_ACCESS_WRITE | GUEST_ACCESS_FETCH)) |
	       (access & GUEST_ACCESS_USER ? PW_ACCESS_USER : 0) |
	       (access & GUEST_ACCESS_IMPLICIT ? PW_ACCESS_IMPLICIT : 0);
}

/* Copies of the tables, for an update that the guest does not see. */
struct shadow {
	struct pw_window windows[JUDGE_TABLE_PAGES];
	struct pw_memory memory;
	struct pw_space space;
};

static void add_table(struct judge *judge, uint64_t pa)
{
	const void *page = pa ? vmm_vm_host(&judge->machine->vm, pa, 0x1000) : NULL;
	unsigned n = judge->tables_count;

	if (!page)
		return;
	judge->tables_pa[n] = pa;
	memcpy(judge->tables[n], page, sizeof judge->tables[n]);
	memset(judge->may_differ[n], 0, sizeof judge->may_differ[n]);
	judge->tables_count++;
}

static void copy_tables(struct judge *judge)
{
	judge->tables_count = 0;
	for (unsigned i = 0; i < GUEST_BATCH_TABLES; i++)
		add_table(judge, judge->batch->tables[i]);
	/* In the roots the guest's own image has the first entry, and walks it all the time. */
	add_table(judge, judge->batch->root);
	judge->may_differ[judge->tables_count - 1][0] |= ACCESSED;
	add_table(judge, judge->batch->root_32);
	judge->may_differ[judge->tables_count - 1][0] |= ACCESSED;
}

/* The guest's own space, and the same over the copies. */
static void make_spaces(
	struct judge *judge, struct vmm_vcpu *vcpu, struct pw_space *space, struct shadow *shadow)
{
	struct pw_x86_state state;

	cr_assert(vmm_vcpu_x86_state(vcpu, &state) == VMM_OK, "%s", vcpu->error.message);
	cr_assert(pw_space_init_x86(space, &state, &vcpu->vm->memory, NULL) == PW_OK);
	copy_tables(judge);
	for (unsigned i = 0; i < judge->tables_count; i++)
		shadow->windows[i] = (struct pw_window){
			.base = judge->tables_pa[i], .size = 0x1000, .host = judge->tables[i]};
	shadow->memory =
		(struct pw_memory){.windows = shadow->windows, .window_count = judge->tables_count};
	cr_assert(pw_space_init_x86(&shadow->space, &state, &shadow->memory, NULL) == PW_OK);
}

/* Which bytes the CPU must find: those at the walker's address. */
static uint32_t value_at(const struct judge *judge, uint64_t pa, uint32_t access)
{
	uint32_t word = 0;
	uint64_t segment = 0;

	if (access & GUEST_ACCESS_IMPLICIT) {
		(void)!vmm_vm_read(&judge->machine->vm, pa, &segment, sizeof segment);
		return (uint32_t)((segment & 0xffff) | (segment >> 32 & 0xf0000));
	}
	(void)!vmm_vm_read(
		&judge->machine->vm, access & GUEST_ACCESS_FETCH ? pa + 1 : pa, &word, sizeof word);
	return word;
}

/* In PAE, the root's entries: they have no flags. */
static bool is_pdpte(const struct judge *judge, unsigned table)
{
	return judge->layout == JUDGE_PAE && judge->tables_pa[table] == judge->batch->root;
}

static void allow_accessed(struct judge *judge, const struct pw_trace_step *steps, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		unsigned bytes = judge->layout == JUDGE_32 ? 4 : 8;
		uint64_t pa = steps[i].table + steps[i].index * (uint64_t)bytes;

		for (unsigned n = 0; n < judge->tables_count; n++) {
			uint64_t offset = pa - judge->tables_pa[n];

			if (offset < 0x1000 && !is_pdpte(judge, n))
				judge->may_differ[n][offset / 8] |= ACCESSED << (offset % 8 * 8);
		}
	}
}

static void count_features(struct judge *judge, uint32_t access, const struct pw_result *r)
{
	const uint64_t *field = judge->shown.field;
	const bool has[JUDGE_FEATURES] = {
		access & GUEST_ACCESS_USER,
		access & GUEST_ACCESS_WRITE,
		access & GUEST_ACCESS_FETCH,
		access & GUEST_ACCESS_IMPLICIT,
		!(field[MODEL_CR0] & PW_CR0_WP),
		field[MODEL_EFER] & PW_EFER_NXE,
		field[MODEL_CR4] & PW_CR4_SMEP,
		field[MODEL_CR4] & PW_CR4_SMAP,
		field[MODEL_RFLAGS] & PW_RFLAGS_AC,
		field[MODEL_CR4] & PW_CR4_PKE,
		r->page_size > 4096 && r->page_size < UINT64_C(1) << 30,
		r->page_size == UINT64_C(1) << 30,
		r->status == PW_RESERVED,
		r->status == PW_PROTECTION_KEY,
	};

	for (unsigned i = 0; i < JUDGE_FEATURES; i++)
		judge->feature[i] += has[i];
}

/* SMAP refuses it, but this host lets it through: which deviation, or JUDGE_DEVIATIONS. */
static enum judge_deviation opened_by_ac(
	const struct judge *judge, pw_access access, const struct pw_result *r)
{
	enum judge_deviation deviation =
		access & PW_ACCESS_USER ? JUDGE_IMPLICIT_3_OBEYS_AC : JUDGE_IMPLICIT_OBEYS_AC;
	bool possible = r->rule == PW_RULE_SMAP && (access & PW_ACCESS_IMPLICIT) &&
			(judge->shown.field[MODEL_RFLAGS] & PW_RFLAGS_AC);

	return possible && judge->deviates[deviation] ? deviation : JUDGE_DEVIATIONS;
}

static void foretell_one(struct judge *judge, const struct pw_space *space,
	const struct pw_space *shadow, unsigned n)
{
	const struct guest_access *asked = &judge->batch->accesses[n];
	struct judge_forecast *f = &judge->forecast[n];
	pw_access access = walker_access(asked->access);
	struct pw_trace_step steps[PW_MAX_LEVELS];
	struct pw_result r, marked;
	size_t count;
	enum pw_status status = pw_translate(space, asked->va, access, &r);

	count_features(judge, asked->access, &r);
	if (pw_translate_update(shadow, asked->va, access, 1, &marked) != status)
		judge_complain(judge, n, "status of the update", marked.status, status);
	if (status == PW_OK) {
		f->vector = GUEST_NO_FAULT;
		f->frame = (unsigned)((r.pa - JUDGE_FRAMES) >> 12);
		f->value = value_at(judge, r.pa, asked->access);
		if (asked->access & GUEST_ACCESS_WRITE && f->frame < GUEST_BATCH_ACCESSES)
			judge->written[f->frame] = asked->value;
		return;
	}
	f->vector = status == PW_NON_CANONICAL ? GP : PF;
	f->error_code = r.error_code;
	f->reserved = status == PW_RESERVED;
	f->implicit_ac = opened_by_ac(judge, access, &r);
	/*
	 * A fault can leave Accessed set in the entries above the one that decided. SDM vol. 3A
	 * "Accessed and Dirty Flags".
	 */
	(void)!pw_translate_trace(space, asked->va, access, &r, steps, &count);
	allow_accessed(judge, steps, f->implicit_ac < JUDGE_DEVIATIONS ? count : count - 1);
}

void judge_foretell(struct judge *judge, struct vmm_vcpu *vcpu)
{
	struct shadow shadow;
	struct pw_space space;

	make_spaces(judge, vcpu, &space, &shadow);
	judge_write_frames(judge);
	memset(judge->written, 0, sizeof judge->written);
	for (unsigned n = 0; n < judge->batch->accesses_count; n++)
		foretell_one(judge, &space, &shadow.space, n);
}

static uint32_t as_by_the_manual(
	struct judge *judge, const struct judge_forecast *f, uint32_t error_code)
{
	if (judge->deviates[JUDGE_RESERVED_WITHOUT_P] && f->reserved &&
		(error_code & (PW_PF_RSVD | PW_PF_P)) == PW_PF_RSVD) {
		judge->deviation[JUDGE_RESERVED_WITHOUT_P]++;
		return error_code | PW_PF_P;
	}
	return error_code;
}

static void compare_one(struct judge *judge, unsigned n)
{
	const struct guest_access *said = &judge->batch->accesses[n];
	const struct judge_forecast *f = &judge->forecast[n];

	judge->judged++;
	judge->faults += said->vector != GUEST_NO_FAULT;
	if (f->implicit_ac < JUDGE_DEVIATIONS && said->vector == GUEST_NO_FAULT)
		judge->deviation[f->implicit_ac]++;
	else if (said->vector != f->vector) {
		judge_complain(judge, n, "vector", f->vector, said->vector);
	} else if (said->vector == PF) {
		uint32_t code = as_by_the_manual(judge, f, said->error_code);

		if (code != f->error_code)
			judge_complain(judge, n, "error code", f->error_code, code);
		if (said->cr2 != said->va)
			judge_complain(judge, n, "CR2", said->va, said->cr2);
	} else if (said->vector == GUEST_NO_FAULT && !(said->access & GUEST_ACCESS_WRITE) &&
		   said->value != f->value) {
		judge_complain(judge, n, "what is there", f->value, said->value);
	}
}

/* The first access of the slot; of those that share an entry, any. */
static unsigned access_of(const struct judge *judge, unsigned slot)
{
	for (unsigned n = 0; n < judge->batch->accesses_count; n++)
		if (judge->forecast[n].slot == slot)
			return n;
	return 0;
}

static void compare_frames(struct judge *judge)
{
	for (unsigned i = 0; i < GUEST_BATCH_ACCESSES; i++) {
		uint32_t word = 0;

		(void)!vmm_vm_read(
			&judge->machine->vm, JUDGE_FRAME(i) + JUDGE_WRITE_AT, &word, sizeof word);
		if (word != judge->written[i])
			judge_complain(judge, access_of(judge, i), "what was written",
				judge->written[i], word);
	}
}

static bool is_gib_page(const struct judge *judge, unsigned table, uint64_t entry)
{
	return judge->layout >= JUDGE_4_LEVEL &&
	       judge->tables_pa[table] == judge->batch->tables[2] && (entry & MODEL_PS);
}

static void compare_entry(struct judge *judge, unsigned table, unsigned index, uint64_t now)
{
	uint64_t wanted = judge->tables[table][index];
	bool wide = judge->layout != JUDGE_32; /* or two entries a word */
	uint64_t difference = (now ^ wanted) & ~judge->may_differ[table][index];

	if (judge->deviates[JUDGE_PDPTE_ACCESSED] && difference == ACCESSED &&
		is_pdpte(judge, table))
		judge->deviation[JUDGE_PDPTE_ACCESSED]++;
	else if (judge->deviates[JUDGE_GIB_ACCESSED] && difference == ACCESSED &&
		 is_gib_page(judge, table, wanted))
		judge->deviation[JUDGE_GIB_ACCESSED]++;
	else if (difference)
		judge_complain(judge,
			access_of(judge, (wide ? index : 2 * index + !(uint32_t)difference) % 512),
			"an entry", wanted, now);
}

static void compare_tables(struct judge *judge)
{
	for (unsigned n = 0; n < judge->tables_count; n++) {
		const uint64_t *now = vmm_vm_host(&judge->machine->vm, judge->tables_pa[n], 0x1000);

		for (unsigned i = 0; i < 512; i++)
			compare_entry(judge, n, i, now[i]);
	}
}

void judge_compare(struct judge *judge)
{
	judge->batches++;
	for (unsigned n = 0; n < judge->batch->accesses_count; n++)
		compare_one(judge, n);
	compare_frames(judge);
	compare_tables(judge);
}
