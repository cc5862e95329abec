/* SPDX-License-Identifier: MIT */
/*
 * The start of a hypervisor among the guests: a multiboot program that goes to long mode, the first
 * gigabyte mapped to itself, and calls main(magic, information). Exceptions there are fatal and
 * told. And what its nested guests execute, in a section of whole pages.
 */
#define MULTIBOOT_MAGIC 0x1badb002
#define MULTIBOOT_FLAGS 3
#define CODE 0x08
#define DATA 0x10
#define CODE32 0x18
#define STACK_BYTES 0x8000
#define PAGE_2M_RWX 0x83
#define TABLE_RWX 3
#define MSR_EFER 0xc0000080
#define EFER_LME 0x100
#define CR0_PG_WP_PE 0x80010001
#define CR0_PG 0x80000000
#define CR4_PAE 0x20
#define CR4_LA57 0x1000

	.section .text.start, "ax", @progbits
	.balign 4
	.long MULTIBOOT_MAGIC, MULTIBOOT_FLAGS, -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)

	.code32
	.globl _start
	.type _start, @function
_start:
	mov $stack_top, %esp
	mov %eax, %ebp
	mov $host_pd, %edi
	mov $PAGE_2M_RWX, %eax
	mov $512, %ecx
1:	mov %eax, (%edi)
	add $0x200000, %eax
	add $8, %edi
	loop 1b
	movl $host_pd + TABLE_RWX, host_pdpt
	movl $host_pdpt + TABLE_RWX, host_pml4
	movl $host_pml4 + TABLE_RWX, host_pml5
	/*
	 * PAE before LME (SDM "Initializing IA-32e Mode"): QEMU 7.2 does not give a hypervisor its
	 * CR0 back at an exit of a guest with LME and without PAE.
	 */
	mov %cr4, %eax
	or $CR4_PAE, %eax
	mov %eax, %cr4
	mov $MSR_EFER, %ecx
	rdmsr
	or $EFER_LME, %eax
	wrmsr
	mov $host_pml4, %esi
	xor %edi, %edi
	call enable_paging
	lgdt gdt_pointer
	ljmp $CODE, $start64

/* With the root in ESI, and CR4.LA57 as it stands in EDI. */
enable_paging:
	mov %cr4, %eax
	and $~CR4_LA57, %eax
	or $CR4_PAE, %eax
	or %edi, %eax
	mov %eax, %cr4
	mov %esi, %cr3
	mov %cr0, %eax
	or $CR0_PG_WP_PE, %eax
	mov %eax, %cr0
	ret

	.code64
start64:
	mov $DATA, %ecx
	mov %ecx, %ds
	mov %ecx, %es
	mov %ecx, %fs
	mov %ecx, %gs
	mov %ecx, %ss
	lea stack_top(%rip), %rsp
	mov %ebp, %edi
	mov %ebx, %esi
	xor %ebp, %ebp
	call main
	mov %eax, %edi
	call nested_end
	.size _start, . - _start

	.text
/* void nested_set_levels(bool five): paging has to go off for that, so by way of 32-bit code. */
	.globl nested_set_levels
	.type nested_set_levels, @function
nested_set_levels:
	push %rbx
	push %rbp
	mov $host_pml4, %esi
	test %edi, %edi
	jz 1f
	mov $host_pml5, %esi
	mov $CR4_LA57, %edi
1:	sub $8, %rsp
	movl $CODE32, 4(%rsp)
	movl $2f, (%rsp)
	lretl				/* two words of 4 bytes */
	.code32
2:	mov %cr0, %eax
	and $~CR0_PG, %eax
	mov %eax, %cr0
	call enable_paging
	ljmp $CODE, $3f
	.code64
3:	pop %rbp
	pop %rbx
	ret
	.size nested_set_levels, . - nested_set_levels

/* Exceptions of the hypervisor itself: the vector, an error code or 0, what the processor pushed. */
	.macro vector number
	.balign 16
	.if \number == 8 || (\number >= 10 && \number <= 14) || \number == 17 || \number == 21
	.else
	push $0
	.endif
	push $\number
	jmp exception
	.endm

	.balign 16
	.globl nested_vectors
nested_vectors:
	.altmacro
	.set n, 0
	.rept 32
	vector %n
	.set n, n + 1
	.endr
	.noaltmacro

exception:
	mov %rsp, %rdi
	and $-16, %rsp
	call nested_exception

/*
 * What nested guests execute: an access to (RDI), then CPUID, which leaves the guest in every ring.
 * What they fetch must be a CPUID.
 */
	.section .user.text, "ax", @progbits
	.globl nested_read, nested_write, nested_change, nested_exchange, nested_fetch
	.globl nested_load_cr3
nested_read:
	mov (%rdi), %rax
	cpuid
nested_write:
	mov %rax, (%rdi)
	cpuid
nested_change:
	add %rax, (%rdi)
	cpuid
nested_exchange:
	xchg %rax, (%rdi)
	cpuid
nested_fetch:
	jmp *%rdi
	.code32
nested_load_cr3:
	mov %eax, %cr3
	cpuid
	.code64

	.data
	.globl nested_gdt, nested_gdt_end
	.balign 8
nested_gdt:
	.quad 0
	.quad 0x00af9b000000ffff	/* 64-bit code */
	.quad 0x00cf93000000ffff	/* data */
	.quad 0x00cf9b000000ffff	/* 32-bit code */
	.quad 0, 0			/* TSS, set by nested_init() */
nested_gdt_end:
gdt_pointer:
	.word nested_gdt_end - nested_gdt - 1
	.quad nested_gdt

	.bss
	.balign 4096
host_pml5:
	.skip 4096
host_pml4:
	.skip 4096
host_pdpt:
	.skip 4096
host_pd:
	.skip 4096
	.skip STACK_BYTES
stack_top:

	.section .note.GNU-stack, "", @progbits
