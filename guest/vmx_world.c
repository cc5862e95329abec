/* SPDX-License-Identifier: MIT */
/* Extended page tables as the processor has them. */
#include "nested_world.h"
#include "vmx.h"

pw_rights nested_second_rights(const struct nested_case *c)
{
	/* With mode-based execute control PW_U lets fetches from a user's addresses through. */
	return PW_R | PW_W | PW_X | (c->control & VMX_CONTROL_MODE_BASED ? PW_U : 0);
}

const struct pw_format *nested_second_format(const struct nested_case *c)
{
	if (c->control & VMX_CONTROL_FIVE)
		return c->control & VMX_CONTROL_MODE_BASED ? &pw_format_ept_5_mbec
							   : &pw_format_ept_5;
	return c->control & VMX_CONTROL_MODE_BASED ? &pw_format_ept_4_mbec : &pw_format_ept_4;
}

enum pw_status nested_second_space(struct nested_world *world, pw_pa root)
{
	const struct nested_case *c = world->c;
	struct pw_ept_state state = {
		.capabilities = vmx_capabilities.ept,
		.mode_based_execute = c->control & VMX_CONTROL_MODE_BASED,
		.maxphyaddr = nested_address_width(),
	};
	enum pw_status status =
		pw_eptp_make(nested_second_format(c), root, vmx_capabilities.ept, state.maxphyaddr,
			c->control & VMX_CONTROL_AD ? PW_EPTP_ACCESSED_DIRTY : 0, &state.eptp);

	if (status != PW_OK)
		return status;
	vmx_nested =
		(struct vmx_nested){.eptp = state.eptp, .mode_based = state.mode_based_execute};
	return pw_space_init_ept(&world->second, &state, &world->memory, NULL);
}
