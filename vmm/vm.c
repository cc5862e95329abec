/* SPDX-License-Identifier: MIT */
/* Opens KVM, creates the VM and maps guest RAM. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include <pagewalk_vmm/vm.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "error.h"
#include "irqchip.h"

#define ABOVE_HOLE (VMM_HOLE_LAST + 1)

/* Pages that KVM takes for itself on Intel hosts without unrestricted guests: inside the hole. */
#define IDENTITY_MAP_GPA UINT64_C(0xfffbc000)
#define TSS_GPA          UINT64_C(0xfffbd000)

static enum vmm_status device_refused(struct vmm_vm *vm, const char *device)
{
	switch (errno) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
	case ENOTDIR:
		return vmm_error_set(&vm->error, VMM_NO_DEVICE,
			"%s does not exist: this machine has no KVM, or its module is not loaded",
			device);
	case EACCES:
	case EPERM:
		return vmm_error_set(&vm->error, VMM_DENIED,
			"no permission to open %s: become a member of its group, or root", device);
	default:
		return vmm_error_system(&vm->error, device);
	}
}

static enum vmm_status open_device(struct vmm_vm *vm, const char *device)
{
	int version;

	vm->kvm_fd = open(device, O_RDWR | O_CLOEXEC);
	if (vm->kvm_fd < 0)
		return device_refused(vm, device);
	version = ioctl(vm->kvm_fd, KVM_GET_API_VERSION, 0);
	if (version < 0)
		return vmm_error_set(&vm->error, VMM_NOT_KVM, "%s is not a KVM device", device);
	if (version != KVM_API_VERSION)
		return vmm_error_set(&vm->error, VMM_NOT_KVM,
			"%s speaks KVM interface version %d instead of %d", device, version,
			KVM_API_VERSION);
	return VMM_OK;
}

static enum vmm_status check_size(struct vmm_vm *vm, uint64_t bytes)
{
	struct sysinfo host;
	uint64_t most;

	if (bytes < VMM_MEMORY_MIN)
		return vmm_error_set(&vm->error, VMM_INVALID,
			"guest memory of %" PRIu64 " bytes is too small: at least 1 MiB", bytes);
	if (bytes % VMM_PAGE_BYTES != 0)
		return vmm_error_set(&vm->error, VMM_INVALID,
			"guest memory of %" PRIu64 " bytes is not a multiple of 4096", bytes);
	if (sysinfo(&host) < 0)
		return vmm_error_system(&vm->error, "sysinfo");
	/* The kernel may overcommit without bound; a guest that then touches its RAM is killed. */
	most = ((uint64_t)host.totalram + host.totalswap) * host.mem_unit;
	if (bytes > most)
		return vmm_error_set(&vm->error, VMM_NO_MEMORY,
			"guest memory of %" PRIu64 " bytes is more than this machine has (%" PRIu64
			" bytes)",
			bytes, most);
	return VMM_OK;
}

static enum vmm_status check_vcpus(struct vmm_vm *vm)
{
	int most;

	if (vm->vcpus > VMM_VCPUS_MAX)
		return vmm_error_set(&vm->error, VMM_INVALID,
			"%u vCPUs are more than a guest can have (%d)", vm->vcpus, VMM_VCPUS_MAX);
	if (vm->vcpus > 1 && !vm->irqchip)
		return vmm_error_set(&vm->error, VMM_INVALID,
			"%u vCPUs need interrupt controllers to wake each other", vm->vcpus);
	most = ioctl(vm->kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS);
	if (most > 0 && vm->vcpus > (unsigned)most)
		return vmm_error_set(&vm->error, VMM_UNSUPPORTED,
			"this host's KVM gives a guest at most %d vCPUs", most);
	return VMM_OK;
}

static enum vmm_status allocate(struct vmm_vm *vm, uint64_t bytes)
{
	uint64_t low = bytes < VMM_HOLE_FIRST ? bytes : VMM_HOLE_FIRST;
	uint8_t *host;

	host = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (host == MAP_FAILED)
		return vmm_error_set(&vm->error, VMM_NO_MEMORY,
			"the host cannot give %" PRIu64 " bytes of guest memory", bytes);
	vm->memory_bytes = bytes;
	vm->windows[0] = (struct pw_window){.base = 0, .size = low, .host = host};
	vm->window_count = 1;
	if (bytes > low) {
		vm->windows[1] = (struct pw_window){
			.base = ABOVE_HOLE, .size = bytes - low, .host = host + low};
		vm->window_count = 2;
	}
	return VMM_OK;
}

static enum vmm_status add_slots(struct vmm_vm *vm)
{
	for (unsigned i = 0; i < vm->window_count; i++) {
		struct kvm_userspace_memory_region slot = {
			.slot = i,
			.guest_phys_addr = vm->windows[i].base,
			.memory_size = vm->windows[i].size,
			.userspace_addr = (uintptr_t)vm->windows[i].host,
		};

		if (ioctl(vm->vm_fd, KVM_SET_USER_MEMORY_REGION, &slot) < 0)
			return vmm_error_set(&vm->error, VMM_NO_MEMORY,
				"KVM refuses %" PRIu64 " bytes of guest memory at %#" PRIx64,
				vm->windows[i].size, vm->windows[i].base);
	}
	return VMM_OK;
}

static enum vmm_status create_machine(struct vmm_vm *vm)
{
	uint64_t identity_map = IDENTITY_MAP_GPA;
	int bytes;

	bytes = ioctl(vm->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (bytes < (int)sizeof(struct kvm_run))
		return vmm_error_system(&vm->error, "KVM_GET_VCPU_MMAP_SIZE");
	vm->run_bytes = (size_t)bytes;
	do
		vm->vm_fd = ioctl(vm->kvm_fd, KVM_CREATE_VM, 0);
	while (vm->vm_fd < 0 && errno == EINTR);
	if (vm->vm_fd < 0)
		return vmm_error_system(&vm->error, "KVM_CREATE_VM");
	if (ioctl(vm->vm_fd, KVM_SET_IDENTITY_MAP_ADDR, &identity_map) < 0)
		return vmm_error_system(&vm->error, "KVM_SET_IDENTITY_MAP_ADDR");
	if (ioctl(vm->vm_fd, KVM_SET_TSS_ADDR, (unsigned long)TSS_GPA) < 0)
		return vmm_error_system(&vm->error, "KVM_SET_TSS_ADDR");
	return VMM_OK;
}

enum vmm_status vmm_vm_create(struct vmm_vm *vm, const struct vmm_vm_config *config)
{
	enum vmm_status status;

	*vm = (struct vmm_vm){.kvm_fd = -1,
		.vm_fd = -1,
		.irqchip = config->irqchip,
		.vcpus = config->vcpus ? config->vcpus : 1};
	status = check_size(vm, config->memory_bytes);
	if (status == VMM_OK)
		status = open_device(vm, config->device ? config->device : "/dev/kvm");
	if (status == VMM_OK)
		status = check_vcpus(vm);
	if (status == VMM_OK)
		status = create_machine(vm);
	if (status == VMM_OK && vm->irqchip)
		status = irqchip_create(vm);
	if (status == VMM_OK)
		status = allocate(vm, config->memory_bytes);
	if (status == VMM_OK)
		status = add_slots(vm);
	if (status != VMM_OK) {
		vmm_vm_destroy(vm);
		return status;
	}
	vm->memory.windows = vm->windows;
	vm->memory.window_count = vm->window_count;
	return VMM_OK;
}

void vmm_vm_destroy(struct vmm_vm *vm)
{
	if (vm->vm_fd >= 0)
		close(vm->vm_fd);
	if (vm->kvm_fd >= 0)
		close(vm->kvm_fd);
	if (vm->window_count > 0)
		munmap(vm->windows[0].host, vm->memory_bytes);
	*vm = (struct vmm_vm){.error = vm->error, .kvm_fd = -1, .vm_fd = -1};
}

void *vmm_vm_host(const struct vmm_vm *vm, uint64_t gpa, uint64_t bytes)
{
	for (unsigned i = 0; i < vm->window_count; i++) {
		const struct pw_window *window = &vm->windows[i];
		uint64_t offset = gpa - window->base;

		if (gpa < window->base || offset >= window->size)
			continue;
		if (bytes == 0 || bytes > window->size - offset)
			return NULL;
		return (uint8_t *)window->host + offset;
	}
	return NULL;
}

bool vmm_vm_read(const struct vmm_vm *vm, uint64_t gpa, void *buffer, size_t bytes)
{
	const void *host = vmm_vm_host(vm, gpa, bytes);

	if (!host)
		return false;
	memcpy(buffer, host, bytes);
	return true;
}

bool vmm_vm_write(const struct vmm_vm *vm, uint64_t gpa, const void *data, size_t bytes)
{
	void *host = vmm_vm_host(vm, gpa, bytes);

	if (!host)
		return false;
	memcpy(host, data, bytes);
	return true;
}
