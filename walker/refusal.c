/* SPDX-License-Identifier: MIT */
/* Why rights cannot be given: the builders' own test, tried on less and on more. */
#include "build.h"
#include "text.h"
#include <pagewalk/refusal.h>

/* The range, and the rights as a wish. */
struct question {
	const struct pw_space *space;
	pw_va va;
	uint64_t size;
};

static enum pw_status ask(const struct question *q, pw_rights rights, struct pw_build *b)
{
	enum pw_status status = pw_build_begin(b, q->space, q->va, q->size, NULL);

	return status == PW_OK ? pw_build_wish(b, rights) : status;
}

static bool can_have(const struct question *q, pw_rights rights)
{
	struct pw_build b;

	return ask(q, rights, &b) == PW_OK;
}

static unsigned bits_in(pw_rights rights)
{
	unsigned count = 0;

	for (; rights; rights &= rights - 1)
		count++;
	return count;
}

/* R W X U alone cannot be had: what would have to come with them, or go. */
static void judge_letters(const struct question *q, struct pw_refusal *reason)
{
	const struct pw_format *format = q->space->format;
	pw_rights wanted = reason->wanted, all = 0;
	unsigned fewest = 5;

	for (pw_rights rights = 0; rights <= PW_RIGHTS_MASK; rights++) {
		unsigned more = bits_in(rights & ~wanted);

		if (!can_have(q, rights))
			continue;
		all |= rights;
		if (!(wanted & ~rights) && more < fewest) {
			reason->lacking = rights & ~wanted;
			fewest = more;
		}
	}
	reason->refused = wanted & ~all;
	reason->rule = fewest == 5                           ? PW_REFUSAL_NOT_HAD
		       : format->encode[wanted] == PW_CANNOT ? PW_REFUSAL_NEEDS
							     : PW_REFUSAL_IN_FORCE;
}

/* What was asked for is taken together piece by piece: the first that does not go is the reason. */
static enum pw_refusal_rule judge_rest(const struct question *q, pw_rights rights)
{
	static const struct {
		pw_rights mask;
		enum pw_refusal_rule rule;
	} pieces[] = {
		{PW_MEM_MASK | PW_MEM_INDEX_MASK, PW_REFUSAL_TYPE},
		{PW_IPAT, PW_REFUSAL_IPAT},
		{PW_GLOBAL, PW_REFUSAL_GLOBAL},
		{PW_SOFTWARE_MASK, PW_REFUSAL_SOFTWARE},
	};
	pw_rights taken = rights & PW_RIGHTS_MASK;

	for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
		taken |= rights & pieces[i].mask;
		if (!can_have(q, taken))
			return pieces[i].rule;
	}
	return PW_REFUSAL_FINE;
}

/* The block that the entry at this level serves reaches beyond the range. */
static bool serves_others(const struct pw_build *b, pw_va va, unsigned level)
{
	pw_va low = PW_LOW(pw_row(b, level)->shift + 0u);

	return (va & ~low) < b->first || (va | low) > b->last;
}

/* A table entry on the way to va that denies the wish and cannot be made to grant it. */
static bool find_denial(struct pw_build *b, pw_va va, struct pw_refusal *reason)
{
	struct pw_trace_step steps[PW_MAX_LEVELS];
	struct pw_result result;
	size_t count = 0;

	(void)!pw_translate_trace(b->space, va, PW_ACCESS_ANY, &result, steps, &count);
	for (size_t i = 0; i < count; i++) {
		struct pw_change change = pw_widening(b, steps[i].level);
		uint64_t entry = steps[i].entry;

		if (steps[i].kind != PW_TABLE || ((entry & change.keep) | change.set) == entry ||
			!serves_others(b, va & PW_LOW(b->format->va_bits), steps[i].level))
			continue;
		reason->rule = PW_REFUSAL_TABLE;
		reason->level = steps[i].level;
		reason->va = va;
		reason->entry = entry;
		return true;
	}
	return false;
}

enum pw_status pw_why_refused(const struct pw_space *space, pw_va va, uint64_t size,
	pw_rights rights, struct pw_refusal *reason)
{
	struct question question = {space, va, size};
	struct pw_refusal found = {
		.wanted = rights & PW_RIGHTS_MASK,
		.type = rights & (PW_MEM_MASK | PW_MEM_INDEX_MASK),
	};
	struct pw_build b;
	enum pw_status status;

	rights &= ~PW_REPLACE; /* says how, not what */
	status = ask(&question, rights, &b);
	if (status == PW_OK) {
		/* Only tables across the ends of the range serve others. */
		if (!find_denial(&b, va, &found) && !find_denial(&b, va + (size - 1), &found))
			return PW_OK;
		status = PW_E_RIGHTS;
	} else if (status == PW_E_RIGHTS) {
		if (can_have(&question, found.wanted))
			found.rule = (uint8_t)judge_rest(&question, rights);
		else
			judge_letters(&question, &found);
	}
	if (status == PW_E_RIGHTS && reason)
		*reason = found;
	return status;
}

/* ---- In words ---- */

static void put_letters(struct text *text, pw_rights rights)
{
	static const char letters[] = "rwxu";

	for (unsigned i = 0; i < 4; i++) {
		char letter[2] = {letters[i], '\0'};

		if (rights >> i & 1)
			put(text, letter);
	}
}

static const char *why_needed(const struct pw_space *space, const struct pw_refusal *r)
{
	unsigned family = space->format->family;

	if (r->rule == PW_REFUSAL_IN_FORCE)
		return family == PW_FAMILY_EPT ? "this CPU has no execute-only EPT entries"
					       : "EFER.NXE is 0";
	if (!r->wanted)
		return "an entry without rights maps nothing";
	if (r->lacking & PW_R && r->wanted & PW_W && family == PW_FAMILY_EPT)
		return "an EPT misconfiguration";
	if (r->lacking & PW_R && r->wanted & PW_W && family == PW_FAMILY_RISCV)
		return "that encoding is reserved";
	return r->lacking & PW_R ? "what is mapped can be read" : "nothing forbids it there";
}

static void put_needs(struct text *text, const struct pw_space *space, const struct pw_refusal *r)
{
	put(text, space->format->name);
	put(text, " cannot give ");
	put_rights(text, r->wanted);
	put(text, " without ");
	put_letters(text, r->lacking);
	put(text, ": ");
	put(text, why_needed(space, r));
}

static const char *type_text(pw_rights type)
{
	static const char *const names[] = {"", " uc", " wc", " wt", " wp", " wb", "", ""};

	return names[(type & PW_MEM_MASK) >> PW_MEM_SHIFT];
}

static uint64_t most_for_software(const struct pw_format *format)
{
	uint64_t most = 0;

	for (uint64_t left = format->software; left; left &= left - 1)
		most = most << 1 | 1;
	return most;
}

static void put_lack(struct text *text, const struct pw_space *space, const struct pw_refusal *r)
{
	put(text, space->format->name);
	switch (r->rule) {
	case PW_REFUSAL_NOT_HAD:
		put(text, " has no such right: ");
		put_letters(text, r->refused);
		break;
	case PW_REFUSAL_TYPE:
		put(text, " has no memory type");
		put(text, *type_text(r->type) ? type_text(r->type) : " of that index");
		break;
	case PW_REFUSAL_IPAT:
		put(text, " cannot leave out the guest's PAT");
		break;
	case PW_REFUSAL_GLOBAL:
		put(text, " has no global pages");
		break;
	default:
		put(text, " leaves to software values up to ");
		put_hex(text, most_for_software(space->format));
		break;
	}
}

static void put_table(struct text *text, const struct pw_refusal *r)
{
	char level[2] = {(char)('0' + r->level), '\0'};

	put(text, "the table entry ");
	put_hex(text, r->entry);
	put(text, " at level ");
	put(text, level);
	put(text, " denies ");
	put_rights(text, r->wanted);
	put(text, " to more addresses than these");
}

const char *pw_refusal_text(
	const struct pw_space *space, const struct pw_refusal *reason, char *text, size_t size)
{
	struct text out = {text, size ? size - 1 : 0};

	if (!size)
		return "";
	if (reason->rule == PW_REFUSAL_FINE)
		put(&out, "nothing stands against these rights");
	else if (reason->rule == PW_REFUSAL_NEEDS || reason->rule == PW_REFUSAL_IN_FORCE)
		put_needs(&out, space, reason);
	else if (reason->rule == PW_REFUSAL_TABLE)
		put_table(&out, reason);
	else
		put_lack(&out, space, reason);
	*out.at = '\0';
	return text;
}
