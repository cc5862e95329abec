/* SPDX-License-Identifier: MIT */
/* The ground under a guest on shadow tables: memory, slots, descriptor tables, the first state. */
#include "shadow_host.h"
#include "shadow_cpu.h"

#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>

#include <criterion/criterion.h>

/* In KVM's memory: */
#define LOW_BYTES    UINT64_C(0x800000) /* the monitor, its tables, the shadow tables */
#define SCATTER      LOW_BYTES          /* the guest's physical memory, page by page */
#define SLOT(n)      (16 + (unsigned)(n))
#define SLOT_SPARE   8
#define SPARE_GPA    UINT64_C(0x4000000)
#define GDT          UINT64_C(0x1000)
#define IDT          UINT64_C(0x2000)
#define TSS          UINT64_C(0x3000)
#define STACK_TOP    UINT64_C(0x6000)
#define PDPT         UINT64_C(0x6000)
#define PD           UINT64_C(0x7000)
#define OWN_INDEX    510
#define USER_DATA    0x23
#define USER_CODE    0x2b
#define TSS_SELECTOR 0x30
#define P_W          UINT64_C(3)

/* ---- The guest's physical memory ---- */

uint64_t shadow_host_hpa(uint64_t gpa)
{
	return SCATTER + (gpa / 4096 * 37 + 11) % SHADOW_GUEST_PAGES * 4096 + gpa % 4096;
}

static uint64_t gpa_of(uint64_t hpa)
{
	uint64_t gpa = 0;

	while (shadow_host_hpa(gpa) != hpa / 4096 * 4096)
		gpa += 4096;
	return gpa + hpa % 4096;
}

static void *at(struct shadow_host *host, uint64_t gpa, uint64_t bytes)
{
	if (gpa >= SHADOW_GUEST_BYTES || gpa % 4096 + bytes > 4096)
		return NULL;
	return vmm_vm_host(&host->machine.vm, shadow_host_hpa(gpa), bytes);
}

static bool read_pte(void *ctx, pw_pa pa, unsigned bytes, uint64_t *entry)
{
	const void *from = at(ctx, pa, bytes);

	*entry = 0;
	if (from)
		memcpy(entry, from, bytes);
	return from != NULL;
}

static bool write_pte(void *ctx, pw_pa pa, unsigned bytes, uint64_t entry)
{
	void *to = at(ctx, pa, bytes);

	if (to)
		memcpy(to, &entry, bytes);
	return to != NULL;
}

static bool copy(struct shadow_host *host, uint64_t gpa, uint8_t *bytes, size_t count, bool write)
{
	for (; count > 0; count--, gpa++, bytes++) {
		uint8_t *there = at(host, gpa, 1);

		if (!there)
			return false;
		*(write ? there : bytes) = *(write ? bytes : there);
	}
	return true;
}

static bool read_bytes(void *ctx, pw_pa pa, void *to, size_t bytes)
{
	return copy(ctx, pa, to, bytes, false);
}

static bool write_bytes(void *ctx, pw_pa pa, const void *from, size_t bytes)
{
	return copy(ctx, pa, (uint8_t *)(uintptr_t)from, bytes, true);
}

static bool find(void *ctx, pw_pa gpa, struct pw_shadow_block *block)
{
	(void)ctx;
	if (gpa >= SHADOW_GUEST_BYTES)
		return false;
	gpa -= gpa % 4096;
	*block = (struct pw_shadow_block){gpa, shadow_host_hpa(gpa), 4096, PW_R | PW_W | PW_X};
	return true;
}

/* ---- Slots ---- */

static void set_slot(struct shadow_host *host, unsigned slot, uint64_t base, uint64_t bytes,
	void *from, uint32_t flags)
{
	struct kvm_userspace_memory_region region = {.slot = slot,
		.flags = flags,
		.guest_phys_addr = base,
		.memory_size = bytes,
		.userspace_addr = (uintptr_t)from};

	cr_assert(ioctl(host->machine.vm.vm_fd, KVM_SET_USER_MEMORY_REGION, &region) == 0,
		"slot %u", slot);
}

/* A slot does not change its mind: it is taken out and put back. */
static void protect(void *ctx, pw_pa gpa, bool on)
{
	struct shadow_host *host = ctx;
	uint64_t hpa = shadow_host_hpa(gpa);
	void *from = at(host, gpa, 4096);

	set_slot(host, SLOT(gpa / 4096), hpa, 0, from, 0);
	set_slot(host, SLOT(gpa / 4096), hpa, 4096, from, on ? KVM_MEM_READONLY : 0);
	host->read_only[gpa / 4096] = on;
}

/*
 * KVM may remember what stood in our tables, and does not notice that we write to them from
 * outside. When a slot goes away it forgets everything.
 */
void shadow_host_flush(struct shadow_host *host)
{
	if (!host->flush.everything && !host->flush.range_count)
		return;
	set_slot(host, SLOT_SPARE, SPARE_GPA, 4096, at(host, 0, 4096), 0);
	set_slot(host, SLOT_SPARE, SPARE_GPA, 0, NULL, 0);
	pw_flush_done(&host->guest, &host->flush);
}

static void lay_out(struct shadow_host *host)
{
	char *memory = host->machine.vm.windows[0].host;

	set_slot(host, 0, 0, 0, memory, 0);
	set_slot(host, 0, 0, LOW_BYTES, memory, 0);
	for (uint64_t gpa = 0; gpa < SHADOW_GUEST_BYTES; gpa += 4096)
		set_slot(
			host, SLOT(gpa / 4096), shadow_host_hpa(gpa), 4096, at(host, gpa, 4096), 0);
}

/* ---- Shadow tables ---- */

static bool allocate_table(void *ctx, uint64_t bytes, pw_pa *pa)
{
	struct shadow_host *host = ctx;

	for (unsigned i = 0; i < host->table_max && bytes == 4096; i++) {
		if (!host->taken[i]) {
			host->taken[i] = true;
			host->tables_out++;
			*pa = SHADOW_POOL + 4096 * i;
			return true;
		}
	}
	return false;
}

static void free_table(void *ctx, pw_pa pa, uint64_t bytes)
{
	struct shadow_host *host = ctx;

	(void)bytes;
	host->taken[(pa - SHADOW_POOL) / 4096] = false;
	host->tables_out--;
}

static void begin_shadow(struct shadow_host *host)
{
	const struct pw_shadow_config config = {
		.format = &pw_format_x86_64,
		.memory = &host->pool,
		.roots = host->roots,
		.root_max = SHADOW_ROOTS,
		.uses = host->uses,
		.use_max = SHADOW_USES,
		.find = find,
		.protect = protect,
		.protected_below = true,
		.own_entry = PDPT | P_W,
		.own_index = OWN_INDEX,
		.ctx = host,
	};

	host->pool = host->machine.vm.memory;
	host->pool.allocate_table = allocate_table;
	host->pool.free_table = free_table;
	host->pool.ctx = host;
	host->memory = (struct pw_memory){.read_pte = read_pte,
		.write_pte = write_pte,
		.read_bytes = read_bytes,
		.write_bytes = write_bytes,
		.ctx = host};
	host->flush.ranges = host->ranges;
	host->flush.range_max = sizeof host->ranges / sizeof host->ranges[0];
	cr_assert(pw_shadow_begin(&host->shadow, &config) == PW_OK);
}

/* ---- The processor's tables, for ring 0 ---- */

static uint64_t *words(struct shadow_host *host, uint64_t pa)
{
	uint64_t *found = vmm_vm_host(&host->machine.vm, pa, 4096);

	memset(found, 0, 4096);
	return found;
}

static void put_descriptors(struct shadow_host *host)
{
	static const uint64_t segments[] = {0, UINT64_C(0x00cf9b000000ffff),
		UINT64_C(0x00cf93000000ffff), UINT64_C(0x00af9b000000ffff),
		UINT64_C(0x00cff3000000ffff), UINT64_C(0x00affb000000ffff)};
	uint64_t *gdt = words(host, GDT), *idt = words(host, IDT);
	uint64_t tss = SHADOW_OWN + TSS, stack = SHADOW_OWN + STACK_TOP;
	uint8_t *task = (uint8_t *)words(host, TSS);

	memcpy(gdt, segments, sizeof segments);
	gdt[6] = 103 | (tss & 0xffffff) << 16 | UINT64_C(0x89) << 40 | (tss >> 24 & 0xff) << 56;
	gdt[7] = tss >> 32;
	for (unsigned i = 0; i < 32; i++) {
		uint64_t handler = SHADOW_OWN + host->machine.image.entry + 16 * i;

		idt[2 * i] = (handler & 0xffff) | 0x18 << 16 | UINT64_C(0x8e00) << 32 |
			     (handler >> 16 & 0xffff) << 48;
		idt[2 * i + 1] = handler >> 32;
	}
	memcpy(task + 4, &stack, 8);
	task[102] = 104; /* no I/O map */
	words(host, PDPT)[0] = PD | P_W;
	words(host, PD)[0] = P_W | 0x80;
}

static struct kvm_segment segment(uint16_t selector, uint8_t type, uint64_t base, uint32_t limit)
{
	bool code = type == 11 && selector == USER_CODE;

	return (struct kvm_segment){.base = base,
		.limit = limit,
		.selector = selector,
		.type = type,
		.present = 1,
		.dpl = selector & 3,
		.db = selector == USER_DATA,
		.s = selector != TSS_SELECTOR,
		.l = code,
		.g = selector != TSS_SELECTOR};
}

/* Ring 3, as the guest would start in ring 0. */
static void set_registers(struct shadow_host *host, struct machine *own, pw_pa root)
{
	struct kvm_regs regs = machine_regs(own);
	struct kvm_sregs sregs;

	cr_assert(vmm_vcpu_get_sregs(&host->machine.vcpu, &sregs) == VMM_OK);
	sregs.cs = segment(USER_CODE, 11, 0, UINT32_MAX);
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = segment(USER_DATA, 3, 0, UINT32_MAX);
	sregs.tr = segment(TSS_SELECTOR, 11, SHADOW_OWN + TSS, 103);
	sregs.gdt.base = SHADOW_OWN + GDT;
	sregs.gdt.limit = 63;
	sregs.idt.base = SHADOW_OWN + IDT;
	sregs.idt.limit = 511;
	sregs.efer |= PW_EFER_NXE;
	sregs.cr3 = root;
	cr_assert(vmm_vcpu_set_sregs(&host->machine.vcpu, &sregs) == VMM_OK, "%s",
		host->machine.vcpu.error.message);
	cr_assert(vmm_vcpu_set_regs(&host->machine.vcpu, &regs) == VMM_OK);
}

void shadow_host_begin(struct shadow_host *host, const char *guest, unsigned tables)
{
	static struct machine own;
	pw_pa root;

	memset(host, 0, sizeof *host);
	host->table_max = tables;
	machine_boot_guest(&host->machine, "shadow_monitor");
	lay_out(host);
	begin_shadow(host);
	put_descriptors(host);
	machine_create(&own, SHADOW_GUEST_BYTES);
	machine_load_guest(&own, guest);
	cr_assert(vmm_vcpu_boot(&own.vcpu, own.image.mode, own.image.entry) == VMM_OK);
	cr_assert(vmm_vcpu_x86_state(&own.vcpu, &host->state) == VMM_OK);
	cr_assert(write_bytes(host, 0, own.vm.windows[0].host, SHADOW_GUEST_BYTES));
	cr_assert(pw_space_init_x86(&host->guest, &host->state, &host->memory, NULL) == PW_OK);
	cr_assert(pw_shadow_load(&host->shadow, &host->guest, false, &host->flush, &root) == PW_OK);
	set_registers(host, &own, root);
	machine_destroy(&own);
}

bool shadow_host_stored(struct shadow_host *host, const struct vmm_mmio_access *mmio)
{
	uint64_t gpa;

	if (!mmio->write || mmio->pa < SCATTER || mmio->pa >= SCATTER + SHADOW_GUEST_BYTES)
		return false;
	gpa = gpa_of(mmio->pa);
	cr_assert(host->read_only[gpa / 4096], "gpa %#llx", (unsigned long long)gpa);
	return write_bytes(host, gpa, mmio->value, mmio->bytes) &&
	       pw_shadow_written(&host->shadow, gpa, mmio->bytes, &host->flush) == PW_OK;
}

void shadow_host_end(struct shadow_host *host)
{
	pw_shadow_end(&host->shadow, NULL);
	cr_assert(host->tables_out == 0, "%u tables are left", host->tables_out);
	for (unsigned i = 0; i < SHADOW_GUEST_PAGES; i++)
		cr_assert(!host->read_only[i]);
	machine_destroy(&host->machine);
}
