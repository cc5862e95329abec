/* SPDX-License-Identifier: MIT */
/*
 * What the hardware reports of a two-stage walk that failed.
 * EPT: SDM vol. 3C, "Exit Qualification for EPT Violations". NPT: APM vol. 2, "Nested versus Guest
 * Page Faults, Fault Ordering". Arm: DDI 0487, ESR_ELx "ISS encoding for an exception from a Data
 * Abort". RISC-V: privileged manual, "Hypervisor Extension", "Trap Cause Codes", htval and htinst.
 */
#include "nested.h"
#include "text.h"

static bool is_final(const struct pw_nested_result *r)
{
	return r->during == PW_DURING_FINAL;
}

/* ---- EPT ---- */

static uint64_t ept_access(const struct pw_pair *pair)
{
	switch (pair->r->during) {
	case PW_DURING_FINAL:
		return pair->access & 7;
	case PW_DURING_PDPTE:
		return PW_EPT_READ;
	case PW_DURING_TABLE:
		if (!(pair->stage2->stage2 & PW_STAGE2_TABLES_WRITTEN))
			return PW_EPT_READ;
		break;
	default:
		break;
	}
	return PW_EPT_READ | PW_EPT_WRITE;
}

/* Bits 9 to 11, about the linear address. Without paging it is a user's, writable, executable. */
static uint64_t advanced(const struct pw_pair *pair)
{
	uint64_t code = pw_is_users_page(pair) ? PW_EPT_PAGE_USER : 0;

	code |= pair->and_fold & PW_BIT(1) ? PW_EPT_PAGE_WRITABLE : 0;
	if (pair->stage1->format->entry_bytes == 8)
		code |= pair->or_fold >> 63 ? PW_EPT_PAGE_XD : 0;
	return code;
}

static void ept_violation(const struct pw_pair *pair)
{
	struct pw_nested_result *r = pair->r;
	const struct pw_result *two = &r->stage2;
	uint64_t code = ept_access(pair), known = PW_BITS(0, 5) | PW_EPT_LINEAR | PW_EPT_FINAL;
	bool page = two->status == PW_PROTECTION;

	/* A walk that ended at a hole has granted nothing: those fields are zero. */
	code |= (uint64_t)(two->supervisor & 7) << 3;
	if (pair->stage2->format->has_user) {
		known |= PW_EPT_USER_EXECUTE;
		code |= two->user & PW_X ? PW_EPT_USER_EXECUTE : 0;
	}
	if (r->during != PW_DURING_PDPTE)
		code |= PW_EPT_LINEAR;
	known |= PW_EPT_SHADOW_ACCESS;
	if (is_final(r)) {
		code |= PW_EPT_FINAL;
		code |= pair->access & PW_ACCESS_SHADOW_STACK ? PW_EPT_SHADOW_ACCESS : 0;
		if (pair->stage2->stage2 & PW_STAGE2_ADVANCED) {
			code |= advanced(pair);
			known |= PW_EPT_PAGE_USER | PW_EPT_PAGE_WRITABLE | PW_EPT_PAGE_XD;
		}
	}
	if (page && pair->stage2->stage2 & PW_STAGE2_SHADOW_STACK) {
		known |= PW_EPT_SHADOW_PAGE;
		code |= two->entry >> 60 & 1 ? PW_EPT_SHADOW_PAGE : 0;
	}
	r->exit = PW_EXIT_EPT_VIOLATION;
	r->code = code;
	r->code_known = known;
}

static void report_ept(const struct pw_pair *pair)
{
	struct pw_nested_result *r = pair->r;

	if (r->stage2.status == PW_RESERVED)
		r->exit = PW_EXIT_EPT_MISCONFIGURATION;
	else
		ept_violation(pair);
	r->address = r->gpa;
	r->address_known = true;
}

/* ---- NPT ---- */

static void report_npt(const struct pw_pair *pair)
{
	struct pw_nested_result *r = pair->r;
	bool final = is_final(r), fetch = final && pair->access & PW_ACCESS_FETCH;
	uint64_t code = final ? PW_NPF_FINAL : PW_NPF_TABLE;
	uint64_t known = PW_NPF_FINAL | PW_NPF_TABLE | PW_PF_P | PW_PF_W | PW_PF_RSVD | PW_PF_I;

	if (r->stage2.status == PW_PROTECTION)
		code |= PW_PF_P;
	if (r->stage2.status == PW_RESERVED)
		code |= PW_PF_P | PW_PF_RSVD;
	code |= !final || pair->access & PW_ACCESS_WRITE ? PW_PF_W : 0;
	code |= fetch && pair->stage2->stage2 & PW_STAGE2_FETCH_BIT ? PW_PF_I : 0;
	/* GMET: what U says of a supervisor's fetch differs among CPUs (erratum 1218). */
	if (!(fetch && pair->stage2->stage2 & PW_STAGE2_GMET)) {
		code |= PW_PF_U;
		known |= PW_PF_U;
	}
	r->exit = PW_EXIT_NPF;
	r->code = code;
	r->code_known = known;
	r->address = r->gpa;
	r->address_known = true;
}

/* ---- Arm ---- */

/* The fault status code of a level as the manual counts it; -1 has codes of its own. */
static uint64_t arm_code(unsigned kind, int level)
{
	if (level >= 0)
		return kind << 2 | (unsigned)level;
	return kind == 0 ? 0x29 : 0x2b;
}

static bool arm_fault(const struct pw_result *result, uint64_t *code)
{
	int level = 3 - result->level;

	switch (result->status) {
	case PW_RESERVED:
		*code = arm_code(0, level);
		return true;
	case PW_NOT_PRESENT:
		*code = arm_code(1, level);
		return true;
	case PW_NON_CANONICAL:
		*code = arm_code(1, 0);
		return true;
	case PW_ACCESS_FLAG:
		*code = arm_code(2, level);
		return true;
	case PW_PROTECTION:
		*code = arm_code(3, level);
		return true;
	default:
		return false;
	}
}

static void report_arm(const struct pw_pair *pair)
{
	struct pw_nested_result *r = pair->r;
	uint64_t code = 0;
	bool final = is_final(r);

	if (!arm_fault(&r->stage2, &code))
		return;
	r->exit = PW_EXIT_ARM_STAGE2;
	r->code_known = PW_BITS(0, 5) | PW_ARM_S1PTW;
	if (!final) {
		code |= PW_ARM_S1PTW;
	} else {
		code |= pair->access & PW_ACCESS_WRITE ? PW_ARM_WNR : 0;
		r->code_known |= PW_ARM_WNR;
	}
	r->code = code;
	/* HPFAR_EL2.FIPA. A permission fault of the access itself leaves it undefined. */
	r->address_known = !final || r->stage2.status != PW_PROTECTION;
	r->address = r->address_known ? r->gpa >> 12 << 4 : 0;
}

/* ---- RISC-V ---- */

static unsigned riscv_cause(pw_access access, unsigned fetch, unsigned load, unsigned store)
{
	if (access & PW_ACCESS_FETCH)
		return fetch;
	return access & PW_ACCESS_WRITE ? store : load;
}

static void report_riscv(const struct pw_pair *pair)
{
	struct pw_nested_result *r = pair->r;
	bool wide = pair->stage1->format->entry_bytes == 8;

	r->exit = PW_EXIT_RISCV_GUEST;
	r->code = riscv_cause(pair->access, 20, 21, 23);
	r->code_known = ~(uint64_t)0;
	r->address = r->gpa >> 2;
	r->address_known = true;
	/* An implicit access for address translation: which width, and whether it writes. */
	if (!is_final(r))
		r->htinst =
			(wide ? 0x3000u : 0x2000u) | (r->during == PW_DURING_UPDATE ? 0x20u : 0);
}

/* ---- Faults of stage 1 ---- */

static void report_stage1(const struct pw_pair *pair)
{
	struct pw_nested_result *r = pair->r;

	r->exit = PW_EXIT_GUEST;
	switch (pair->stage1->format->family) {
	case PW_FAMILY_X86:
		r->code = r->stage1.error_code;
		r->code_known = r->stage1.flags & PW_RESULT_ERROR_CODE ? UINT32_MAX : 0;
		break;
	case PW_FAMILY_ARM:
		/* Short descriptors have other codes. */
		if (pair->stage1->format->entry_bytes == 8 && arm_fault(&r->stage1, &r->code))
			r->code_known = PW_BITS(0, 5);
		break;
	case PW_FAMILY_RISCV:
		r->code = riscv_cause(pair->access, 12, 13, 15);
		r->code_known = ~(uint64_t)0;
		break;
	default:
		break;
	}
}

void pw_nested_report(const struct pw_pair *pair)
{
	struct pw_nested_result *r = pair->r;

	/* Hardware does not tell memory that is missing; buses differ in what they answer. */
	if (r->status == PW_NO_MEMORY)
		return;
	if (r->stage == 1) {
		report_stage1(pair);
		return;
	}
	switch (pair->stage2->format->family) {
	case PW_FAMILY_EPT:
		report_ept(pair);
		break;
	case PW_FAMILY_NPT:
		report_npt(pair);
		break;
	case PW_FAMILY_ARM:
		report_arm(pair);
		break;
	case PW_FAMILY_RISCV:
		report_riscv(pair);
		break;
	default:
		break;
	}
}

/* ---- In words ---- */

static const char *const during_name[] = {
	[PW_DURING_FINAL] = "final",
	[PW_DURING_TABLE] = "table",
	[PW_DURING_UPDATE] = "update",
	[PW_DURING_PDPTE] = "pdpte",
};
_Static_assert(sizeof during_name / sizeof during_name[0] == PW_DURING_COUNT, "a name each");

const char *pw_during_name(enum pw_during during)
{
	return (unsigned)during < PW_DURING_COUNT ? during_name[during] : "?";
}

static const char *const exit_name[] = {
	[PW_EXIT_NONE] = "none",
	[PW_EXIT_GUEST] = "guest-fault",
	[PW_EXIT_EPT_VIOLATION] = "ept-violation",
	[PW_EXIT_EPT_MISCONFIGURATION] = "ept-misconfiguration",
	[PW_EXIT_NPF] = "npf",
	[PW_EXIT_ARM_STAGE2] = "stage-2-abort",
	[PW_EXIT_RISCV_GUEST] = "guest-page-fault",
};
_Static_assert(sizeof exit_name / sizeof exit_name[0] == PW_EXIT_COUNT, "a name each");

const char *pw_exit_name(enum pw_exit exit)
{
	return (unsigned)exit < PW_EXIT_COUNT ? exit_name[exit] : "?";
}

static const char *const purpose[] = {
	[PW_DURING_FINAL] = "the final access to ",
	[PW_DURING_TABLE] = "a table access to ",
	[PW_DURING_UPDATE] = "setting Accessed or Dirty at ",
	[PW_DURING_PDPTE] = "loading a PDPTE from ",
};
_Static_assert(sizeof purpose / sizeof purpose[0] == PW_DURING_COUNT, "words each");

static void put_translation(struct text *out, const struct pw_nested_result *r)
{
	put_hex(out, r->va);
	put(out, " -> ");
	put_hex(out, r->gpa);
	put(out, " -> ");
	put_hex(out, r->pa);
	put(out, " (");
	put(out, pw_size_name(r->page_size));
	put(out, ", ");
	put_rights(out, r->rights);
	put(out, ")");
}

const char *pw_nested_explain(const struct pw_nested_result *r, char *text, size_t size)
{
	struct text out = {text, size ? size - 1 : 0};

	if (!size)
		return "";
	if (r->status == PW_OK) {
		put_translation(&out, r);
	} else if (r->stage == 1) {
		put(&out, "stage 1: ");
		pw_explain(&r->stage1, out.at, out.left + 1);
		return text;
	} else if (r->stage == 2) {
		put(&out, "stage 2, during ");
		put(&out, purpose[r->during]);
		put_hex(&out, r->gpa);
		if (r->exit != PW_EXIT_NONE) {
			put(&out, ": ");
			put(&out, pw_exit_name((enum pw_exit)r->exit));
		}
		if (r->code_known) {
			put(&out, " ");
			put_hex(&out, r->code);
		}
		put(&out, ": ");
		pw_explain(&r->stage2, out.at, out.left + 1);
		return text;
	} else {
		put(&out, pw_status_name((enum pw_status)r->status));
	}
	*out.at = '\0';
	return text;
}
