/* SPDX-License-Identifier: MIT */
/*
 * bool vmx_enter(uint64_t registers[2], bool resume): runs the nested guest of the current VMCS
 * with these RAX and RDI, until it leaves. False: the instruction failed.
 */
#define HOST_RSP 0x6c14
#define HOST_RIP 0x6c16

	.text
	.globl vmx_enter
	.type vmx_enter, @function
vmx_enter:
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	push %rdi
	mov $HOST_RSP, %eax
	vmwrite %rsp, %rax
	mov $HOST_RIP, %eax
	lea 1f(%rip), %rcx
	vmwrite %rcx, %rax
	mov 0(%rdi), %rax
	mov 8(%rdi), %rdi
	test %esi, %esi
	jnz 2f
	vmlaunch
	jmp 3f
2:	vmresume
3:	pop %rdi
	xor %eax, %eax
	jmp 4f
1:	pop %rcx
	mov %rax, 0(%rcx)
	mov %rdi, 8(%rcx)
	mov $1, %eax
4:	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret
	.size vmx_enter, . - vmx_enter

	.section .note.GNU-stack, "", @progbits
