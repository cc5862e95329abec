/* SPDX-License-Identifier: MIT */
/* One line of text about a result, without a C library. */
#include "access.h"
#include "text.h"

static void put_level(struct text *text, int level)
{
	char digit[2] = {(char)('0' + level), '\0'};

	put(text, " at level ");
	put(text, level >= 0 && level < PW_MAX_LEVELS ? digit : "?");
}

static const char *const rule_text[] = {
	[PW_RULE_NONE] = "refused",
	[PW_RULE_SUPERVISOR_PAGE] = "user access to a supervisor page",
	[PW_RULE_NOT_READABLE] = "not readable",
	[PW_RULE_NOT_WRITABLE] = "not writable",
	[PW_RULE_NO_EXECUTE] = "not executable",
	[PW_RULE_SMEP] = "supervisor fetch from a user page",
	[PW_RULE_SMAP] = "supervisor data access to a user page",
	[PW_RULE_PKRU] = "refused by the protection key in PKRU",
	[PW_RULE_PKRS] = "refused by the protection key in PKRS",
	[PW_RULE_SHADOW_STACK] = "shadow-stack access to a page that is no such stack",
};
_Static_assert(sizeof rule_text / sizeof rule_text[0] == PW_RULE_COUNT, "a text each");

const char *pw_rule_text(enum pw_rule rule)
{
	return (unsigned)rule < PW_RULE_COUNT ? rule_text[rule] : "?";
}

static void put_reason(struct text *text, const struct pw_result *r)
{
	switch (r->status) {
	case PW_NOT_PRESENT:
		put(text, "not present");
		break;
	case PW_RESERVED:
		put(text, "reserved bits or an illegal combination in the entry ");
		put_hex(text, r->entry);
		break;
	case PW_NO_MEMORY:
		/* From a copy: there is a page, and its data are missing. */
		put(text,
			r->page_size ? "the page is not in memory" : "the table is not in memory");
		break;
	case PW_PROTECTION:
	case PW_PROTECTION_KEY:
		put(text, pw_rule_text((enum pw_rule)r->rule));
		break;
	case PW_ACCESS_FLAG:
		put(text, "Accessed or Dirty is clear and has to be set by software");
		break;
	default:
		put(text, pw_status_name((enum pw_status)r->status));
		return;
	}
	put_level(text, r->level);
}

const char *pw_explain(const struct pw_result *r, char *text, size_t size)
{
	struct text out = {text, size ? size - 1 : 0};

	if (!size)
		return "";
	if (r->status == PW_OK) {
		put_hex(&out, r->va);
		put(&out, " -> ");
		put_hex(&out, r->pa);
		put(&out, " (");
		put(&out, pw_size_name(r->page_size));
		put(&out, " page, ");
		put_rights(&out, r->rights);
		put(&out, ")");
	} else if (r->status == PW_NON_CANONICAL) {
		put_hex(&out, r->va);
		put(&out, " is not an address that this format takes (not canonical)");
	} else if (r->status == PW_LASS) {
		put_hex(&out, r->va);
		put(&out, " lies in the half that linear-address-space separation denies");
	} else {
		if (r->flags & PW_RESULT_ERROR_CODE) {
			put(&out, "page fault, error code ");
			put_hex(&out, r->error_code);
			put(&out, ": ");
		}
		put_reason(&out, r);
	}
	*out.at = '\0';
	return text;
}

uint64_t pw_reserved_bits(const struct pw_space *space, unsigned level, uint64_t entry)
{
	const struct pw_level *row = &space->format->level[level];
	const struct pw_page *shape = pw_shape(row, entry);

	if (pw_is_table(row, entry))
		return entry & space->reserved_table[level];
	if (!shape->size_log2) /* no pages at this level: what says that it is one */
		return entry & row->table_mask & ~row->table_value;
	if (shape == &row->span)
		return entry & space->reserved_span[level];
	return entry & space->reserved_page[level];
}
