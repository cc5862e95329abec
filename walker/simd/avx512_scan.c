/* SPDX-License-Identifier: MIT */
/*
 * Pages of one table as regions with AVX-512, eight entries at a time: the line that holds them is
 * loaded once, each entry in it as one.
 */
#include "avx512.h"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(PW_NO_SIMD)
#include "../entry.h"
#include <immintrin.h>

#define VECTOR       __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,popcnt"), always_inline))
#define VECTOR_ENTRY __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,popcnt")))
#define LANES        8u

_Static_assert(LANES == PW_SCAN_ROOM, "a vector's regions are stored in one go");

/* After so many lines in one region it pays to look for nothing but its end. */
#define CALM 2

/* What does not change during a scan. */
struct sieve {
	const struct pw_sieve *from;
	__m512i must, want, present, address, run;
	__m512i grant[2], keep, set, info;
	__m512i rotate[PW_MAX_ATTRIBUTES]; /* brings an attribute to its place in the index */
	__m512i steps;                     /* of a lane and one more, in an entry's terms */
	__m512i sizes, offset, line, left, level;
	unsigned attributes, shift;
	uint64_t size;
};

/* What does. */
struct state {
	uint64_t i;    /* entries behind, from the beginning of the first line */
	pw_va va;      /* of lane 0 of the line at i, */
	__m512i first; /* and of each */
	struct pw_region *next;
	bool running;   /* the entry before is a page of next[-1] */
	bool holes;     /* the line before is one of holes alone; */
	unsigned on;    /* so many lines before are of pages that go on, no region begins */
	__m512i before; /* the line before; its last lane counts, here and below */
	__m512i pa, info;
	uint64_t pages;
};

static inline VECTOR __m512i splat(uint64_t value)
{
	return _mm512_set1_epi64((long long)value);
}

static inline VECTOR void prepare(const struct pw_scan *s, struct sieve *v)
{
	const struct pw_sieve *from = s->sieve;
	const __m512i lane = _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0);

	v->from = from;
	v->must = splat(from->must);
	v->want = splat(from->want);
	v->present = splat(from->present);
	v->address = splat(from->address);
	v->run = splat(from->run);
	v->grant[0] = _mm512_loadu_si512(s->space->grant);
	v->grant[1] = _mm512_loadu_si512(s->space->grant + 32);
	v->keep = splat(s->keep);
	v->set = splat(s->set);
	v->info = _mm512_loadu_si512(s->info);
	for (unsigned i = 0; i < from->attributes; i++)
		v->rotate[i] = splat(((uint64_t)from->right_bit[i] - i) & 63);
	v->attributes = from->attributes;
	v->shift = from->shift;
	v->size = PW_BIT(from->shift);
	v->sizes = splat(v->size);
	v->offset = splat(v->size - 1);
	v->line = splat(LANES * v->size);
	v->left = splat(from->left);
	v->level = splat((uint64_t)from->level << 8);
	v->steps = _mm512_sll_epi64(
		_mm512_add_epi64(lane, splat(1)), _mm_cvtsi32_si128(from->shift - from->left));
}

static inline VECTOR __mmask8 equal(__m512i entry, __m512i mask, __m512i value)
{
	return _mm512_cmpeq_epi64_mask(_mm512_and_si512(entry, mask), value);
}

static inline VECTOR __mmask8 pages_of(const struct sieve *v, __m512i e, const bool simple)
{
	const struct pw_sieve *from = v->from;
	__mmask8 pages = equal(e, v->must, v->want);
	__m512i illegal;

	if (simple)
		return pages;
	if (from->any)
		pages &= _mm512_test_epi64_mask(e, splat(from->any));
	if (from->table)
		pages &= (__mmask8)~equal(e, splat(from->table), splat(from->value));
	illegal = _mm512_srlv_epi64(splat(from->illegal), _mm512_and_si512(e, splat(63)));
	return pages & _mm512_testn_epi64_mask(illegal, splat(1));
}

static inline VECTOR __mmask8 present_of(const struct sieve *v, __m512i e, const bool simple)
{
	__mmask8 present;

	if (simple)
		return _mm512_test_epi64_mask(e, v->present);
	present = equal(e, v->present, v->present);
	if (v->from->any)
		present &= _mm512_test_epi64_mask(e, splat(v->from->any));
	return present;
}

/* Kind, level and grant of each lane, as they stand in a region. */
static inline VECTOR __m512i infos(const struct sieve *v, __m512i e, const bool simple)
{
	__m512i index = _mm512_setzero_si512();

	if (simple) /* of three bits, each lane its own */
		return _mm512_permutexvar_epi64(
			_mm512_or_si512(
				_mm512_and_si512(_mm512_srli_epi64(e, PW_SIMPLE_W), splat(3)),
				_mm512_slli_epi64(_mm512_srli_epi64(e, PW_SIMPLE_XD), 2)),
			v->info);
	for (unsigned i = 0; i < v->attributes; i++) {
		__m512i bit = _mm512_rorv_epi64(e, v->rotate[i]);

		index = _mm512_or_si512(index, _mm512_and_si512(bit, splat(PW_BIT(i))));
	}
	index = _mm512_or_si512(_mm512_and_si512(index, v->keep), v->set);
	index = _mm512_and_si512(
		_mm512_permutex2var_epi16(v->grant[0], index, v->grant[1]), splat(UINT16_MAX));
	return _mm512_or_si512(_mm512_slli_epi64(index, 16), v->level);
}

/* Two regions whose first four words stand in `words`. */
static inline VECTOR void store_two(struct pw_region *to, __m512i words, __m256i rest)
{
	_mm256_storeu_si256((void *)to, _mm512_castsi512_si256(words));
	_mm256_storeu_si256((void *)&to->page_size, rest);
	_mm256_storeu_si256((void *)(to + 1), _mm512_extracti64x4_epi64(words, 1));
	_mm256_storeu_si256((void *)&to[1].page_size, rest);
}

/* Stores `count` regions, and some words that do not count after them: there is room for eight. */
static inline VECTOR void store(struct pw_region *to, unsigned count, uint64_t size, __m512i first,
	__m512i last, __m512i pa, __m512i info)
{
	const __m512i low = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
	const __m512i high = _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);
	const __m512i front = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11);
	const __m512i back = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
	__m256i rest = _mm256_setr_epi64x((long long)size, 0, 0, 0);
	__m512i range = _mm512_permutex2var_epi64(first, low, last);
	__m512i page = _mm512_permutex2var_epi64(pa, low, info);

	store_two(to, _mm512_permutex2var_epi64(range, front, page), rest);
	if (count > 2) {
		store_two(to + 2, _mm512_permutex2var_epi64(range, back, page), rest);
		range = _mm512_permutex2var_epi64(first, high, last);
		page = _mm512_permutex2var_epi64(pa, high, info);
		store_two(to + 4, _mm512_permutex2var_epi64(range, front, page), rest);
		store_two(to + 6, _mm512_permutex2var_epi64(range, back, page), rest);
	}
}

/* Each lane's neighbour below; that of the first lane that counts is the last page before. */
static inline VECTOR __m512i neighbours(__m512i now, __m512i before, unsigned head)
{
	__m512i all = _mm512_alignr_epi64(now, before, LANES - 1);

	if (head == 0)
		return all;
	return _mm512_mask_permutexvar_epi64(all, (__mmask8)(1u << head), splat(LANES - 1), before);
}

/* The pages of a line. */
struct found {
	unsigned pages, head;
	__m512i pa, info;
};

/* Those that go on with the page before them. */
static inline VECTOR unsigned goes_on(
	const struct sieve *v, const struct state *t, const struct found *f)
{
	unsigned before = (f->pages << 1 | (unsigned)t->running << f->head) & f->pages;
	__m512i pa = _mm512_add_epi64(neighbours(f->pa, t->pa, f->head), v->sizes);
	__m512i info = neighbours(f->info, t->info, f->head);
	__mmask8 same = _mm512_cmpeq_epi64_mask(f->info, info);

	return before & same & _mm512_cmpeq_epi64_mask(f->pa, pa);
}

/*
 * Takes them; there is room for eight regions. Nothing is branched on that depends on where regions
 * begin and end, but for how many they are: that cannot be foretold.
 */
static inline VECTOR void take(const struct sieve *v, struct state *t, const struct found *f)
{
	__m512i first = t->first, last = _mm512_add_epi64(first, v->offset);
	__m512i info = f->info, pa = f->pa;
	unsigned on = goes_on(v, t, f), old = on >> f->head & 1;
	unsigned starts = f->pages & ~on, ends = f->pages & ~(on >> 1), count = LANES;
	uint64_t none, *end_of_old = old ? &t->next[-1].last : &none;

	if (starts != 0xff) {
		count = (unsigned)_mm_popcnt_u32(starts);
		*end_of_old = t->va + (((uint64_t)__builtin_ctz(ends) + 1) << v->shift) - 1;
		ends &= ends - old;
		first = _mm512_maskz_compress_epi64((__mmask8)starts, first);
		pa = _mm512_maskz_compress_epi64((__mmask8)starts, pa);
		info = _mm512_maskz_compress_epi64((__mmask8)starts, info);
		last = _mm512_maskz_compress_epi64((__mmask8)ends, last);
	}
	t->pages += (unsigned)_mm_popcnt_u32(f->pages);
	t->on = on == 0xff ? t->on + 1 : 0;
	store(t->next, count, v->size, first, last, pa, info);
	t->next += count;
}

/* Whether the last region is one of pages like these and ends where the scan begins. */
static inline VECTOR void begin(const struct pw_scan *s, const struct sieve *v, struct state *t)
{
	const struct pw_region *open = s->next - 1;

	t->running = s->open && open->kind == PW_REGION_MAPPED && open->page_size == v->size &&
		     open->last + 1 == s->first;
	if (t->running) {
		t->pa = splat(open->pa + (open->last - open->first + 1) - v->size);
		t->info = splat(pw_region_info(v->from->level, open->grant));
	}
}

/*
 * The line at t->i as far as `lanes` says, which is all of it but for the scan's first and last
 * line. Returns how many lanes are behind now: fewer than LANES at an entry that ends the scan.
 */
static inline VECTOR unsigned line(const struct pw_scan *s, const struct sieve *v, struct state *t,
	const char *at, const unsigned lanes, const bool simple)
{
	__m512i e = _mm512_maskz_loadu_epi64((__mmask8)lanes, at);
	struct found f = {
		.pages = pages_of(v, e, simple) & lanes, .head = (unsigned)__builtin_ctz(lanes)};
	unsigned stop = present_of(v, e, simple) & lanes & ~f.pages;

	if (stop)
		f.pages &= (stop & -stop) - 1;
	t->holes = !f.pages;
	if (f.pages) {
		if (s->end - t->next < PW_SCAN_ROOM)
			return f.head;
		f.pa = _mm512_and_si512(e, v->address);
		if (!simple)
			f.pa = _mm512_sllv_epi64(f.pa, v->left);
		f.info = infos(v, e, simple);
		take(v, t, &f);
		t->pa = f.pa;
		t->info = f.info;
	} else {
		t->on = 0;
	}
	t->running = f.pages >> 7 & 1;
	t->before = e;
	return stop ? (unsigned)__builtin_ctz(stop) : LANES;
}

/* Passes up to `lines` lines of pages that count up from the last page on. */
static inline VECTOR uint64_t count_up(const struct sieve *v, const struct state *t, const char *at,
	const char *ahead, uint64_t lines)
{
	const unsigned step_log2 = v->from->shift - v->from->left;
	__m512i last = _mm512_permutexvar_epi64(splat(LANES - 1), t->before);
	__m512i step = splat(LANES * PW_BIT(step_log2));
	__m512i wanted = _mm512_add_epi64(_mm512_and_si512(last, v->run), v->steps);
	uint64_t counter = (uint64_t)_mm_cvtsi128_si64(_mm512_castsi512_si128(last));
	uint64_t most = (v->from->counts - (counter & v->from->counts)) >> step_log2, i;

	if (lines > most / LANES)
		lines = most / LANES;
	for (i = 0; i < lines; i++) {
		__m512i e = _mm512_loadu_si512(at + i * PW_LINE_BYTES);

		if (ahead)
			_mm_prefetch(ahead + i * PW_LINE_BYTES, _MM_HINT_T0);
		if (_mm512_cmpneq_epi64_mask(_mm512_and_si512(e, v->run), wanted))
			break;
		wanted = _mm512_add_epi64(wanted, step);
	}
	return i;
}

/* Four lines have none of these bits. */
static inline VECTOR bool lack(const char *at, __m512i bits)
{
	__m512i some =
		_mm512_or_si512(_mm512_loadu_si512(at), _mm512_loadu_si512(at + PW_LINE_BYTES));

	some = _mm512_ternarylogic_epi64(some, _mm512_loadu_si512(at + 2 * PW_LINE_BYTES),
		_mm512_loadu_si512(at + 3 * PW_LINE_BYTES), 0xfe);
	return !_mm512_test_epi64_mask(some, bits);
}

/*
 * Passes up to `lines` lines of holes. Four at a time at first: with few instructions a line, the
 * processor sees the end of the table, and what follows it, before all lines have come from memory.
 */
static inline VECTOR uint64_t skip_holes(
	const struct sieve *v, const char *at, const char *ahead, uint64_t lines, const bool simple)
{
	const __m512i bits = splat(v->from->present | v->from->any);
	uint64_t i;

	for (i = 0; i + 4 <= lines && lack(at + i * PW_LINE_BYTES, bits); i += 4) {
		for (uint64_t line = i; ahead && line < i + 4; line++)
			_mm_prefetch(ahead + line * PW_LINE_BYTES, _MM_HINT_T0);
	}
	for (; i < lines; i++) {
		__m512i e = _mm512_loadu_si512(at + i * PW_LINE_BYTES);

		if (present_of(v, e, simple))
			break;
		if (ahead)
			_mm_prefetch(ahead + i * PW_LINE_BYTES, _MM_HINT_T0);
	}
	return i;
}

/* What is scanned, from the beginning of its first line on. */
struct lines {
	const char *at, *ahead;
	uint64_t end; /* entries */
};

/* Passes whole lines from t->i on that are like the one before. */
static inline VECTOR void pass(
	const struct sieve *v, struct state *t, const struct lines *l, const bool simple)
{
	const char *at = l->at + t->i * 8, *ahead = l->ahead ? l->ahead + t->i * 8 : NULL;
	uint64_t lines = (l->end - t->i) / LANES;

	if (t->holes) {
		lines = skip_holes(v, at, ahead, lines, simple);
	} else {
		lines = count_up(v, t, at, ahead, lines);
		t->pages += lines * LANES;
		t->pa = _mm512_add_epi64(t->pa, splat(lines * LANES * v->size));
		t->next[-1].last = t->va + lines * LANES * v->size - 1;
	}
	t->i += lines * LANES;
	t->va += lines * LANES * v->size;
	t->first = _mm512_add_epi64(t->first, splat(lines * LANES * v->size));
}

/* The line at t->i; false: the scan ends in it. */
static inline VECTOR bool step(const struct pw_scan *s, const struct sieve *v, struct state *t,
	const struct lines *l, const unsigned lanes, const bool simple)
{
	unsigned behind;

	if (l->ahead)
		_mm_prefetch(l->ahead + t->i * 8, _MM_HINT_T0);
	behind = line(s, v, t, l->at + t->i * 8, lanes, simple);
	t->i += behind;
	t->va += LANES * v->size;
	t->first = _mm512_add_epi64(t->first, v->line);
	return behind == LANES;
}

/* The first line, if it does not count as a whole; then whole lines; then what is left. */
static inline VECTOR void steps(const struct pw_scan *s, const struct sieve *v, struct state *t,
	const struct lines *l, unsigned head, const bool simple)
{
	unsigned lanes = 0xffu & 0xffu << head;

	if (l->end < LANES)
		lanes &= 0xffu >> (LANES - l->end);
	if (lanes != 0xff && !step(s, v, t, l, lanes, simple))
		return;
	while (l->end >= t->i + LANES) {
		if (!step(s, v, t, l, 0xff, simple))
			return;
		if ((t->holes || t->on >= CALM) && l->end > t->i)
			pass(v, t, l, simple);
	}
	if (l->end > t->i)
		step(s, v, t, l, 0xffu >> (LANES - (l->end - t->i)), simple);
}

static inline VECTOR uint64_t scan(struct pw_scan *s, const bool simple)
{
	const unsigned head = (unsigned)((uintptr_t)s->at / 8 % LANES);
	const struct lines lines = {
		.at = s->at - 8 * head, .ahead = s->ahead, .end = s->count + head};
	struct state t = {.next = s->next};
	struct sieve v;

	prepare(s, &v);
	t.va = s->first - ((uint64_t)head << v.shift);
	t.first = _mm512_add_epi64(
		splat(t.va), _mm512_sub_epi64(_mm512_sllv_epi64(v.steps, v.left), v.sizes));
	begin(s, &v, &t);
	steps(s, &v, &t, &lines, head, simple);
	s->open |= t.next > s->next;
	s->next = t.next;
	s->pages += t.pages;
	return (t.i < lines.end ? t.i : lines.end) - head;
}

VECTOR_ENTRY uint64_t pw_scan_avx512(struct pw_scan *s)
{
	return s->sieve->simple ? scan(s, true) : scan(s, false);
}

VECTOR_ENTRY void pw_find_tables_avx512(const struct pw_level *row, const char *at,
	const char *next, uint64_t count, uint64_t *tables, uint64_t *present)
{
	__m512i all = splat(row->present_all), any = splat(row->present_any);
	__m512i mask = splat(row->table_mask), value = splat(row->table_value);

	for (uint64_t i = 0; i < count; i += 64) {
		uint64_t found = 0, links = 0;

		for (uint64_t n = i; n < count && n < i + 64; n += LANES) {
			uint64_t left = count - n;
			__mmask8 lanes = (__mmask8)(left < LANES ? 0xffu >> (LANES - left) : 0xffu);
			__m512i e = _mm512_maskz_loadu_epi64(lanes, at + n * 8);

			if (next)
				_mm_prefetch(next + n * 8, _MM_HINT_T0);
			lanes &= equal(e, all, all);
			if (row->present_any)
				lanes &= _mm512_test_epi64_mask(e, any);
			found |= (uint64_t)lanes << (n & 63);
			links |= (uint64_t)(lanes & equal(e, mask, value)) << (n & 63);
		}
		present[i / 64] = found;
		tables[i / 64] = links;
	}
}

_Static_assert(sizeof(struct pw_region) == 64 && offsetof(struct pw_region, last) == 8 &&
		       offsetof(struct pw_region, pa) == 16 &&
		       offsetof(struct pw_region, kind) == 24 &&
		       offsetof(struct pw_region, level) == 25 &&
		       offsetof(struct pw_region, grant) == 26 &&
		       offsetof(struct pw_region, page_size) == 32 && PW_REGION_MAPPED == 0,
	"a region is eight words, and the vectors know them");
_Static_assert(PW_RIGHTS_TABLE == 64 && sizeof(pw_grant) == 2, "the grants are two vectors");
#endif
