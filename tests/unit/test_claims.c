/* SPDX-License-Identifier: MIT */
/* What guests claim of their memory, judged without KVM. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <pagewalk_vmm/ports.h>

static uint64_t ram[0x8000 / 8];
static const struct pw_window window = {.size = sizeof ram, .host = ram};
static const struct pw_memory memory = {.windows = &window, .window_count = 1};

/* A page that everyone may use at 0, and the same at the top; the state of 64-bit mode. */
static struct pw_x86_state make_tables(void)
{
	ram[0x3000 / 8] = ram[0x3000 / 8 + 511] = 0x4007;
	ram[0x4000 / 8] = ram[0x4000 / 8 + 511] = 0x5007;
	ram[0x5000 / 8] = ram[0x5000 / 8 + 511] = 0x6007;
	ram[0x6000 / 8] = ram[0x6000 / 8 + 511] = 0x7007;
	return (struct pw_x86_state){.cr0 = PW_CR0_PE | PW_CR0_WP | PW_CR0_PG,
		.cr3 = 0x3000,
		.cr4 = PW_CR4_PAE,
		.efer = PW_EFER_LME | PW_EFER_LMA};
}

static struct pw_space space_of(const struct pw_x86_state *state)
{
	struct pw_space space;

	cr_assert(eq(int, (int)pw_space_init_x86(&space, state, &memory, NULL), PW_OK));
	return space;
}

static void check_prediction(const struct pw_space *space, uint64_t va, uint32_t access,
	uint32_t vector, uint32_t error_code)
{
	uint32_t found = 0, code = 0;

	vmm_predict_fault(space, va, access, &found, &code);
	cr_expect(eq(u32, found, vector), "%#llx", (unsigned long long)va);
	cr_expect(eq(u32, code, error_code), "%#llx", (unsigned long long)va);
}

Test(claims, faults_beside_paging_are_general_protection)
{
	struct pw_x86_state state = make_tables();
	struct pw_space space;

	state.cr4 |= PW_CR4_LASS;
	space = space_of(&state);
	check_prediction(&space, 0x10, GUEST_ACCESS_READ | GUEST_ACCESS_USER, GUEST_NO_FAULT, 0);
	check_prediction(&space, UINT64_MAX, GUEST_ACCESS_READ | GUEST_ACCESS_USER, 13, 0);
	check_prediction(&space, 0x800000000000, GUEST_ACCESS_READ, 13, 0);
	check_prediction(&space, 0x1010, GUEST_ACCESS_WRITE, 14, PW_PF_W);
}

Test(claims, an_implicit_access_is_none_of_the_users)
{
	struct pw_x86_state state = make_tables();
	struct pw_space space;

	state.cr4 |= PW_CR4_SMAP;
	state.rflags = PW_RFLAGS_AC;
	space = space_of(&state);
	check_prediction(&space, 0x10, GUEST_ACCESS_READ | GUEST_ACCESS_USER, GUEST_NO_FAULT, 0);
	check_prediction(&space, 0x10, GUEST_ACCESS_READ, GUEST_NO_FAULT, 0);
	check_prediction(&space, 0x10,
		GUEST_ACCESS_READ | GUEST_ACCESS_USER | GUEST_ACCESS_IMPLICIT, 14, PW_PF_P);
}

Test(claims, a_fault_has_its_address_and_a_string_an_end)
{
	struct guest_call call = {.number = GUEST_CALL_FAULT};
	struct pw_x86_state state = make_tables();
	struct pw_space space;

	space = space_of(&state);
	call.fault = (struct guest_fault){
		.va = 0x1010, .cr2 = 0x1010, .access = GUEST_ACCESS_READ, .vector = 14};
	cr_expect(vmm_claim_agrees(&space, &call));
	call.fault.cr2 = 0x1000;
	cr_expect(not(vmm_claim_agrees(&space, &call)));
	call = (struct guest_call){
		.number = GUEST_CALL_STRING, .string = {.va = UINT64_MAX - 0xfff, .bytes = 0x1000}};
	cr_expect(vmm_claim_agrees(&space, &call));
	call.string.bytes = 0x2000; /* goes on at 0 */
	cr_expect(not(vmm_claim_agrees(&space, &call)));
}
