/* SPDX-License-Identifier: MIT */
/* The guest that the command brings along. */
	.section .rodata
	.balign 16
	.globl vmm_bundled_guest, vmm_bundled_guest_end
	.type vmm_bundled_guest, @object
vmm_bundled_guest:
	.incbin "paging.elf"
vmm_bundled_guest_end:
	.size vmm_bundled_guest, . - vmm_bundled_guest

	.section .note.GNU-stack, "", @progbits
