/* SPDX-License-Identifier: MIT */
/* The least that KVM needs to run a guest in long mode. x86 Linux only. */
#ifndef BENCH_BARE_KVM_H
#define BENCH_BARE_KVM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kvm_run;

struct bare_kvm {
	int device, vm, vcpu;
	struct kvm_run *run;
	size_t run_bytes;
};

/* Why there is no KVM here, or NULL. */
const char *bare_kvm_missing(void);

/* Whether its guests have 1 GiB pages. */
bool bare_kvm_has_1gib(void);

/*
 * A guest with one vCPU and `bytes` at `memory` as its RAM, about to execute at `entry` in long
 * mode with the tables at `root`. Dies if KVM refuses.
 */
void bare_kvm_open(
	struct bare_kvm *kvm, void *memory, uint64_t bytes, uint64_t root, uint64_t entry);
void bare_kvm_close(struct bare_kvm *kvm);

#endif
