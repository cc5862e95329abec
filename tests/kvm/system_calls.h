/* SPDX-License-Identifier: MIT */
/* Counts every system call that a process makes. */
#ifndef TESTS_KVM_SYSTEM_CALLS_H
#define TESTS_KVM_SYSTEM_CALLS_H

#include <stdbool.h>

struct system_calls {
	unsigned long all;
	unsigned long runs; /* of them: KVM_RUN */
};

/*
 * From now on each system call of the calling thread is counted in *calls, which must stay, and
 * done as before. There is no way back, so it is for a child process that soon calls _exit(), and
 * that starts no threads. false: the kernel has no seccomp filters.
 */
bool system_calls_count(struct system_calls *calls);

#endif
