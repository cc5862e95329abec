/* SPDX-License-Identifier: MIT */
/* What an access through both stages is to end in, x86 under EPT. */
#ifndef UNIT_NESTED_EPT_H
#define UNIT_NESTED_EPT_H

#include "two_stages.h"
#include <criterion/criterion.h>

enum {
	RD = 1,
	WR = 2,
	F = 4,
	PR = 8,
	PW = 0x10,
	PX = 0x20,
	PUX = 0x40
};
enum {
	LADDR = 0x80,
	PADDR = 0x100
};
/* Instead of a qualification. */
enum {
	OK = -1,
	MISCONFIG = -2
};

#define RIGHTS UINT64_C(0x407) /* R, W, X and XU */
#define XU     UINT64_C(0x400)

static inline struct pw_space ept(const struct stages *s, const struct pw_rules *rules)
{
	struct pw_space space;

	cr_assert(pw_space_init_rules(&space, &pw_format_ept_4, s->root2, &s->ram.windows, rules) ==
		  PW_OK);
	return space;
}

/* EPT refuses for want of a right, and knows no supervisor's pages. */
static inline void check_rule(const struct pw_nested_result *r, pw_access access, const char *what)
{
	enum pw_rule rule = access & PW_ACCESS_FETCH   ? PW_RULE_NO_EXECUTE
			    : access & PW_ACCESS_WRITE ? PW_RULE_NOT_WRITABLE
						       : PW_RULE_NOT_READABLE;

	if (r->status == PW_PROTECTION)
		cr_expect_eq(r->stage2.rule, rule, "%s: %s", what,
			pw_rule_text((enum pw_rule)r->stage2.rule));
}

/* The walk ends as foretold. */
static inline void check(const struct stages *s, const struct pw_rules *rules, pw_va va,
	pw_access access, int expected, const char *what)
{
	struct pw_space guest = stages_guest(s, 0), stage2 = ept(s, rules);
	struct pw_nested_result r;
	enum pw_status status = pw_nested_translate(&guest, &stage2, va, access, &r);
	char text[200];

	pw_nested_explain(&r, text, sizeof text);
	cr_expect_eq(status, r.status);
	if (expected == OK) {
		cr_expect(status == PW_OK && r.pa == s->hpa && r.exit == PW_EXIT_NONE, "%s: %s",
			what, text);
		return;
	}
	cr_expect(r.stage == 2 && r.gpa == s->gpa && r.address == s->gpa && r.address_known,
		"%s: %s", what, text);
	if (expected == MISCONFIG) {
		cr_expect(r.exit == PW_EXIT_EPT_MISCONFIGURATION && status == PW_RESERVED, "%s: %s",
			what, text);
		return;
	}
	cr_expect(r.exit == PW_EXIT_EPT_VIOLATION, "%s: %s", what, text);
	if (r.during == PW_DURING_FINAL)
		check_rule(&r, access, what);
	cr_expect_eq(r.code & r.code_known & 0x7f, (uint64_t)expected & 0x7f, "%s: %s", what, text);
	cr_expect_eq(r.code & (LADDR | PADDR), (uint64_t)expected & (LADDR | PADDR), "%s: %s", what,
		text);
	cr_expect_eq(r.code & ~r.code_known, 0, "%s: %s", what, text);
	cr_expect_eq(!!(r.code_known & PUX), rules->ept_mode_based_execute);
}

#endif
