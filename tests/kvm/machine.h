/* SPDX-License-Identifier: MIT */
/* A guest under KVM for one test: everything in one object, with a time limit and its console. */
#ifndef TESTS_KVM_MACHINE_H
#define TESTS_KVM_MACHINE_H

#include <stddef.h>
#include <stdint.h>

#include <pagewalk_vmm/vmm.h>

#define MACHINE_MEMORY       UINT64_C(0x1000000) /* 16 MiB: enough for every guest of ours */
#define MACHINE_OUTPUT_BYTES 4096

struct machine {
	struct vmm_vm vm;
	struct vmm_vcpu vcpu;
	struct vmm_image image;
	struct vmm_ports ports;
	struct vmm_console console;
	struct vmm_calls calls;
	struct vmm_exit exit; /* of the last machine_run() */
	char output[MACHINE_OUTPUT_BYTES];
	size_t output_bytes;
	char text[256]; /* of the last machine_exit_text() */
};

/* Skips the test, visibly, where there is no KVM to open. The first line of every KVM test. */
void machine_need_kvm(void);

/*
 * Each fails the test when it cannot do its job. The guest's name is that of its target, without
 * "guest_". PW_GUEST_DIR in the environment says where the guests are, if not where they were
 * built.
 */
void machine_create(struct machine *machine, uint64_t memory_bytes);
void machine_load_guest(struct machine *machine, const char *name);
void machine_load_bytes(struct machine *machine, const void *bytes, size_t size, uint64_t address,
	enum vmm_mode mode);
void machine_boot_guest(struct machine *machine, const char *name);
void machine_boot_bytes(struct machine *machine, const void *bytes, size_t size, uint64_t address,
	enum vmm_mode mode);
void machine_destroy(struct machine *machine);

/* Where the guest of that name is; cut where `size` ends. */
void machine_guest_path(char *path, size_t size, const char *name);

/* vmm_ports_run() for at most ten seconds, unless the test stops it earlier. */
enum vmm_status machine_run(struct machine *machine);

/* The last exit in words. */
const char *machine_exit_text(struct machine *machine);

/* Criterion's eq(str, ...) takes no const. */
void expect_text(const char *found, const char *wanted);

/* The general registers as of now. */
struct kvm_regs machine_regs(struct machine *machine);

#endif
