/* SPDX-License-Identifier: MIT */
/*
 * A VM whose guest runs in ring 3 on shadow tables, though it takes itself for a kernel. Its
 * physical memory is scattered over another part of KVM's. A monitor in ring 0
 * (guest/shadow_monitor.S) hands each exception to us; guest tables lie in read-only memory slots.
 */
#ifndef TESTS_KVM_SHADOW_HOST_H
#define TESTS_KVM_SHADOW_HOST_H

#include "machine.h"
#include <pagewalk/pagewalk.h>

#define SHADOW_GUEST_BYTES UINT64_C(0x100000)
#define SHADOW_GUEST_PAGES (SHADOW_GUEST_BYTES / 4096)
#define SHADOW_POOL        UINT64_C(0x200000)
#define SHADOW_POOL_TABLES 256
#define SHADOW_ROOTS       4
#define SHADOW_USES        64

struct shadow_host {
	struct machine machine; /* what really runs */
	struct pw_shadow shadow;
	struct pw_shadow_root roots[SHADOW_ROOTS];
	struct pw_shadow_use uses[SHADOW_USES];
	struct pw_memory pool, memory; /* of the shadow tables; the guest's */
	struct pw_flush flush;
	struct pw_flush_range ranges[8];
	bool taken[SHADOW_POOL_TABLES];
	unsigned table_max, tables_out;
	bool read_only[SHADOW_GUEST_PAGES];

	/* The guest's CPU, as it takes it to be. */
	struct pw_x86_state state;
	struct pw_space guest;
	uint64_t cr2, idt;
	uint32_t code;
	bool done;

	/* Counted. */
	unsigned misses, injected, emulated, table_writes, loads, invalidations;
};

/* The guest as it would start in ring 0 of a machine of its own, but not run. */
void shadow_host_begin(struct shadow_host *host, const char *guest, unsigned tables);
/* Until it ends, with host->code. Fails the test if it does anything that has no answer. */
void shadow_host_run(struct shadow_host *host);
void shadow_host_end(struct shadow_host *host);

#endif
