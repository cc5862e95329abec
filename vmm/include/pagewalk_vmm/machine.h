/* SPDX-License-Identifier: MIT */
/*
 * A whole machine: RAM, vCPUs with a thread each, the devices that small programs expect of a PC,
 * and the guest in it. One call builds it, one runs it.
 */
#ifndef PAGEWALK_VMM_MACHINE_H
#define PAGEWALK_VMM_MACHINE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pagewalk_vmm/image.h>
#include <pagewalk_vmm/multiboot.h>
#include <pagewalk_vmm/ports.h>
#include <pagewalk_vmm/run.h>
#include <pagewalk_vmm/vcpu.h>
#include <pagewalk_vmm/vm.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A module as a file. Its text is the path, with underscores for its spaces, followed by a space
 * and the arguments if there are. A guest's command line is made likewise.
 */
struct vmm_module_file {
	const char *path;
	const char *arguments; /* or NULL */
};

/*
 * Told of an access that nothing answers for, VMM_EXIT_PORT or VMM_EXIT_MMIO, before the guest
 * goes on: what it reads is all ones, what it writes is lost.
 */
typedef void (*vmm_stray_handler)(void *ctx, struct vmm_vcpu *vcpu, const struct vmm_exit *access);

/*
 * The guest is an ELF file, as for vmm_image_load_elf(), or a multiboot image. A multiboot image,
 * or more than one vCPU, makes the machine a PC by itself.
 */
struct vmm_machine_config {
	const char *device;      /* NULL means "/dev/kvm" */
	uint64_t memory_bytes;   /* as in struct vmm_vm_config */
	unsigned vcpus;          /* 0 means 1 */
	bool pc;                 /* see struct vmm_machine */
	const char *guest;       /* a file, or NULL: */
	const void *guest_bytes; /* the same in memory */
	size_t guest_size;
	const char *append; /* multiboot: the command line behind the guest's name; or NULL */
	const struct vmm_module_file *modules; /* multiboot: loaded beside the guest */
	unsigned module_count;
	vmm_console_sink sink;
	uint64_t console_limit;     /* as in struct vmm_console */
	vmm_call_handler on_call;   /* as in struct vmm_calls; or NULL */
	vmm_stray_handler on_stray; /* or NULL */
	void *ctx;                  /* of the three handlers */
};

/* One port, or one page of guest-physical memory, that nothing answers for. */
struct vmm_stray {
	uint64_t address;
	bool mmio;
	uint64_t reads;
	uint64_t writes;
};

#define VMM_STRAYS_MAX 32

/* All accesses that nothing answered for. */
struct vmm_strays {
	uint64_t accesses;
	unsigned count; /* of the first different addresses */
	struct vmm_stray first[VMM_STRAYS_MAX];
};

/* Small devices of a PC. The fields are private. */
struct vmm_pc {
	const struct vmm_vm *vm;
	uint32_t event;
	uint8_t cmos_index;
	uint8_t port_92;
	uint16_t fw_cfg_key;
	uint32_t fw_cfg_offset;
};

/*
 * Filled by vmm_machine_create(); read the fields, do not write them. Not to be moved.
 *
 * Every machine has the console, the guest calls (guest/abi.h) and the exit port, and answers
 * accesses to nothing like an empty bus. A PC has also:
 * - interrupt controllers and timer in KVM (struct vmm_vm_config), so that HLT waits for an
 *   interrupt and no HLT ends the run; the serial port raises line 4;
 * - a clock at ports 0x70 and 0x71, resets by ports 0x64, 0x92 and 0xcf9, power-off by port 0x604;
 * - QEMU's fw_cfg at ports 0x510 and 0x511, with the size of RAM and the number of vCPUs;
 * - in memory what firmware leaves: real mode's vectors (every BIOS call fails, by the carry flag),
 *   the BIOS data area at 0x400, the extended one at 0x9fc00, and in 0xf0000 to 0xfffff an MP table
 *   and ACPI's RSDP, RSDT and MADT. The RAM from 0xa0000 to 0xeffff is no one's: text mode at
 *   0xb8000 can be written, and read by vmm_vm_read().
 * vCPU 0 starts the guest; the others wait for its INIT and start-up messages.
 */
struct vmm_machine {
	struct vmm_error error; /* why a call failed */
	struct vmm_vm vm;
	struct vmm_image image;
	unsigned vcpu_count;
	struct vmm_vcpu vcpus[VMM_VCPUS_MAX];
	struct vmm_ports ports;
	struct vmm_console console;
	struct vmm_calls calls;
	struct vmm_exit_port exit_port;
	struct vmm_pc pc;
	struct vmm_strays strays;
	vmm_stray_handler on_stray;
	void *ctx;

	/* Of the last run: */
	unsigned ended_by;    /* the vCPU that ended it */
	struct vmm_exit exit; /* its last exit, if the run came back with VMM_OK */
	uint32_t code;        /* the guest's code, if with VMM_FINISHED */

	/* Private. */
	pthread_mutex_t lock; /* held while an exit is answered */
	bool ended;
	bool irq_lost; /* the serial port's interrupt could not be raised */
	enum vmm_status status;
};

/*
 * Opens KVM, loads the guest, creates the vCPUs and sets the first to start it. Fails with the
 * statuses of vmm_vm_create(), vmm_image_load_elf(), vmm_image_load_multiboot() and
 * vmm_vcpu_create(), and with VMM_INVALID for modules or a command line and an image that is not
 * multiboot; the reason stands in machine->error. Nothing has to be destroyed then.
 */
VMM_CHECKED enum vmm_status vmm_machine_create(
	struct vmm_machine *machine, const struct vmm_machine_config *config);

/* After the last run. Calling it again does nothing. */
void vmm_machine_destroy(struct vmm_machine *machine);

/*
 * Runs all vCPUs until one of them ends the run: the first on the calling thread, each of the
 * others on one of its own, which ends before the call returns. Handlers are called by any of
 * these threads, never by two at a time.
 * VMM_FINISHED: the guest ended with machine->code, by GUEST_CALL_DONE or by the exit port.
 * VMM_OK: machine->exit says why. A reset or power-off is VMM_EXIT_SYSTEM_EVENT with
 *     KVM_SYSTEM_EVENT_RESET or KVM_SYSTEM_EVENT_SHUTDOWN; VMM_EXIT_STOPPED is vmm_machine_stop().
 *     After the latter the machine can be run again and goes on.
 * VMM_LIMIT, VMM_BAD_CALL, what a handler failed with, or VMM_SYSTEM: see machine->error.
 */
VMM_CHECKED enum vmm_status vmm_machine_run(struct vmm_machine *machine);

/*
 * Makes the current run, or the next if none is under way, come back with VMM_EXIT_STOPPED, unless
 * it ends by itself in that moment. Never blocks; may be called from any thread, from a handler
 * and from a signal handler. For a time limit, start a struct vmm_watchdog on machine->vcpus[0]:
 * what stops that vCPU stops the machine.
 */
void vmm_machine_stop(struct vmm_machine *machine);

/*
 * Input for the serial port, while the machine runs or before. Returns how many bytes were taken:
 * call again with the rest. Thread safe, but not to be called from a handler.
 */
size_t vmm_machine_input(struct vmm_machine *machine, const void *bytes, size_t count);

#ifdef __cplusplus
}
#endif

#endif
