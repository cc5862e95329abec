/* SPDX-License-Identifier: MIT */
/*
 * nested/.../limit-checked: one address after the other through two stages with every check of the
 * library's default translation and the same answer, written by hand for 4 KiB pages of x86-64
 * under 2 MiB pages of EPT, with the guest's tables in one GiB; the library is asked for all else.
 *
 * limit-checked-called: each of them a call, as it is of a library.
 *
 * What comes after the entry of the guest's page waits for it, and the memory holds that back: the
 * fewer instructions, the more walks are under way at a time. So masks, rights and what the flags
 * say are tables, and all that may be wrong is one word.
 */
#include "bench.h"
#include "limit.h"
#include "nested.h"
#include "x86.h"

#include <stdlib.h>
#include <string.h>

#define HEAD  offsetof(struct pw_nested_result, status)
#define GRANT offsetof(struct pw_nested_result, rights)
_Static_assert(GRANT == HEAD + 4, "the rights are the upper half of a word");

#define EPT_R    UINT64_C(1)
#define EPT_W    UINT64_C(2)
#define EPT_TYPE UINT64_C(0x38)
#define EPT_WB   UINT64_C(0x30)
#define GIB      30
#define LOW_2M   LOW(21)

/*
 * Of a page of 2 MiB with guest tables: R, and W for the guest's flags; write back; PS; no address
 * bits below it.
 */
#define TABLES_WANT (EPT_R | EPT_W | EPT_WB | X86_PS)
#define TABLES_MASK (TABLES_WANT | EPT_TYPE | (LOW_2M & ~LOW(12)))
/* Of a table of EPT: bits 7:3 are reserved. */
#define UPPER_MASK  (LOW(8) - LOW(3))
/* Of a page of 2 MiB with data. */
#define DATA_MASK   (EPT_R | X86_PS | (LOW_2M & ~LOW(12)))
#define DATA_WANT   (EPT_R | X86_PS)

struct nested_limit {
	const uint8_t *host;
	uint64_t reach;       /* offsets below this hold a whole entry */
	uint64_t reach_table; /* and below this a whole table */
	uint64_t guest_root, ept_root;
	uint64_t by_rights[16]; /* NX, P, W, U, folded: of a second word and of a head */
	uint64_t by_ept[8];     /* R, W, X, folded */
	uint64_t by_bits[64];   /* bits 8:3 of the guest's entry */
	uint64_t by_ept_bits[128];
	const struct pw_space *guest, *ept; /* for the library */
	struct pw_nested_result ring[NESTED_RING];
};

RARELY void ask(const struct nested_limit *l, uint64_t va, struct pw_nested_result *r)
{
	(void)!pw_nested_translate(l->guest, l->ept, va, PW_ACCESS_READ, r);
}

INLINE uint64_t in_2m(uint64_t entry, uint64_t gpa)
{
	return ((entry ^ gpa) & X86_ADDRESS & ~LOW_2M) ^ gpa;
}

INLINE void put_page(struct pw_result *r, uint64_t va, uint64_t pa, uint64_t size, uint64_t entry,
	uint64_t entry_pa, uint64_t first, uint64_t second)
{
	r->va = va;
	r->pa = pa;
	r->page_size = size;
	r->entry = entry;
	r->entry_pa = entry_pa;
	memcpy((char *)r + TAIL, &first, 8);
	memcpy((char *)r + SECOND, &second, 8);
}

/* What the walk has come to. */
struct way {
	uint64_t first_at, directory;      /* of the guest's root, and where EPT leads from there */
	uint64_t at, entry;                /* the guest's */
	uint64_t and_fold, or_fold;        /* of the guest's tables */
	uint64_t top, pdpt, upper, tables; /* of EPT; tables: what is not as it should be */
};

/* An entry of the guest's, through EPT. */
INLINE bool guest_entry(const struct nested_limit *l, struct way *w)
{
	uint64_t e, offset;

	if (!LIKELY((w->at ^ w->first_at) >> GIB == 0))
		return false;
	e = x86_load(l->host, w->directory + SLOT(w->at, 1));
	w->tables |= e ^ TABLES_WANT;
	offset = in_2m(e, w->at);
	if (!LIKELY(offset < l->reach))
		return false;
	w->entry = x86_load(l->host, offset);
	return true;
}

INLINE bool guest_table(const struct nested_limit *l, uint64_t va, unsigned level, struct way *w)
{
	if (!guest_entry(l, w))
		return false;
	w->and_fold &= w->entry;
	w->or_fold |= w->entry;
	w->at = (w->entry & X86_ADDRESS) + SLOT(va, level - 1);
	return true;
}

INLINE bool tables_are_good(const struct way *w)
{
	return !((w->tables & TABLES_MASK) | (~w->and_fold & X86_P) | (w->or_fold & X86_PS) |
		 ((w->top | w->upper) & UPPER_MASK) | (~(w->top & w->upper) & (EPT_R | EPT_W)));
}

/* The answer, and false if it is none. */
INLINE bool finish(
	const struct nested_limit *l, const struct way *w, uint64_t va, struct pw_nested_result *r)
{
	const uint64_t need = (uint64_t)PW_R
			      << (offsetof(struct pw_result, supervisor) - SECOND) * 8;
	uint64_t gpa = (w->entry & X86_ADDRESS) | (va & LOW(12)), upper, at, e, pa;
	uint64_t one, two, head;

	if (!LIKELY(gpa >> 39 == w->first_at >> 39))
		return false;
	upper = x86_load(l->host, w->pdpt + SLOT(gpa, 2));
	at = (upper & X86_ADDRESS) + SLOT(gpa, 1);
	if (!LIKELY(at < l->reach))
		return false;
	e = x86_load(l->host, at);
	one = l->by_rights[(w->entry << 1 & w->and_fold << 1 & 14) | (w->entry | w->or_fold) >> 63];
	two = l->by_ept[w->top & upper & e & 7];
	head = one & (two | (uint64_t)PW_U);
	if (!LIKELY(!((~head & need) | (upper & UPPER_MASK) | ((e ^ DATA_WANT) & DATA_MASK) |
		      ((UINT64_C(1) << 2 | UINT64_C(1) << 3 | UINT64_C(1) << 7) >> (e >> 3 & 7) &
			      1))))
		return false;
	pa = in_2m(e, gpa);
	r->va = va;
	r->gpa = gpa;
	r->pa = pa;
	r->page_size = LOW(12) + 1;
	head = head << 32 | UINT64_C(0xff) << 24;
	memcpy((char *)r + HEAD, &head, 8);
	r->exit = PW_EXIT_NONE;
	r->address_known = false;
	r->code = r->code_known = r->address = 0;
	r->htinst = 0;
	put_page(&r->stage1, va, gpa, LOW(12) + 1, w->entry, w->at,
		(w->entry >> 59 & 15) << KEY_BIT, one | l->by_bits[w->entry >> 3 & 63]);
	put_page(&r->stage2, gpa, pa, LOW_2M + 1, e, at,
		UINT64_C(1) << (offsetof(struct pw_result, level) - TAIL) * 8,
		two | l->by_ept_bits[e >> 3 & 127]);
	return true;
}

INLINE bool walk(const struct nested_limit *l, uint64_t va, struct pw_nested_result *r)
{
	struct way w = {.and_fold = ~UINT64_C(0)};

	w.at = w.first_at = l->guest_root + SLOT(va, 3);
	if (!LIKELY((va + (UINT64_C(1) << 47)) >> 48 == 0))
		return false;
	w.top = x86_load(l->host, l->ept_root + SLOT(w.at, 3));
	w.pdpt = w.top & X86_ADDRESS;
	if (!LIKELY(w.pdpt < l->reach_table))
		return false;
	w.upper = x86_load(l->host, w.pdpt + SLOT(w.at, 2));
	w.directory = w.upper & X86_ADDRESS;
	return LIKELY(w.directory < l->reach_table) && guest_table(l, va, 3, &w) &&
	       guest_table(l, va, 2, &w) && guest_table(l, va, 1, &w) && guest_entry(l, &w) &&
	       LIKELY(tables_are_good(&w)) && finish(l, &w, va, r);
}

INLINE void translate(const struct nested_limit *l, uint64_t va, struct pw_nested_result *r)
{
	if (!LIKELY(walk(l, va, r)))
		ask(l, va, r);
}

void nested_limit_run(struct nested_limit *l, const uint64_t *va, size_t count)
{
	for (size_t i = 0; i < count; i++)
		translate(l, va[i], &l->ring[i & (NESTED_RING - 1)]);
}

static __attribute__((noinline)) void call_translate(
	const struct nested_limit *l, uint64_t va, struct pw_nested_result *r)
{
	translate(l, va, r);
}

void nested_limit_run_called(struct nested_limit *l, const uint64_t *va, size_t count)
{
	for (size_t i = 0; i < count; i++)
		call_translate(l, va[i], &l->ring[i & (NESTED_RING - 1)]);
}

/* The second word of a result's tail. */
static uint64_t word_of(const struct pw_result *r)
{
	uint64_t word;

	memcpy(&word, (const char *)r + SECOND, 8);
	return word;
}

static void make_guest_tables(struct nested_limit *l)
{
	for (unsigned i = 0; i < 16; i++) {
		uint8_t rwx = (uint8_t)(PW_R | (i & 4 ? PW_W : 0) | (i & 1 ? 0 : PW_X));
		uint8_t user = i & 8 ? rwx : 0;

		if (i & 2) /* P */
			l->by_rights[i] = word_of(&(struct pw_result){
				.rights = (uint8_t)(rwx | (user ? PW_U : 0)),
				.user = user,
				.supervisor = rwx,
				.implicit = rwx,
			});
	}
	for (unsigned i = 0; i < 64; i++)
		l->by_bits[i] = word_of(&(struct pw_result){
			.memory_type = (uint8_t)((i & 3) | (i & 16 ? 4 : 0)),
			.flags = (uint8_t)(PW_RESULT_ENTRY | (i & 4 ? PW_RESULT_ACCESSED : 0) |
					   (i & 8 ? PW_RESULT_DIRTY : 0) |
					   (i & 32 ? PW_RESULT_GLOBAL : 0)),
		});
}

static void make_ept_tables(struct nested_limit *l)
{
	for (unsigned i = 0; i < 8; i++) {
		uint8_t rwx =
			(uint8_t)((i & 1 ? PW_R : 0) | (i & 2 ? PW_W : 0) | (i & 4 ? PW_X : 0));

		l->by_ept[i] = word_of(&(struct pw_result){
			.rights = rwx,
			.user = rwx,
			.supervisor = rwx,
			.implicit = rwx,
		});
	}
	for (unsigned i = 0; i < 128; i++)
		l->by_ept_bits[i] = word_of(&(struct pw_result){
			.memory_type = (uint8_t)(i & 15),
			.flags = (uint8_t)(PW_RESULT_ENTRY | (i & 32 ? PW_RESULT_ACCESSED : 0) |
					   (i & 64 ? PW_RESULT_DIRTY : 0)),
		});
}

struct nested_limit *nested_limit_open(
	const struct pw_space *guest, const struct pw_space *ept, const struct pw_window *window)
{
	struct nested_limit *l = calloc(1, sizeof *l);

	if (!l || window->base || window->size < TABLE_BYTES ||
		ept->root > window->size - TABLE_BYTES || guest->root >> 47)
		bench_die("the limit cannot walk these");
	l->host = window->host;
	l->reach = window->size - 7;
	l->reach_table = window->size - (TABLE_BYTES - 1);
	l->guest_root = guest->root;
	l->ept_root = ept->root;
	l->guest = guest;
	l->ept = ept;
	make_guest_tables(l);
	make_ept_tables(l);
	return l;
}

static bool same(const struct pw_nested_result *a, const struct pw_nested_result *b)
{
	return !memcmp(a, b, offsetof(struct pw_nested_result, htinst)) && a->htinst == b->htinst &&
	       !memcmp(&a->stage1, &b->stage1, sizeof a->stage1) &&
	       !memcmp(&a->stage2, &b->stage2, sizeof a->stage2);
}

const struct pw_nested_result *nested_limit_result(const struct nested_limit *l, size_t i)
{
	const struct pw_nested_result *r = &l->ring[i & (NESTED_RING - 1)];
	struct pw_nested_result library = {0};

	(void)!pw_nested_translate(l->guest, l->ept, r->va, PW_ACCESS_READ, &library);
	if (!same(r, &library))
		bench_die("%#llx: not the library's answer", (unsigned long long)r->va);
	return r;
}
