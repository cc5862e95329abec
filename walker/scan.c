/* SPDX-License-Identifier: MIT */
#include "scan.h"
#include "entry.h"

/* Entries between two looks at what to prefetch: eight lines of eight. */
#define PIECE      64
#define LINE_BYTES 64

#if defined(__GNUC__)
#define PREFETCH(at) __builtin_prefetch(at)
#else
#define PREFETCH(at) (void)(at)
#endif

bool pw_has_words(const struct pw_format *format)
{
	return format->entry_bytes == 8 && format->big_endian == PW_HOST_BIG;
}

/* ---- The sieve ---- */

static void no_pages(struct pw_sieve *sieve)
{
	sieve->must = 0;
	sieve->want = 1;
	sieve->simple = false;
}

static void set_rights(
	const struct pw_format *format, const struct pw_page *page, struct pw_sieve *sieve)
{
	sieve->attributes = format->attribute_count;
	for (unsigned i = 0; i < format->attribute_count; i++) {
		if (page->right_bit[i] == PW_NO_BIT)
			continue;
		sieve->right_bit[i] = page->right_bit[i];
		sieve->key |= PW_BIT(page->right_bit[i]);
	}
}

static bool is_like_x86(const struct pw_sieve *sieve)
{
	return sieve->present == 1 && sieve->attributes == 3 &&
	       sieve->right_bit[0] == PW_SIMPLE_W && sieve->right_bit[1] == PW_SIMPLE_U &&
	       sieve->right_bit[2] == PW_SIMPLE_XD;
}

/* Whether the entries that are tables are told apart, and how. */
static bool set_table(const struct pw_level *row, struct pw_sieve *sieve)
{
	uint64_t mask = row->table_mask;

	if (mask & (mask - 1)) {
		sieve->table = mask;
		sieve->value = row->table_value;
	} else if (mask) {
		sieve->must |= mask;
		sieve->want |= mask & ~row->table_value;
	} else {
		return row->table_value != 0;
	}
	return true;
}

void pw_sieve_make(const struct pw_space *space, unsigned level, struct pw_sieve *sieve)
{
	const struct pw_format *format = space->format;
	const struct pw_level *row = &format->level[level];
	const struct pw_page *page = &row->page;
	uint64_t reserved = space->reserved_page[level], free;

	*sieve = (struct pw_sieve){
		.must = row->present_all | reserved,
		.want = row->present_all,
		.any = row->present_any,
		.illegal = page->illegal_low6 ? page->illegal_low6 | space->illegal_low6 : 0,
		.present = row->present_all,
		.address = page->address & ~(space->address_clear >> format->address_left),
		.level = (uint8_t)level,
		.shift = row->shift,
		.left = format->address_left,
	};
	set_rights(format, page, sieve);
	sieve->key |= sieve->address;
	/* Counting up must reach neither what is reserved nor what is no address. */
	free = sieve->address & ~reserved;
	sieve->counts = free & ~(free + (free & -free));
	if (!set_table(row, sieve) || !page->size_log2 || page->size_log2 != row->shift ||
		row->span.size_log2 || page->high[0].mask || page->high[1].mask ||
		(sieve->want & reserved) || (free & -free) << sieve->left != PW_BIT(row->shift)) {
		no_pages(sieve);
		return;
	}
	sieve->simple = !sieve->any && !sieve->table && !sieve->illegal && !sieve->left &&
			is_like_x86(sieve);
	sieve->run = sieve->key | sieve->must | sieve->any | sieve->table |
		     (sieve->illegal ? PW_LOW(6) : 0);
}

PW_INLINE bool is_page(const struct pw_sieve *v, uint64_t e, const bool simple)
{
	if ((e & v->must) != v->want)
		return false;
	return simple || ((!v->any || (e & v->any)) && (!v->table || (e & v->table) != v->value) &&
				 !(v->illegal >> (e & 63) & 1));
}

PW_INLINE bool is_hole(const struct pw_sieve *v, uint64_t e)
{
	return (e & v->present) != v->present || (v->any && !(e & v->any));
}

PW_INLINE pw_grant grant_of(const struct pw_scan *s, uint64_t e, const bool simple)
{
	const struct pw_sieve *v = s->sieve;
	unsigned attributes = 0;

	if (simple) {
		attributes = (unsigned)(e >> PW_SIMPLE_W & 3) | (unsigned)(e >> PW_SIMPLE_XD) << 2;
	} else {
		for (unsigned i = 0; i < v->attributes; i++)
			attributes |= (unsigned)(e >> v->right_bit[i] & 1) << i;
	}
	return s->space->grant[(attributes & s->keep) | s->set];
}

/* ---- The scan ---- */

/* What changes during a scan. */
struct state {
	struct pw_region *next;
	bool running; /* the entry before is a page of next[-1], and what would go on with it is: */
	pw_pa pa;
	pw_grant grant;
};

PW_INLINE uint64_t load(const struct pw_scan *s, uint64_t i, const bool words)
{
	if (words)
		return __atomic_load_n((const pw_word *)(const void *)s->at + i, __ATOMIC_RELAXED);
	return pw_peek(s->space->format, s->at + i * s->space->format->entry_bytes);
}

/* Passes groups of eight in which no bit of a present entry is set. */
PW_INLINE uint64_t skip_holes(const struct pw_scan *s, uint64_t i, uint64_t end, const bool words)
{
	uint64_t bits = s->sieve->present | s->sieve->any, some;

	for (; i + 8 <= end; i += 8) {
		some = load(s, i, words) | load(s, i + 1, words) | load(s, i + 2, words) |
		       load(s, i + 3, words);
		some |= load(s, i + 4, words) | load(s, i + 5, words) | load(s, i + 6, words) |
			load(s, i + 7, words);
		if (some & bits)
			break;
	}
	return i;
}

PW_INLINE pw_va va_of(const struct pw_scan *s, uint64_t i)
{
	return s->first + (i << s->sieve->shift);
}

/* The page e, entry i, goes on with the last region or begins one; false: no room for it. */
PW_INLINE bool take(
	const struct pw_scan *s, struct state *t, uint64_t i, uint64_t e, const bool simple)
{
	const struct pw_sieve *v = s->sieve;
	pw_pa pa = (e & v->address) << (simple ? 0 : v->left);
	pw_grant grant = grant_of(s, e, simple);
	struct pw_region *r = t->next;

	if (t->running && t->pa == pa && t->grant == grant)
		return true;
	if (r == s->end)
		return false;
	r->first = va_of(s, i);
	r->pa = pa;
	r->kind = PW_REGION_MAPPED;
	r->level = v->level;
	r->grant = grant;
	r->page_size = PW_BIT(v->shift);
	r->entry = r->repeats = r->unused = 0;
	t->next++;
	t->running = true;
	t->pa = pa;
	t->grant = grant;
	return true;
}

/* The page e, entry i, and those after it that count up, before `end`. *e is the entry behind. */
PW_INLINE uint64_t take_run(struct pw_scan *s, struct state *t, uint64_t i, uint64_t end,
	uint64_t *e, const bool simple, const bool words)
{
	const struct pw_sieve *v = s->sieve;
	const uint64_t step = PW_BIT(v->shift - (simple ? 0 : v->left)), run = v->run, from = i;
	uint64_t next = (*e & run) + step;

	if (!take(s, t, i, *e, simple))
		return i;
	while (++i < end) {
		*e = load(s, i, words);
		if ((*e & run) != next || !(next & v->counts))
			break;
		next += step;
	}
	t->next[-1].last = va_of(s, i) - 1;
	t->pa += (i - from) << v->shift;
	s->pages += i - from;
	return i;
}

/* Entries i up to `end`, i < end. */
PW_INLINE uint64_t scan_piece(struct pw_scan *s, struct state *t, uint64_t i, uint64_t end,
	const bool simple, const bool words)
{
	const struct pw_sieve *v = s->sieve;
	uint64_t e = load(s, i, words);

	while (true) {
		uint64_t from = i;

		if (is_page(v, e, simple)) {
			i = take_run(s, t, i, end, &e, simple, words);
		} else if (is_hole(v, e)) {
			t->running = false;
			if (++i < end && is_hole(v, e = load(s, i, words))) {
				i = skip_holes(s, i + 1, end, words);
				if (i < end)
					e = load(s, i, words);
			}
		}
		if (i == from || i == end)
			return i;
	}
}

/* Whether the last region is one of pages like these and ends where the scan begins. */
static struct state begin(const struct pw_scan *s)
{
	const struct pw_region *open = s->next - 1;
	struct state t = {.next = s->next};

	t.running = s->open && open->kind == PW_REGION_MAPPED &&
		    open->page_size == PW_BIT(s->sieve->shift) && open->last + 1 == s->first;
	if (t.running) {
		t.pa = open->pa + (open->last - open->first + 1);
		t.grant = open->grant;
	}
	return t;
}

PW_INLINE uint64_t scan(struct pw_scan *scan, const bool simple, const bool words)
{
	/* Copies that no store through a region can be thought to change. */
	const struct pw_sieve sieve = *scan->sieve;
	struct pw_scan s = *scan;
	struct state t = begin(scan);
	uint64_t i = 0;

	s.sieve = &sieve;
	while (i < s.count) {
		uint64_t end = s.count - i > PIECE ? i + PIECE : s.count;

		for (unsigned line = 0; s.ahead && line < PIECE * 8; line += LINE_BYTES)
			PREFETCH(s.ahead + i * 8 + line);
		i = scan_piece(&s, &t, i, end, simple, words);
		if (i < end)
			break;
	}
	scan->open = s.open || t.next > scan->next;
	scan->next = t.next;
	scan->pages = s.pages;
	return i;
}

uint64_t pw_scan_plain(struct pw_scan *s)
{
	if (!pw_has_words(s->space->format))
		return scan(s, false, false);
	return s->sieve->simple ? scan(s, true, true) : scan(s, false, true);
}

/* ---- Tables to come ---- */

void pw_find_tables(const struct pw_format *format, unsigned level, const char *at,
	const char *next, uint64_t count, uint64_t *tables)
{
	const struct pw_level *row = &format->level[level];
	uint64_t mask = row->present_all | row->table_mask;
	uint64_t value = row->present_all | row->table_value;

	for (uint64_t i = 0; i < count; i++) {
		uint64_t e = pw_peek(format, at + i * format->entry_bytes);

		if (next && i % 8 == 0)
			PREFETCH(next + i * 8);
		if (i % 64 == 0)
			tables[i / 64] = 0;
		tables[i / 64] |= (uint64_t)((e & mask) == value) << (i & 63);
	}
}
