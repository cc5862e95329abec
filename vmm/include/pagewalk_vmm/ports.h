/* SPDX-License-Identifier: MIT */
/* What answers when a guest uses an I/O port: a table of handlers, a console, the guest calls. */
#ifndef PAGEWALK_VMM_PORTS_H
#define PAGEWALK_VMM_PORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <guest/abi.h>
#include <pagewalk_vmm/run.h>
#include <pagewalk_vmm/uart.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Answers one access to the ports it was added for. For an input, fill access->data. Any status
 * but VMM_OK ends vmm_ports_run() and comes out of it.
 */
typedef enum vmm_status (*vmm_port_handler)(
	void *ctx, struct vmm_vcpu *vcpu, const struct vmm_port_access *access);

#define VMM_PORT_RANGES_MAX 16

struct vmm_port_range {
	uint16_t first;
	uint16_t last;
	vmm_port_handler handler;
	void *ctx;
};

/* All zero is an empty table. Constant while vCPUs run, and shared by them. */
struct vmm_ports {
	unsigned count;
	struct vmm_port_range ranges[VMM_PORT_RANGES_MAX];
};

/*
 * Adds a handler for the closed range [first, last]. VMM_INVALID: first lies after last, the range
 * overlaps another, or the table is full.
 */
VMM_CHECKED enum vmm_status vmm_ports_add(struct vmm_ports *ports, uint16_t first, uint16_t last,
	vmm_port_handler handler, void *ctx);

/*
 * Hands one access to its handler, found by the first port, and returns what that returns;
 * VMM_UNHANDLED if there is none, and then an input reads as all ones.
 */
VMM_CHECKED enum vmm_status vmm_ports_dispatch(
	const struct vmm_ports *ports, struct vmm_vcpu *vcpu, const struct vmm_port_access *access);

/*
 * Runs the vCPU and answers its port accesses, until there is something to decide:
 * VMM_OK        an exit of another kind than VMM_EXIT_PORT;
 * VMM_UNHANDLED a port that nobody answers for: run again to go on as with an empty bus;
 * VMM_FINISHED  the guest ended (GUEST_CALL_DONE);
 * other         what a handler or vmm_vcpu_run() failed with; vcpu->error has the reason.
 * *exit is the last exit, unless vmm_vcpu_run() failed.
 */
VMM_CHECKED enum vmm_status vmm_ports_run(
	const struct vmm_ports *ports, struct vmm_vcpu *vcpu, struct vmm_exit *exit);

/* Takes the console's output as it comes; `bytes` is only good during the call. */
typedef void (*vmm_console_sink)(void *ctx, const char *bytes, size_t count);

/*
 * A console: GUEST_PORT_CONSOLE, for output, and a serial port at GUEST_PORT_SERIAL, both into the
 * same sink. Set `sink`, `ctx` and `limit`, and `uart.set_irq` if the serial port's interrupts go
 * somewhere; the rest starts as zero. Input comes by vmm_uart_receive().
 */
struct vmm_console {
	vmm_console_sink sink;
	void *ctx;
	uint64_t limit;   /* bytes that the sink will take in all; 0: no limit */
	uint64_t written; /* bytes that it took */
	uint64_t dropped; /* bytes that came when the limit was reached */
	struct vmm_uart uart;
};

/*
 * Adds the console's ports; `console` must live as long as the table. Its handlers return
 * VMM_LIMIT for output beyond the limit, which is dropped: a guest that floods its console costs
 * no memory, and the caller decides whether it goes on. Fails like vmm_ports_add().
 */
VMM_CHECKED enum vmm_status vmm_console_attach(
	struct vmm_console *console, struct vmm_ports *ports);

/* How a guest ends by GUEST_PORT_EXIT. All zero is a port that was not written. */
struct vmm_exit_port {
	bool written;
	uint32_t code; /* what was written, as the guest wrote it */
};

/*
 * Adds GUEST_PORT_EXIT: a write of any width ends the run with VMM_FINISHED. `exit_port` must live
 * as long as the table. Fails like vmm_ports_add().
 *
 * The code is the value itself. QEMU's isa-debug-exit device, for whose programs this is, ends
 * QEMU with 2 * value + 1 instead, so that no value means success.
 */
VMM_CHECKED enum vmm_status vmm_exit_port_attach(
	struct vmm_exit_port *exit_port, struct vmm_ports *ports);

/*
 * Told of each guest call, after the library has done its part (see below). `call` is a private
 * copy; what the handler writes to `answer` reaches the guest, unless it fails.
 */
typedef enum vmm_status (*vmm_call_handler)(
	void *ctx, struct vmm_vcpu *vcpu, struct guest_call *call);

/* The guest's side of guest/abi.h. Set `handler` (may be NULL) and `ctx`; the rest starts as 0. */
struct vmm_calls {
	vmm_call_handler handler;
	void *ctx;
	bool started;      /* GUEST_CALL_START came */
	bool done;         /* GUEST_CALL_DONE came */
	uint32_t code;     /* its code */
	uint64_t failures; /* GUEST_CALL_FAILUREs so far */
};

/*
 * Adds GUEST_PORT_CALL; `calls` must live as long as the table. The library fetches the structure
 * from guest RAM, with its texts ended by NUL whatever the guest wrote; answers START; judges
 * TRANSLATE, STRING and FAULT (vmm_call_judge); counts FAILURE; ends the run with VMM_FINISHED on
 * DONE. A structure outside RAM, a first call that is not START, or a guest of another ABI version
 * is VMM_BAD_CALL. Fails like vmm_ports_add().
 */
VMM_CHECKED enum vmm_status vmm_calls_attach(struct vmm_calls *calls, struct vmm_ports *ports);

/*
 * Sets call->answer from what libpagewalk finds in the vCPU's current address space:
 * TRANSLATE: physical address, page size, rights and the bytes there, or that there is a hole;
 * STRING: all of it can be read; FAULT: the fault that the access must raise. Other calls keep
 * their answer. Fails only as vmm_vcpu_space() does.
 */
VMM_CHECKED enum vmm_status vmm_call_judge(struct vmm_vcpu *vcpu, struct guest_call *call);

/* The same for a space in hand: true if it finds what a TRANSLATE, STRING or FAULT call says. */
bool vmm_claim_agrees(const struct pw_space *space, const struct guest_call *call);

/* GUEST_ACCESS_... as libpagewalk has them; neither WRITE nor FETCH: a read. */
pw_access vmm_guest_access(uint32_t guest_access);

/*
 * What libpagewalk expects of the access that a FAULT call describes: *vector is GUEST_NO_FAULT,
 * 14 with the error code, or 13 where paging has no say: an address that is not canonical, LASS,
 * a PDPTE that does not load.
 */
void vmm_predict_fault(const struct pw_space *space, uint64_t va, uint32_t guest_access,
	uint32_t *vector, uint32_t *error_code);

#ifdef __cplusplus
}
#endif

#endif
