/* SPDX-License-Identifier: MIT */
/* KVM's interrupt controllers and timer, wired as on a PC. */
#include "irqchip.h"

#include <linux/kvm.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "error.h"

#define LINES      24 /* inputs of the I/O APIC */
#define ISA_LINES  16
#define PIC_LINES  8
#define CASCADE    2 /* the master 8259's input that the slave takes */
#define TIMER_LINE 0
#define TIMER_PIN  2 /* where PCs have the timer on the I/O APIC; firmware.c tells the guest */
#define ROUTES_MAX (ISA_LINES + LINES)

static void add_route(struct kvm_irq_routing *routing, uint32_t line, uint32_t chip, uint32_t pin)
{
	routing->entries[routing->nr++] = (struct kvm_irq_routing_entry){
		.gsi = line,
		.type = KVM_IRQ_ROUTING_IRQCHIP,
		.u.irqchip = {.irqchip = chip, .pin = pin},
	};
}

/* KVM's own default has the timer on pin 0 of the I/O APIC. */
static enum vmm_status set_routing(struct vmm_vm *vm)
{
	struct kvm_irq_routing *routing =
		calloc(1, sizeof *routing + ROUTES_MAX * sizeof routing->entries[0]);
	enum vmm_status status = VMM_OK;

	if (!routing)
		return vmm_error_set(
			&vm->error, VMM_NO_MEMORY, "no memory for the table of interrupts");
	for (uint32_t line = 0; line < ISA_LINES; line++) {
		bool slave = line >= PIC_LINES;

		if (line != CASCADE)
			add_route(routing, line,
				slave ? KVM_IRQCHIP_PIC_SLAVE : KVM_IRQCHIP_PIC_MASTER,
				line % PIC_LINES);
	}
	for (uint32_t line = 0; line < LINES; line++)
		if (line != TIMER_PIN)
			add_route(routing, line, KVM_IRQCHIP_IOAPIC,
				line == TIMER_LINE ? TIMER_PIN : line);
	if (ioctl(vm->vm_fd, KVM_SET_GSI_ROUTING, routing) < 0)
		status = vmm_error_system(&vm->error, "KVM_SET_GSI_ROUTING");
	free(routing);
	return status;
}

enum vmm_status irqchip_create(struct vmm_vm *vm)
{
	/* With the speaker's port, whose gate bit starts the timer's channel 2. */
	struct kvm_pit_config pit = {.flags = KVM_PIT_SPEAKER_DUMMY};

	if (ioctl(vm->kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_IRQCHIP) <= 0 ||
		ioctl(vm->kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_IRQ_ROUTING) <= 0 ||
		ioctl(vm->kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_PIT2) <= 0)
		return vmm_error_set(&vm->error, VMM_UNSUPPORTED,
			"this host's KVM has no interrupt controllers or timer of its own");
	if (ioctl(vm->vm_fd, KVM_CREATE_IRQCHIP, 0) < 0)
		return vmm_error_system(&vm->error, "KVM_CREATE_IRQCHIP");
	if (ioctl(vm->vm_fd, KVM_CREATE_PIT2, &pit) < 0)
		return vmm_error_system(&vm->error, "KVM_CREATE_PIT2");
	return set_routing(vm);
}

enum vmm_status vmm_vm_set_irq(struct vmm_vm *vm, unsigned line, bool level)
{
	struct kvm_irq_level irq = {.irq = line, .level = level};

	if (!vm->irqchip)
		return vmm_error_set(
			&vm->error, VMM_INVALID, "this VM has no interrupt controllers");
	if (line >= LINES)
		return vmm_error_set(
			&vm->error, VMM_INVALID, "there is no interrupt line %u", line);
	if (ioctl(vm->vm_fd, KVM_IRQ_LINE, &irq) < 0)
		return vmm_error_system(&vm->error, "KVM_IRQ_LINE");
	return VMM_OK;
}
