/* SPDX-License-Identifier: MIT */
/* Multiboot guests start as the specification promises, with all that they are told. */
#include <elf.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "pc.h"

#define MAGIC 0x1badb002u
#define LOAD  0x100000u
#define MIB   UINT64_C(0x100000)

static void write_file(char *path, const char *text)
{
	int fd = mkstemp(path);

	cr_assert(ge(int, fd, 0));
	cr_assert(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

Test(multiboot, guest_finds_the_state_and_the_memory_of_the_specification)
{
	const struct vmm_machine_config config = {.append = "one=1 two"};
	struct pc pc;

	machine_need_kvm();
	pc_create_guest(&pc, "multiboot", &config);
	pc_expect_code(&pc, 0);
	pc_expect_output(&pc, "loader pagewalk\n");
	pc_expect_output(&pc, "multiboot.elf one=1 two'\n");
	pc_expect_output(&pc, "ram 0x0 to 0x9fc00\n");
	pc_expect_output(&pc, "ram 0x100000 to 0x1000000\n");
	cr_expect(not(strstr(pc.output, "0x100000000 to") != NULL), "nothing above the hole");
	vmm_machine_destroy(&pc.machine);
}

Test(multiboot, modules_come_whole_with_their_texts)
{
	char first[] = "/tmp/pagewalk-first-XXXXXX";
	char second[] = "/tmp/pagewalk-second-XXXXXX";
	const struct vmm_module_file modules[] = {
		{.path = first, .arguments = "a  b"}, {.path = second}};
	const struct vmm_machine_config config = {.modules = modules, .module_count = 2};
	struct pc pc;
	char wanted[128];

	machine_need_kvm();
	write_file(first, "the first module");
	write_file(second, "");
	pc_create_guest(&pc, "multiboot", &config);
	unlink(first);
	unlink(second);
	pc_expect_code(&pc, 0);
	snprintf(wanted, sizeof wanted, "module '%s a  b', 16 bytes: the first module\n", first);
	pc_expect_output(&pc, wanted);
	snprintf(wanted, sizeof wanted, "module '%s', 0 bytes: \n", second);
	pc_expect_output(&pc, wanted);
	vmm_machine_destroy(&pc.machine);
}

Test(multiboot, memory_above_the_hole_is_told)
{
	const struct vmm_machine_config config = {.memory_bytes = 3072 * MIB + 2 * MIB};
	struct pc pc;

	machine_need_kvm();
	if ((uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE) <
		config.memory_bytes)
		cr_skip_test("this machine cannot give more than 3 GiB");
	pc_create_guest(&pc, "multiboot", &config);
	pc_expect_code(&pc, 0);
	pc_expect_output(&pc, "ram 0x100000 to 0xc0000000\n");
	pc_expect_output(&pc, "ram 0x100000000 to 0x100200000\n");
	vmm_machine_destroy(&pc.machine);
}

/*
 * xor $0x2badb002, %eax; inc %eax (in 64-bit mode a prefix); nop; out %eax, $0xf4: the code is 1
 * in 32-bit mode, 0 in 64-bit mode, and neither without the magic number.
 */
static const uint8_t is_32_bit[] = {0x35, 0x02, 0xb0, 0xad, 0x2b, 0x40, 0x90, 0xe7, 0xf4};

struct elf64 {
	Elf64_Ehdr header;
	Elf64_Phdr segment;
	uint32_t multiboot[3];
	uint8_t code[sizeof is_32_bit];
};

Test(multiboot, elf64_kernel_starts_in_32_bit_mode)
{
	struct elf64 elf = {
		.header = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
				   EV_CURRENT},
			.e_type = ET_EXEC,
			.e_machine = EM_X86_64,
			.e_version = EV_CURRENT,
			.e_entry = LOAD + offsetof(struct elf64, code),
			.e_phoff = offsetof(struct elf64, segment),
			.e_ehsize = sizeof(Elf64_Ehdr),
			.e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = 1},
		.segment = {.p_type = PT_LOAD,
			.p_vaddr = LOAD,
			.p_paddr = LOAD,
			.p_filesz = sizeof elf,
			.p_memsz = sizeof elf},
		.multiboot = {MAGIC, 3, 0u - (MAGIC + 3)},
	};
	const struct vmm_machine_config config = {.guest_bytes = &elf, .guest_size = sizeof elf};
	struct pc pc;

	machine_need_kvm();
	memcpy(elf.code, is_32_bit, sizeof is_32_bit);
	pc_create(&pc, &config);
	pc_expect_code(&pc, 1);
	vmm_machine_destroy(&pc.machine);
}

Test(multiboot, kernel_without_a_file_format_starts_in_32_bit_mode)
{
	struct pc pc;

	machine_need_kvm();
	pc_create_code(&pc, is_32_bit, sizeof is_32_bit, 1);
	pc_expect_code(&pc, 1);
	vmm_machine_destroy(&pc.machine);
}
