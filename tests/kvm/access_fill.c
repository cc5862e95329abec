/* SPDX-License-Identifier: MIT */
/* Batches: from combinations to entries, registers and accesses. */
#include "access_judge.h"

#include <string.h>

#define LARGE    MODEL_PS
#define ENTRIES  512
#define BASE_LOW UINT64_C(0x80000000) /* 32-bit and PAE */
#define BASE_4   UINT64_C(0xffff923400000000)
#define BASE_5   UINT64_C(0xff12923400000000)

/* Always on in CR0: ET and NE. */
#define CR0_FIXED UINT64_C(0x30)

static unsigned index_of(uint64_t va, unsigned level)
{
	return (unsigned)(va >> (12 + 9 * level)) & (ENTRIES - 1);
}

static uint64_t base_va(const struct judge *judge)
{
	switch (judge->layout) {
	case JUDGE_4_LEVEL:
		return BASE_4;
	case JUDGE_5_LEVEL:
		return BASE_5;
	default:
		return BASE_LOW;
	}
}

/*
 * Each slot has a PDE and a PTE of its own, and the frame of its number: by way of the PTE, or at
 * that offset in the huge page of the PDE.
 */
static uint64_t slot_va(const struct judge *judge, unsigned slot)
{
	uint64_t span = judge->layout == JUDGE_32 ? UINT64_C(1) << 22 : UINT64_C(1) << 21;

	if (judge->layout == JUDGE_NONE)
		return JUDGE_FRAME(slot);
	if (judge->one_pde)
		return base_va(judge) + JUDGE_FRAME(slot);
	return base_va(judge) + slot * span + slot * UINT64_C(0x1000);
}

static void put_store(struct judge *judge, uint64_t table, unsigned index, uint64_t entry)
{
	uint32_t bytes = judge->layout == JUDGE_32 ? 4 : 8;

	judge->batch->stores[judge->batch->stores_count++] = (struct guest_store){
		.pa = table + index * (uint64_t)bytes, .entry = entry, .bytes = bytes};
}

static void put_page_entries(struct judge *judge, unsigned slot, const struct model_case *c)
{
	const uint64_t *tables = judge->batch->tables;
	uint64_t va = slot_va(judge, slot), key = c->field[MODEL_KEY] << 59;
	uint64_t pte = c->field[MODEL_PTE] ^ key ^ JUDGE_FRAME(slot);
	bool large = c->field[MODEL_PDE] & LARGE;
	uint64_t pde = c->field[MODEL_PDE] ^ key;

	if (judge->layout == JUDGE_32) {
		large = large && (c->field[MODEL_CR4] & PW_CR4_PSE);
		put_store(judge, judge->batch->root_32, (unsigned)(va >> 22),
			pde ^ (large ? JUDGE_FRAMES : tables[0]));
		put_store(judge, tables[0], (unsigned)(va >> 12) & 1023, pte);
	} else if (judge->layout != JUDGE_NONE) {
		put_store(judge, tables[1], index_of(va, 1),
			pde ^ (large ? JUDGE_FRAMES : tables[0]));
		put_store(judge, tables[0], index_of(va, 0), pte);
	}
}

static void put_upper_entries(struct judge *judge)
{
	const uint64_t *field = judge->shown.field, *tables = judge->batch->tables;
	uint64_t va = base_va(judge), root = judge->batch->root;
	uint64_t pml4 = judge->layout == JUDGE_5_LEVEL ? tables[3] : root;

	if (judge->layout == JUDGE_PAE)
		put_store(judge, root, (unsigned)(va >> 30), field[MODEL_PDPTE] ^ tables[1]);
	if (judge->layout < JUDGE_4_LEVEL)
		return;
	/* The 1 GiB page is the first: it holds the frames where they are. */
	put_store(judge, tables[2], index_of(va, 2),
		field[MODEL_PDPTE] ^ (field[MODEL_PDPTE] & LARGE ? 0 : tables[1]));
	put_store(judge, pml4, index_of(va, 3), field[MODEL_PML4E] ^ tables[2]);
	if (judge->layout == JUDGE_5_LEVEL)
		put_store(judge, root, index_of(va, 4), field[MODEL_PML5E] ^ tables[3]);
}

static void put_registers(struct judge *judge)
{
	const uint64_t *field = judge->shown.field;
	struct guest_batch *batch = judge->batch;

	batch->cr0 = field[MODEL_CR0] | CR0_FIXED;
	batch->cr3 = judge->layout == JUDGE_32 ? batch->root_32 : batch->root;
	batch->cr4 = field[MODEL_CR4];
	batch->efer = field[MODEL_EFER];
	batch->rflags = field[MODEL_RFLAGS] | 2;
	batch->pkru = (uint32_t)field[MODEL_PKRU];
}

/* Offset in the frame: what is accessed in each way stands in its own place. */
static uint64_t place_of(uint64_t access)
{
	if (access & PW_ACCESS_IMPLICIT)
		return JUDGE_SEGMENT_AT;
	if (access & PW_ACCESS_WRITE)
		return JUDGE_WRITE_AT;
	if (access & PW_ACCESS_FETCH)
		return access & PW_ACCESS_USER ? JUDGE_CODE3_AT : JUDGE_CODE0_AT;
	return JUDGE_READ_AT;
}

static void put_access(struct judge *judge, unsigned slot, uint64_t access)
{
	unsigned n = judge->batch->accesses_count++;
	uint32_t kind = (uint32_t)access & (PW_ACCESS_READ | PW_ACCESS_WRITE | PW_ACCESS_FETCH);

	_Static_assert(GUEST_ACCESS_READ == PW_ACCESS_READ &&
			       GUEST_ACCESS_WRITE == PW_ACCESS_WRITE &&
			       GUEST_ACCESS_FETCH == PW_ACCESS_FETCH,
		"one numbering");
	judge->forecast[n] =
		(struct judge_forecast){.ordinal = judge->ordinal, .implicit_ac = JUDGE_DEVIATIONS};
	judge->batch->accesses[n] = (struct guest_access){
		.va = slot_va(judge, slot) + place_of(access),
		.access = kind | (access & PW_ACCESS_USER ? GUEST_ACCESS_USER : 0) |
			  (access & PW_ACCESS_IMPLICIT ? GUEST_ACCESS_IMPLICIT : 0),
		.value = UINT32_C(0x77000000) | n,
	};
}

/* What a batch has in common. */
static bool fits(const struct judge *judge, const struct model_case *c)
{
	for (unsigned i = 0; i < MODEL_FIELDS; i++) {
		bool varies = i == MODEL_PTE || (i == MODEL_PDE && !judge->one_pde) ||
			      i == MODEL_KEY || i == MODEL_ACCESS || i == MODEL_TWICE;

		if (!varies && c->field[i] != judge->shown.field[i])
			return false;
	}
	return judge->batch->accesses_count + 2 <= GUEST_BATCH_ACCESSES;
}

/* All combinations of a block, then over to the block that is next in turn. */
static void step(struct judge *judge)
{
	bool last = (judge->ordinal + 1) % judge->block == 0;
	uint64_t steps = last ? (judge->stride - 1) * judge->block + 1 : 1;

	judge->ordinal += steps;
	judge->exhausted = !model_advance(&judge->cursor, steps);
}

/* To a legal combination, staying where we are if it is one. */
static bool find(struct judge *judge)
{
	while (!judge->exhausted && !model_is_legal(&judge->cursor))
		step(judge);
	return !judge->exhausted;
}

bool judge_fill(struct judge *judge)
{
	const struct model_case *c = &judge->cursor.at[0];

	judge->batch->stores_count = 0;
	judge->batch->accesses_count = 0;
	for (unsigned slot = 0; find(judge); slot++) {
		if (slot == 0)
			judge->shown = *c;
		else if (!fits(judge, c))
			break;
		put_page_entries(judge, slot, c);
		if (c->field[MODEL_TWICE])
			put_access(judge, slot, PW_ACCESS_READ);
		put_access(judge, slot, c->field[MODEL_ACCESS]);
		step(judge);
	}
	if (judge->batch->accesses_count == 0)
		return false;
	put_upper_entries(judge);
	put_registers(judge);
	return true;
}

void judge_write_frames(const struct judge *judge)
{
	const struct vmm_vm *vm = &judge->machine->vm;

	for (uint32_t i = 0; i < GUEST_BATCH_ACCESSES; i++) {
		uint8_t *frame = vmm_vm_host(vm, JUDGE_FRAME(i), 0x1000);
		const uint32_t word = UINT32_C(0x52000000) | i, code = UINT32_C(0xc0de0000) | i;
		/* SDM vol. 3A "Segment Descriptors": data, writable, accessed, for ring 3. */
		const uint64_t limit = UINT64_C(0xa0000) | i;
		const uint64_t segment = (limit & 0xffff) | UINT64_C(0xf3) << 40 |
					 (limit >> 16) << 48 | UINT64_C(0x40) << 48;

		memcpy(frame + JUDGE_READ_AT, &word, sizeof word);
		memset(frame + JUDGE_WRITE_AT, 0, sizeof word);
		frame[JUDGE_CODE0_AT] = frame[JUDGE_CODE3_AT] = 0xb8; /* mov $code, %eax */
		memcpy(frame + JUDGE_CODE0_AT + 1, &code, sizeof code);
		memcpy(frame + JUDGE_CODE3_AT + 1, &code, sizeof code);
		frame[JUDGE_CODE0_AT + 5] = 0xc3; /* ret */
		frame[JUDGE_CODE3_AT + 5] = 0xf4; /* hlt */
		memcpy(frame + JUDGE_SEGMENT_AT, &segment, sizeof segment);
	}
}
