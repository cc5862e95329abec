/* SPDX-License-Identifier: MIT */
/*
 * The start of a guest for a PC: the Multiboot header, a descriptor table and a stack of its own,
 * then main(magic, information), whose result is the guest's code. And where other processors
 * start, in real mode, on their way to pc_processor_main().
 */
#define MULTIBOOT_MAGIC 0x1badb002
#define MULTIBOOT_FLAGS 3		/* modules on pages, and say where there is RAM */
#define CODE 0x08
#define DATA 0x10
#define STACK_BYTES 4096
#define PROCESSORS 64			/* as many stacks, by APIC ID */
#define EXIT 0xf4

	.section .text.start, "ax", @progbits
	.balign 4
	.long MULTIBOOT_MAGIC, MULTIBOOT_FLAGS, -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)

	.globl _start
	.type _start, @function
_start:
	lgdt gdt_pointer
	ljmp $CODE, $1f
1:	mov $DATA, %cx
	mov %cx, %ds
	mov %cx, %es
	mov %cx, %fs
	mov %cx, %gs
	mov %cx, %ss
	mov $stacks + STACK_BYTES, %esp
	xor %ebp, %ebp
	sub $8, %esp			/* i386 ABI: 16-byte alignment at the call */
	push %ebx
	push %eax
	call main
	out %eax, $EXIT
2:	hlt
	jmp 2b
	.size _start, . - _start

	.text
	.globl pc_trampoline, pc_trampoline_end
	.code16
/* Copied to a page under 1 MiB, whose number is the start-up message's vector. */
pc_trampoline:
	cli
	mov %cs, %ax
	mov %ax, %ds
	lgdtl trampoline_gdt - pc_trampoline
	mov %cr0, %eax
	or $1, %al
	mov %eax, %cr0
	ljmpl $CODE, $processor_start
	.balign 4
trampoline_gdt:
	.word gdt_end - gdt - 1
	.long gdt
pc_trampoline_end:

	.weak pc_processor_main		/* most guests start no other processor */
	.code32
processor_start:
	mov $DATA, %ax
	mov %ax, %ds
	mov %ax, %es
	mov %ax, %fs
	mov %ax, %gs
	mov %ax, %ss
	mov $1, %eax			/* EBX[31:24]: the initial APIC ID */
	cpuid
	shr $24, %ebx
	mov %ebx, %eax
	inc %ebx
	shl $12, %ebx
	lea stacks(%ebx), %esp
	xor %ebp, %ebp
	sub $12, %esp
	push %eax
	call pc_processor_main
3:	cli
	hlt
	jmp 3b

/*
 * Interrupts, one entry for each of pc_handlers. The end is IRET within one ring, by instructions
 * that also the hosts can run whose KVM emulates ring 0 and knows no IRET.
 */
	.macro entry number
pc_entry_\number:
	pusha
	cld
	call *pc_handlers + 4 * \number
	popa
	pushl 8(%esp)
	popf
	lret $4				/* and the flags behind */
	.endm

	entry 0
	entry 1

	.section .rodata
	.balign 4
	.globl pc_entries
pc_entries:
	.long pc_entry_0, pc_entry_1

	.balign 8
gdt:
	.quad 0
	.quad 0x00cf9b000000ffff	/* 32-bit code */
	.quad 0x00cf93000000ffff	/* data */
gdt_end:
gdt_pointer:
	.word gdt_end - gdt - 1
	.long gdt

	.bss
	.balign 4096
stacks:
	.skip PROCESSORS * STACK_BYTES

	.section .note.GNU-stack, "", @progbits
