/* SPDX-License-Identifier: MIT */
#include "nested_answer.h"

#include <inttypes.h>
#include <stdio.h>

#include "fields.h"
#include "translation.h"

const char *nested_text(const struct pw_space *stage1, const struct pw_space *stage2,
	const struct pw_nested_result *r, char *text, size_t size)
{
	char rights[RIGHTS_BYTES], reason[NESTED_TEXT_BYTES - 60];

	(void)stage2;
	if (r->status == PW_OK)
		(void)snprintf(text, size,
			"0x%" PRIx64 " -> 0x%" PRIx64 " -> 0x%" PRIx64 "  %s  %s", r->va, r->gpa,
			r->pa, pw_size_name(r->page_size),
			rights_text(r->rights, stage1->format, rights));
	else
		(void)snprintf(text, size, "0x%" PRIx64 ": %s: %s", r->va,
			pw_status_name((enum pw_status)r->status),
			pw_nested_explain(r, reason, sizeof reason));
	return text;
}

static void put_page(json_t *record, const struct pw_space *stage1, const struct pw_space *stage2,
	const struct pw_nested_result *r)
{
	char rights[RIGHTS_BYTES];

	field_address(record, "pa", r->pa);
	field_number(record, "page_size", r->page_size);
	field_number(record, "level", (uint64_t)r->stage1.level);
	field_rights(record, stage1->format, r->rights, r->user, r->supervisor);
	field_address(record, "gpa", r->gpa);
	field_number(record, "stage1_page_size", r->stage1.page_size);
	field_string(
		record, "stage1_rights", rights_text(r->stage1.rights, stage1->format, rights));
	field_number(record, "stage2_page_size", r->stage2.page_size);
	field_number(record, "stage2_level", (uint64_t)r->stage2.level);
	field_string(
		record, "stage2_rights", rights_text(r->stage2.rights, stage2->format, rights));
}

/* The names under which each architecture reports it. */
static void put_report(
	json_t *record, const struct pw_space *stage1, const struct pw_nested_result *r)
{
	/* A fault of stage 1 that is no page fault of x86. */
	const char *guest = stage1->format->family == PW_FAMILY_ARM ? "fault_status" : "cause";
	const char *code;

	static const struct {
		const char *code, *address;
	} names[PW_EXIT_COUNT] = {
		[PW_EXIT_GUEST] = {"error_code", NULL},
		[PW_EXIT_EPT_VIOLATION] = {"qualification", "guest_physical_address"},
		[PW_EXIT_EPT_MISCONFIGURATION] = {NULL, "guest_physical_address"},
		[PW_EXIT_NPF] = {"exitinfo1", "exitinfo2"},
		[PW_EXIT_ARM_STAGE2] = {"iss", "hpfar"},
		[PW_EXIT_RISCV_GUEST] = {"cause", "htval"},
	};

	field_string(record, "exit", pw_exit_name((enum pw_exit)r->exit));
	code = names[r->exit].code;
	if (r->exit == PW_EXIT_GUEST && stage1->format->family != PW_FAMILY_X86)
		code = guest;
	if (code != NULL && r->code_known != 0)
		field_address(record, code, r->code);
	if (r->exit == PW_EXIT_GUEST && r->stage1.flags & PW_RESULT_GP)
		field_number(record, "vector", VECTOR_GP);
	if (names[r->exit].address != NULL && r->address_known)
		field_address(record, names[r->exit].address, r->address);
	if (r->exit == PW_EXIT_RISCV_GUEST)
		field_address(record, "htinst", r->htinst);
}

static void put_reason(
	json_t *record, const struct pw_space *stage1, const struct pw_nested_result *r)
{
	const struct pw_result *refuser = r->stage == 2 ? &r->stage2 : &r->stage1;

	field_string(record, "status", pw_status_name((enum pw_status)r->status));
	if (refuser->level >= 0)
		field_number(record, "level", (uint64_t)refuser->level);
	field_number(record, "stage", r->stage);
	if (r->stage == 2) {
		field_string(record, "during", pw_during_name((enum pw_during)r->during));
		if (r->level >= 0)
			field_number(record, "table_level", (uint64_t)r->level);
		field_address(record, "gpa", r->gpa);
	}
	if (r->exit != PW_EXIT_NONE)
		put_report(record, stage1, r);
	if (refuser->flags & PW_RESULT_ENTRY)
		field_address(record, "entry", refuser->entry);
}

json_t *nested_record(const struct pw_space *stage1, const struct pw_space *stage2,
	const struct pw_nested_result *r)
{
	json_t *record = json_object();

	field_address(record, "va", r->va);
	if (r->status == PW_OK)
		put_page(record, stage1, stage2, r);
	else
		put_reason(record, stage1, r);
	return record;
}
