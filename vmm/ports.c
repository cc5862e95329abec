/* SPDX-License-Identifier: MIT */
/* The table of I/O ports, the loop that serves it, and the port by which guests end. */
#include <pagewalk_vmm/ports.h>

#include <string.h>

#include "error.h"

enum vmm_status vmm_ports_add(
	struct vmm_ports *ports, uint16_t first, uint16_t last, vmm_port_handler handler, void *ctx)
{
	if (first > last || ports->count == VMM_PORT_RANGES_MAX)
		return VMM_INVALID;
	for (unsigned i = 0; i < ports->count; i++)
		if (first <= ports->ranges[i].last && last >= ports->ranges[i].first)
			return VMM_INVALID;
	ports->ranges[ports->count++] = (struct vmm_port_range){
		.first = first, .last = last, .handler = handler, .ctx = ctx};
	return VMM_OK;
}

enum vmm_status vmm_ports_dispatch(
	const struct vmm_ports *ports, struct vmm_vcpu *vcpu, const struct vmm_port_access *access)
{
	for (unsigned i = 0; i < ports->count; i++) {
		const struct vmm_port_range *range = &ports->ranges[i];

		if (access->port >= range->first && access->port <= range->last)
			return range->handler(range->ctx, vcpu, access);
	}
	return vmm_error_set(
		&vcpu->error, VMM_UNHANDLED, "nothing answers at port %#x", access->port);
}

enum vmm_status vmm_ports_run(
	const struct vmm_ports *ports, struct vmm_vcpu *vcpu, struct vmm_exit *exit)
{
	enum vmm_status status;

	do {
		status = vmm_vcpu_run(vcpu, exit);
		if (status != VMM_OK || exit->kind != VMM_EXIT_PORT)
			return status;
		status = vmm_ports_dispatch(ports, vcpu, &exit->port);
	} while (status == VMM_OK);
	return status;
}

static enum vmm_status handle_exit_port(
	void *ctx, struct vmm_vcpu *vcpu, const struct vmm_port_access *access)
{
	struct vmm_exit_port *exit_port = ctx;

	(void)vcpu;
	if (!access->out) {
		memset(access->data, 0, (size_t)access->bytes * access->count);
		return VMM_OK;
	}
	exit_port->code = 0;
	memcpy(&exit_port->code, access->data, access->bytes);
	exit_port->written = true;
	return VMM_FINISHED;
}

enum vmm_status vmm_exit_port_attach(struct vmm_exit_port *exit_port, struct vmm_ports *ports)
{
	return vmm_ports_add(ports, GUEST_PORT_EXIT, GUEST_PORT_EXIT, handle_exit_port, exit_port);
}
