/* SPDX-License-Identifier: MIT */
/* A guest that prints without end. */
#define CONSOLE 0xe9

	.section .text.start, "ax", @progbits
	.globl _start
_start:
	mov $'x', %al
next:
	out %al, $CONSOLE
	jmp next

	.section .note.GNU-stack, "", @progbits
