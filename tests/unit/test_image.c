/* SPDX-License-Identifier: MIT */
/* Images that must be refused are, before the first byte of RAM changes; and good ones load. */
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <pagewalk_vmm/image.h>

#define RAM_BYTES 0x100000u
#define UNTOUCHED 0xa5
#define SEGMENTS  3

/* A VM without KVM: loading needs nothing but RAM. */
struct fake {
	struct vmm_vm vm;
	uint8_t *ram;
	struct vmm_image image;
};

static struct fake make_fake(void)
{
	struct fake fake = {.ram = malloc(RAM_BYTES)};

	cr_assert(ne(ptr, fake.ram, NULL));
	memset(fake.ram, UNTOUCHED, RAM_BYTES);
	fake.vm.memory_bytes = RAM_BYTES;
	fake.vm.windows[0] = (struct pw_window){.size = RAM_BYTES, .host = fake.ram};
	fake.vm.window_count = 1;
	return fake;
}

/* A well-formed file with one segment; each test breaks one thing. */
struct elf64 {
	Elf64_Ehdr header;
	Elf64_Phdr segments[SEGMENTS];
	uint8_t text[64];
};

static struct elf64 good_elf(void)
{
	struct elf64 elf = {
		.header = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
				   EV_CURRENT},
			.e_type = ET_EXEC,
			.e_machine = EM_X86_64,
			.e_version = EV_CURRENT,
			.e_entry = 0x20010,
			.e_phoff = offsetof(struct elf64, segments),
			.e_ehsize = sizeof(Elf64_Ehdr),
			.e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = 1},
		.segments[0] = {.p_type = PT_LOAD,
			.p_offset = offsetof(struct elf64, text),
			.p_vaddr = 0x20000,
			.p_paddr = 0x20000,
			.p_filesz = sizeof elf.text,
			.p_memsz = 0x1000},
	};

	for (unsigned i = 1; i < SEGMENTS; i++)
		elf.segments[i] = elf.segments[0];
	memset(elf.text, 0x90, sizeof elf.text);
	return elf;
}

static void assert_untouched(const struct fake *fake)
{
	for (size_t i = 0; i < RAM_BYTES; i++)
		cr_assert(fake->ram[i] == UNTOUCHED, "RAM changed at %#zx", i);
}

static void assert_bytes_refused(const void *bytes, size_t size, const char *why)
{
	struct fake fake = make_fake();

	cr_expect(eq(int, (int)vmm_image_load_elf_bytes(&fake.vm, bytes, size, &fake.image),
			  VMM_BAD_IMAGE),
		"%s", why);
	cr_expect(strstr(fake.vm.error.message, why) != NULL, "\"%s\" does not say \"%s\"",
		fake.vm.error.message, why);
	cr_expect(eq(u64, fake.image.last, 0));
	assert_untouched(&fake);
	free(fake.ram);
}

static void assert_refused(const struct elf64 *elf, const char *why)
{
	assert_bytes_refused(elf, sizeof *elf, why);
}

Test(image, good_elf_is_loaded_and_zero_filled)
{
	struct elf64 elf = good_elf();
	struct fake fake = make_fake();

	cr_assert(eq(int, (int)vmm_image_load_elf_bytes(&fake.vm, &elf, sizeof elf, &fake.image),
			  VMM_OK),
		"%s", fake.vm.error.message);
	cr_expect(eq(int, fake.image.mode, VMM_MODE_LONG));
	cr_expect(eq(u64, fake.image.entry, 0x20010));
	cr_expect(eq(u64, fake.image.first, 0x20000));
	cr_expect(eq(u64, fake.image.last, 0x20fff));
	cr_expect(eq(u8, fake.ram[0x20000], 0x90));
	cr_expect(eq(u8, fake.ram[0x20000 + sizeof elf.text], 0));
	cr_expect(eq(u8, fake.ram[0x20fff], 0));
	cr_expect(eq(u8, fake.ram[0x21000], UNTOUCHED));
	cr_expect(eq(u8, fake.ram[0x1ffff], UNTOUCHED));
	free(fake.ram);
}

Test(image, virtual_entry_point_is_found_in_its_segment)
{
	struct elf64 elf = good_elf();
	struct fake fake = make_fake();

	elf.segments[0].p_vaddr = UINT64_C(0xffffffff80000000);
	elf.header.e_entry = UINT64_C(0xffffffff80000020);
	cr_assert(eq(int, (int)vmm_image_load_elf_bytes(&fake.vm, &elf, sizeof elf, &fake.image),
		VMM_OK));
	cr_expect(eq(u64, fake.image.entry, 0x20020));
	free(fake.ram);
}

/* At every length short of the whole. */
Test(image, truncated_elf_is_refused)
{
	struct elf64 elf = good_elf();

	assert_bytes_refused("", 0, "not an ELF file");
	assert_bytes_refused(&elf, 3, "not an ELF file");
	assert_bytes_refused(&elf, sizeof elf - 1, "truncated");
	for (size_t size = 0; size < sizeof elf; size++) {
		struct elf64 *cut = malloc(size ? size : 1);
		struct fake fake = make_fake();

		memcpy(cut, &elf, size);
		cr_expect(eq(int, (int)vmm_image_load_elf_bytes(&fake.vm, cut, size, &fake.image),
				  VMM_BAD_IMAGE),
			"%zu bytes", size);
		free(cut);
		free(fake.ram);
	}
}

Test(image, elf_for_another_machine_is_refused)
{
	struct elf64 elf = good_elf();

	elf.header.e_machine = EM_AARCH64;
	assert_refused(&elf, "for another machine");
	elf.header.e_machine = EM_386;
	assert_refused(&elf, "for another machine");
	elf = good_elf();
	elf.header.e_ident[EI_DATA] = ELFDATA2MSB;
	elf.header.e_version = 1u << 24;
	assert_refused(&elf, "big-endian");
	elf = good_elf();
	elf.header.e_type = ET_DYN;
	assert_refused(&elf, "not a static executable");
	elf.header.e_type = ET_REL;
	assert_refused(&elf, "not a static executable");
}

Test(image, what_is_no_elf_is_refused)
{
	static const char text[] = "#!/bin/sh\nexit 0\n";
	static const char archive[] = "!<arch>\n";

	assert_bytes_refused(text, sizeof text, "not an ELF file");
	assert_bytes_refused(archive, sizeof archive, "not an ELF file");
}

Test(image, segment_outside_ram_is_refused)
{
	static const uint64_t addresses[] = {RAM_BYTES, RAM_BYTES - 0xfff, UINT64_C(0x100000000),
		UINT64_MAX - 0xfff, UINT64_MAX};

	for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
		struct elf64 elf = good_elf();

		elf.segments[0].p_paddr = addresses[i];
		assert_refused(&elf, "outside the guest's memory");
	}
}

Test(image, segment_with_impossible_sizes_is_refused)
{
	struct elf64 elf = good_elf();

	elf.segments[0].p_memsz = UINT64_MAX;
	assert_refused(&elf, "outside the guest's memory");
	elf = good_elf();
	elf.segments[0].p_memsz = 8;
	assert_refused(&elf, "larger in the file");
	elf = good_elf();
	elf.segments[0].p_offset = UINT64_MAX - 8;
	assert_refused(&elf, "truncated");
	elf = good_elf();
	elf.header.e_phnum = 0;
	assert_refused(&elf, "nothing to load");
	elf = good_elf();
	elf.segments[0].p_memsz = elf.segments[0].p_filesz = 0;
	assert_refused(&elf, "nothing to load");
}

Test(image, segments_over_each_other_are_refused)
{
	struct elf64 elf = good_elf();

	elf.header.e_phnum = 3;
	elf.segments[1].p_paddr = 0x30000;
	elf.segments[2].p_paddr = 0x20fff;
	assert_refused(&elf, "segments at 0x20000 and 0x20fff overlap");
	elf.segments[2].p_paddr = 0x1f001;
	assert_refused(&elf, "overlap");
}

Test(image, neighbouring_segments_are_fine)
{
	struct elf64 elf = good_elf();
	struct fake fake = make_fake();

	elf.header.e_phnum = 3;
	elf.segments[1].p_paddr = 0x21000;
	elf.segments[2].p_paddr = 0x1f000;
	cr_expect(eq(int, (int)vmm_image_load_elf_bytes(&fake.vm, &elf, sizeof elf, &fake.image),
			  VMM_OK),
		"%s", fake.vm.error.message);
	free(fake.ram);
}

/* The last segment is the bad one: the good ones before it must not have been copied. */
Test(image, ram_is_untouched_when_the_last_segment_is_bad)
{
	struct elf64 elf = good_elf();

	elf.header.e_phnum = 3;
	elf.segments[1].p_paddr = 0x30000;
	elf.segments[2].p_paddr = RAM_BYTES;
	assert_refused(&elf, "outside the guest's memory");
}

Test(image, segment_on_the_boot_area_is_refused)
{
	struct elf64 elf = good_elf();

	elf.segments[0].p_paddr = VMM_BOOT_LAST_LONG;
	assert_refused(&elf, "boot area");
	elf.segments[0].p_paddr = 0x800;
	assert_refused(&elf, "boot area");
}

Test(image, entry_outside_the_image_is_refused)
{
	struct elf64 elf = good_elf();

	elf.header.e_entry = 0x21000;
	assert_refused(&elf, "entry point 0x21000");
	elf.header.e_entry = 0x1ffff;
	assert_refused(&elf, "entry point 0x1ffff");
	elf.header.e_entry = 0;
	assert_refused(&elf, "entry point 0");
}

struct many {
	Elf64_Ehdr header;
	Elf64_Phdr segments[VMM_IMAGE_SEGMENTS_MAX + 1];
};

Test(image, too_many_segments_are_refused)
{
	static struct many many;
	struct elf64 elf = good_elf();

	many.header = elf.header;
	many.header.e_phnum = VMM_IMAGE_SEGMENTS_MAX + 1;
	for (unsigned i = 0; i <= VMM_IMAGE_SEGMENTS_MAX; i++) {
		many.segments[i] = elf.segments[0];
		many.segments[i].p_offset = many.segments[i].p_filesz = 0;
		many.segments[i].p_paddr = 0x10000 + i * 0x1000;
	}
	assert_bytes_refused(&many, sizeof many, "more than 64");
}

Test(image, bytes_go_where_they_are_told)
{
	static const uint8_t code[] = {0xf4, 0xf4};
	struct fake fake = make_fake();

	cr_assert(eq(int,
		(int)vmm_image_load_bytes(
			&fake.vm, code, 2, RAM_BYTES - 2, VMM_MODE_REAL, &fake.image),
		VMM_OK));
	cr_expect(eq(u64, fake.image.entry, RAM_BYTES - 2));
	cr_expect(eq(u8, fake.ram[RAM_BYTES - 1], 0xf4));
	cr_expect(eq(u8, fake.ram[RAM_BYTES - 3], UNTOUCHED));
	/* Real mode needs no boot area. */
	cr_expect(eq(int,
		(int)vmm_image_load_bytes(
			&fake.vm, code, 2, VMM_BOOT_FIRST, VMM_MODE_REAL, &fake.image),
		VMM_OK));
	free(fake.ram);
}

Test(image, bytes_that_do_not_fit_are_refused)
{
	static const uint8_t code[] = {0xf4, 0xf4};
	static const struct {
		uint64_t address;
		size_t size;
		enum vmm_mode mode;
	} rows[] = {
		{RAM_BYTES - 1, 2, VMM_MODE_REAL},
		{RAM_BYTES, 2, VMM_MODE_LONG},
		{UINT64_MAX, 2, VMM_MODE_LONG},
		{0x8000, 0, VMM_MODE_LONG},
		{VMM_BOOT_FIRST - 1, 2, VMM_MODE_PROTECTED},
		{VMM_BOOT_LAST_LONG, 2, VMM_MODE_LONG},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct fake fake = make_fake();

		cr_expect(eq(int,
				  (int)vmm_image_load_bytes(&fake.vm, code, rows[i].size,
					  rows[i].address, rows[i].mode, &fake.image),
				  VMM_BAD_IMAGE),
			"row %zu", i);
		assert_untouched(&fake);
		free(fake.ram);
	}
}

static void assert_no_file(const char *path, const char *why)
{
	struct fake fake = make_fake();

	cr_expect(eq(int, (int)vmm_image_load_elf(&fake.vm, path, &fake.image), VMM_NO_FILE));
	cr_expect(strstr(fake.vm.error.message, path) != NULL, "%s", fake.vm.error.message);
	cr_expect(strstr(fake.vm.error.message, why) != NULL, "%s", fake.vm.error.message);
	cr_expect(eq(int,
		(int)vmm_image_load_flat(&fake.vm, path, 0x8000, VMM_MODE_REAL, &fake.image),
		VMM_NO_FILE));
	assert_untouched(&fake);
	free(fake.ram);
}

Test(image, file_that_cannot_be_read_is_refused)
{
	assert_no_file("/nonexistent/guest.elf", "No such file");
	assert_no_file("/tmp", "not a regular file");
	assert_no_file("/dev/zero", "not a regular file");
}

static void write_file(char *path, const void *bytes, size_t size)
{
	int fd = mkstemp(path);

	cr_assert(ge(int, fd, 0));
	cr_assert(write(fd, bytes, size) == (ssize_t)size);
	close(fd);
}

Test(image, files_load_like_bytes)
{
	char path[] = "/tmp/pagewalk-image-XXXXXX";
	struct elf64 elf = good_elf();
	struct fake fake = make_fake();

	write_file(path, &elf, sizeof elf);
	cr_expect(eq(int, (int)vmm_image_load_elf(&fake.vm, path, &fake.image), VMM_OK));
	cr_expect(eq(u64, fake.image.entry, 0x20010));
	cr_expect(eq(int,
		(int)vmm_image_load_flat(&fake.vm, path, 0x40000, VMM_MODE_LONG, &fake.image),
		VMM_OK));
	cr_expect(eq(int, memcmp(fake.ram + 0x40000, &elf, sizeof elf), 0));
	cr_expect(eq(int, truncate(path, 0), 0));
	cr_expect(eq(int, (int)vmm_image_load_elf(&fake.vm, path, &fake.image), VMM_BAD_IMAGE));
	cr_expect(eq(int,
		(int)vmm_image_load_flat(&fake.vm, path, 0x40000, VMM_MODE_LONG, &fake.image),
		VMM_BAD_IMAGE));
	cr_expect(eq(int, truncate(path, (off_t)VMM_IMAGE_FILE_MAX + 1), 0));
	cr_expect(eq(int, (int)vmm_image_load_elf(&fake.vm, path, &fake.image), VMM_BAD_IMAGE));
	unlink(path);
	free(fake.ram);
}
