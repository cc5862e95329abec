/* SPDX-License-Identifier: MIT */
/* Runs a machine: a thread for each vCPU, one lock around all that is not a vCPU. */
#define _POSIX_C_SOURCE 200809L
#include <pagewalk_vmm/machine.h>

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "error.h"

/* What answering an exit led to. */
struct outcome {
	bool over;
	enum vmm_status status; /* of the run, if it is over */
};

struct worker {
	struct vmm_machine *machine;
	unsigned index;
	pthread_t thread;
};

/* ---- Accesses that nothing answers for ---- */

static void count_stray(struct vmm_strays *strays, uint64_t address, bool mmio, bool write)
{
	struct vmm_stray *stray = strays->first;
	const struct vmm_stray *end = strays->first + strays->count;

	strays->accesses++;
	while (stray < end && (stray->address != address || stray->mmio != mmio))
		stray++;
	if (stray == end) {
		if (strays->count == VMM_STRAYS_MAX)
			return;
		strays->count++;
		*stray = (struct vmm_stray){.address = address, .mmio = mmio};
	}
	if (write)
		stray->writes++;
	else
		stray->reads++;
}

static void let_pass(
	struct vmm_machine *machine, struct vmm_vcpu *vcpu, const struct vmm_exit *exit)
{
	if (exit->kind == VMM_EXIT_MMIO) {
		if (!exit->mmio.write)
			memset(exit->mmio.value, 0xff, exit->mmio.bytes);
		count_stray(&machine->strays, exit->mmio.pa & ~(VMM_PAGE_BYTES - 1), true,
			exit->mmio.write);
	} else {
		/* An input reads as all ones already. */
		count_stray(&machine->strays, exit->port.port, false, exit->port.out);
	}
	if (machine->on_stray)
		machine->on_stray(machine->ctx, vcpu, exit);
}

/* ---- Exits ---- */

/* The guest ended itself: with a code, or by a device that resets or switches off. */
static struct outcome finished(struct vmm_machine *machine, struct vmm_exit *exit)
{
	if (machine->pc.event != 0) {
		exit->kind = VMM_EXIT_SYSTEM_EVENT;
		exit->system_event = machine->pc.event;
		return (struct outcome){true, VMM_OK};
	}
	machine->code = machine->exit_port.written ? machine->exit_port.code : machine->calls.code;
	return (struct outcome){true, VMM_FINISHED};
}

static struct outcome answer_port(
	struct vmm_machine *machine, struct vmm_vcpu *vcpu, struct vmm_exit *exit)
{
	enum vmm_status status = vmm_ports_dispatch(&machine->ports, vcpu, &exit->port);

	if (status == VMM_UNHANDLED) {
		let_pass(machine, vcpu, exit);
		status = VMM_OK;
	}
	if (status == VMM_FINISHED)
		return finished(machine, exit);
	if (status == VMM_OK && machine->irq_lost) {
		vcpu->error = machine->vm.error;
		status = VMM_SYSTEM;
	}
	return (struct outcome){status != VMM_OK, status};
}

static struct outcome answer(
	struct vmm_machine *machine, struct vmm_vcpu *vcpu, struct vmm_exit *exit)
{
	switch (exit->kind) {
	case VMM_EXIT_PORT:
		return answer_port(machine, vcpu, exit);
	case VMM_EXIT_MMIO:
		let_pass(machine, vcpu, exit);
		return (struct outcome){false, VMM_OK};
	case VMM_EXIT_INTERRUPTED:
		return (struct outcome){false, VMM_OK};
	default:
		return (struct outcome){true, VMM_OK};
	}
}

static bool is_stop(enum vmm_status status, const struct vmm_exit *exit)
{
	return status == VMM_OK && exit->kind == VMM_EXIT_STOPPED;
}

/* The first that ends the run counts, but any end counts more than a stop from outside. */
static void end_run(struct vmm_machine *machine, struct vmm_vcpu *vcpu, enum vmm_status status,
	const struct vmm_exit *exit)
{
	bool first = !machine->ended;

	if (!first && (is_stop(status, exit) || !is_stop(machine->status, &machine->exit)))
		return;
	machine->ended = true;
	machine->status = status;
	machine->ended_by = vcpu->index;
	machine->exit = *exit;
	if (status != VMM_OK && status != VMM_FINISHED)
		machine->error = vcpu->error;
	for (unsigned i = 0; first && i < machine->vcpu_count; i++)
		if (i != vcpu->index)
			vmm_vcpu_stop(&machine->vcpus[i]);
}

/*
 * Also when another vCPU has ended the run, the exit that this one came back with is answered: it
 * would be lost for a run that goes on later.
 */
static void run_vcpu(struct vmm_machine *machine, struct vmm_vcpu *vcpu)
{
	bool ended;

	do {
		struct vmm_exit exit = {.kind = VMM_EXIT_OTHER};
		struct outcome outcome = {true, vmm_vcpu_run(vcpu, &exit)};

		pthread_mutex_lock(&machine->lock);
		if (outcome.status == VMM_OK)
			outcome = answer(machine, vcpu, &exit);
		if (outcome.over)
			end_run(machine, vcpu, outcome.status, &exit);
		ended = machine->ended;
		pthread_mutex_unlock(&machine->lock);
	} while (!ended);
}

/* ---- Threads ---- */

static void *work(void *context)
{
	struct worker *worker = context;

	run_vcpu(worker->machine, &worker->machine->vcpus[worker->index]);
	return NULL;
}

/* The program's signals are for its own threads, but for the one that stops a vCPU. */
static int start_worker(struct worker *worker)
{
	sigset_t most, old;
	int result;

	sigfillset(&most);
	sigdelset(&most, worker->machine->vcpus[worker->index].stop_signal);
	pthread_sigmask(SIG_SETMASK, &most, &old);
	result = pthread_create(&worker->thread, NULL, work, worker);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return result;
}

/* Starts all vCPUs but the first; returns how many, and ends the run if it cannot start all. */
static unsigned start_workers(struct vmm_machine *machine, struct worker *workers)
{
	unsigned started = 0;

	while (started + 1 < machine->vcpu_count) {
		struct vmm_vcpu *vcpu = &machine->vcpus[started + 1];
		const struct vmm_exit none = {.kind = VMM_EXIT_OTHER};
		int result;

		workers[started] = (struct worker){.machine = machine, .index = vcpu->index};
		result = start_worker(&workers[started]);
		if (result != 0) {
			errno = result;
			pthread_mutex_lock(&machine->lock);
			end_run(machine, vcpu,
				vmm_error_system(&vcpu->error, "starting a vCPU's thread"), &none);
			pthread_mutex_unlock(&machine->lock);
			break;
		}
		started++;
	}
	return started;
}

/* Stops that ended threads of this run must not end those of the next. */
static void forget_stops(struct vmm_machine *machine)
{
	for (unsigned i = 0; i < machine->vcpu_count; i++) {
		struct vmm_vcpu *vcpu = &machine->vcpus[i];

		if (i == machine->ended_by)
			continue;
		__atomic_store_n(&vcpu->stop, 0, __ATOMIC_SEQ_CST);
		__atomic_store_n(&vcpu->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
	}
}

enum vmm_status vmm_machine_run(struct vmm_machine *machine)
{
	struct worker workers[VMM_VCPUS_MAX];
	unsigned started;

	machine->ended = false;
	machine->exit_port.written = false;
	machine->pc.event = 0;
	started = start_workers(machine, workers);
	run_vcpu(machine, &machine->vcpus[0]);
	for (unsigned i = 0; i < started; i++)
		pthread_join(workers[i].thread, NULL);
	forget_stops(machine);
	return machine->status;
}

void vmm_machine_stop(struct vmm_machine *machine)
{
	vmm_vcpu_stop(&machine->vcpus[0]);
}

size_t vmm_machine_input(struct vmm_machine *machine, const void *bytes, size_t count)
{
	size_t taken;

	pthread_mutex_lock(&machine->lock);
	taken = vmm_uart_receive(&machine->console.uart, bytes, count);
	pthread_mutex_unlock(&machine->lock);
	return taken;
}
