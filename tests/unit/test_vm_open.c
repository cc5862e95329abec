/* SPDX-License-Identifier: MIT */
/* Sizes of RAM that are refused, and the ways in which KVM cannot be opened: no KVM needed. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <pagewalk_vmm/vm.h>

#define KIB UINT64_C(0x400)
#define MIB UINT64_C(0x100000)
#define GIB UINT64_C(0x40000000)

static void assert_size_refused(uint64_t bytes, enum vmm_status status, const char *size)
{
	const struct vmm_vm_config config = {.memory_bytes = bytes};
	struct vmm_vm vm;

	cr_assert(eq(int, (int)vmm_vm_create(&vm, &config), (int)status));
	cr_expect(eq(int, (int)vm.error.status, (int)status));
	cr_expect(strstr(vm.error.message, size) != NULL, "\"%s\" does not name the size %s",
		vm.error.message, size);
	cr_expect(eq(int, vm.kvm_fd, -1));
	vmm_vm_destroy(&vm);
}

Test(vm_open, size_that_no_host_could_honour_is_refused_and_named)
{
	assert_size_refused(0, VMM_INVALID, "0 bytes");
	assert_size_refused(1, VMM_INVALID, "1 bytes");
	assert_size_refused(MIB - 4 * KIB, VMM_INVALID, "1044480");
	assert_size_refused(MIB + 1, VMM_INVALID, "1048577");
	assert_size_refused(UINT64_MAX, VMM_INVALID, "18446744073709551615");
}

Test(vm_open, size_larger_than_the_machine_is_refused_and_named)
{
	assert_size_refused(GIB << 20, VMM_NO_MEMORY, "1125899906842624");
	assert_size_refused(UINT64_MAX - 4095, VMM_NO_MEMORY, "18446744073709547520");
}

static void assert_device_refused(const char *device, enum vmm_status status)
{
	const struct vmm_vm_config config = {.device = device, .memory_bytes = MIB};
	struct vmm_vm vm;

	cr_assert(eq(int, (int)vmm_vm_create(&vm, &config), (int)status), "%s", device);
	cr_expect(strstr(vm.error.message, device) != NULL, "\"%s\" does not name %s",
		vm.error.message, device);
}

Test(vm_open, device_that_is_missing)
{
	assert_device_refused("/nonexistent/kvm", VMM_NO_DEVICE);
	assert_device_refused("/dev/null/kvm", VMM_NO_DEVICE);
}

Test(vm_open, device_that_is_not_kvm)
{
	assert_device_refused("/dev/null", VMM_NOT_KVM);
	assert_device_refused("/dev/zero", VMM_NOT_KVM);
}

Test(vm_open, device_that_may_not_be_opened)
{
	char path[] = "/tmp/pagewalk-no-kvm-XXXXXX";
	int fd = mkstemp(path);

	cr_assert(ge(int, fd, 0));
	close(fd);
	cr_assert(eq(int, chmod(path, 0), 0));
	/* root may open everything; each test has a process to itself. */
	if (geteuid() == 0)
		cr_assert(eq(int, seteuid(65534), 0));
	assert_device_refused(path, VMM_DENIED);
	if (getuid() == 0)
		cr_assert(eq(int, seteuid(0), 0));
	unlink(path);
}
