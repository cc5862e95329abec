/* SPDX-License-Identifier: MIT */
/* A guest that never exits. */
	.section .text.start, "ax", @progbits
	.globl _start
_start:
	pause
	jmp _start

	.section .note.GNU-stack, "", @progbits
