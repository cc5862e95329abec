/* SPDX-License-Identifier: MIT */
/* The two ways to a guest's story: run it under KVM, or play its recording. */
#ifndef PAGEWALK_GUEST_RUN_H
#define PAGEWALK_GUEST_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include <pagewalk_vmm/machine.h>

struct guest_run {
	const char *guest;  /* ELF file or multiboot image; NULL: the bundled guest */
	const char *device; /* NULL: /dev/kvm */
	const char *record; /* file to record the run to, or NULL */
	const char *append; /* command line of a multiboot guest, or NULL */
	struct vmm_module_file modules[VMM_MODULES_MAX];
	unsigned module_count;
	unsigned vcpus;
	uint64_t memory_bytes;
	uint64_t timeout_ms; /* 0: none */
	bool json;
};

/* Both return the exit status of the command. */
int guest_run_live(const struct guest_run *run);
int guest_run_recorded(const struct guest_run *run);

#endif
