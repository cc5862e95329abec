/* SPDX-License-Identifier: MIT */
#include "scan.h"
#include "entry.h"

#if defined(__GNUC__)
#define COPY(to, from, bytes) __builtin_memcpy(to, from, bytes) /* a move: no call */
#else
void *memcpy(void *to, const void *from, size_t bytes);
#define COPY(to, from, bytes) memcpy(to, from, bytes)
#endif

/* Entries between two looks at what to prefetch: eight lines of eight. */
#define PIECE 64

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

/* A description that pw_format_check() refuses may name bits that no entry has. */
static bool is_sound(const struct pw_format *format, const struct pw_level *row)
{
	if (row->shift > 63 || format->address_left > 63 ||
		format->attribute_count > PW_MAX_ATTRIBUTES)
		return false;
	for (unsigned i = 0; i < format->attribute_count; i++) {
		if (row->page.right_bit[i] > 63 && row->page.right_bit[i] != PW_NO_BIT)
			return false;
	}
	return true;
}

void pw_sieve_make(const struct pw_space *space, unsigned level, struct pw_sieve *sieve)
{
	const struct pw_format *format = space->format;
	const struct pw_level *row = &format->level[level];
	const struct pw_page *page = &row->page;
	uint64_t reserved = space->reserved_page[level], free;

	if (!is_sound(format, row)) {
		*sieve = (struct pw_sieve){.level = (uint8_t)level};
		no_pages(sieve);
		return;
	}
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
		pw_has_spans(space, level) || page->high[0].mask || page->high[1].mask ||
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

_Static_assert(offsetof(struct pw_region, page_size) - offsetof(struct pw_region, kind) ==
		       sizeof(uint64_t),
	"kind, level and grant go as one");

uint64_t pw_region_info(unsigned level, pw_grant grant)
{
	union {
		unsigned char bytes[sizeof(uint64_t)];
		uint64_t word;
	} info = {.word = 0};
	const size_t kind = offsetof(struct pw_region, kind);

	info.bytes[offsetof(struct pw_region, kind) - kind] = PW_REGION_MAPPED;
	info.bytes[offsetof(struct pw_region, level) - kind] = (unsigned char)level;
	COPY(&info.bytes[offsetof(struct pw_region, grant) - kind], &grant, sizeof grant);
	return info.word;
}

/* The same for a page. */
PW_INLINE uint64_t info_of(const struct pw_scan *s, uint64_t e, const bool simple)
{
	const struct pw_sieve *v = s->sieve;
	unsigned attributes = 0;

	if (simple)
		return s->info[(e >> PW_SIMPLE_W & 3) | (e >> PW_SIMPLE_XD) << 2];
	for (unsigned i = 0; i < v->attributes; i++)
		attributes |= (unsigned)(e >> v->right_bit[i] & 1) << i;
	return pw_region_info(v->level, s->space->grant[(attributes & s->keep) | s->set]);
}

/* ---- The scan ---- */

/* What changes during a scan. */
struct state {
	uint64_t i; /* of the next entry, */
	pw_va va;   /* and what it serves */
	struct pw_region *next;
	/* What would go on with next[-1] if the entry before is a page of it; else no page's. */
	pw_pa pa;
	uint64_t info;
	uint64_t pages;
};

#define NO_PAGE 1

PW_INLINE uint64_t load(const struct pw_scan *s, uint64_t i, const bool words)
{
	if (words)
		return __atomic_load_n((const pw_word *)(const void *)s->at + i, __ATOMIC_RELAXED);
	return pw_peek(s->space->format, s->at + i * s->space->format->entry_bytes);
}

/* The OR of eight entries of eight bytes. */
PW_INLINE uint64_t some_of_8(const pw_word *e)
{
	uint64_t a, b;

	a = __atomic_load_n(&e[0], __ATOMIC_RELAXED);
	b = __atomic_load_n(&e[1], __ATOMIC_RELAXED);
	a |= __atomic_load_n(&e[2], __ATOMIC_RELAXED);
	b |= __atomic_load_n(&e[3], __ATOMIC_RELAXED);
	a |= __atomic_load_n(&e[4], __ATOMIC_RELAXED);
	b |= __atomic_load_n(&e[5], __ATOMIC_RELAXED);
	a |= __atomic_load_n(&e[6], __ATOMIC_RELAXED);
	b |= __atomic_load_n(&e[7], __ATOMIC_RELAXED);
	return a | b;
}

/* Groups of eight from `i` on, before `end`, in which no bit of a present entry is set. */
PW_INLINE uint64_t count_holes(const struct pw_scan *s, uint64_t i, uint64_t end, const bool words)
{
	const uint64_t bits = s->sieve->present | s->sieve->any, begin = i;

	for (; i + 8 <= end; i += 8) {
		uint64_t some = 0;

		if (words)
			some = some_of_8((const pw_word *)(const void *)s->at + i);
		for (unsigned n = 0; !words && n < 8; n++)
			some |= load(s, i + n, false);
		if (some & bits)
			break;
	}
	return i - begin;
}

/* Entries behind the page e, t->i, before `end`, that are like it but count up. */
PW_INLINE uint64_t count_up(const struct pw_scan *s, const struct state *t, uint64_t end,
	uint64_t e, const bool simple, const bool words)
{
	const struct pw_sieve *v = s->sieve;
	const uint64_t step = PW_BIT(v->shift - (simple ? 0 : v->left)), begin = t->i + 1;
	uint64_t next = (e & v->run) + step, i = begin;

	while (i < end && (load(s, i, words) & v->run) == next && (next & v->counts)) {
		next += step;
		i++;
	}
	return i - begin;
}

PW_INLINE void go_on(const struct pw_scan *s, struct state *t, uint64_t entries)
{
	t->i += entries;
	t->va += entries << s->sieve->shift;
}

PW_INLINE void start(const struct pw_scan *s, struct state *t, pw_pa pa, uint64_t info)
{
	struct pw_region *r = t->next++;

	r->first = t->va;
	r->pa = pa;
	COPY(&r->kind, &info, sizeof info);
	r->page_size = PW_BIT(s->sieve->shift);
	r->entry = r->repeats = r->unused = 0;
	t->info = info;
}

/* The page e, and those that go on with it if it goes on itself. False: no room. */
PW_INLINE bool take(const struct pw_scan *s, struct state *t, uint64_t end, uint64_t e,
	const bool simple, const bool words)
{
	const struct pw_sieve *v = s->sieve;
	const pw_pa pa = (e & v->address) << (simple ? 0 : v->left);
	const uint64_t info = info_of(s, e, simple);
	uint64_t more = 0;

	if (t->pa == pa && t->info == info)
		more = count_up(s, t, end, e, simple, words);
	else if (PW_LIKELY(t->next != s->end))
		start(s, t, pa, info);
	else
		return false;
	if (more) {
		go_on(s, t, more);
		t->pages += more;
	}
	t->pa = pa + ((more + 1) << v->shift);
	t->va += PW_BIT(v->shift);
	t->next[-1].last = t->va - 1;
	t->pages++;
	t->i++;
	return true;
}

/* Entries from t->i on, t->i < end. False: one of them ends the scan. */
PW_INLINE bool scan_piece(
	const struct pw_scan *s, struct state *t, uint64_t end, const bool simple, const bool words)
{
	const struct pw_sieve *v = s->sieve;

	while (t->i < end) {
		uint64_t e = load(s, t->i, words);

		if (is_page(v, e, simple)) {
			if (!take(s, t, end, e, simple, words))
				return false;
		} else if (is_hole(v, e)) {
			t->pa = NO_PAGE;
			go_on(s, t, 1);
			if (t->i % 8 == 0)
				go_on(s, t, count_holes(s, t->i, end, words));
		} else {
			return false;
		}
	}
	return true;
}

/* Whether the last region is one of pages like these and ends where the scan begins. */
static struct state begin(const struct pw_scan *s)
{
	const struct pw_region *open = s->next - 1;
	struct state t = {.va = s->first, .next = s->next, .pa = NO_PAGE};

	if (s->open && open->kind == PW_REGION_MAPPED &&
		open->page_size == PW_BIT(s->sieve->shift) && open->last + 1 == s->first) {
		t.pa = open->pa + (open->last - open->first + 1);
		t.info = pw_region_info(s->sieve->level, open->grant);
	}
	return t;
}

PW_INLINE uint64_t scan(struct pw_scan *scan, const bool simple, const bool words)
{
	/* Copies that no store through a region can be thought to change. */
	const struct pw_sieve sieve = *scan->sieve;
	struct pw_scan s = *scan;
	struct state t = begin(scan);
	uint64_t end;

	s.sieve = &sieve;
	do {
		uint64_t holes;

		end = s.count - t.i > PIECE ? t.i + PIECE : s.count;
		for (unsigned line = 0; s.ahead && line < PIECE * 8; line += PW_LINE_BYTES)
			PW_PREFETCH(s.ahead + t.i * 8 + line);
		holes = count_holes(&s, t.i, end, words);
		if (holes) {
			t.pa = NO_PAGE;
			go_on(&s, &t, holes);
		}
	} while (scan_piece(&s, &t, end, simple, words) && t.i < s.count);
	scan->open = s.open || t.next > scan->next;
	scan->next = t.next;
	scan->pages += t.pages;
	return t.i;
}

uint64_t pw_scan_plain(struct pw_scan *s)
{
	if (!pw_has_words(s->space->format))
		return scan(s, false, false);
	return s->sieve->simple ? scan(s, true, true) : scan(s, false, true);
}

/* ---- Tables to come ---- */

/* Of the entries from `at` on. */
static void find_some(const struct pw_format *format, const struct pw_level *row, const char *at,
	unsigned count, uint64_t *tables, uint64_t *present)
{
	for (unsigned i = 0; i < count; i++) {
		uint64_t entry = pw_peek(format, at + i * format->entry_bytes);

		if (!pw_is_present(row, entry))
			continue;
		*present |= PW_BIT(i);
		if (pw_is_table(row, entry))
			*tables |= PW_BIT(i);
	}
}

void pw_find_tables(const struct pw_format *format, unsigned level, const char *at,
	const char *next, uint64_t count, uint64_t *tables, uint64_t *present)
{
	const struct pw_level *row = &format->level[level];
	const uint64_t bits = row->present_all | row->present_any;
	const bool words = pw_has_words(format);

	for (uint64_t i = 0; i < count; i += 8) {
		unsigned some = count - i < 8 ? (unsigned)(count - i) : 8;
		uint64_t links = 0, found = 0;

		if (next)
			PW_PREFETCH(next + i * 8);
		if (i % 64 == 0)
			tables[i / 64] = present[i / 64] = 0;
		if (words && some == 8 &&
			!(some_of_8((const pw_word *)(const void *)at + i) & bits))
			continue;
		find_some(format, row, at + i * format->entry_bytes, some, &links, &found);
		tables[i / 64] |= links << (i & 63);
		present[i / 64] |= found << (i & 63);
	}
}
