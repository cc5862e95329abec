/* SPDX-License-Identifier: MIT */
/*
 * Counting by seccomp: a filter turns each system call into SIGSYS, and the handler counts it and
 * makes it from the one place that the filter lets through.
 */
#define _GNU_SOURCE /* REG_RAX */
#include "system_calls.h"

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>

/* long gate(long number, long argument[6]) */
long system_calls_gate(long number, const long long *arguments);
extern const char system_calls_after_gate[];

__asm__(".pushsection .text\n"
	".globl system_calls_gate, system_calls_after_gate\n"
	"system_calls_gate:\n"
	"	mov %rdi, %rax\n"
	"	mov %rsi, %r11\n"
	"	mov (%r11), %rdi\n"
	"	mov 8(%r11), %rsi\n"
	"	mov 16(%r11), %rdx\n"
	"	mov 24(%r11), %r10\n"
	"	mov 32(%r11), %r8\n"
	"	mov 40(%r11), %r9\n"
	"	syscall\n"
	"system_calls_after_gate:\n"
	"	ret\n"
	".popsection\n");

static struct system_calls *counted;

static void on_call(int signal, siginfo_t *info, void *context)
{
	greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
	const long long arguments[] = {
		r[REG_RDI], r[REG_RSI], r[REG_RDX], r[REG_R10], r[REG_R8], r[REG_R9]};

	(void)signal;
	counted->all++;
	counted->runs += info->si_syscall == SYS_ioctl && arguments[1] == KVM_RUN;
	r[REG_RAX] = system_calls_gate(info->si_syscall, arguments);
}

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define LOAD_HIGH(field)                                                                           \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field) + 4)
#define IF(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), yes, no)
#define END(verdict)       BPF_STMT(BPF_RET | BPF_K, verdict)

bool system_calls_count(struct system_calls *calls)
{
	struct sigaction action = {.sa_sigaction = on_call, .sa_flags = SA_SIGINFO | SA_NODEFER};
	uintptr_t gate = (uintptr_t)system_calls_after_gate;
	struct sock_filter filter[] = {
		LOAD(arch),
		IF(AUDIT_ARCH_X86_64, 0, 6),
		LOAD(nr),
		IF(SYS_rt_sigreturn, 5, 0),
		LOAD(instruction_pointer),
		IF(gate, 0, 2),
		LOAD_HIGH(instruction_pointer),
		IF((uint64_t)gate >> 32, 1, 0),
		END(SECCOMP_RET_TRAP),
		END(SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};

	counted = calls;
	sigemptyset(&action.sa_mask);
	return sigaction(SIGSYS, &action, NULL) == 0 &&
	       prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}
