/* SPDX-License-Identifier: MIT */
/* A guest that triple faults: no descriptor table can take its exception. */
	.section .text.start, "ax", @progbits
	.globl _start
_start:
	lidt no_table(%rip)
	ud2
no_table:
	.word 0
	.quad 0

	.section .note.GNU-stack, "", @progbits
