/* SPDX-License-Identifier: MIT */
/* The first instruction of every guest: a stack, then main(), then GUEST_CALL_DONE with its code. */
	.section .text.start, "ax", @progbits
	.globl _start
	.type _start, @function
_start:
#ifdef __x86_64__
	lea guest_stack_top(%rip), %rsp
	xor %ebp, %ebp
	call main
	mov %eax, %edi
	call guest_done
#else
	mov $guest_stack_top, %esp
	xor %ebp, %ebp
	sub $12, %esp			/* i386 ABI: 16-byte alignment at the call */
	push $0
	call main
	mov %eax, (%esp)
	call guest_done
#endif
	.size _start, . - _start

	.bss
	.balign 4096
	.skip 16384
guest_stack_top:

	.section .note.GNU-stack, "", @progbits
