/* SPDX-License-Identifier: MIT */
/*
 * The accesses that probe.c makes, and the way back from their exceptions. A handler does not
 * return to the access: it goes back to the stack of the probe's caller, from ring 0 and from
 * ring 3 alike. The flags, with AC among them, are those of the caller throughout.
 */
#define NO_FAULT 256
#define USER_DATA 0x23
#define USER_CODE 0x2b
#define LDT_RING0 4			/* the first descriptor of the LDT */
#define LDT_RING3 7

#ifdef __x86_64__
#define AX  %rax
#define DI  %rdi
#define SP  %rsp
#define AT(name) name(%rip)
#define WORD 8
#define IRET iretq
#else
#define AX  %eax
#define DI  %edi
#define SP  %esp
#define AT(name) name
#define WORD 4
#define IRET iret
#endif

	.text
	.globl probe_read, probe_write, probe_fetch, probe_descriptor

/* void probe_...(void): in ring 0. DI is the caller's on i386. */
.macro begin
	push DI
	pushf
	mov SP, AT(probe_stack)
	mov AT(probe_va), DI
	mov AT(probe_value), %eax
.endm

probe_read:
	begin
	mov (DI), %eax
	jmp done

probe_write:
	begin
	mov %eax, (DI)
	jmp done

probe_fetch:
	begin
	call *DI
	jmp done

probe_descriptor:
	begin
	mov $LDT_RING0, %ecx
	lsl %ecx, %eax
done:
	mov %eax, AT(probe_value)
	movl $NO_FAULT, AT(probe_vector)
back:
	mov AT(probe_stack), SP
	popf
	pop DI
	ret

/* void probe_enter_ring3(void) */
	.globl probe_enter_ring3
probe_enter_ring3:
	begin
	mov (SP), AX
	push $USER_DATA
	push $0				/* ring 3 needs no stack here */
	push AX
	push $USER_CODE
#ifdef __x86_64__
	push AT(probe_code)
#else
	pushl probe_code
#endif
	mov AT(probe_value), %eax
	mov $LDT_RING3, %ecx
	IRET

	.globl probe_handle_13, probe_handle_14
probe_handle_13:
	mov %eax, AT(probe_value)
	movl $13, AT(probe_vector)
	/* The HLT that ends the code in ring 3 means: nothing happened. */
	mov WORD(SP), AX
	cmp AX, AT(probe_end)
	jne leave
	movl $NO_FAULT, AT(probe_vector)
	jmp leave

probe_handle_14:
	movl $14, AT(probe_vector)
leave:
	pop AX
	mov %eax, AT(probe_error_code)
	mov %cr2, AX
	mov AX, AT(probe_cr2)
	jmp back

	.section .user.text, "ax", @progbits
	.globl probe_user_read, probe_user_read_end, probe_user_write, probe_user_write_end
	.globl probe_user_descriptor, probe_user_descriptor_end
probe_user_read:
	mov (DI), %eax
probe_user_read_end:
	hlt
probe_user_write:
	mov %eax, (DI)
probe_user_write_end:
	hlt
probe_user_descriptor:
	lsl %ecx, %eax
probe_user_descriptor_end:
	hlt

	.section .note.GNU-stack, "", @progbits
