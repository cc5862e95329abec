/* SPDX-License-Identifier: MIT */
/*
 * exit/start/WHO: from nothing to the first exit of a guest, whose first instruction exits. Both
 * guests have the same RAM, program and tables; bare-kvm makes the system calls that this takes and
 * no other. The two take turns and only one is timed.
 */
#include "bench.h"
#include "kinds.h"

#ifdef PW_BENCH_VMM

#include "bare_kvm.h"
#include "x86.h"

#include <pagewalk_vmm/vmm.h>

#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

#define MEMORY   (UINT64_C(64) << 20)
#define ROOT     UINT64_C(0x2000)
#define GUEST_AT UINT64_C(0x100000)
#define STARTS   16u /* of each, in turns */

static const uint8_t guest[] = {0xe6, 0x80, 0xf4}; /* out 0x80, al; hlt */

static double nanoseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double by_pagewalk(void)
{
	const struct vmm_vm_config config = {.memory_bytes = MEMORY};
	double start = nanoseconds(), end;
	struct vmm_vm vm;
	struct vmm_vcpu vcpu;
	struct vmm_image image;
	struct vmm_exit exit;

	if (vmm_vm_create(&vm, &config) != VMM_OK ||
		vmm_image_load_bytes(&vm, guest, sizeof guest, GUEST_AT, VMM_MODE_LONG, &image) !=
			VMM_OK)
		bench_die("%s", vm.error.message);
	if (vmm_vcpu_create(&vcpu, &vm, 0) != VMM_OK ||
		vmm_vcpu_boot(&vcpu, image.mode, image.entry) != VMM_OK ||
		vmm_vcpu_run(&vcpu, &exit) != VMM_OK)
		bench_die("%s", vcpu.error.message);
	end = nanoseconds();
	if (exit.kind != VMM_EXIT_PORT)
		bench_die("the guest ended with %s", vmm_exit_name(exit.kind));
	vmm_vcpu_destroy(&vcpu);
	vmm_vm_destroy(&vm);
	return end - start;
}

/* The first 4 GiB to themselves, as the VMM does. */
static void make_tables(uint8_t *memory)
{
	uint64_t *table = x86_table(memory, ROOT);

	table[0] = (ROOT + TABLE_BYTES) | X86_P | X86_W;
	for (unsigned i = 0; i < 4; i++)
		table[TABLE_ENTRIES + i] = (ROOT + (2 + i) * TABLE_BYTES) | X86_P | X86_W;
	for (uint64_t i = 0; i < 4 * TABLE_ENTRIES; i++)
		table[2 * TABLE_ENTRIES + i] = i << SHIFT(1) | X86_P | X86_W | X86_PS;
}

static double by_bare_kvm(void)
{
	double start = nanoseconds(), end;
	uint8_t *memory =
		mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct bare_kvm kvm;

	if (memory == MAP_FAILED)
		bench_die("no memory");
	make_tables(memory);
	memcpy(memory + GUEST_AT, guest, sizeof guest);
	bare_kvm_open(&kvm, memory, MEMORY, ROOT, GUEST_AT);
	if (ioctl(kvm.vcpu, KVM_RUN, 0) != 0)
		bench_die("KVM_RUN failed");
	end = nanoseconds();
	if (kvm.run->exit_reason != KVM_EXIT_IO)
		bench_die("the guest ended with %u", kvm.run->exit_reason);
	bare_kvm_close(&kvm);
	munmap(memory, MEMORY);
	return end - start;
}

static double (*const starter[])(void) = {by_bare_kvm, by_pagewalk};

static double clocked(struct bench *bench)
{
	double least = 0;

	for (unsigned i = 0; i < STARTS; i++) {
		double time;

		starter[bench->what ^ 1]();
		time = starter[bench->what]();
		least = i == 0 || time < least ? time : least;
	}
	return least;
}

static void open_start(struct bench *bench)
{
	starter[bench->what]();
}

static const struct bench_kind start_kind = {
	.open = open_start,
	.clocked = clocked,
};

void start_add(void)
{
	static const char *const who[] = {"bare-kvm", "pagewalk"};

	if (bare_kvm_missing())
		return; /* said by the other exits */
	for (unsigned i = 0; i < 2; i++)
		bench_add(&start_kind, "exit/start/%s", who[i])->what = i;
}

#else

void start_add(void)
{
}

#endif
