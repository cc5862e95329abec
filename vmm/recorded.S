/* SPDX-License-Identifier: MIT */
/* What the bundled guest did on a machine with KVM; see record.sh. */
	.section .rodata
	.balign 16
	.globl recorded_guest, recorded_guest_end
	.type recorded_guest, @object
recorded_guest:
	.incbin "paging.rec"
recorded_guest_end:
	.size recorded_guest, . - recorded_guest

	.section .note.GNU-stack, "", @progbits
