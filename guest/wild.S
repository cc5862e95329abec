/* SPDX-License-Identifier: MIT */
/* A guest that writes where there is no RAM: into the hole under 4 GiB. */
#define OUTSIDE 0xd0000010

	.section .text.start, "ax", @progbits
	.globl _start
_start:
	mov $OUTSIDE, %ebx
	movl $0x600dcafe, (%rbx)
	mov (%rbx), %eax
	hlt

	.section .note.GNU-stack, "", @progbits
