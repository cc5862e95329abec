/* SPDX-License-Identifier: MIT */
/*
 * exit/translate/WHO: from the moment that a guest has exited to the translation of one of its
 * addresses, over 1000 exits. exit/port/WHO: the round trip of a port exit; bare-kvm is a loop
 * around KVM_RUN and nothing else. The two take turns and only one is timed.
 */
#include "bench.h"
#include "kinds.h"

#ifdef PW_BENCH_VMM

#include <pagewalk_vmm/vmm.h>

#include <linux/kvm.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <x86intrin.h>

#define MEMORY     (UINT64_C(64) << 20)
#define GUEST_AT   UINT64_C(0x100000)
#define TRANSLATES 1000u
#define PORTS      1000u
#define TURN       50u /* exits */

struct machine {
	struct vmm_vm vm;
	struct vmm_vcpu vcpu;
	uint64_t va;         /* the address asked about next */
	double tick;         /* nanoseconds of one count of the time stamp counter */
	uint64_t clock_cost; /* counts between two looks at it */
	unsigned wrong;
};

typedef bool translate_fn(struct machine *m, uint64_t va, uint64_t *pa);

static void want(bool ok, const struct vmm_error *error)
{
	if (!ok)
		bench_die("%s", error->message);
}

/* ---- The clock ---- */

static inline uint64_t now(void)
{
	unsigned ignored;
	uint64_t count = __rdtscp(&ignored);

	_mm_lfence();
	return count;
}

static double nanoseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void set_clock(struct machine *m)
{
	double start = nanoseconds();
	uint64_t count = now();

	while (nanoseconds() - start < 2e7)
		;
	m->tick = (nanoseconds() - start) / (double)(now() - count);
	m->clock_cost = UINT64_MAX;
	for (unsigned i = 0; i < 1000; i++) {
		uint64_t first = now(), second = now();

		if (second - first < m->clock_cost)
			m->clock_cost = second - first;
	}
}

/* ---- The guest: writes to a port for ever, in long mode ---- */

static void open_machine(struct bench *bench)
{
	static const uint8_t guest[] = {0xe6, 0x80, 0xeb, 0xfc}; /* 1: out 0x80, al; jmp 1b */
	const struct vmm_vm_config config = {.memory_bytes = MEMORY};
	struct machine *m = calloc(1, sizeof *m);
	struct vmm_image image;

	if (!m)
		bench_die("no memory");
	want(vmm_vm_create(&m->vm, &config) == VMM_OK, &m->vm.error);
	want(vmm_image_load_bytes(&m->vm, guest, sizeof guest, GUEST_AT, VMM_MODE_LONG, &image) ==
			VMM_OK,
		&m->vm.error);
	want(vmm_vcpu_create(&m->vcpu, &m->vm, 0) == VMM_OK, &m->vcpu.error);
	want(vmm_vcpu_boot(&m->vcpu, image.mode, image.entry) == VMM_OK, &m->vcpu.error);
	set_clock(m);
	bench->state = m;
	bench->kind->clocked(bench);
	if (m->wrong)
		bench_die("%u wrong answers", m->wrong);
}

static void close_machine(struct bench *bench)
{
	struct machine *m = bench->state;

	if (!m)
		return;
	vmm_vcpu_destroy(&m->vcpu);
	vmm_vm_destroy(&m->vm);
	free(m);
}

static void run_to_port(struct machine *m)
{
	struct vmm_exit exit;

	want(vmm_vcpu_run(&m->vcpu, &exit) == VMM_OK, &m->vcpu.error);
	if (exit.kind != VMM_EXIT_PORT)
		bench_die("the guest ended with %s", vmm_exit_name(exit.kind));
}

/* ---- Who ---- */

static bool by_pagewalk(struct machine *m, uint64_t va, uint64_t *pa)
{
	struct pw_space space;
	struct pw_result result;

	if (vmm_vcpu_space(&m->vcpu, &space) != VMM_OK ||
		pw_translate(&space, va, PW_ACCESS_READ, &result) != PW_OK)
		return false;
	*pa = result.pa;
	return true;
}

static bool by_kvm(struct machine *m, uint64_t va, uint64_t *pa)
{
	return vmm_translate_kvm(&m->vcpu, va, pa) == VMM_OK;
}

static int ascending(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* The median: another process may take the processor in the middle of one. */
static double translate_at_exits(struct bench *bench, translate_fn *translate)
{
	struct machine *m = bench->state;
	double counts[TRANSLATES];

	for (unsigned i = 0; i < TRANSLATES; i++) {
		uint64_t start, pa = 0;
		bool ok;

		run_to_port(m);
		m->va = (m->va * 5 + 0x12345678) % MEMORY;
		start = now();
		ok = translate(m, m->va, &pa);
		counts[i] = (double)(now() - start - m->clock_cost);
		m->wrong += !ok || pa != m->va;
	}
	qsort(counts, TRANSLATES, sizeof counts[0], ascending);
	return counts[TRANSLATES / 2] * m->tick * TRANSLATES;
}

static double clocked_pagewalk(struct bench *bench)
{
	return translate_at_exits(bench, by_pagewalk);
}

static double clocked_kvm(struct bench *bench)
{
	return translate_at_exits(bench, by_kvm);
}

/* ---- Round trips ---- */

static void served(struct machine *m)
{
	for (unsigned i = 0; i < TURN; i++)
		run_to_port(m);
}

static void bare(struct machine *m)
{
	for (unsigned i = 0; i < TURN; i++) {
		if (ioctl(m->vcpu.fd, KVM_RUN, 0) != 0 || m->vcpu.run->exit_reason != KVM_EXIT_IO)
			m->wrong++;
	}
}

/* Each with the registers that it asks KVM for: bare-kvm with none. */
static double one_turn(struct machine *m, void (*loop)(struct machine *))
{
	uint64_t valid = m->vcpu.run->kvm_valid_regs;
	uint64_t start;

	if (loop == bare)
		m->vcpu.run->kvm_valid_regs = 0;
	start = now();
	loop(m);
	start = now() - start - m->clock_cost;
	m->vcpu.run->kvm_valid_regs = valid;
	return (double)start;
}

/* The median of the turns. */
static double in_turns(
	struct bench *bench, void (*timed)(struct machine *), void (*other)(struct machine *))
{
	struct machine *m = bench->state;
	double counts[PORTS / TURN];

	for (unsigned i = 0; i < PORTS / TURN; i++) {
		one_turn(m, other);
		counts[i] = one_turn(m, timed);
	}
	qsort(counts, PORTS / TURN, sizeof counts[0], ascending);
	return counts[PORTS / TURN / 2] / TURN * m->tick * PORTS;
}

static double clocked_port(struct bench *bench)
{
	return in_turns(bench, served, bare);
}

static double clocked_bare(struct bench *bench)
{
	return in_turns(bench, bare, served);
}

/* ---- */

#define KIND(name, ...)                                                                            \
	static const struct bench_kind name = {                                                    \
		.open = open_machine, .close = close_machine, __VA_ARGS__}

KIND(translate_pagewalk, .clocked = clocked_pagewalk);
KIND(translate_kvm, .clocked = clocked_kvm);
KIND(port_pagewalk, .clocked = clocked_port);
KIND(port_bare, .clocked = clocked_bare);

void exit_add(void)
{
	const struct vmm_vm_config config = {.memory_bytes = VMM_MEMORY_MIN};
	struct vmm_vm vm;
	bool can = vmm_vm_create(&vm, &config) == VMM_OK;

	if (!can) {
		bench_left_out("exit", vm.error.message);
		return;
	}
	vmm_vm_destroy(&vm);
	bench_add(&translate_pagewalk, "exit/translate/pagewalk")->items = TRANSLATES;
	bench_add(&translate_kvm, "exit/translate/kvm-translate")->items = TRANSLATES;
	bench_add(&port_bare, "exit/port/bare-kvm")->items = PORTS;
	bench_add(&port_pagewalk, "exit/port/pagewalk")->items = PORTS;
}

#else

void exit_add(void)
{
	bench_left_out("exit", "built without the VMM");
}

#endif
