/* SPDX-License-Identifier: MIT */
/* Nested page tables: the format is the hypervisor's own. APM vol. 2, "Nested Paging". */
#include "nested_world.h"
#include "svm.h"

/* The nested tables obey the hypervisor's registers at VMRUN. */
static void set_registers(uint32_t control)
{
	uint64_t efer = x86_read_msr(MSR_EFER) & ~EFER_NXE;
	uint64_t cr4 = x86_read_cr4() & ~(CR4_SMEP | CR4_PKE);

	x86_write_msr(MSR_EFER, efer | (control & SVM_CONTROL_NO_NXE ? 0 : EFER_NXE));
	x86_write_cr4(cr4 | (control & SVM_CONTROL_SMEP ? CR4_SMEP : 0) |
		      (control & SVM_CONTROL_KEYS ? CR4_PKE : 0));
	x86_write_cr0((x86_read_cr0() & ~CR0_WP) | (control & SVM_CONTROL_NO_WP ? 0 : CR0_WP));
	if (control & SVM_CONTROL_KEYS)
		x86_write_pkru(~0u);
}

pw_rights nested_second_rights(const struct nested_case *c)
{
	(void)c;
	return PW_R | PW_W | PW_X;
}

const struct pw_format *nested_second_format(const struct nested_case *c)
{
	(void)c;
	return x86_read_cr4() & CR4_LA57 ? &pw_format_npt_5 : &pw_format_npt_4;
}

enum pw_status nested_second_space(struct nested_world *world, pw_pa root)
{
	struct pw_npt_state state = {
		.ncr3 = root,
		.maxphyaddr = nested_address_width(),
		.no_1g_pages = !(x86_extended_edx() & CPUID_EDX_1G),
	};

	set_registers(world->c->control);
	state.host_cr4 = x86_read_cr4();
	state.host_efer = x86_read_msr(MSR_EFER);
	state.gmet = world->c->control & SVM_CONTROL_GMET;
	svm_nested = (struct svm_nested){.cr3 = root, .gmet = state.gmet};
	return pw_space_init_npt(&world->second, &state, &world->memory, NULL);
}
