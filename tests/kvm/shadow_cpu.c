/* SPDX-License-Identifier: MIT */
/* The guest's CPU: what a kernel in ring 3 cannot do by itself. */
#include "shadow_cpu.h"

#include <string.h>

#include <criterion/criterion.h>

#define PORT_MONITOR 0x7a
#define VECTOR_GP    13
#define VECTOR_PF    14

/* What the monitor's stub and the processor have pushed. */
struct frame {
	uint64_t vector, error_code, rip, cs, rflags, rsp, ss;
};

struct event {
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct frame *frame;
	bool loaded; /* sregs has changed */
};

static void read_guest(struct shadow_host *host, uint64_t va, void *to, size_t bytes)
{
	cr_assert(pw_read(&host->guest, va, to, bytes) == PW_OK, "%#llx", (unsigned long long)va);
}

/* The CPU's own access: it leaves its marks. */
static void push(struct shadow_host *host, uint64_t *rsp, uint64_t value)
{
	struct pw_result r;

	*rsp -= 8;
	cr_assert(pw_translate_update(&host->guest, *rsp, PW_ACCESS_WRITE, 4, &r) == PW_OK);
	cr_assert(host->memory.write_bytes(host, r.pa, &value, 8));
}

/* SDM vol. 3A "Exception- or Interrupt-Handler Procedures", without a change of stack. */
static void inject(struct shadow_host *host, struct frame *f, unsigned vector, uint32_t error_code)
{
	uint64_t gate[2], rsp = f->rsp & ~UINT64_C(15);

	read_guest(host, host->idt + 16 * vector, gate, sizeof gate);
	cr_assert(gate[0] >> 47 & 1, "no handler of vector %u at rip %#llx", vector,
		(unsigned long long)f->rip);
	push(host, &rsp, f->ss);
	push(host, &rsp, f->rsp);
	push(host, &rsp, f->rflags);
	push(host, &rsp, f->cs);
	push(host, &rsp, f->rip);
	push(host, &rsp, error_code);
	f->rsp = rsp;
	f->rip = (gate[0] & 0xffff) | (gate[0] >> 48) << 16 | gate[1] << 32;
	host->injected++;
}

static void miss(struct shadow_host *host, struct event *e)
{
	pw_access access = e->frame->error_code & PW_PF_I   ? PW_ACCESS_FETCH
			   : e->frame->error_code & PW_PF_W ? PW_ACCESS_WRITE
							    : PW_ACCESS_READ;
	struct pw_shadow_answer answer;
	enum pw_status status;

	host->misses++;
	status = pw_shadow_fault(&host->shadow, e->sregs.cr2, access, &host->flush, &answer);
	cr_assert(status == PW_OK, "%s", pw_status_name(status));
	if (answer.verdict == PW_SHADOW_RETRY)
		return;
	cr_assert(answer.verdict == PW_SHADOW_INJECT && !(answer.guest.flags & PW_RESULT_GP),
		"%s (%u) at %#llx, rip %#llx", pw_shadow_verdict_name(answer.verdict),
		answer.reason, (unsigned long long)e->sregs.cr2, (unsigned long long)e->frame->rip);
	host->cr2 = answer.guest.va;
	inject(host, e->frame, VECTOR_PF, answer.guest.error_code);
}

/* ---- Instructions of ring 0 ---- */

static uint64_t *reg(struct event *e, unsigned number)
{
	struct kvm_regs *r = &e->regs;
	uint64_t *const all[] = {(uint64_t *)&r->rax, (uint64_t *)&r->rcx, (uint64_t *)&r->rdx,
		(uint64_t *)&r->rbx, &e->frame->rsp, (uint64_t *)&r->rbp, (uint64_t *)&r->rsi,
		(uint64_t *)&r->rdi, (uint64_t *)&r->r8, (uint64_t *)&r->r9, (uint64_t *)&r->r10,
		(uint64_t *)&r->r11, (uint64_t *)&r->r12, (uint64_t *)&r->r13, (uint64_t *)&r->r14,
		(uint64_t *)&r->r15};

	return all[number];
}

static void load(struct shadow_host *host, struct event *e, uint64_t cr3)
{
	pw_pa root;

	host->loads++;
	host->state.cr3 = cr3;
	cr_assert(pw_space_init_x86(&host->guest, &host->state, &host->memory, NULL) == PW_OK);
	cr_assert(pw_shadow_load(&host->shadow, &host->guest, false, &host->flush, &root) == PW_OK);
	e->sregs.cr3 = root;
	e->loaded = true;
}

static void move_control(
	struct shadow_host *host, struct event *e, bool to, unsigned number, uint64_t *general)
{
	cr_assert(number == 3 || (number == 2 && !to), "CR%u", number);
	if (to)
		load(host, e, *general);
	else
		*general = number == 3 ? host->state.cr3 : host->cr2;
}

/* 0F 01: LIDT and INVLPG. */
static void group_7(struct shadow_host *host, unsigned op, uint64_t va)
{
	uint64_t base;

	if (op == 3) {
		read_guest(host, va + 2, &base, 8);
		host->idt = base;
		return;
	}
	cr_assert(op == 7, "0F 01 /%u", op);
	host->invalidations++;
	cr_assert(pw_shadow_invalidate(&host->shadow, va, &host->flush) == PW_OK);
}

/* The port and its value, as our handlers of guest calls have it, but over scattered memory. */
static void port_out(struct shadow_host *host, struct event *e, uint64_t port, unsigned bytes)
{
	struct guest_call call;
	uint32_t value = (uint32_t)e->regs.rax;

	if (port == GUEST_PORT_CONSOLE && bytes == 1) {
		cr_assert(host->machine.output_bytes + 1 < MACHINE_OUTPUT_BYTES);
		host->machine.output[host->machine.output_bytes++] = (char)value;
		return;
	}
	cr_assert(port == GUEST_PORT_CALL && bytes == 4, "port %#llx", (unsigned long long)port);
	cr_assert(host->memory.read_bytes(host, value, &call, sizeof call));
	if (call.number == GUEST_CALL_START) {
		call.answer = GUEST_ANSWER_AGREE;
		call.start.memory_bytes = SHADOW_GUEST_BYTES;
	}
	cr_assert(call.number != GUEST_CALL_FAILURE, "%.32s:%u: %#llx instead of %#llx",
		call.failure.file, call.failure.line, (unsigned long long)call.failure.got,
		(unsigned long long)call.failure.wanted);
	host->done = call.number == GUEST_CALL_DONE;
	host->code = call.done.code;
	cr_assert(host->memory.write_bytes(host, value, &call, sizeof call));
}

static void return_from_interrupt(struct shadow_host *host, struct event *e)
{
	uint64_t words[5];

	read_guest(host, e->frame->rsp, words, sizeof words);
	e->frame->rip = words[0];
	e->frame->rflags = words[2];
	e->frame->rsp = words[3];
}

/*
 * The address of [register] or [register + 8 bits]; returns its bytes in the code. A SIB byte is
 * needed for RSP and R12, and then without an index. SDM vol. 2A, "ModR/M and SIB Bytes".
 */
static unsigned memory_operand(struct event *e, const uint8_t *code, unsigned rex, uint64_t *va)
{
	unsigned mod = code[0] >> 6, base = code[0] & 7, bytes = 1;

	if (base == 4) {
		base = code[bytes++];
		cr_assert((base >> 3 & 7) == 4 && !(rex & 2), "an index in SIB %#x", base);
		base &= 7;
	}
	cr_assert(mod == 1 || (mod == 0 && base != 5), "ModR/M %#x", code[0]);
	*va = *reg(e, base | (rex & 1) << 3);
	if (mod == 1)
		*va += (uint64_t)(int8_t)code[bytes++];
	return bytes;
}

static void instruction(struct shadow_host *host, struct event *e)
{
	uint8_t code[8];
	unsigned at = 0, rex = 0, modrm;
	uint64_t va;

	read_guest(host, e->frame->rip, code, sizeof code);
	if ((code[0] & 0xf0) == 0x40)
		rex = code[at++];
	modrm = code[at + 2];
	host->emulated++;
	if (code[at] == 0xee || code[at] == 0xef) {
		port_out(host, e, e->regs.rdx & 0xffff, code[at] == 0xee ? 1 : 4);
		at += 1;
	} else if (code[at] == 0xe6 || code[at] == 0xe7) {
		port_out(host, e, code[at + 1], code[at] == 0xe6 ? 1 : 4);
		at += 2;
	} else if (code[at] == 0xcf && rex) {
		return_from_interrupt(host, e);
		return;
	} else if (code[at] == 0x0f && (code[at + 1] == 0x20 || code[at + 1] == 0x22)) {
		move_control(host, e, code[at + 1] == 0x22, code[at + 2] >> 3 & 7,
			reg(e, (code[at + 2] & 7) | (rex & 1) << 3));
		at += 3;
	} else if (code[at] == 0x0f && code[at + 1] == 0x01) {
		at += 2;
		at += memory_operand(e, code + at, rex, &va);
		group_7(host, modrm >> 3 & 7, va);
	} else {
		cr_assert(false, "%02x %02x %02x %02x at %#llx", code[0], code[1], code[2], code[3],
			(unsigned long long)e->frame->rip);
	}
	e->frame->rip += at;
}

/* ---- Exits ---- */

static void exception(struct shadow_host *host)
{
	struct vmm_vcpu *vcpu = &host->machine.vcpu;
	struct event e = {.loaded = false};

	cr_assert(vmm_vcpu_get_regs(vcpu, &e.regs) == VMM_OK);
	cr_assert(vmm_vcpu_get_sregs(vcpu, &e.sregs) == VMM_OK);
	e.frame = vmm_vm_host(&host->machine.vm, e.regs.rsp - SHADOW_OWN, sizeof *e.frame);
	cr_assert(e.frame != NULL && (e.frame->cs & 3) == 3, "the monitor itself has failed");
	if (e.frame->vector == VECTOR_PF)
		miss(host, &e);
	else if (e.frame->vector == VECTOR_GP)
		instruction(host, &e);
	else
		cr_assert(false, "vector %llu at %#llx", (unsigned long long)e.frame->vector,
			(unsigned long long)e.frame->rip);
	if (e.loaded)
		cr_assert(vmm_vcpu_set_sregs(vcpu, &e.sregs) == VMM_OK);
	cr_assert(vmm_vcpu_set_regs(vcpu, &e.regs) == VMM_OK);
}

void shadow_host_run(struct shadow_host *host)
{
	struct machine *machine = &host->machine;

	while (!host->done) {
		const struct vmm_exit *exit = &machine->exit;

		cr_assert(vmm_vcpu_run(&machine->vcpu, &machine->exit) == VMM_OK);
		if (exit->kind == VMM_EXIT_MMIO && shadow_host_stored(host, &exit->mmio))
			host->table_writes++;
		else if (exit->kind == VMM_EXIT_PORT && exit->port.port == PORT_MONITOR)
			exception(host);
		else
			cr_assert(exit->kind == VMM_EXIT_INTERRUPTED, "%s",
				machine_exit_text(machine));
		shadow_host_flush(host);
	}
}
