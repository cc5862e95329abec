/* SPDX-License-Identifier: MIT */
/* A machine of struct vmm_machine for one test, with a time limit and its console. */
#ifndef TESTS_KVM_PC_H
#define TESTS_KVM_PC_H

#include <stddef.h>
#include <stdint.h>

#include <pagewalk_vmm/machine.h>

#include "machine.h"

#define PC_OUTPUT_BYTES 8192

struct pc {
	struct vmm_machine machine;
	char output[PC_OUTPUT_BYTES]; /* always ended by NUL */
	size_t output_bytes;
	unsigned strays; /* accesses that vmm_stray_handler was told of */
	char text[256];
};

/*
 * Builds the machine; skips the test, visibly, where there is no KVM or where it has no interrupt
 * controllers, and fails it for any other reason. Console, strays and context are set here.
 */
void pc_create(struct pc *pc, const struct vmm_machine_config *config);

/* The same for a guest of ours by its target's name, in 16 MiB unless `config` says otherwise. */
void pc_create_guest(struct pc *pc, const char *guest, const struct vmm_machine_config *config);

/* The same for a multiboot kernel that is nothing but 32-bit code, loaded and entered at 1 MiB. */
void pc_create_code(struct pc *pc, const void *code, size_t size, unsigned vcpus);

/*
 * vmm_machine_run() for at most 30 s. Skips the test if the guest meets an instruction that this
 * host's KVM cannot emulate.
 */
enum vmm_status pc_run(struct pc *pc);

/* pc_run() until the guest ends with `code`. */
void pc_expect_code(struct pc *pc, uint32_t code);

void pc_expect_output(struct pc *pc, const char *wanted);
const char *pc_exit_text(struct pc *pc);

#endif
