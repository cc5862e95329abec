/* SPDX-License-Identifier: MIT */
/*
 * The accesses that probe.c makes, and the way back from their exceptions. A handler does not
 * return to the access: it goes back to the stack of the probe's caller, from ring 0 and from
 * ring 3 alike.
 */
#define NO_FAULT 256
#define USER_DATA 0x23
#define USER_CODE 0x2b

	.text
	.globl probe_read, probe_write, probe_fetch

/* void probe_...(uint64_t va): in ring 0 */
probe_read:
	mov %rsp, probe_stack(%rip)
	mov (%rdi), %al
	movl $NO_FAULT, probe_vector(%rip)
	ret

probe_write:
	mov %rsp, probe_stack(%rip)
	movb $0x5a, (%rdi)
	movl $NO_FAULT, probe_vector(%rip)
	ret

probe_fetch:
	mov %rsp, probe_stack(%rip)
	call *%rdi
	movl $NO_FAULT, probe_vector(%rip)
	ret

/* void probe_in_ring3(uint64_t va, uint64_t code, uint64_t end) */
	.globl probe_in_ring3
probe_in_ring3:
	mov %rsp, probe_stack(%rip)
	mov %rdx, probe_end(%rip)
	pushq $USER_DATA
	pushq $0			/* ring 3 needs no stack here */
	pushq $2
	pushq $USER_CODE
	push %rsi
	iretq

	.globl probe_handle_13, probe_handle_14
probe_handle_13:
	movl $13, probe_vector(%rip)
	/* The HLT that ends the code in ring 3 means: nothing happened. */
	mov 8(%rsp), %rax
	cmp %rax, probe_end(%rip)
	jne leave
	movl $NO_FAULT, probe_vector(%rip)
	jmp leave

probe_handle_14:
	movl $14, probe_vector(%rip)
leave:
	pop %rax
	mov %eax, probe_error_code(%rip)
	mov %cr2, %rax
	mov %rax, probe_cr2(%rip)
	mov probe_stack(%rip), %rsp
	ret

	.section .user.text, "ax", @progbits
	.globl probe_user_read, probe_user_read_end, probe_user_write, probe_user_write_end
probe_user_read:
	mov (%rdi), %al
probe_user_read_end:
	hlt
probe_user_write:
	movb $0x5a, (%rdi)
probe_user_write_end:
	hlt

	.section .note.GNU-stack, "", @progbits
