/* SPDX-License-Identifier: MIT */
/* The page-fault handler of shadow.c: void shadow_page_fault(uint64_t cr2, uint64_t error_code). */
	.text
	.globl shadow_handle_14
shadow_handle_14:
	push %rax
	push %rcx
	push %rdx
	push %rsi
	push %rdi
	push %r8
	push %r9
	push %r10
	push %r11
	mov %cr2, %rax
	mov %rax, %rdi
	mov 72(%rsp), %rsi
	call shadow_page_fault
	pop %r11
	pop %r10
	pop %r9
	pop %r8
	pop %rdi
	pop %rsi
	pop %rdx
	pop %rcx
	pop %rax
	add $8, %rsp
	iretq

	.section .note.GNU-stack, "", @progbits
