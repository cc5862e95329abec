/* SPDX-License-Identifier: MIT */
/*
 * Makes the accesses that the VMM asks for, in whatever paging mode and with whatever entries and
 * control bits, and says what the processor did about each. It judges nothing.
 *
 * Built for 64 bits (4-level, or 5-level if the VMM started it so) and for 32 bits (no paging,
 * 32-bit paging, PAE).
 */
#include "probe.h"
#include "x86.h"

#define PAGE        4096u
#define IMAGE_PAGES 512 /* 2 MiB hold the image and the tables that it offers */

#define PTE_LINK (PTE_PRESENT | PTE_WRITE | PTE_USER)

extern char guest_user_first[], guest_user_end[]; /* link.ld */

static _Alignas(PAGE) uint64_t own[5][PAGE / 8]; /* by level; the root is the highest in use */
static _Alignas(PAGE) uint64_t offered[GUEST_BATCH_TABLES][PAGE / 8];
static _Alignas(PAGE) struct guest_batch batch;

/* The supervisor's but for the code of ring 3. Without NX, which comes and goes. */
static uint64_t image_page(unsigned i)
{
	uintptr_t at = i * (uintptr_t)PAGE;
	bool user = at >= (uintptr_t)guest_user_first && at < (uintptr_t)guest_user_end;

	return at | PTE_PRESENT | PTE_WRITE | (user ? PTE_USER : 0);
}

static void map_image(unsigned levels)
{
	for (unsigned level = levels - 1; level > 0; level--) {
		bool pdpte = levels == 3 && level == 2; /* gives no rights, has no bits for them */

		own[level][0] = (uintptr_t)own[level - 1] | (pdpte ? PTE_PRESENT : PTE_LINK);
	}
	for (unsigned i = 0; i < IMAGE_PAGES; i++)
		own[0][i] = image_page(i);
	batch.root = (uintptr_t)own[levels - 1];
}

#ifndef __x86_64__
static void map_image_32(void)
{
	static _Alignas(PAGE) uint32_t root_32[PAGE / 4], own_32[PAGE / 4];

	root_32[0] = (uint32_t)((uintptr_t)own_32 | PTE_LINK);
	for (unsigned i = 0; i < IMAGE_PAGES; i++)
		own_32[i] = (uint32_t)image_page(i);
	batch.root_32 = (uintptr_t)root_32;
}
#endif

static void set_up(void)
{
	batch.version = GUEST_BATCH_VERSION;
	batch.cpuid_1_edx = x86_cpuid(1).edx;
	batch.cpuid_7_ebx = x86_cpuid(7).ebx;
	batch.cpuid_7_ecx = x86_cpuid(7).ecx;
	batch.cpuid_80000001_edx = x86_extended_edx();
	for (unsigned i = 0; i < GUEST_BATCH_TABLES; i++)
		batch.tables[i] = (uintptr_t)offered[i];
#ifdef __x86_64__
	batch.long_mode = 1;
	map_image(x86_read_cr4() & CR4_LA57 ? 5 : 4);
	x86_write_cr3(batch.root); /* the VMM's own tables give ring 3 nothing */
#else
	map_image(3);
	map_image_32();
#endif
	probe_init();
}

static void store(const struct guest_store *what)
{
	if (what->bytes == 4)
		*(volatile uint32_t *)(uintptr_t)what->pa = (uint32_t)what->entry;
	else
		*(volatile uint64_t *)(uintptr_t)what->pa = what->entry;
}

/*
 * SDM vol. 3A "Paging-Mode Enabling": 32-bit paging and PAE change places by way of no paging. And
 * the PDPTEs are loaded when paging is switched on: they must be as they were made. QEMU's TCG
 * marks them accessed, and KVM refuses such a PDPTE, as a processor would.
 */
static void stop_paging(void)
{
#ifndef __x86_64__
	x86_write_cr0(x86_read_cr0() & ~CR0_PG);
	own[2][0] &= ~PTE_ACCESSED;
#endif
}

/* Tables, then registers; with CR3 everything that was cached goes. */
static void obey(void)
{
	stop_paging();
	for (unsigned i = 0; i < batch.stores_count; i++)
		store(&batch.stores[i]);
	if (batch.cpuid_80000001_edx & CPUID_EDX_NX)
		x86_write_msr(MSR_EFER, batch.efer);
	x86_write_cr4(batch.cr4);
	if (batch.cr4 & CR4_PKE)
		x86_write_pkru(batch.pkru);
	x86_write_cr3(batch.cr3);
	x86_write_cr0(batch.cr0);
	x86_write_flags(batch.rflags);
}

static void make_accesses(void)
{
	for (unsigned i = 0; i < batch.accesses_count; i++) {
		struct guest_access *access = &batch.accesses[i];
		struct probe_outcome outcome =
			probe_access(access->va, access->access, access->value);

		access->vector = outcome.vector;
		access->error_code = outcome.error_code;
		access->cr2 = outcome.cr2;
		access->value = outcome.value;
	}
}

static uint32_t tell(enum guest_batch_stage stage)
{
	static struct guest_call call;

	call.batch.pa = (uintptr_t)&batch;
	call.batch.stage = stage;
	return guest_make_call(&call, GUEST_CALL_BATCH, NULL);
}

int main(void)
{
	guest_begin();
	set_up();
	while (tell(GUEST_BATCH_WANTED) == GUEST_ANSWER_AGREE) {
		obey();
		tell(GUEST_BATCH_READY);
		make_accesses();
		tell(GUEST_BATCH_DONE);
	}
	return 0;
}
