/* SPDX-License-Identifier: MIT */
/* Checks the state in which a multiboot guest starts, and prints what the boot loader tells it. */
#include "pc.h"

#define CR0_PE    1u
#define CR0_PG    (1u << 31)
#define EFLAGS_IF (1u << 9)
#define EFLAGS_VM (1u << 17)
#define MIB_1     0x100000u
#define MIB_BIT   (1u << 20)

#define INFO_WANTED (1u | 1u << 2 | 1u << 3 | 1u << 6 | 1u << 9)
#define MMAP_RAM    1u

struct info {
	uint32_t flags;
	uint32_t mem_lower; /* KiB */
	uint32_t mem_upper;
	uint32_t boot_device;
	uint32_t cmdline;
	uint32_t mods_count;
	uint32_t mods_addr;
	uint32_t syms[4];
	uint32_t mmap_length;
	uint32_t mmap_addr;
	uint32_t drives[3];
	uint32_t boot_loader_name;
};

struct __attribute__((packed)) range {
	uint32_t size; /* of what follows */
	uint64_t first;
	uint64_t bytes;
	uint32_t type;
};

struct module {
	uint32_t start;
	uint32_t end;
	uint32_t text;
	uint32_t reserved;
};

extern const char guest_text_first[], guest_end[]; /* link.ld */

static void check_cpu(void)
{
	static volatile uint32_t here;
	const volatile uint32_t *mirror = (const volatile uint32_t *)((uint32_t)&here ^ MIB_BIT);
	uint32_t cr0, eflags;
	bool first;

	__asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
	__asm__ volatile("pushf; pop %0" : "=r"(eflags));
	pc_check(cr0 & CR0_PE, "protected mode is on");
	pc_check(!(cr0 & CR0_PG), "paging is off");
	pc_check(!(eflags & (EFLAGS_IF | EFLAGS_VM)), "interrupts and virtual 8086 mode are off");
	here = 0x12345678;
	first = *mirror == here;
	here = 0x87654321;
	pc_check(!first || *mirror != here, "the A20 line is on");
}

static bool overlaps(uint32_t first, uint32_t end, const void *other_first, const void *other_end)
{
	return first < (uint32_t)other_end && end > (uint32_t)other_first;
}

static void show_modules(const struct info *info)
{
	const struct module *modules = (const struct module *)info->mods_addr;

	for (uint32_t i = 0; i < info->mods_count; i++) {
		const struct module *module = &modules[i];

		guest_puts("module '");
		guest_puts((const char *)module->text);
		guest_puts("', ");
		pc_print_number(module->end - module->start);
		guest_puts(" bytes: ");
		for (uint32_t at = module->start; at < module->end; at++)
			guest_out8(GUEST_PORT_CONSOLE, *(const uint8_t *)at);
		guest_puts("\n");
		pc_check(module->start % 4096 == 0, "the module starts on a page");
		pc_check(!overlaps(module->start, module->end, guest_text_first, guest_end),
			"the module lies outside the kernel");
		pc_check(!overlaps(module->start, module->end, info, info + 1),
			"the module lies outside the information");
	}
}

/* True if the range is RAM and holds the kernel. */
static bool show_range(const struct range *range)
{
	uint64_t end = range->first + range->bytes;
	bool ram = range->type == MMAP_RAM;

	guest_puts(ram ? "ram " : "reserved ");
	pc_print_hex(range->first);
	guest_puts(" to ");
	pc_print_hex(end);
	guest_puts("\n");
	return ram && range->first <= (uint32_t)guest_text_first && end >= (uint32_t)guest_end;
}

static void show_memory(const struct info *info)
{
	uint32_t at = info->mmap_addr;
	uint64_t behind_last = 0;
	uint64_t upper_end = 0;
	bool kernel_in_ram = false;

	while (at < info->mmap_addr + info->mmap_length) {
		const struct range *range = (const struct range *)at;

		pc_check(range->first >= behind_last, "the memory map ascends");
		behind_last = range->first + range->bytes;
		if (range->type == MMAP_RAM && range->first == MIB_1)
			upper_end = behind_last;
		kernel_in_ram |= show_range(range);
		at += range->size + sizeof range->size;
	}
	pc_check(at == info->mmap_addr + info->mmap_length, "the memory map ends with an entry");
	pc_check(kernel_in_ram, "the kernel lies in RAM");
	pc_check(info->mem_lower == 639, "there are 639 KiB of lower memory");
	pc_check(((uint64_t)info->mem_upper << 10) + MIB_1 == upper_end,
		"upper memory ends where the memory map says");
}

int main(uint32_t eax, uint32_t ebx)
{
	const struct info *info = (const struct info *)ebx;

	check_cpu();
	if (!pc_check(eax == MULTIBOOT_BOOT_MAGIC, "EAX holds the magic number"))
		return pc_result();
	if (!pc_check((info->flags & INFO_WANTED) == INFO_WANTED, "the information is complete"))
		return pc_result();
	pc_check(!overlaps(ebx, (uint32_t)(info + 1), guest_text_first, guest_end),
		"the information lies outside the kernel");
	guest_puts("loader ");
	guest_puts((const char *)info->boot_loader_name);
	guest_puts("\ncommand line '");
	guest_puts((const char *)info->cmdline);
	guest_puts("'\n");
	show_memory(info);
	show_modules(info);
	return pc_result();
}
