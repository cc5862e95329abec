/* SPDX-License-Identifier: MIT */
/*
 * The rules of second stages, and their control state.
 * SDM vol. 3C, "The Extended Page Table Mechanism (EPT)"; AMD APM vol. 2, "Nested Paging".
 */
#include "entry.h"
#include "space.h"
#include <pagewalk/stage2.h>

#define PS PW_BIT(7)
#define XD PW_BIT(63)

/* entry[5:0] with R = W = 0 and X as given, whatever the memory type. */
#define ONLY_X UINT64_C(0x1010101010101010)
#define NO_RWX UINT64_C(0x0101010101010101)

const struct pw_format *pw_stage2_row(const struct pw_format *format, const struct pw_rules *rules)
{
	if (!rules->ept_mode_based_execute)
		return format;
	if (format == &pw_format_ept_4)
		return &pw_format_ept_4_mbec;
	return format == &pw_format_ept_5 ? &pw_format_ept_5_mbec : format;
}

static bool is_mbec(const struct pw_format *format)
{
	return format == &pw_format_ept_4_mbec || format == &pw_format_ept_5_mbec;
}

static void apply_ept(struct pw_space *space, const struct pw_rules *rules)
{
	/* What has no R, W or X and is present all the same grants user-mode fetches alone. */
	if (rules->ept_no_execute_only)
		space->illegal_low6 = is_mbec(space->format) ? ONLY_X | NO_RWX : ONLY_X;
	if (rules->ept_no_2m_pages)
		space->reserved_page[1] |= PS;
	if (!rules->ept_no_accessed_dirty)
		space->stage2 |= PW_STAGE2_TABLES_WRITTEN;
	if (rules->ept_shadow_stack)
		space->stage2 |= PW_STAGE2_SHADOW_STACK;
	if (rules->ept_advanced)
		space->stage2 |= PW_STAGE2_ADVANCED;
}

/*
 * A grant under GMET: the supervisor fetches from pages without U, and from no other. Data accesses
 * are a user's as ever. Attributes of NPT rows: W, U, XD.
 */
static pw_grant gmet(unsigned attributes)
{
	bool w = attributes & 1, u = attributes & 2, x = !(attributes & 4);
	unsigned data = u ? PW_R | (w ? PW_W : 0) : 0;
	unsigned user = data | (u && x ? PW_X : 0), supervisor = data | (!u && x ? PW_X : 0);

	return (pw_grant)(PW_GRANT_USER(user) | PW_GRANT_SUPERVISOR(supervisor) |
			  (user ? user : supervisor) << 12);
}

static void apply_npt(struct pw_space *space, const struct pw_rules *rules)
{
	space->stage2 |= PW_STAGE2_TABLES_WRITTEN;
	if (!rules->npt_no_execute_disable || rules->npt_smep)
		space->stage2 |= PW_STAGE2_FETCH_BIT;
	for (unsigned i = 0; i < space->format->levels && rules->npt_no_execute_disable; i++) {
		space->reserved_table[i] |= XD;
		space->reserved_page[i] |= XD;
	}
	if (!rules->npt_gmet)
		return;
	space->stage2 |= PW_STAGE2_GMET;
	for (unsigned i = 0; i < 8; i++)
		space->grant[i] = gmet(i);
}

void pw_stage2_apply(struct pw_space *space, const struct pw_rules *rules)
{
	unsigned family = space->format->family;

	if (family == PW_FAMILY_EPT)
		apply_ept(space, rules);
	else if (family == PW_FAMILY_NPT)
		apply_npt(space, rules);
	else
		return;
	if (rules->no_1g_pages)
		space->reserved_page[2] |= PS;
}

/* ---- EPTP ---- */

static bool is_width(unsigned maxphyaddr)
{
	return !maxphyaddr || (maxphyaddr >= 32 && maxphyaddr <= 52);
}

static pw_pa addresses(unsigned maxphyaddr)
{
	return PW_LOW(maxphyaddr ? maxphyaddr : 52);
}

enum pw_status pw_eptp_make(const struct pw_format *format, pw_pa root, uint64_t capabilities,
	unsigned maxphyaddr, uint64_t options, uint64_t *eptp)
{
	const char *why;
	uint64_t made;

	if (!format || !eptp || format->family != PW_FAMILY_EPT || !is_width(maxphyaddr) ||
		options & ~(PW_EPTP_ACCESSED_DIRTY | PW_EPTP_SHADOW_STACK))
		return PW_E_ARGUMENT;
	if (root & PW_LOW(12))
		return PW_E_ALIGNMENT;
	if (root & ~addresses(maxphyaddr))
		return PW_E_RANGE;
	made = root | options | (uint64_t)(format->levels - 1) << 3;
	made |= capabilities & PW_EPT_CAP_WB ? 6 : 0;
	if (pw_eptp_check(made, capabilities, maxphyaddr, &why) != PW_OK)
		return PW_E_UNSUPPORTED;
	*eptp = made;
	return PW_OK;
}

static const char *broken_rule(uint64_t eptp, uint64_t cap, unsigned maxphyaddr)
{
	uint64_t type = eptp & PW_EPTP_TYPE, length = (eptp & PW_EPTP_LENGTH) >> 3;

	if (type != 0 && type != 6)
		return "bits 2:0 (memory type) are neither 0 (UC) nor 6 (WB)";
	if (!(cap & (type == 6 ? PW_EPT_CAP_WB : PW_EPT_CAP_UC)))
		return "the CPU cannot access EPT tables with this memory type";
	if (length != 3 && length != 4)
		return "bits 5:3 (page-walk length less one) are neither 3 nor 4";
	if (!(cap & (length == 3 ? PW_EPT_CAP_4_LEVELS : PW_EPT_CAP_5_LEVELS)))
		return "the CPU has no EPT walk of this length";
	if (eptp & PW_EPTP_ACCESSED_DIRTY && !(cap & PW_EPT_CAP_ACCESSED_DIRTY))
		return "bit 6 is set, and the CPU has no Accessed and Dirty flags for EPT";
	if (eptp & PW_EPTP_SHADOW_STACK && !(cap & PW_EPT_CAP_SHADOW_STACK))
		return "bit 7 is set, and the CPU has no supervisor shadow-stack control";
	if (eptp & PW_BITS(8, 11))
		return "bits 11:8 are reserved";
	if (eptp & ~addresses(maxphyaddr))
		return "the root lies beyond MAXPHYADDR";
	return NULL;
}

enum pw_status pw_eptp_check(
	uint64_t eptp, uint64_t capabilities, unsigned maxphyaddr, const char **why)
{
	const char *broken;

	if (!is_width(maxphyaddr))
		return PW_E_ARGUMENT;
	broken = broken_rule(eptp, capabilities, maxphyaddr);
	if (why)
		*why = broken;
	return broken ? PW_E_STATE : PW_OK;
}

enum pw_status pw_space_init_ept(struct pw_space *space, const struct pw_ept_state *state,
	const struct pw_memory *memory, const char **why)
{
	enum pw_status status;

	if (why)
		*why = NULL;
	if (!state)
		return PW_E_ARGUMENT;
	status = pw_eptp_check(state->eptp, state->capabilities, state->maxphyaddr, why);
	if (status != PW_OK)
		return status;

	bool five = (state->eptp & PW_EPTP_LENGTH) >> 3 == 4;
	const struct pw_rules rules = {
		.pa_bits = state->maxphyaddr,
		.ept_no_execute_only = !(state->capabilities & PW_EPT_CAP_EXECUTE_ONLY),
		.ept_mode_based_execute = state->mode_based_execute,
		.ept_no_accessed_dirty = !(state->eptp & PW_EPTP_ACCESSED_DIRTY),
		.ept_shadow_stack = (state->eptp & PW_EPTP_SHADOW_STACK) != 0,
		.ept_advanced = (state->capabilities & PW_EPT_CAP_ADVANCED) != 0,
		.ept_no_2m_pages = !(state->capabilities & PW_EPT_CAP_2M),
		.no_1g_pages = !(state->capabilities & PW_EPT_CAP_1G),
	};

	return pw_space_init_rules(space, five ? &pw_format_ept_5 : &pw_format_ept_4,
		state->eptp & PW_BITS(12, 51), memory, &rules);
}

/* ---- NPT ---- */

static const char *broken_npt_rule(const struct pw_npt_state *s)
{
	if (!(s->host_cr4 & PW_CR4_PAE))
		return "the host's EFER.LMA=1 needs CR4.PAE=1";
	if (s->ncr3 & ~s->encryption_mask & ~addresses(s->maxphyaddr))
		return "the nested CR3 has bits set at or above MAXPHYADDR";
	return NULL;
}

enum pw_status pw_space_init_npt(struct pw_space *space, const struct pw_npt_state *state,
	const struct pw_memory *memory, const char **why)
{
	const char *broken;

	if (why)
		*why = NULL;
	if (!state || !is_width(state->maxphyaddr))
		return PW_E_ARGUMENT;
	if (!(state->host_efer & PW_EFER_LMA))
		return PW_E_UNSUPPORTED;
	broken = broken_npt_rule(state);
	if (why)
		*why = broken;
	if (broken)
		return PW_E_STATE;

	const struct pw_rules rules = {
		.pa_bits = state->maxphyaddr,
		.no_1g_pages = state->no_1g_pages,
		.npt_no_execute_disable = !(state->host_efer & PW_EFER_NXE),
		.npt_smep = (state->host_cr4 & PW_CR4_SMEP) != 0,
		.npt_gmet = state->gmet,
	};
	enum pw_status status = pw_space_init_rules(space,
		state->host_cr4 & PW_CR4_LA57 ? &pw_format_npt_5 : &pw_format_npt_4,
		state->ncr3 & PW_BITS(12, 51) & ~state->encryption_mask, memory, &rules);

	if (status != PW_OK)
		return status;
	for (unsigned i = 0; i < space->format->levels; i++) {
		space->reserved_table[i] &= ~state->encryption_mask;
		space->reserved_page[i] &= ~state->encryption_mask;
	}
	space->address_clear = state->encryption_mask;
	if (space->address_clear)
		space->engine = PW_ENGINE_ANY; /* the quick walk takes addresses as they stand */
	return PW_OK;
}
