/* SPDX-License-Identifier: MIT */
/* Extended page tables as the processor has them. */
#include "nested_world.h"
#include "vmx.h"

#define EPTP_WB     6u
#define EPTP_WALK_4 (3u << 3)
#define EPTP_AD     (1u << 6)

pw_rights nested_second_rights(const struct nested_case *c)
{
	(void)c;
	return PW_R | PW_W | PW_X;
}

const struct pw_format *nested_second_format(const struct nested_case *c)
{
	(void)c;
	return &pw_format_ept_4;
}

enum pw_status nested_second_space(struct nested_world *world, pw_pa root)
{
	const struct nested_case *c = world->c;
	const struct pw_rules rules = {
		.pa_bits = (uint8_t)x86_cpuid(0x80000008u).eax,
		.ept_no_execute_only = !(vmx_capabilities.ept & VMX_EPT_EXECUTE_ONLY),
	};

	vmx_nested = (struct vmx_nested){
		.eptp = root | EPTP_WALK_4 | EPTP_WB | (c->control & VMX_CONTROL_AD ? EPTP_AD : 0),
		.mode_based = c->control & VMX_CONTROL_MODE_BASED,
	};
	return pw_space_init_rules(
		&world->second, nested_second_format(c), root, &world->memory, &rules);
}
