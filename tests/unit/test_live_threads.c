/* SPDX-License-Identifier: MIT */
/*
 * Somebody keeps remapping while we translate. A million translations each; all ten million with
 * PW_EXHAUSTIVE in the environment.
 */
#define _DEFAULT_SOURCE
#include "ram.h"
#include "share.h"
#include <criterion/criterion.h>
#include <pagewalk/pagewalk.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#define BASE  UINT64_C(0x100000)
#define BYTES (UINT64_C(64) << 12)
#define VA    UINT64_C(0x7fff12345678)
#define TRIES 1000

#define GOOD(n)  (UINT64_C(0x40000000) + ((uint64_t)(n) << 12)) /* the frame in state n, 0 or 1 */
#define DECOY(n) (UINT64_C(0x100000000) + (uint64_t)(n)*0x1000)

/*
 * Two branches below one root entry, of which one is linked; the other is torn down meanwhile and
 * holds decoys, as page tables that were freed and used again do. Before a branch is linked it is
 * put in order. So at each moment the address translates to GOOD(0) or GOOD(1), and whoever reads
 * the root's entry from one moment and a lower one from another can find a decoy. No two decoys are
 * the same: one cannot be read twice unless it stood there all the time.
 */
struct restless {
	struct ram ram;
	struct pw_memory polite_memory;
	struct pw_space space;
	struct pw_space polite; /* the same tables; lets the others run before each load */
	uint64_t *root;         /* the entry that links a branch */
	uint64_t *lower[2];     /* the one below it in each branch, */
	uint64_t *page[2];      /* and the page's */
	uint64_t link[2], table[2];
	uint64_t switches;
	bool stop; /* atomic */
};

static uint64_t translations(void)
{
	return getenv("PW_EXHAUSTIVE") ? 10000000 : share_of(1000000, 200000);
}

/* As the guest's CPU stores: whole entries, in order. Entries are little-endian. */
static void store(uint64_t *at, uint64_t entry)
{
	uint8_t bytes[8];
	uint64_t word;

	for (unsigned i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(entry >> (8 * i));
	__builtin_memcpy(&word, bytes, 8);
	__atomic_store_n(at, word, __ATOMIC_RELEASE);
}

static uint64_t *entry_at(struct restless *r, pw_pa pa)
{
	return (uint64_t *)(void *)(r->ram.bytes + (pa - BASE));
}

static void spoil(struct restless *r, unsigned branch)
{
	uint64_t serial = r->switches, huge = (serial << 21) + DECOY(0);

	switch (serial % 4) {
	case 0:
		store(r->page[branch], DECOY(serial) | PTE_PWU);
		break;
	case 1:
		store(r->lower[branch], huge | PTE_PWU | PTE_PS);
		break;
	case 2:
		store(r->page[branch], DECOY(serial)); /* a hole */
		break;
	default:
		store(r->lower[branch], huge | PTE_P | PTE_PS | UINT64_C(0x2000)); /* reserved */
		break;
	}
}

static void *remap(void *ctx)
{
	struct restless *r = ctx;
	unsigned linked = 0;

	while (!__atomic_load_n(&r->stop, __ATOMIC_RELAXED)) {
		unsigned next = !linked;

		store(r->page[next], GOOD(next) | PTE_PWU);
		store(r->lower[next], r->table[next]);
		store(r->root, r->link[next]);
		r->switches++;
		spoil(r, linked);
		linked = next;
	}
	return NULL;
}

static bool read_politely(void *ctx, pw_pa pa, unsigned bytes, uint64_t *entry)
{
	struct restless *r = ctx;
	uint64_t word = __atomic_load_n(entry_at(r, pa), __ATOMIC_ACQUIRE);
	uint8_t in[8];

	(void)bytes;
	__builtin_memcpy(in, &word, 8);
	*entry = 0;
	for (unsigned i = 0; i < 8; i++)
		*entry |= (uint64_t)in[i] << (8 * i);
	sched_yield();
	return true;
}

static void begin(struct restless *r)
{
	const struct pw_format *f = &pw_format_x86_64;
	pw_pa root, tables[2][3];

	*r = (struct restless){.stop = false};
	ram_begin(&r->ram, BASE, BYTES);
	root = ram_new_table(&r->ram, 4096);
	r->root = entry_at(r, root + 8 * pw_level_index(&f->level[3], VA));
	for (unsigned n = 0; n < 2; n++) {
		for (unsigned level = 0; level < 3; level++)
			tables[n][level] = ram_new_table(&r->ram, 4096);
		r->link[n] = tables[n][2] | PTE_PWU;
		r->table[n] = tables[n][0] | PTE_PWU;
		store(entry_at(r, tables[n][2] + 8 * pw_level_index(&f->level[2], VA)),
			tables[n][1] | PTE_PWU);
		r->lower[n] = entry_at(r, tables[n][1] + 8 * pw_level_index(&f->level[1], VA));
		r->page[n] = entry_at(r, tables[n][0] + 8 * pw_level_index(&f->level[0], VA));
		store(r->lower[n], r->table[n]);
		store(r->page[n], GOOD(n) | PTE_PWU);
	}
	store(r->root, r->link[0]);
	cr_assert(pw_space_init(&r->space, f, root, &r->ram.windows) == PW_OK);
	r->polite_memory = (struct pw_memory){.read_pte = read_politely, .ctx = r};
	cr_assert(pw_space_init(&r->polite, f, root, &r->polite_memory) == PW_OK);
}

static pthread_t start(void *(*body)(void *), void *ctx)
{
	pthread_t thread;

	cr_assert(pthread_create(&thread, NULL, body, ctx) == 0);
	return thread;
}

static bool is_good(enum pw_status status, const struct pw_result *result)
{
	return status == PW_OK && result->page_size == 4096 &&
	       (result->pa == (GOOD(0) | 0x678) || result->pa == (GOOD(1) | 0x678));
}

Test(live_threads, no_torn_answer_while_a_thread_keeps_remapping)
{
	static struct restless r;
	uint64_t wanted = translations(), torn = 0, unstable = 0, naive = 0, found[2] = {0, 0};
	struct pw_result result;
	pthread_t thread;

	begin(&r);
	thread = start(remap, &r);
	for (uint64_t i = 0; i < wanted; i++) {
		/* Every so often with a pause between the loads: the threads may share a CPU. */
		const struct pw_space *space = i % 4096 ? &r.space : &r.polite;
		enum pw_status status =
			pw_translate_stable(space, VA, PW_ACCESS_READ, TRIES, &result);

		if (status == PW_UNSTABLE) {
			unstable++;
			continue;
		}
		torn += !is_good(status, &result);
		found[result.pa == (GOOD(1) | 0x678)]++;
		/* For comparison: one walk, believed. */
		status = pw_translate(space, VA, PW_ACCESS_READ, &result);
		naive += !is_good(status, &result);
	}
	__atomic_store_n(&r.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	printf("%llu translations, %llu remappings: %llu torn, %llu given up; without the second "
	       "look %llu torn\n",
		(unsigned long long)wanted, (unsigned long long)r.switches,
		(unsigned long long)torn, (unsigned long long)unstable, (unsigned long long)naive);
	cr_expect(torn == 0);
	cr_expect(r.switches > 100 && found[0] > 0 && found[1] > 0, "nothing was remapped");
	ram_end(&r.ram);
}

/* ---- Marks while a thread keeps replacing the page ---- */

struct replaced {
	struct restless base;
	uint64_t lost; /* entries that were not ours when we took them out */
};

/* Takes the entry out and puts the next in, as a pager does; what comes out must be what went in.
 */
static void *replace(void *ctx)
{
	struct replaced *r = ctx;
	uint64_t serial = 0;

	while (!__atomic_load_n(&r->base.stop, __ATOMIC_RELAXED)) {
		uint64_t next = DECOY(serial + 1) | PTE_PWU, word;
		uint8_t out[8];

		for (unsigned i = 0; i < 8; i++)
			out[i] = (uint8_t)(next >> (8 * i));
		__builtin_memcpy(&word, out, 8);
		word = __atomic_exchange_n(r->base.page[0], word, __ATOMIC_ACQ_REL);
		__builtin_memcpy(out, &word, 8);
		word = 0;
		for (unsigned i = 0; i < 8; i++)
			word |= (uint64_t)out[i] << (8 * i);
		if (serial > 0 && (word & ~(PTE_A | PTE_D)) != (DECOY(serial) | PTE_PWU))
			r->lost++;
		r->base.switches += (word & PTE_D) != 0;
		serial++;
	}
	return NULL;
}

Test(live_threads, an_update_never_brings_back_an_entry_that_was_replaced)
{
	static struct replaced r;
	uint64_t wanted = translations(), wrong = 0, unstable = 0;
	struct pw_result result;
	pthread_t thread;

	begin(&r.base);
	thread = start(replace, &r);
	for (uint64_t i = 0; i < wanted; i++) {
		enum pw_status status =
			pw_translate_update(&r.base.space, VA, PW_ACCESS_WRITE, TRIES, &result);

		unstable += status == PW_UNSTABLE;
		wrong += status == PW_OK && !(result.flags & PW_RESULT_DIRTY);
		wrong += status != PW_OK && status != PW_UNSTABLE;
	}
	__atomic_store_n(&r.base.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	printf("%llu updates, %llu dirty entries taken out: %llu brought back, %llu given up\n",
		(unsigned long long)wanted, (unsigned long long)r.base.switches,
		(unsigned long long)r.lost, (unsigned long long)unstable);
	cr_expect(r.lost == 0 && wrong == 0);
	cr_expect(r.base.switches > 0);
	ram_end(&r.base.ram);
}
