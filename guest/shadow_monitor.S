/* SPDX-License-Identifier: MIT */
/*
 * What remains in ring 0 when a guest's kernel runs in ring 3 on shadow tables: every exception
 * becomes a port exit. The VMM finds vector, error code and the processor's frame on the stack,
 * changes them and the registers as it likes, and lets the guest go on. Runs at any address.
 */
#define PORT_MONITOR 0x7a

	.section .text.start, "ax", @progbits
	.globl _start
_start:					/* handler of vector n at 16 * n */
	.set vector, 0
	.rept 32
	.balign 16
	.if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21)
	push $0
	.endif
	push $vector
	jmp exit_to_vmm
	.set vector, vector + 1
	.endr

	.balign 16
exit_to_vmm:
	out %al, $PORT_MONITOR
	add $16, %rsp
	iretq

	.section .note.GNU-stack, "", @progbits
