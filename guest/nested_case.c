/* SPDX-License-Identifier: MIT */
/* Runs cases, compares, and tells. */
#include "nested_case.h"

static const char *group;
static uint64_t group_cases, group_failures;
static uint64_t group_kinds[NESTED_OTHER + 1];

void nested_group(const char *name)
{
	if (group) {
		nested_print(
			"%s %s: %u cases, ", group_failures ? "FAIL" : "PASS", group, group_cases);
		nested_print(
			"%u went through, %u violations, %u misconfigurations, %u exceptions\n",
			group_kinds[NESTED_DONE], group_kinds[NESTED_VIOLATION],
			group_kinds[NESTED_MISCONFIGURED], group_kinds[NESTED_EXCEPTION]);
	}
	group = name;
	group_cases = group_failures = 0;
	memset(group_kinds, 0, sizeof group_kinds);
}

static const char *const kind_text[] = {
	[NESTED_DONE] = "went through",
	[NESTED_VIOLATION] = "violation",
	[NESTED_MISCONFIGURED] = "misconfiguration",
	[NESTED_EXCEPTION] = "exception",
	[NESTED_OTHER] = "something else",
};

/* ---- Telling ---- */

static void tell_case(const struct nested_case *c)
{
	static const char *const subjects[] = {"PT", "PD", "PDPT", "PML4", "page", "PDPTEs"};

	nested_print("  %s%s%s%s; subject %s, leaf %u, rights %x; level %u, clear %x, set %x\n",
		c->access & GUEST_ACCESS_USER ? "user " : "",
		c->access & GUEST_ACCESS_READ    ? "read"
		: c->access & GUEST_ACCESS_FETCH ? "fetch"
		: c->access & GUEST_ACCESS_WRITE ? "write"
						 : "load CR3",
		c->access & NESTED_ACCESS_CHANGE ? " (add)" : "",
		c->access & NESTED_ACCESS_EXCHANGE ? " (exchange)"
		: c->access & NESTED_ACCESS_START  ? " (first instruction)"
						   : "",
		subjects[c->subject], (uint64_t)c->leaf, (uint64_t)c->rights, (uint64_t)c->level,
		c->clear, c->set);
	nested_print("  guest page level %u; its level %u, clear %x, set %x; controls %x\n",
		(uint64_t)c->guest_leaf, (uint64_t)c->guest_level, c->guest_clear, c->guest_set,
		(uint64_t)c->control);
}

static void tell_end(const struct nested_exit *end)
{
	nested_print("  processor: %s, reason %x, qualification %x, address %x, linear %x, ",
		kind_text[end->kind], end->reason, end->qualification, end->gpa, end->gla);
	nested_print("vector %u, RIP %x, RAX %x\n", (uint64_t)end->vector, end->rip, end->rax);
}

static void tell_wanted(const char *who, const struct nested_wanted *wanted)
{
	nested_print("  %s: %s, qualification %x, address %x, linear %x, vector %u\n", who,
		kind_text[wanted->kind], wanted->qualification, wanted->gpa, wanted->gla,
		(uint64_t)wanted->vector);
	if (wanted->text[0])
		nested_print("  (%s)\n", wanted->text);
}

/* ---- Judging ---- */

/* Where the target's entry leads that has address bits of its own. */
static uint64_t above(const struct nested_world *world)
{
	const struct nested_case *c = world->c;

	return (c->guest_level == c->guest_leaf ? nested_page_gpa(world)
						: nested_entry_gpa(world, c->guest_level - 1u)) |
	       c->guest_set;
}

static struct nested_wanted from_vector(
	const struct nested_world *world, const struct nested_vector *vector)
{
	struct nested_wanted wanted = {
		.kind = vector->kind,
		.qualification = vector->qualification,
		.vector = vector->vector,
		.mask = nested_vector_mask,
	};

	switch (vector->place) {
	case NESTED_AT_PAGE:
		wanted.gpa = nested_page_gpa(world);
		wanted.gla = nested_target();
		break;
	case NESTED_AT_ABOVE:
		wanted.gpa = above(world);
		wanted.gla = nested_target();
		break;
	case NESTED_AT_ENTRY:
		wanted.gpa = nested_entry_gpa(world, world->c->subject);
		wanted.gla = nested_target();
		break;
	case NESTED_AT_CODE_ENTRY:
		wanted.gpa = world->code_walk[0];
		wanted.gla = world->guest.rip;
		break;
	case NESTED_AT_SUBJECT:
		wanted.gpa = world->guest.rax;
		break;
	default:
		break;
	}
	return wanted;
}

/* What only an access that went through leaves: the value, and where the guest came to its CPUID.
 */
static bool is_done_well(const struct nested_world *world, const struct nested_exit *end)
{
	uint32_t access = world->c->access;
	bool exchanged = access & NESTED_ACCESS_EXCHANGE;
	uint64_t data = NESTED_PATTERN, rax = world->guest.rax;

	if (access & NESTED_ACCESS_LOAD_CR3)
		return end->rip == world->guest.rip + NESTED_LOAD_CR3_BYTES;

	if (access & NESTED_ACCESS_CHANGE)
		data += NESTED_VALUE;
	else if (access & GUEST_ACCESS_WRITE)
		data = NESTED_VALUE;
	if (access & GUEST_ACCESS_READ || exchanged)
		rax = NESTED_PATTERN;
	if (access & GUEST_ACCESS_FETCH
			? end->rip != nested_target()
			: *(const uint16_t *)(uintptr_t)(end->rip - NESTED_CODE) != NESTED_CPUID)
		return false;
	return nested_data[0] == data && end->rax == rax;
}

bool nested_is_as_wanted(const struct nested_case *c, const struct nested_wanted *wanted,
	const struct nested_exit *end)
{
	uint64_t defined = nested_defined(c, end) & wanted->mask;

	if (end->kind != wanted->kind)
		return false;
	switch (end->kind) {
	case NESTED_DONE:
		return true;
	case NESTED_VIOLATION:
		return !((end->qualification ^ wanted->qualification) & defined) &&
		       end->gpa == wanted->gpa && (!end->has_gla || end->gla == wanted->gla);
	case NESTED_MISCONFIGURED:
		return end->gpa == wanted->gpa;
	case NESTED_EXCEPTION:
		return end->vector == wanted->vector && end->gpa == wanted->gpa &&
		       end->qualification == wanted->qualification;
	default:
		return false;
	}
}

static bool judge(struct nested_world *world, const char *who, const struct nested_wanted *wanted,
	const struct nested_exit *end, const char **deviation)
{
	if (nested_is_as_wanted(world->c, wanted, end))
		return true;
	*deviation = nested_deviation(world, wanted, end);
	if (*deviation)
		return true;
	nested_print("FAIL %s: not as the %s has it\n", group, who);
	if (wanted->mask == nested_vector_mask)
		tell_wanted(who, wanted);
	return false;
}

static bool judge_all(struct nested_world *world, const struct nested_vector *vector,
	const struct nested_wanted *foretold, const struct nested_exit *end, const char **deviation)
{
	bool good = judge(world, "library", foretold, end, deviation);

	if (vector) {
		struct nested_wanted wanted = from_vector(world, vector);

		good &= judge(world, "vector", &wanted, end, deviation);
	}
	if (end->kind == NESTED_DONE ? !is_done_well(world, end)
				     : nested_data[0] != NESTED_PATTERN) {
		nested_print("FAIL %s: the data came out as %x\n", group, nested_data[0]);
		good = false;
	}
	if (!nested_marks_agree(world, end)) {
		nested_print("FAIL %s: Accessed and Dirty\n", group);
		good = false;
	}
	return good;
}

void nested_case_run(const struct nested_case *c, const struct nested_vector *vector)
{
	static struct nested_world world;
	struct nested_wanted foretold;
	struct nested_exit end;
	const char *deviation = NULL;
	bool good;

	group_cases++;
	if (!nested_world_build(&world, c)) {
		group_failures++;
		tell_case(c);
		return;
	}
	foretold = nested_foretell(&world);
	nested_cpu_run(&world.guest, &end);
	group_kinds[end.kind]++;
	good = judge_all(&world, vector, &foretold, &end, &deviation);
	if (!good || nested_has_word("verbose")) {
		tell_case(c);
		tell_wanted("library", &foretold);
		tell_end(&end);
	}
	if (!good)
		group_failures++;
	if (good && deviation)
		nested_count_deviation(deviation);
	else
		nested_count(good);
}
