/* SPDX-License-Identifier: MIT */
/* Enumeration by four nested loops in plain C, eight entries at a time where they are holes. */
#include "bench.h"
#include "enumerator.h"
#include "x86.h"

#include <stdlib.h>

#define INLINE static inline __attribute__((always_inline))

struct scan {
	const uint8_t *image;
	uint64_t root;
	uint64_t next_va, next_key; /* what would continue the open region */
	struct sink sink;
};

/* A table, the first address that it serves, and the folded entries above it. */
struct table {
	uint64_t pa, va, fold, no_execute;
};

/* The open region ends before next_va, and another one starts. */
INLINE void start(struct sink *sink, uint64_t next_va, uint64_t va, uint64_t key)
{
	if (sink->starts > sink->ends)
		sink->last[sink->ends++] = next_va - 1;
	if (sink->starts == SINK_SIZE)
		sink_take(sink);
	sink->first[sink->starts] = va;
	sink->key[sink->starts++] = key;
}

/* key is (entry & mask) | set */
struct key {
	uint64_t mask, set;
};

INLINE struct key key_of(const struct table *t, unsigned level)
{
	return (struct key){
		(X86_ADDRESS & ~LOW(SHIFT(level))) | X86_NX | (t->fold & (X86_W | X86_U)),
		(t->no_execute & X86_NX) | (uint64_t)SHIFT(level) << 3,
	};
}

INLINE void page(struct scan *s, uint64_t va, uint64_t key, unsigned level)
{
	uint64_t size = UINT64_C(1) << SHIFT(level);

	if (va != s->next_va || key != s->next_key)
		start(&s->sink, s->next_va, va, key);
	s->next_va = va + size;
	s->next_key = key + size;
}

INLINE struct table child(const struct table *t, uint64_t entry, unsigned i, unsigned level)
{
	return (struct table){
		.pa = entry & X86_ADDRESS,
		.va = t->va | (uint64_t)i << SHIFT(level),
		.fold = t->fold & entry,
		.no_execute = t->no_execute | entry,
	};
}

/* The next index whose entry is present, or TABLE_ENTRIES. */
INLINE unsigned next_present(const uint64_t *entry, unsigned i)
{
	for (; i % 8 && i < TABLE_ENTRIES; i++) {
		if (entry[i] & X86_P)
			return i;
	}
	for (; i < TABLE_ENTRIES; i += 8) {
		uint64_t any = entry[i] | entry[i + 1] | entry[i + 2] | entry[i + 3] |
			       entry[i + 4] | entry[i + 5] | entry[i + 6] | entry[i + 7];

		if (any & X86_P)
			break;
	}
	while (i < TABLE_ENTRIES && !(entry[i] & X86_P))
		i++;
	return i;
}

INLINE const uint64_t *entries(const struct scan *s, uint64_t pa)
{
	return (const uint64_t *)(const void *)(s->image + pa);
}

static void scan_0(struct scan *s, const struct table *t)
{
	const uint64_t *entry = entries(s, t->pa), size = UINT64_C(1) << SHIFT(0);
	uint64_t next_va = s->next_va, next_key = s->next_key, va = t->va;
	struct key make = key_of(t, 0);

	for (unsigned i = next_present(entry, 0) & ~7u; i < TABLE_ENTRIES;
		i = next_present(entry, i) & ~7u) {
		for (unsigned end = i + 8; i < end; i++) {
			uint64_t key = (entry[i] & make.mask) | make.set;

			if (!(entry[i] & X86_P))
				continue;
			va = t->va | (uint64_t)i << SHIFT(0);
			if (va != next_va || key != next_key)
				start(&s->sink, next_va, va, key);
			next_va = va + size;
			next_key = key + size;
		}
	}
	s->next_va = next_va;
	s->next_key = next_key;
}

/* Its first lines: the processor's own prefetcher finds the others. */
INLINE void prefetch(const struct scan *s, uint64_t pa)
{
	for (unsigned i = 0; i < 4; i++)
		__builtin_prefetch(s->image + pa + 64 * i);
}

INLINE void scan_tables(struct scan *s, const struct table *t, const unsigned level,
	void (*below)(struct scan *, const struct table *))
{
	const uint64_t *entry = entries(s, t->pa);
	struct key make = key_of(t, level);
	unsigned i = next_present(entry, 0), next;

	for (; i < TABLE_ENTRIES; i = next) {
		next = next_present(entry, i + 1);
		if (next < TABLE_ENTRIES && !(entry[next] & X86_PS))
			prefetch(s, entry[next] & X86_ADDRESS);
		if (level < 3 && (entry[i] & X86_PS)) {
			page(s, t->va | (uint64_t)i << SHIFT(level),
				(entry[i] & make.mask) | make.set, level);
		} else {
			struct table down = child(t, entry[i], i, level);

			if (level == 3 && i >= TABLE_ENTRIES / 2)
				down.va |= ~LOW(48);
			below(s, &down);
		}
	}
}

static void scan_1(struct scan *s, const struct table *t)
{
	scan_tables(s, t, 1, scan_0);
}

static void scan_2(struct scan *s, const struct table *t)
{
	scan_tables(s, t, 2, scan_1);
}

static uint64_t run(void *self, struct regions *sum)
{
	struct scan *s = self;
	const struct table root = {.pa = s->root, .fold = ~UINT64_C(0)};

	s->sink.count = 0;
	s->sink.sum = sum;
	s->next_key = 0;
	scan_tables(s, &root, 3, scan_2);
	if (s->sink.starts > s->sink.ends)
		s->sink.last[s->sink.ends++] = s->next_va - 1;
	sink_take(&s->sink);
	return s->sink.count;
}

static void *open_scan(const struct workload *w)
{
	struct scan *s = calloc(1, sizeof *s);

	if (!s)
		bench_die("no memory");
	s->image = w->image.bytes;
	s->root = w->root;
	return s;
}

const struct enumerator enumerator_limit_scalar = {
	.who = "limit-batch-scalar",
	.open = open_scan,
	.run = run,
	.close = free,
};
