/* SPDX-License-Identifier: MIT */
#include "translation.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <pagewalk/regions.h>

#include "entry_bits.h"
#include "fields.h"

void translation_make(
	struct translation *translation, const struct pw_space *space, pw_va va, pw_access access)
{
	*translation = (struct translation){.space = space, .va = va, .access = access};
	/* The status is in the result, with everything else. */
	(void)!pw_translate_trace(space, va, access, &translation->result, translation->steps,
		&translation->step_count);
}

/* Where the last table that the walk was sent to should have been. */
static pw_pa lost_table(const struct translation *t)
{
	const struct pw_trace_step *last;

	if (t->step_count == 0)
		return t->space->root;
	last = &t->steps[t->step_count - 1];
	return pw_entry_address(t->space->format, last->level, last->entry) &
	       ~t->space->address_clear;
}

struct rule {
	const char *name; /* in JSON */
	const char *words;
};

static const struct rule *rule_of(const struct translation *t)
{
	static const struct rule rules[] = {
		[PW_RULE_NONE] = {"none", "the access is refused"},
		[PW_RULE_SUPERVISOR_PAGE] = {"supervisor-page", "user access to a supervisor page"},
		[PW_RULE_NOT_READABLE] = {"not-readable", "not readable"},
		[PW_RULE_NOT_WRITABLE] = {"not-writable", "not writable"},
		[PW_RULE_NO_EXECUTE] = {"no-execute", "not executable"},
		[PW_RULE_SMEP] = {"user-fetch", "supervisor fetch from a user page"},
		[PW_RULE_SMAP] = {"user-data", "supervisor access to the data of a user page"},
		[PW_RULE_PKRU] = {"pkru", "PKRU forbids it for the page's key"},
		[PW_RULE_PKRS] = {"pkrs", "PKRS forbids it for the page's key"},
		[PW_RULE_SHADOW_STACK] = {"shadow-stack",
			"shadow-stack access to a page that is none"},
	};
	static const struct rule smep = {"smep", "supervisor fetch from a user page, with SMEP"};
	static const struct rule smap = {"smap", "supervisor access to a user page, with SMAP"};
	uint8_t rule = t->result.rule;
	_Static_assert(sizeof rules / sizeof rules[0] == PW_RULE_COUNT, "words for each rule");

	if (t->space->format->family == PW_FAMILY_X86 && rule == PW_RULE_SMEP)
		return &smep;
	if (t->space->format->family == PW_FAMILY_X86 && rule == PW_RULE_SMAP)
		return &smap;
	return &rules[rule < PW_RULE_COUNT ? rule : PW_RULE_NONE];
}

static void refusal_words(const struct translation *t, char *text, size_t size)
{
	int decider = translation_deciding_step(t);

	if (decider < 0) {
		(void)snprintf(text, size, "%s", rule_of(t)->words);
		return;
	}
	(void)snprintf(text, size, "%s, by the entry 0x%" PRIx64 " at level %u", rule_of(t)->words,
		t->steps[decider].entry, (unsigned)t->steps[decider].level);
}

/* The bits that a BAD entry should not have. */
struct reserved_names {
	char text[64];
	size_t length;
};

static void append_reserved(void *ctx, const char *name)
{
	struct reserved_names *names = ctx;

	if (names->length + ENTRY_BIT_NAME_BYTES > sizeof names->text)
		return;
	names->length += (size_t)snprintf(names->text + names->length,
		sizeof names->text - names->length, "%s%s", names->length > 0 ? ", " : "", name);
}

static void bad_entry_words(const struct translation *t, char *text, size_t size)
{
	const struct pw_result *r = &t->result;
	struct reserved_names names = {.length = 0};

	entry_reserved_bits(t->space, (unsigned)r->level, r->entry, append_reserved, &names);
	(void)snprintf(text, size, "the hardware refuses the entry 0x%" PRIx64 " at level %d%s%s",
		r->entry, r->level, names.length > 0 ? ", for " : "", names.text);
}

static void status_words(const struct translation *t, char *text, size_t size)
{
	const struct pw_result *r = &t->result;

	switch (r->status) {
	case PW_NOT_PRESENT:
		(void)snprintf(text, size, "the entry 0x%" PRIx64 " at level %d is a hole",
			r->entry, r->level);
		break;
	case PW_RESERVED:
		bad_entry_words(t, text, size);
		break;
	case PW_NON_CANONICAL:
		(void)snprintf(text, size, "no address for %s", t->space->format->name);
		break;
	case PW_LASS:
		(void)snprintf(text, size, "linear-address-space separation: the %s half",
			t->va >> 63 ? "supervisor's" : "user's");
		break;
	case PW_NO_MEMORY:
		(void)snprintf(text, size,
			"the table at 0x%" PRIx64 ", level %d, is not in the source", lost_table(t),
			r->level);
		break;
	case PW_ACCESS_FLAG:
		(void)snprintf(text, size,
			"the hardware would fault: Accessed or Dirty is clear in the entry "
			"0x%" PRIx64 " at level %d",
			r->entry, r->level);
		break;
	case PW_PROTECTION:
	case PW_PROTECTION_KEY:
		refusal_words(t, text, size);
		break;
	default:
		(void)snprintf(text, size, "%s", pw_status_name(r->status));
	}
}

const char *translation_reason(const struct translation *t, char *text, size_t size)
{
	char words[TRANSLATION_TEXT_BYTES / 2];

	status_words(t, words, sizeof words);
	if (t->result.flags & PW_RESULT_ERROR_CODE)
		(void)snprintf(text, size, "%s; page fault, error code 0x%" PRIx32, words,
			t->result.error_code);
	else if (t->result.flags & PW_RESULT_GP)
		(void)snprintf(text, size, "%s; general-protection fault", words);
	else
		(void)snprintf(text, size, "%s", words);
	return text;
}

const char *translation_text(const struct translation *t, char *text, size_t size)
{
	const struct pw_result *r = &t->result;
	char reason[TRANSLATION_TEXT_BYTES * 3 / 4], rights[RIGHTS_BYTES];

	if (r->status != PW_OK)
		(void)snprintf(text, size, "0x%" PRIx64 ": %s: %s", t->va,
			pw_status_name(r->status), translation_reason(t, reason, sizeof reason));
	else
		(void)snprintf(text, size, "0x%" PRIx64 " -> 0x%" PRIx64 "  %s  %s", t->va, r->pa,
			pw_size_name(r->page_size),
			rights_text(r->rights, t->space->format, rights));
	return text;
}

static void put_rights(json_t *record, const struct translation *t)
{
	const struct pw_result *r = &t->result;

	field_rights(record, t->space->format, r->rights, r->user, r->supervisor);
}

/* Only what this format's pages can say. */
static void put_attributes(json_t *record, const struct translation *t)
{
	const struct pw_format *format = t->space->format;
	const struct pw_result *r = &t->result;
	const struct pw_page *shape;

	if (!(r->flags & PW_RESULT_ENTRY))
		return;
	field_address(record, "entry", r->entry);
	shape = entry_shape(format, (unsigned)r->level, r->entry);
	if (shape->accessed != 0)
		field_bool(record, "accessed", r->flags & PW_RESULT_ACCESSED);
	if (shape->dirty != 0)
		field_bool(record, "dirty", r->flags & PW_RESULT_DIRTY);
	if ((shape->global | shape->global_clear) != 0)
		field_bool(record, "global", r->flags & PW_RESULT_GLOBAL);
	if (shape->type_bit[0] != PW_NO_BIT)
		field_number(record, "memtype", r->memory_type);
	if (format->key_bits != 0)
		field_number(record, "key", r->key);
}

static void put_page(json_t *record, const struct translation *t)
{
	const struct pw_result *r = &t->result;

	field_address(record, "pa", r->pa);
	field_number(record, "page_size", r->page_size);
	field_number(record, "level", (uint64_t)r->level);
	put_rights(record, t);
	put_attributes(record, t);
}

static void put_refusal(json_t *record, const struct translation *t)
{
	int decider = translation_deciding_step(t);

	put_rights(record, t);
	field_string(record, "rule", rule_of(t)->name);
	if (decider >= 0)
		field_number(record, "decided_at", t->steps[decider].level);
}

static void put_reason(json_t *record, const struct translation *t)
{
	const struct pw_result *r = &t->result;

	field_string(record, "status", pw_status_name(r->status));
	if (r->level >= 0)
		field_number(record, "level", (uint64_t)r->level);
	if (r->flags & PW_RESULT_ERROR_CODE)
		field_address(record, "error_code", r->error_code);
	if (r->flags & PW_RESULT_GP)
		field_number(record, "vector", VECTOR_GP);
	if (r->flags & PW_RESULT_ENTRY)
		field_address(record, "entry", r->entry);
	if (r->status == PW_PROTECTION || r->status == PW_PROTECTION_KEY)
		put_refusal(record, t);
}

json_t *translation_record(const struct translation *t)
{
	json_t *record = json_object();

	field_address(record, "va", t->va);
	if (t->va != t->result.va)
		field_address(record, "linear", t->result.va);
	if (t->result.status == PW_OK)
		put_page(record, t);
	else
		put_reason(record, t);
	return record;
}
