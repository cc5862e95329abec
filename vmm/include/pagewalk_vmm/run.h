/* SPDX-License-Identifier: MIT */
/* Running a vCPU: one decoded exit after another, and stopping it from outside. */
#ifndef PAGEWALK_VMM_RUN_H
#define PAGEWALK_VMM_RUN_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <pagewalk_vmm/vcpu.h>

#ifdef __cplusplus
extern "C" {
#endif

enum vmm_exit_kind {
	VMM_EXIT_PORT,           /* the guest used an I/O port */
	VMM_EXIT_MMIO,           /* the guest touched guest-physical memory that is not RAM */
	VMM_EXIT_HALT,           /* HLT: nothing will wake the vCPU */
	VMM_EXIT_DEBUG,          /* a breakpoint or single step that KVM was asked for */
	VMM_EXIT_SHUTDOWN,       /* triple fault */
	VMM_EXIT_INTERNAL_ERROR, /* KVM gave up, mostly on an instruction that it cannot emulate */
	VMM_EXIT_FAIL_ENTRY,     /* the hardware refused the vCPU's state */
	VMM_EXIT_SYSTEM_EVENT,   /* the guest asked for power-off or reset */
	VMM_EXIT_STOPPED,        /* vmm_vcpu_stop() */
	VMM_EXIT_INTERRUPTED,    /* some other signal; run again to go on */
	VMM_EXIT_OTHER,          /* an exit this library does not know; `reason` is KVM's number */
};

#define VMM_EXIT_KIND_COUNT 11

/* Instruction bytes that an internal error can carry. */
#define VMM_INSTRUCTION_MAX   15
#define VMM_INTERNAL_DATA_MAX 16

struct vmm_port_access {
	uint16_t port;
	bool out;       /* the guest writes */
	uint8_t bytes;  /* of one item: 1, 2 or 4 */
	uint32_t count; /* items: more than 1 for a string instruction */
	void *data;     /* bytes * count; for an input, fill it before the next run */
};

struct vmm_mmio_access {
	uint64_t pa; /* guest-physical */
	bool write;
	uint8_t bytes;  /* 1 to 8 */
	uint8_t *value; /* for a read, fill it before the next run; 0 until then */
};

struct vmm_debug_stop {
	uint32_t exception; /* vector: 1 or 3 */
	uint64_t pc;
	uint64_t dr6;
	uint64_t dr7;
};

struct vmm_internal_error {
	uint32_t suberror;
	uint32_t data_count;
	uint64_t data[VMM_INTERNAL_DATA_MAX];
	uint8_t instruction_bytes; /* 0: KVM did not say */
	uint8_t instruction[VMM_INSTRUCTION_MAX];
};

/*
 * One exit. `data` and `value` point into the area shared with KVM and are true until the next
 * run; all else is a copy.
 */
struct vmm_exit {
	enum vmm_exit_kind kind;
	uint32_t reason; /* KVM_EXIT_... */
	uint64_t rip;    /* as KVM reports it: at or after the instruction, by kind */
	union {
		struct vmm_port_access port;
		struct vmm_mmio_access mmio;
		struct vmm_debug_stop debug;
		struct vmm_internal_error internal;
		uint64_t entry_failure; /* FAIL_ENTRY: the hardware's reason */
		uint32_t system_event;  /* SYSTEM_EVENT: KVM_SYSTEM_EVENT_... */
	};
};

/*
 * Runs the vCPU until it exits. A port input or MMIO read of the previous exit is completed first
 * with what stands in `data` or `value`.
 * VMM_OK means *exit says why the guest stopped, whatever the guest did to itself; the vCPU can be
 * run again after every kind but SHUTDOWN, INTERNAL_ERROR and FAIL_ENTRY, where it would only fail
 * again. VMM_SYSTEM means KVM refused to run; *exit is untouched then.
 */
VMM_CHECKED enum vmm_status vmm_vcpu_run(struct vmm_vcpu *vcpu, struct vmm_exit *exit);

/*
 * What a person needs to know about an exit: one line, no newline, always ended by NUL, cut where
 * `size` ends (192 bytes hold everything). Returns `buffer`. Thread safe.
 */
const char *vmm_exit_describe(const struct vmm_exit *exit, char *buffer, size_t size);

/* The kind as a constant hyphenated word ("port", "internal-error"); "?" outside the enum. */
const char *vmm_exit_name(enum vmm_exit_kind kind);

/*
 * Makes the current run, or the next one if none is under way, return VMM_EXIT_STOPPED. At most
 * one exit of another kind, already decided, can come first. Never blocks; may be called from any
 * thread and from a signal handler.
 */
void vmm_vcpu_stop(struct vmm_vcpu *vcpu);

/*
 * A wall-clock limit: a thread that stops the vCPU when the time is up. The fields are private.
 */
struct vmm_watchdog {
	struct vmm_vcpu *vcpu;
	struct timespec deadline; /* CLOCK_MONOTONIC */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool cancelled;
	bool fired;
};

/*
 * Starts the clock: after `milliseconds` the vCPU is stopped, once. Fails with VMM_SYSTEM (the
 * reason stands in vcpu->error); then there is nothing to end. `watchdog` must stay where it is
 * until vmm_watchdog_end().
 */
VMM_CHECKED enum vmm_status vmm_watchdog_start(
	struct vmm_watchdog *watchdog, struct vmm_vcpu *vcpu, uint64_t milliseconds);

/* True once the time is up: tells a timeout from another stop. Thread safe while it is running. */
bool vmm_watchdog_fired(struct vmm_watchdog *watchdog);

/* Ends the clock and its thread; returns whether it had fired. Call it once, before destroying the
 * vCPU. */
bool vmm_watchdog_end(struct vmm_watchdog *watchdog);

#ifdef __cplusplus
}
#endif

#endif
