/* SPDX-License-Identifier: MIT */
/* What a PC's firmware and small devices tell the guest, without KVM. */
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <vmm/cpuid.h>
#include <vmm/firmware.h>
#include <vmm/pc.h>

#define MIB      UINT64_C(0x100000)
#define RSDP     0xf0000u
#define MP_TABLE 0xf1000u

static struct vmm_vm make_vm(uint64_t memory_bytes, unsigned vcpus)
{
	uint64_t low = memory_bytes < VMM_HOLE_FIRST ? memory_bytes : VMM_HOLE_FIRST;
	struct vmm_vm vm = {.memory_bytes = memory_bytes, .vcpus = vcpus, .window_count = 1};

	vm.windows[0] = (struct pw_window){.size = low};
	if (memory_bytes > low) {
		vm.windows[1] =
			(struct pw_window){.base = VMM_HOLE_LAST + 1, .size = memory_bytes - low};
		vm.window_count = 2;
	}
	return vm;
}

static void assert_sums_to_zero(const uint8_t *bytes, size_t count, const char *what)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum = (uint8_t)(sum + bytes[i]);
	cr_expect(eq(u8, sum, 0), "%s", what);
}

static uint32_t read32(const uint8_t *bytes)
{
	uint32_t value;

	memcpy(&value, bytes, sizeof value);
	return value;
}

static void assert_acpi(const uint8_t *ram, unsigned vcpus)
{
	const uint8_t *rsdp = ram + RSDP;
	const uint8_t *rsdt = ram + read32(rsdp + 16);
	const uint8_t *madt = ram + read32(rsdt + 36);
	unsigned processors = 0;

	cr_assert(eq(int, memcmp(rsdp, "RSD PTR ", 8), 0));
	assert_sums_to_zero(rsdp, 20, "RSDP");
	cr_assert(eq(int, memcmp(rsdt, "RSDT", 4), 0));
	assert_sums_to_zero(rsdt, read32(rsdt + 4), "RSDT");
	cr_assert(eq(int, memcmp(madt, "APIC", 4), 0));
	assert_sums_to_zero(madt, read32(madt + 4), "MADT");
	cr_expect(eq(u32, read32(madt + 36), 0xfee00000));
	for (const uint8_t *at = madt + 44; at < madt + read32(madt + 4); at += at[1]) {
		cr_assert(gt(int, at[1], 0));
		if (at[0] == 0)
			cr_expect(eq(u8, at[3], (uint8_t)processors++));
	}
	cr_expect(eq(u32, processors, vcpus));
}

static void assert_mp_table(const uint8_t *ram, unsigned vcpus)
{
	const uint8_t *pointer = ram + MP_TABLE;
	const uint8_t *config = ram + read32(pointer + 4);
	uint16_t bytes, entries;
	unsigned processors = 0;
	const uint8_t *at = config + 44;

	cr_assert(eq(int, memcmp(pointer, "_MP_", 4), 0));
	assert_sums_to_zero(pointer, 16, "MP pointer");
	cr_assert(eq(int, memcmp(config, "PCMP", 4), 0));
	memcpy(&bytes, config + 4, 2);
	memcpy(&entries, config + 34, 2);
	assert_sums_to_zero(config, bytes, "MP table");
	for (unsigned i = 0; i < entries; i++) {
		cr_assert(le(int, at[0], 4));
		processors += at[0] == 0;
		at += at[0] == 0 ? 20 : 8;
	}
	cr_expect(eq(ptr, (void *)(uintptr_t)at, (void *)(uintptr_t)(config + bytes)),
		"the entries fill the table");
	cr_expect(eq(u32, processors, vcpus));
}

Test(firmware, tables_are_whole_for_every_number_of_vcpus)
{
	for (unsigned vcpus = 1; vcpus <= VMM_VCPUS_MAX; vcpus++) {
		struct vmm_vm vm = make_vm(MIB, vcpus);
		uint8_t *ram = calloc(1, MIB);

		cr_assert(ne(ptr, ram, NULL));
		vm.windows[0].host = ram;
		firmware_write(&vm);
		assert_acpi(ram, vcpus);
		assert_mp_table(ram, vcpus);
		free(ram);
	}
}

Test(firmware, data_areas_and_vectors_are_where_bioses_have_them)
{
	struct vmm_vm vm = make_vm(MIB, 1);
	uint8_t *ram = calloc(1, MIB);
	const uint8_t *call;

	cr_assert(ne(ptr, ram, NULL));
	vm.windows[0].host = ram;
	firmware_write(&vm);
	cr_expect(eq(u32, read32(ram + 0x400) & 0xffff, 0x3f8));
	cr_expect(eq(u32, read32(ram + 0x40e) & 0xffff, 0x9fc0));
	cr_expect(eq(u32, read32(ram + 0x413) & 0xffff, 639));
	cr_expect(eq(u8, ram[0x9fc00], 1));
	cr_expect(eq(u32, read32(ram), read32(ram + 4 * 0xff)));
	call = ram + (read32(ram) >> 16) * 16 + (read32(ram) & 0xffff);
	cr_expect(eq(u8, call[8], 0xcf), "the call ends with IRET");
	free(ram);
}

static void assert_map(uint64_t memory_bytes, const struct firmware_range *wanted, unsigned count)
{
	struct vmm_vm vm = make_vm(memory_bytes, 1);
	struct firmware_range found[FIRMWARE_RANGES_MAX];

	cr_assert(eq(u32, firmware_memory_map(&vm, found), count));
	for (unsigned i = 0; i < count; i++) {
		cr_expect(eq(u64, found[i].first, wanted[i].first), "range %u", i);
		cr_expect(eq(u64, found[i].bytes, wanted[i].bytes), "range %u", i);
		cr_expect(eq(int, (int)found[i].type, (int)wanted[i].type), "range %u", i);
	}
}

Test(firmware, memory_map_has_the_hole_under_4_gib)
{
	const struct firmware_range smallest[] = {
		{0, 0x9fc00, FIRMWARE_MEMORY_RAM},
		{0x9fc00, 0x400, FIRMWARE_MEMORY_RESERVED},
		{0xf0000, 0x10000, FIRMWARE_MEMORY_RESERVED},
		{0xfffbc000, 0x44000, FIRMWARE_MEMORY_RESERVED},
	};
	const struct firmware_range largest[] = {
		smallest[0],
		smallest[1],
		smallest[2],
		{MIB, VMM_HOLE_FIRST - MIB, FIRMWARE_MEMORY_RAM},
		smallest[3],
		{VMM_HOLE_LAST + 1, 5 * MIB, FIRMWARE_MEMORY_RAM},
	};

	assert_map(MIB, smallest, 4);
	assert_map(VMM_HOLE_FIRST + 5 * MIB, largest, 6);
}

Test(firmware, fw_cfg_answers_as_qemus)
{
	struct vmm_vm vm = make_vm(UINT64_C(0x123456000), 3);
	char signature[5] = "";
	uint64_t bytes = 0;

	for (unsigned i = 0; i < 4; i++)
		signature[i] = (char)pc_fw_cfg_byte(&vm, 0, i);
	cr_expect(eq(int, strcmp(signature, "QEMU"), 0));
	for (unsigned i = 0; i < 8; i++)
		bytes |= (uint64_t)pc_fw_cfg_byte(&vm, 3, i) << 8 * i;
	cr_expect(eq(u64, bytes, vm.memory_bytes));
	cr_expect(eq(u8, pc_fw_cfg_byte(&vm, 5, 0), 3));
	cr_expect(eq(u8, pc_fw_cfg_byte(&vm, 5, 1), 0));
	cr_expect(eq(u8, pc_fw_cfg_byte(&vm, 3, 8), 0));
	cr_expect(eq(u8, pc_fw_cfg_byte(&vm, 0, UINT32_MAX), 0));
	cr_expect(eq(u8, pc_fw_cfg_byte(&vm, 0xffff, 0), 0));
}

Test(firmware, clock_tells_the_date_in_decimal)
{
	const int64_t seconds = 1700000000; /* Tuesday, 2023-11-14 22:13:20 UTC */
	static const struct {
		uint8_t index, value;
	} rows[] = {{0, 0x20}, {2, 0x13}, {4, 0x22}, {6, 3}, {7, 0x14}, {8, 0x11}, {9, 0x23},
		{0x32, 0x20}, {0x0a, 0x26}, {0x0b, 0x02}, {0x0d, 0x80}, {0x7f, 0}};
	struct vmm_vm vm = make_vm(64 * MIB, 1);

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		cr_expect(eq(u8, pc_cmos_register(&vm, rows[i].index, seconds), rows[i].value),
			"register %#x", rows[i].index);
	cr_expect(eq(u8, pc_cmos_register(&vm, 0x30, seconds), (63 << 10) & 0xff));
	cr_expect(eq(u8, pc_cmos_register(&vm, 0x31, seconds), (63 << 10) >> 8 & 0xff));
	cr_expect(eq(u8, pc_cmos_register(&vm, 0x35, seconds), 48 * 16 >> 8));
}

#define ENTRIES 8

static struct kvm_cpuid_entry2 *entry_of(struct kvm_cpuid2 *cpuid, uint32_t leaf, uint32_t index)
{
	for (uint32_t i = 0; i < cpuid->nent; i++)
		if (cpuid->entries[i].function == leaf && cpuid->entries[i].index == index)
			return &cpuid->entries[i];
	cr_assert(false, "leaf %#x, %u is missing", leaf, index);
	return NULL;
}

static struct kvm_cpuid2 *make_cpuid(uint32_t vendor_ebx)
{
	const struct kvm_cpuid_entry2 entries[ENTRIES] = {
		{.function = 0, .eax = 0x1f, .ebx = vendor_ebx},
		{.function = 1, .ebx = UINT32_MAX, .edx = 0x1},
		{.function = 4, .index = 0, .eax = 0xffffc121},
		{.function = 4, .index = 1, .eax = 0xffffc163},
		{.function = 0xb, .index = 0, .edx = 99},
		{.function = 0x80000001},
		{.function = 0x80000008, .eax = 0x3030, .ecx = 0x10077},
		{.function = 0x8000001e, .eax = 99, .ecx = 1},
	};
	struct kvm_cpuid2 *cpuid =
		calloc(1, sizeof *cpuid + (ENTRIES + CPUID_TOPOLOGY_ENTRIES) * sizeof entries[0]);

	cr_assert(ne(ptr, cpuid, NULL));
	cpuid->nent = ENTRIES;
	memcpy(cpuid->entries, entries, sizeof entries);
	return cpuid;
}

Test(firmware, cpuid_places_the_vcpu_among_the_others)
{
	struct kvm_cpuid2 *cpuid = make_cpuid(0x756e6547);

	cpuid_set_topology(cpuid, 4, 5);
	cr_expect(eq(u32, entry_of(cpuid, 1, 0)->ebx, 0x0405ffff));
	cr_expect(eq(u32, entry_of(cpuid, 1, 0)->edx, 0x10000001));
	cr_expect(eq(u32, entry_of(cpuid, 4, 0)->eax, 0x1c000121), "8 cores, a cache each");
	cr_expect(eq(u32, entry_of(cpuid, 4, 1)->eax, 0x1c01c163), "8 cores share level 3");
	cr_expect(eq(u32, entry_of(cpuid, 0xb, 0)->eax, 0));
	cr_expect(eq(u32, entry_of(cpuid, 0xb, 0)->ebx, 1));
	cr_expect(eq(u32, entry_of(cpuid, 0xb, 0)->edx, 4));
	cr_expect(eq(u32, entry_of(cpuid, 0xb, 1)->eax, 3));
	cr_expect(eq(u32, entry_of(cpuid, 0xb, 1)->ebx, 5));
	cr_expect(eq(u32, entry_of(cpuid, 0xb, 1)->ecx, 0x201));
	cr_expect(eq(u32, entry_of(cpuid, 0xb, 2)->ebx, 0));
	cr_expect(eq(u32, entry_of(cpuid, 0x1f, 1)->edx, 4));
	cr_expect(eq(u32, entry_of(cpuid, 0x80000001, 0)->ecx, 0), "AMD's bit");
	cr_expect(eq(u32, entry_of(cpuid, 0x80000008, 0)->ecx, 0x10077));
	free(cpuid);
}

Test(firmware, cpuid_of_amd_says_cores)
{
	struct kvm_cpuid2 *cpuid = make_cpuid(0x68747541);

	cpuid_set_topology(cpuid, 1, 2);
	cr_expect(eq(u32, entry_of(cpuid, 0x80000001, 0)->ecx, 2));
	cr_expect(eq(u32, entry_of(cpuid, 0x80000008, 0)->ecx, 0x11001));
	cr_expect(eq(u32, entry_of(cpuid, 0x8000001e, 0)->eax, 1));
	cr_expect(eq(u32, entry_of(cpuid, 0x8000001e, 0)->ecx, 0));
	cpuid_set_topology(cpuid, 0, 1);
	cr_expect(eq(u32, entry_of(cpuid, 0x80000001, 0)->ecx, 0));
	cr_expect(eq(u32, entry_of(cpuid, 1, 0)->edx, 1), "one processor: no others");
	free(cpuid);
}
