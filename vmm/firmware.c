/* SPDX-License-Identifier: MIT */
/* Where there is RAM, the data areas, and the tables of processors and interrupt controllers. */
#include "firmware.h"

#include <string.h>

#include "table.h"

#define MIB_1     UINT64_C(0x100000)
#define ROM_FIRST UINT64_C(0xf0000)

/* vm.c gives these pages to KVM; from there to 4 GiB a PC has its ROM. */
#define TOP_FIRST UINT64_C(0xfffbc000)

#define LOCAL_APIC_GPA 0xfee00000u
#define IO_APIC_GPA    0xfec00000u

#define ISA_LINES  16
#define TIMER_LINE 0
#define TIMER_PIN  2 /* irqchip.c */

/* Tables, each in a part of the ROM of its own; guests search it in steps of 16. */
#define RSDP_GPA      (ROM_FIRST + 0x0000)
#define RSDT_GPA      (ROM_FIRST + 0x0040)
#define MADT_GPA      (ROM_FIRST + 0x0080)
#define MP_GPA        (ROM_FIRST + 0x1000)
#define MP_CONFIG_GPA (ROM_FIRST + 0x1010)
#define CALLS_GPA     (ROM_FIRST + 0x3000)

#define VECTORS   256
#define DATA_AREA 0x400

unsigned firmware_memory_map(
	const struct vmm_vm *vm, struct firmware_range ranges[FIRMWARE_RANGES_MAX])
{
	const struct firmware_range fixed[] = {
		{0, FIRMWARE_HIGH_FIRST, FIRMWARE_MEMORY_RAM},
		{FIRMWARE_HIGH_FIRST, 0xa0000 - FIRMWARE_HIGH_FIRST, FIRMWARE_MEMORY_RESERVED},
		{ROM_FIRST, MIB_1 - ROM_FIRST, FIRMWARE_MEMORY_RESERVED},
		{MIB_1, vm->windows[0].size - MIB_1, FIRMWARE_MEMORY_RAM},
		{TOP_FIRST, VMM_HOLE_LAST + 1 - TOP_FIRST, FIRMWARE_MEMORY_RESERVED},
		{VMM_HOLE_LAST + 1, vm->window_count > 1 ? vm->windows[1].size : 0,
			FIRMWARE_MEMORY_RAM},
	};
	unsigned count = 0;

	for (unsigned i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
		if (fixed[i].bytes > 0)
			ranges[count++] = fixed[i];
	return count;
}

/* ACPI "System Description Table Header"; the length and the checksum come at the end. */
static struct table begin_acpi(const struct vmm_vm *vm, uint64_t gpa, const char *signature)
{
	struct table table = table_begin(vm, gpa);

	table_text(&table, signature, 4);
	table_put(&table, 0, 4);
	table_put(&table, 1, 1); /* revision */
	table_put(&table, 0, 1);
	table_text(&table, "PAGEWK", 6);
	table_text(&table, "PAGEWALK", 8);
	table_put(&table, 1, 4);
	table_text(&table, "PGWK", 4);
	table_put(&table, 1, 4);
	return table;
}

static void end_acpi(struct table *table)
{
	table_patch(table, 4, table->used, 4);
	table_checksum(table, 9, table->used);
}

/* ACPI "Multiple APIC Description Table". */
static void write_madt(const struct vmm_vm *vm)
{
	struct table table = begin_acpi(vm, MADT_GPA, "APIC");

	table_put(&table, LOCAL_APIC_GPA, 4);
	table_put(&table, 1, 4); /* there are two 8259 as well */
	for (uint32_t cpu = 0; cpu < vm->vcpus; cpu++) {
		table_put(&table, 0x0800, 2); /* a local APIC, 8 bytes */
		table_put(&table, cpu, 1);    /* ACPI's number of the processor */
		table_put(&table, cpu, 1);    /* APIC ID */
		table_put(&table, 1, 4);      /* enabled */
	}
	table_put(&table, 0x0c01, 2); /* an I/O APIC, 12 bytes, ID 0, from line 0 on */
	table_put(&table, 0, 2);
	table_put(&table, IO_APIC_GPA, 4);
	table_put(&table, 0, 4);
	table_put(&table, 0x0a02, 2); /* another place for an ISA line, 10 bytes */
	table_put(&table, 0, 1);
	table_put(&table, TIMER_LINE, 1);
	table_put(&table, TIMER_PIN, 4);
	table_put(&table, 0, 2);
	table_put(&table, 0x0604, 2); /* NMI at LINT1 of all processors, 6 bytes */
	table_put(&table, 0xff, 1);
	table_put(&table, 0, 2);
	table_put(&table, 1, 1);
	end_acpi(&table);
}

static void write_acpi(const struct vmm_vm *vm)
{
	struct table rsdt = begin_acpi(vm, RSDT_GPA, "RSDT");
	struct table rsdp = table_begin(vm, RSDP_GPA);

	write_madt(vm);
	table_put(&rsdt, MADT_GPA, 4);
	end_acpi(&rsdt);
	table_text(&rsdp, "RSD PTR ", 8);
	table_put(&rsdp, 0, 1);
	table_text(&rsdp, "PAGEWK", 6);
	table_put(&rsdp, 0, 1); /* ACPI 1.0 */
	table_put(&rsdp, RSDT_GPA, 4);
	table_checksum(&rsdp, 8, rsdp.used);
}

static void add_mp_processor(struct table *table, uint32_t cpu)
{
	table_put(table, 0, 1);
	table_put(table, cpu, 1);                  /* APIC ID */
	table_put(table, 0x14, 1);                 /* local APIC version */
	table_put(table, cpu == 0 ? 3 : 1, 1);     /* enabled, and it is the first */
	table_put(table, 0x600, 4);                /* signature: family 6 */
	table_put(table, UINT32_C(1) << 9 | 1, 4); /* with APIC and FPU */
	table_put(table, 0, 8);
}

/* An interrupt of the bus: `type` 3 for the I/O APIC, 4 for local APICs. */
static void add_mp_interrupt(
	struct table *table, uint8_t type, uint8_t kind, uint8_t line, uint8_t target, uint8_t pin)
{
	table_put(table, type, 1);
	table_put(table, kind, 1);
	table_put(table, 0, 2); /* polarity and trigger as on the bus */
	table_put(table, 0, 1); /* bus 0 */
	table_put(table, line, 1);
	table_put(table, target, 1);
	table_put(table, pin, 1);
}

/* MultiProcessor Specification 1.4, section 4.3: the entries behind the header. */
static uint32_t add_mp_entries(struct table *table, uint32_t vcpus)
{
	uint32_t count = vcpus + 2;

	for (uint32_t cpu = 0; cpu < vcpus; cpu++)
		add_mp_processor(table, cpu);
	table_put(table, 0x0001, 2); /* bus 0 */
	table_text(table, "ISA   ", 6);
	table_put(table, 0x0002, 2); /* I/O APIC with ID 0 */
	table_put(table, 0x0111, 2); /* version, enabled */
	table_put(table, IO_APIC_GPA, 4);
	for (uint8_t line = 0; line < ISA_LINES; line++) {
		if (line == TIMER_PIN)
			continue; /* the cascade of the 8259 */
		add_mp_interrupt(table, 3, 0, line, 0, line == TIMER_LINE ? TIMER_PIN : line);
		count++;
	}
	add_mp_interrupt(table, 4, 3, 0, 0, 0);    /* ExtINT at LINT0 of the first */
	add_mp_interrupt(table, 4, 1, 0, 0xff, 1); /* NMI at LINT1 of all */
	return count + 2;
}

static void write_mp(const struct vmm_vm *vm)
{
	struct table config = table_begin(vm, MP_CONFIG_GPA);
	struct table pointer = table_begin(vm, MP_GPA);
	uint32_t entries;

	table_text(&config, "PCMP", 4);
	table_put(&config, 0, 2);
	table_put(&config, 4, 1); /* version 1.4 */
	table_put(&config, 0, 1);
	table_text(&config, "PAGEWALK", 8);
	table_text(&config, "PC          ", 12);
	table_put(&config, 0, 8); /* no table of the manufacturer; entries come below */
	table_put(&config, LOCAL_APIC_GPA, 4);
	table_put(&config, 0, 4);
	entries = add_mp_entries(&config, vm->vcpus);
	table_patch(&config, 34, entries, 2);
	table_patch(&config, 4, config.used, 2);
	table_checksum(&config, 7, config.used);

	table_text(&pointer, "_MP_", 4);
	table_put(&pointer, MP_CONFIG_GPA, 4);
	table_put(&pointer, 1, 1); /* 16 bytes */
	table_put(&pointer, 4, 1);
	table_put(&pointer, 0, 6);
	table_checksum(&pointer, 10, pointer.used);
}

/* What programs that outlived the BIOS still look up there. */
static void write_data_areas(const struct vmm_vm *vm)
{
	struct table data = table_begin(vm, DATA_AREA);
	struct table extended = table_begin(vm, FIRMWARE_HIGH_FIRST);

	table_patch(&data, 0x00, 0x3f8, 2);                     /* the serial port */
	table_patch(&data, 0x0e, FIRMWARE_HIGH_FIRST >> 4, 2);  /* the extended area's segment */
	table_patch(&data, 0x10, 0x0220, 2);                    /* one serial port, 80x25 text */
	table_patch(&data, 0x13, FIRMWARE_HIGH_FIRST >> 10, 2); /* KiB under it */
	table_patch(&data, 0x49, 3, 1);                         /* text mode 3 */
	table_patch(&data, 0x4a, 80, 2);
	table_patch(&data, 0x63, 0x3d4, 2);
	table_put(&extended, 1, 1); /* its size in KiB */
}

/* Programs that ask a BIOS must hear "no" rather than run into nothing. */
static void write_vectors(const struct vmm_vm *vm)
{
	/* push %bp; mov %sp, %bp; orb $1, 6(%bp); pop %bp; iret: carry in the saved flags */
	static const uint8_t refuse[] = {0x55, 0x89, 0xe5, 0x80, 0x4e, 0x06, 0x01, 0x5d, 0xcf};
	struct table vectors = table_begin(vm, 0);
	struct table calls = table_begin(vm, CALLS_GPA);

	for (unsigned i = 0; i < sizeof refuse; i++)
		table_put(&calls, refuse[i], 1);
	for (unsigned i = 0; i < VECTORS; i++) {
		table_put(&vectors, CALLS_GPA - ROM_FIRST, 2);
		table_put(&vectors, ROM_FIRST >> 4, 2);
	}
}

void firmware_write(const struct vmm_vm *vm)
{
	write_vectors(vm);
	write_data_areas(vm);
	write_acpi(vm);
	write_mp(vm);
}
