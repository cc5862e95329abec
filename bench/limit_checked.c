/* SPDX-License-Identifier: MIT */
/*
 * limit-checked: one address after the other with every check of the library's default translation
 * and the same answer, written by hand for this one format: canonical, each entry inside the image,
 * present, no reserved bit, a table or a page, rights folded and enforced, struct pw_result filled
 * in completely.
 *
 * limit-checked-called: each of them a call, as it is of a library. Some processors keep fewer
 * misses in flight across calls and returns than within a loop: what the library loses by that is
 * no fault of its code.
 *
 * The result from error_code on is two words. The first is the level and the key; the second is put
 * together from small tables: one by the folded rights, one by the entry's bits 3 to 8 (PWT, PCD,
 * A, D, PAT or PS, G).
 */
#include "bench.h"
#include "limit.h"
#include "pagewalk.h"
#include "translator.h"
#include "x86.h"

#include <stdlib.h>
#include <string.h>

#define READ_BIT ((offsetof(struct pw_result, supervisor) - SECOND) * 8)

_Static_assert(offsetof(struct pw_result, flags) >= SECOND &&
		       offsetof(struct pw_result, memory_type) >= SECOND &&
		       offsetof(struct pw_result, supervisor) >= SECOND &&
		       offsetof(struct pw_result, key) < SECOND,
	"the key is in the first word, what else depends on the entry in the second");

/* Reserved bits, with 52 address bits, NXE and 1 GiB pages; the present bit makes it one test. */
#define MUST_ROOT (X86_PS | X86_P)
#define MUST_1G   ((LOW(30) & ~LOW(13)) | X86_P)
#define MUST_2M   ((LOW(21) & ~LOW(13)) | X86_P)

struct checked {
	const uint8_t *image;
	uint64_t reach; /* offsets below this hold a whole entry */
	uint64_t root;
	uint64_t by_rights[8];   /* W, U and NX, folded */
	uint64_t by_bits[2][64]; /* of a last table's entry, and of a large page's */
	struct pw_result ring[RING];
	struct pagewalk pagewalk; /* to verify */
};

/* A walk that has come to an entry. */
struct at {
	const struct checked *checked;
	struct pw_result *r;
	uint64_t va, entry, entry_pa, fold, no_execute;
};

INLINE void refuse(const struct at *at, unsigned level)
{
	bool present = at->entry & X86_P;

	*at->r = (struct pw_result){
		.va = at->va,
		.entry = at->entry,
		.entry_pa = at->entry_pa,
		.error_code = present ? PW_PF_P | PW_PF_RSVD : 0,
		.status = present ? PW_RESERVED : PW_NOT_PRESENT,
		.level = (int8_t)level,
		.flags = PW_RESULT_ENTRY | PW_RESULT_ERROR_CODE,
	};
}

RARELY void refuse_early(struct pw_result *r, uint64_t va, int level, enum pw_status status)
{
	*r = (struct pw_result){.va = va, .level = (int8_t)level, .status = (uint8_t)status};
}

RARELY void refuse_access(struct pw_result *r)
{
	r->status = PW_PROTECTION;
	r->rule = PW_RULE_NOT_READABLE;
	r->error_code = PW_PF_P;
	r->flags |= PW_RESULT_ERROR_CODE;
}

INLINE void found(const struct at *at, const unsigned level)
{
	const uint64_t low = LOW(SHIFT(level));
	uint64_t first, second;
	struct pw_result *r = at->r;

	first = (uint64_t)level << (offsetof(struct pw_result, level) - TAIL) * 8;
	first |= (at->entry >> 59 & 15) << KEY_BIT;
	second = at->checked->by_rights[(at->fold >> 1 & 3) | (at->no_execute >> 61 & 4)];
	second |= at->checked->by_bits[level != 0][at->entry >> 3 & 63];
	if (level)
		second |= (at->entry >> 10 & 4) /* the PAT bit */
			  << (offsetof(struct pw_result, memory_type) - SECOND) * 8;
	r->va = at->va;
	r->pa = (at->entry & X86_ADDRESS & ~low) | (at->va & low);
	r->page_size = low + 1;
	r->entry = at->entry;
	r->entry_pa = at->entry_pa;
	memcpy((char *)r + TAIL, &first, 8);
	memcpy((char *)r + SECOND, &second, 8);
	if (!LIKELY(second >> READ_BIT & PW_R))
		refuse_access(r);
}

/* Reads the entry of a level. False: it is not in the image. */
INLINE bool read_entry(
	struct at *at, const uint8_t *image, uint64_t reach, uint64_t table, const unsigned level)
{
	at->entry_pa = table + SLOT(at->va, level);
	if (!LIKELY(at->entry_pa < reach)) {
		refuse_early(at->r, at->va, (int)level, PW_NO_MEMORY);
		return false;
	}
	at->entry = x86_load(image, at->entry_pa);
	at->fold &= at->entry;
	at->no_execute |= at->entry;
	return true;
}

/* Reads an entry of the levels 1 and 2. True: it leads to a table. */
INLINE bool step(struct at *at, const uint8_t *image, uint64_t reach, const unsigned level)
{
	if (!read_entry(at, image, reach, at->entry & X86_ADDRESS, level))
		return false;
	if (at->entry & X86_PS) {
		if ((at->entry & (level == 1 ? MUST_2M : MUST_1G)) == X86_P)
			found(at, level);
		else
			refuse(at, level);
		return false;
	}
	if (!(at->entry & X86_P)) {
		refuse(at, level);
		return false;
	}
	return true;
}

INLINE void translate(const struct checked *checked, const uint8_t *image, uint64_t reach,
	uint64_t root, uint64_t va, struct pw_result *r)
{
	struct at at = {.checked = checked, .r = r, .va = va, .fold = ~UINT64_C(0)};

	if (!LIKELY((va + (UINT64_C(1) << 47)) >> 48 == 0)) {
		refuse_early(r, va, -1, PW_NON_CANONICAL);
		return;
	}
	if (!read_entry(&at, image, reach, root, 3))
		return;
	if (!LIKELY((at.entry & MUST_ROOT) == X86_P)) {
		refuse(&at, 3);
		return;
	}
	if (!step(&at, image, reach, 2) || !step(&at, image, reach, 1) ||
		!read_entry(&at, image, reach, at.entry & X86_ADDRESS, 0))
		return;
	if (at.entry & X86_P)
		found(&at, 0);
	else
		refuse(&at, 0);
}

static void run(void *self, const uint64_t *va, size_t count)
{
	struct checked *checked = self;
	const uint8_t *image = checked->image;
	uint64_t reach = checked->reach, root = checked->root;

	for (size_t i = 0; i < count; i += RING) {
		size_t part = count - i < RING ? count - i : RING;

		for (size_t j = 0; j < part; j++)
			translate(checked, image, reach, root, va[i + j], &checked->ring[j]);
	}
}

/* The same in a function of its own, as a library's must be. */
static __attribute__((noinline)) void call_translate(
	const struct checked *checked, uint64_t va, struct pw_result *r)
{
	translate(checked, checked->image, checked->reach, checked->root, va, r);
}

static void run_called(void *self, const uint64_t *va, size_t count)
{
	struct checked *checked = self;

	for (size_t i = 0; i < count; i += RING) {
		size_t part = count - i < RING ? count - i : RING;

		for (size_t j = 0; j < part; j++)
			call_translate(checked, va[i + j], &checked->ring[j]);
	}
}

static uint64_t by_rights(unsigned i)
{
	uint8_t rwx = (uint8_t)(PW_R | (i & 1 ? PW_W : 0) | (i & 4 ? 0 : PW_X));
	bool user = i & 2;
	struct pw_result r = {
		.rights = (uint8_t)(rwx | (user ? PW_U : 0)),
		.user = user ? rwx : 0,
		.supervisor = rwx,
		.implicit = rwx,
		.flags = PW_RESULT_ENTRY,
	};
	uint64_t word;

	memcpy(&word, (char *)&r + SECOND, 8);
	return word;
}

/* Bit 7 is PAT in a last table's entry, PS in others. */
static void set_by_bits(uint64_t *word, bool large, unsigned i)
{
	uint64_t entry = (uint64_t)i << 3;
	struct pw_result r = {
		.memory_type = (uint8_t)((i & 3) | (!large && entry & X86_PS ? 4 : 0)),
		.flags = (uint8_t)((entry & X86_A ? PW_RESULT_ACCESSED : 0) |
				   (entry & X86_D ? PW_RESULT_DIRTY : 0) |
				   (entry & X86_G ? PW_RESULT_GLOBAL : 0)),
	};

	memcpy(word, (char *)&r + SECOND, 8);
}

static void *open_checked(const struct workload *w, enum order order)
{
	struct checked *checked = calloc(1, sizeof *checked);

	(void)order;
	if (!checked)
		bench_die("no memory");
	checked->image = w->image.bytes;
	checked->reach = w->image.size - 7;
	checked->root = w->root;
	for (unsigned i = 0; i < 8; i++)
		checked->by_rights[i] = by_rights(i);
	for (unsigned i = 0; i < 64; i++) {
		set_by_bits(&checked->by_bits[0][i], false, i);
		set_by_bits(&checked->by_bits[1][i], true, i);
	}
	pagewalk_open(&checked->pagewalk, &w->image, w->root, DOOR_WINDOW);
	return checked;
}

static bool same(const struct pw_result *a, const struct pw_result *b)
{
	return a->va == b->va && a->pa == b->pa && a->page_size == b->page_size &&
	       a->entry == b->entry && a->entry_pa == b->entry_pa &&
	       a->error_code == b->error_code && a->status == b->status && a->level == b->level &&
	       a->rule == b->rule && a->rights == b->rights && a->user == b->user &&
	       a->supervisor == b->supervisor && a->implicit == b->implicit &&
	       a->flags == b->flags && a->memory_type == b->memory_type && a->key == b->key;
}

static void answer(const void *self, size_t index, struct answer *answer)
{
	const struct checked *checked = self;
	const struct pw_result *r = &checked->ring[index];
	struct pw_result library;

	(void)!pw_translate(&checked->pagewalk.space, r->va, PW_ACCESS_READ, &library);
	if (!same(r, &library))
		bench_die("%#llx: not the library's answer", (unsigned long long)r->va);
	answer->mapped = r->status == PW_OK;
	answer->pa = r->pa;
	answer->level = r->level;
	answer->rights = r->rights;
}

const struct translator translator_limit_checked = {
	.who = "limit-checked",
	.open = open_checked,
	.run = run,
	.answer = answer,
	.close = free,
	.group = RING,
	.sweeps = true,
};

const struct translator translator_limit_called = {
	.who = "limit-checked-called",
	.open = open_checked,
	.run = run_called,
	.answer = answer,
	.close = free,
	.group = RING,
};
