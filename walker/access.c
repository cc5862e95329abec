/* SPDX-License-Identifier: MIT */
/*
 * The judgement of an access, in each architecture's order.
 * x86: SDM vol. 3A "Determination of Access Rights", "Protection Keys", "Page-Fault Exceptions".
 */
#include "access.h"

static bool by_user(pw_access access)
{
	return (access & PW_ACCESS_USER) && !(access & PW_ACCESS_IMPLICIT);
}

/* In x86 rows attribute 1 is U/S; elsewhere a page that user mode can reach at all. */
static bool is_user_page(const struct pw_space *space, uint64_t and_fold, const struct pw_result *r)
{
	if (space->format->family == PW_FAMILY_X86 && space->format->levels)
		return (r->entry & and_fold & X86_U) != 0;
	return r->user != 0;
}

/* EPT and Arm's stage 2 have no pages of one mode: XU and XS are rights like others. */
static bool has_pages_of_modes(const struct pw_format *format)
{
	return format->family == PW_FAMILY_ARM ? format->has_user : format->family != PW_FAMILY_EPT;
}

/* Why the folded rights refuse the access. */
static enum pw_rule refusing_rule(
	const struct pw_space *space, bool user_page, pw_access access, const struct pw_result *r)
{
	bool modes = has_pages_of_modes(space->format);
	unsigned but_for_smap = r->user;

	/* With CR0.WP=0 R/W does not bind the supervisor: only SMAP can have refused its write. */
	if (space->format->family == PW_FAMILY_X86 && !(space->flags & PW_SPACE_WP))
		but_for_smap |= PW_W;
	if (modes && by_user(access) && !user_page)
		return PW_RULE_SUPERVISOR_PAGE;
	if (access & PW_ACCESS_FETCH)
		return modes && !by_user(access) && user_page && (r->user & PW_X)
			       ? PW_RULE_SMEP
			       : PW_RULE_NO_EXECUTE;
	if (!by_user(access) && user_page && space->format->has_user && (but_for_smap & access))
		return PW_RULE_SMAP;
	return access & PW_ACCESS_WRITE ? PW_RULE_NOT_WRITABLE : PW_RULE_NOT_READABLE;
}

/* The protection key forbids it. Only data accesses; AD is bit 2i, WD bit 2i + 1. */
static bool key_refuses(
	const struct pw_space *space, bool user_page, pw_access access, unsigned key)
{
	uint32_t bits = (user_page ? space->pkru : space->pkrs) >> (2 * key) & 3;
	bool write_counts = (user_page && by_user(access)) || (space->flags & PW_SPACE_WP);

	if (!(space->flags & (user_page ? PW_SPACE_PKE : PW_SPACE_PKS)))
		return false;
	if (access & PW_ACCESS_FETCH)
		return false;
	return (bits & 1) || ((bits & 2) && (access & PW_ACCESS_WRITE) && write_counts);
}

/*
 * SDM "Determination of Access Rights", shadow-stack accesses: R/W = 1 in every table entry, R/W =
 * 0 and D = 1 in the page, and user's and supervisor's stacks in pages of their own.
 */
static bool is_shadow_stack(
	bool user_page, uint64_t and_fold, pw_access access, const struct pw_result *r)
{
	return (and_fold & X86_W) && !(r->entry & X86_W) && (r->entry & X86_D) &&
	       user_page == by_user(access);
}

static enum pw_status judge_rights(const struct pw_space *space, pw_grant grant, uint64_t and_fold,
	pw_access access, struct pw_result *r)
{
	bool user_page = is_user_page(space, and_fold, r);

	if (access & PW_ACCESS_SHADOW_STACK) {
		if (!is_shadow_stack(user_page, and_fold, access, r))
			r->rule = PW_RULE_SHADOW_STACK;
	} else if (!pw_is_granted(grant, access)) {
		r->rule = (uint8_t)refusing_rule(space, user_page, access, r);
	}
	if (key_refuses(space, user_page, access, r->key)) {
		/* PK is reported whatever else is wrong; the status says if it is wrong alone. */
		r->error_code = PW_PF_PK;
		if (r->rule == PW_RULE_NONE) {
			r->rule = user_page ? PW_RULE_PKRU : PW_RULE_PKRS;
			return PW_PROTECTION_KEY;
		}
	}
	return r->rule == PW_RULE_NONE ? PW_OK : PW_PROTECTION;
}

static bool flags_missing(const struct pw_space *space, pw_access access, const struct pw_result *r)
{
	uint64_t need = space->need_accessed;

	if (access & PW_ACCESS_WRITE)
		need |= space->need_dirty;
	return (r->entry & need) != need;
}

enum pw_status pw_judge(const struct pw_space *space, pw_grant grant, uint64_t and_fold,
	pw_access access, struct pw_result *r)
{
	enum pw_status status;

	if (access & PW_ACCESS_ANY)
		return PW_OK;
	/* Arm tests the Access flag before the rights, RISC-V after them. */
	if (space->format->family == PW_FAMILY_ARM && flags_missing(space, access, r)) {
		r->status = PW_ACCESS_FLAG;
		return PW_ACCESS_FLAG;
	}
	status = judge_rights(space, grant, and_fold, access, r);
	if (status == PW_OK && flags_missing(space, access, r))
		status = PW_ACCESS_FLAG;
	r->status = (uint8_t)status;
	pw_set_error_code(space, access, r);
	return status;
}

void pw_set_error_code(const struct pw_space *space, pw_access access, struct pw_result *r)
{
	uint32_t code = r->error_code;

	r->error_code = 0;
	if (space->format->family != PW_FAMILY_X86 || access & PW_ACCESS_ANY)
		return;
	switch (r->status) {
	case PW_NON_CANONICAL:
		/* Elsewhere there are no such addresses: the CPU has only 32 bits of them. */
		r->flags |= space->format->levels >= 4 ? PW_RESULT_GP : 0;
		return;
	case PW_LASS:
		r->flags |= PW_RESULT_GP;
		return;
	case PW_NOT_PRESENT:
		break;
	case PW_RESERVED:
		/* A PDPTE's reserved bits raise #GP(0) when CR3 is loaded, no page fault. */
		if (space->format == &pw_format_x86_pae && r->level == 2) {
			r->flags |= PW_RESULT_GP;
			return;
		}
		code |= PW_PF_P | PW_PF_RSVD;
		break;
	case PW_PROTECTION:
	case PW_PROTECTION_KEY:
		code |= PW_PF_P;
		break;
	default:
		return;
	}
	code |= access & PW_ACCESS_WRITE ? PW_PF_W : 0;
	code |= by_user(access) ? PW_PF_U : 0;
	code |= access & PW_ACCESS_SHADOW_STACK ? PW_PF_SS : 0;
	code |= access & PW_ACCESS_FETCH && space->flags & PW_SPACE_FETCH_BIT ? PW_PF_I : 0;
	r->error_code = code;
	r->flags |= PW_RESULT_ERROR_CODE;
}
