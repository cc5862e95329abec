/* SPDX-License-Identifier: MIT */
/*
 * A running guest keeps remapping while we translate. A million translations; ten million
 * with PW_EXHAUSTIVE in the environment.
 */
#define _DEFAULT_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <guest/abi.h>
#include <pagewalk/live.h>

#include "machine.h"

#define TABLES      UINT64_C(0x500000)
#define TABLE(n)    (TABLES + UINT64_C(0x1000) * (n))
#define BRANCH(n)   TABLE(1 + 3 * (n))
#define VA          UINT64_C(0x7fff12345678)
#define P_W_U       UINT64_C(7)
#define GOOD(n)     (UINT64_C(0x600000) + UINT64_C(0x1000) * (n))
#define TRIES       1000
#define WAIT_ROUNDS 100000000u

static struct machine machine;

/* Lets the vCPU run before each load, for hosts with a single CPU. */
static bool read_politely(void *ctx, pw_pa pa, unsigned bytes, uint64_t *entry)
{
	uint64_t *at = vmm_vm_host(&machine.vm, pa, bytes);

	(void)ctx;
	if (!at)
		return false;
	*entry = __atomic_load_n(at, __ATOMIC_ACQUIRE);
	sched_yield();
	return true;
}

static uint64_t entry_pa(uint64_t table, unsigned level)
{
	return table + 8 * pw_level_index(&pw_format_x86_64.level[level], VA);
}

static void put(uint64_t pa, uint64_t entry)
{
	cr_assert(vmm_vm_write(&machine.vm, pa, &entry, sizeof entry));
}

static struct guest_remap *make_tables(void)
{
	struct guest_remap *r = vmm_vm_host(&machine.vm, GUEST_REMAP_GPA, sizeof *r);

	cr_assert(r != NULL);
	*r = (struct guest_remap){.root = entry_pa(TABLE(0), 3)};
	for (unsigned n = 0; n < 2; n++) {
		uint64_t pdpt = BRANCH(n), pd = pdpt + 0x1000, pt = pdpt + 0x2000;

		r->link[n] = pdpt | P_W_U;
		r->table[n] = pt | P_W_U;
		r->good[n] = GOOD(n) | P_W_U;
		r->lower[n] = entry_pa(pd, 1);
		r->page[n] = entry_pa(pt, 0);
		put(entry_pa(pdpt, 2), pd | P_W_U);
		put(r->lower[n], r->table[n]);
		put(r->page[n], r->good[n]);
	}
	put(r->root, r->link[0]);
	return r;
}

static void *run(void *ctx)
{
	enum vmm_status *status = ctx;

	do
		*status = vmm_ports_run(&machine.ports, &machine.vcpu, &machine.exit);
	while (*status == VMM_OK && machine.exit.kind == VMM_EXIT_INTERRUPTED);
	return NULL;
}

static bool is_good(const struct pw_result *r)
{
	return r->status == PW_OK && r->page_size == 4096 &&
	       (r->pa == (GOOD(0) | (VA & 0xfff)) || r->pa == (GOOD(1) | (VA & 0xfff)));
}

struct counts {
	uint64_t torn, unstable, naive, found[2];
};

static void translate(const struct pw_space *space, struct counts *counts)
{
	struct pw_result r;

	if (pw_translate_stable(space, VA, PW_ACCESS_READ, TRIES, &r) == PW_UNSTABLE) {
		counts->unstable++;
		return;
	}
	counts->torn += !is_good(&r);
	counts->found[r.pa >> 12 & 1]++;
	/* For comparison: one walk, believed. */
	(void)!pw_translate(space, VA, PW_ACCESS_READ, &r);
	counts->naive += !is_good(&r);
}

/* A vCPU that shares our CPU has to be let in. */
static void wait_for(const uint64_t *switches, uint64_t wanted)
{
	for (unsigned i = 0; i < WAIT_ROUNDS; i++) {
		if (__atomic_load_n(switches, __ATOMIC_RELAXED) >= wanted)
			return;
		sched_yield();
	}
	cr_assert(false, "the guest remaps nothing");
}

Test(live_guest, no_torn_answer_while_a_guest_keeps_remapping)
{
	static const struct pw_memory polite = {.read_pte = read_politely};
	uint64_t wanted = getenv("PW_EXHAUSTIVE") ? 10000000 : 1000000;
	uint64_t made = 0;
	struct counts counts = {.torn = 0};
	enum vmm_status status = VMM_OK;
	struct pw_space space, polite_space;
	struct guest_remap *r;
	pthread_t thread;

	machine_need_kvm();
	machine_boot_guest(&machine, "remap");
	r = make_tables();
	cr_assert(pw_space_init(&space, &pw_format_x86_64, TABLE(0), &machine.vm.memory) == PW_OK);
	cr_assert(pw_space_init(&polite_space, &pw_format_x86_64, TABLE(0), &polite) == PW_OK);
	cr_assert(pthread_create(&thread, NULL, run, &status) == 0);
	wait_for(&r->switches, 1);
	for (; made < wanted || __atomic_load_n(&r->switches, __ATOMIC_RELAXED) < 200; made++)
		translate(made % 64 ? &space : &polite_space, &counts);
	__atomic_store_n(&r->stop, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	cr_expect(eq(int, (int)status, VMM_FINISHED), "%s", machine_exit_text(&machine));
	printf("%llu translations, %llu remappings by the guest: %llu torn, %llu given up; without "
	       "the second look %llu torn\n",
		(unsigned long long)made, (unsigned long long)r->switches,
		(unsigned long long)counts.torn, (unsigned long long)counts.unstable,
		(unsigned long long)counts.naive);
	cr_expect(eq(u64, counts.torn, 0));
	cr_expect(counts.found[0] > 0 && counts.found[1] > 0);
	machine_destroy(&machine);
}
