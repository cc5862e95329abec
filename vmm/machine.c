/* SPDX-License-Identifier: MIT */
/* Builds a machine around a guest: reads the files, then KVM, memory, devices, vCPUs. */
#include <pagewalk_vmm/machine.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "file.h"
#include "firmware.h"
#include "pc.h"

#define SERIAL_LINE 4 /* where PCs have COM1 */

/* Everything that is read before there is a VM. */
struct files {
	uint8_t *read; /* the guest, if it came from a file */
	const void *bytes;
	size_t size;
	bool multiboot;
	char *command_line;
	uint8_t *module_read[VMM_MODULES_MAX];
	char *module_text[VMM_MODULES_MAX];
	struct vmm_module modules[VMM_MODULES_MAX];
};

/*
 * "path arguments", or the path alone; the caller frees it. Guests take the first word for the name
 * and know no quoting, so a space within the path becomes an underscore.
 */
static char *command_line(const char *path, const char *arguments)
{
	size_t bytes = strlen(path) + (arguments ? strlen(arguments) + 1 : 0) + 1;
	char *text = malloc(bytes);

	if (!text)
		return NULL;
	snprintf(text, bytes, "%s%s%s", path, arguments ? " " : "", arguments ? arguments : "");
	for (size_t i = 0; path[i] != 0; i++)
		if (isspace((unsigned char)path[i]))
			text[i] = '_';
	return text;
}

static enum vmm_status no_memory(struct vmm_machine *machine)
{
	return vmm_error_set(
		&machine->error, VMM_NO_MEMORY, "no memory for the guest's command lines");
}

static enum vmm_status read_module(struct vmm_machine *machine, const struct vmm_module_file *file,
	struct files *files, unsigned i)
{
	struct vmm_module *module = &files->modules[i];
	enum vmm_status status =
		file_read(&machine->error, file->path, &files->module_read[i], &module->size);

	if (status != VMM_OK)
		return status;
	module->bytes = files->module_read[i];
	module->text = files->module_text[i] = command_line(file->path, file->arguments);
	return module->text ? VMM_OK : no_memory(machine);
}

static enum vmm_status check_boot_options(
	struct vmm_machine *machine, const struct vmm_machine_config *config, bool multiboot)
{
	if (!multiboot && (config->append || config->module_count > 0))
		return vmm_error_set(&machine->error, VMM_INVALID,
			"a command line and modules are for multiboot images, and %s has no "
			"multiboot header",
			config->guest ? config->guest : "the guest");
	if (config->module_count > VMM_MODULES_MAX)
		return vmm_error_set(&machine->error, VMM_INVALID,
			"%u modules are more than a guest can have (%d)", config->module_count,
			VMM_MODULES_MAX);
	return VMM_OK;
}

static enum vmm_status read_guest(
	struct vmm_machine *machine, const struct vmm_machine_config *config, struct files *files)
{
	files->bytes = config->guest_bytes;
	files->size = config->guest_size;
	if (config->guest) {
		enum vmm_status status =
			file_read(&machine->error, config->guest, &files->read, &files->size);

		if (status != VMM_OK)
			return status;
		files->bytes = files->read;
	}
	files->multiboot = vmm_image_is_multiboot(files->bytes, files->size);
	return VMM_OK;
}

static enum vmm_status read_files(
	struct vmm_machine *machine, const struct vmm_machine_config *config, struct files *files)
{
	enum vmm_status status = read_guest(machine, config, files);

	if (status == VMM_OK)
		status = check_boot_options(machine, config, files->multiboot);
	if (status != VMM_OK)
		return status;
	files->command_line = command_line(config->guest ? config->guest : "guest", config->append);
	if (!files->command_line)
		return no_memory(machine);
	for (unsigned i = 0; status == VMM_OK && i < config->module_count; i++)
		status = read_module(machine, &config->modules[i], files, i);
	return status;
}

static void free_files(struct files *files)
{
	for (unsigned i = 0; i < VMM_MODULES_MAX; i++) {
		free(files->module_read[i]);
		free(files->module_text[i]);
	}
	free(files->command_line);
	free(files->read);
}

static enum vmm_status create_vm(struct vmm_machine *machine,
	const struct vmm_machine_config *config, const struct files *files)
{
	const struct vmm_vm_config vm_config = {
		.device = config->device,
		.memory_bytes = config->memory_bytes,
		.irqchip = config->pc || files->multiboot || config->vcpus > 1,
		.vcpus = config->vcpus,
	};
	const struct vmm_multiboot boot = {.command_line = files->command_line,
		.modules = files->modules,
		.module_count = config->module_count};
	struct vmm_vm *vm = &machine->vm;
	enum vmm_status status = vmm_vm_create(vm, &vm_config);

	if (status == VMM_OK && files->multiboot)
		status = vmm_image_load_multiboot(
			vm, files->bytes, files->size, &boot, &machine->image);
	else if (status == VMM_OK)
		status = vmm_image_load_elf_bytes(vm, files->bytes, files->size, &machine->image);
	if (status != VMM_OK) {
		machine->error = vm->error;
		return status;
	}
	if (vm->irqchip)
		firmware_write(vm);
	return VMM_OK;
}

static void raise_serial_line(void *ctx, bool level)
{
	struct vmm_machine *machine = ctx;

	if (vmm_vm_set_irq(&machine->vm, SERIAL_LINE, level) != VMM_OK)
		machine->irq_lost = true;
}

static enum vmm_status attach_devices(
	struct vmm_machine *machine, const struct vmm_machine_config *config)
{
	struct vmm_ports *ports = &machine->ports;
	enum vmm_status status;

	machine->on_stray = config->on_stray;
	machine->ctx = config->ctx;
	machine->calls = (struct vmm_calls){.handler = config->on_call, .ctx = config->ctx};
	machine->console = (struct vmm_console){
		.sink = config->sink, .ctx = config->ctx, .limit = config->console_limit};
	if (machine->vm.irqchip) {
		machine->console.uart.set_irq = raise_serial_line;
		machine->console.uart.ctx = machine;
	}
	status = vmm_console_attach(&machine->console, ports);
	if (status == VMM_OK)
		status = vmm_calls_attach(&machine->calls, ports);
	if (status == VMM_OK)
		status = vmm_exit_port_attach(&machine->exit_port, ports);
	if (status == VMM_OK && machine->vm.irqchip)
		status = pc_attach(&machine->pc, &machine->vm, ports);
	if (status != VMM_OK)
		return vmm_error_set(&machine->error, status, "the machine's ports collide");
	return VMM_OK;
}

static enum vmm_status create_vcpus(struct vmm_machine *machine)
{
	const struct vmm_image *image = &machine->image;
	enum vmm_status status = VMM_OK;

	for (unsigned i = 0; i < machine->vm.vcpus; i++) {
		status = vmm_vcpu_create(&machine->vcpus[i], &machine->vm, i);
		if (status != VMM_OK) {
			machine->error = machine->vcpus[i].error;
			return status;
		}
		machine->vcpu_count++;
	}
	if (image->multiboot_info != 0)
		status = vmm_vcpu_boot_multiboot(&machine->vcpus[0], image);
	else
		status = vmm_vcpu_boot(&machine->vcpus[0], image->mode, image->entry);
	if (status != VMM_OK)
		machine->error = machine->vcpus[0].error;
	return status;
}

enum vmm_status vmm_machine_create(
	struct vmm_machine *machine, const struct vmm_machine_config *config)
{
	struct files files = {.size = 0};
	enum vmm_status status;

	memset(machine, 0, sizeof *machine);
	machine->vm.vm_fd = machine->vm.kvm_fd = -1;
	pthread_mutex_init(&machine->lock, NULL); /* glibc: a plain mutex never fails */
	status = read_files(machine, config, &files);
	if (status == VMM_OK)
		status = create_vm(machine, config, &files);
	free_files(&files);
	if (status == VMM_OK)
		status = attach_devices(machine, config);
	if (status == VMM_OK)
		status = create_vcpus(machine);
	if (status != VMM_OK)
		vmm_machine_destroy(machine);
	return status;
}

void vmm_machine_destroy(struct vmm_machine *machine)
{
	for (unsigned i = 0; i < machine->vcpu_count; i++)
		vmm_vcpu_destroy(&machine->vcpus[i]);
	machine->vcpu_count = 0;
	vmm_vm_destroy(&machine->vm);
}
