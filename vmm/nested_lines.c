/* SPDX-License-Identifier: MIT */
#include "nested_lines.h"

#include <inttypes.h>
#include <stdio.h>

#include "entry_bits.h"
#include "fields.h"
#include "nested_answer.h"
#include "output.h"
#include "translation.h"
#include "walk_lines.h"

static void keep_step(void *ctx, const struct pw_nested_step *step)
{
	struct nested_walk *walk = ctx;

	walk->steps[walk->step_count++] = *step;
}

/* ---- Which entry decided ---- */

static bool is_of(const struct nested_walk *walk, unsigned i, unsigned stage)
{
	const struct pw_nested_step *step = &walk->steps[i];

	if (step->stage != stage || step->deed == PW_NESTED_STORE)
		return false;
	return stage == 1 ||
	       (step->gpa == walk->result.gpa && step->during == walk->result.during &&
		       step->table_level == walk->result.level);
}

/* EPT with supervisor shadow-stack control wants W in every table entry. */
static int refusing_shadow_stack(const struct translation *t)
{
	int last = (int)t->step_count - 1;

	for (int i = 0; i < last; i++)
		if (!(t->steps[i].entry & PW_W))
			return i;
	return last;
}

/* The walk of one stage that the answer is about, judged as a walk of its own. */
static int deciding_step(const struct nested_walk *walk)
{
	unsigned stage = walk->result.stage == 1 ? 1 : 2;
	struct translation t = {.space = stage == 1 ? walk->stage1 : walk->stage2};
	unsigned at[PW_MAX_LEVELS];
	int decider;

	t.result = stage == 1 ? walk->result.stage1 : walk->result.stage2;
	for (unsigned i = 0; i < walk->step_count; i++) {
		const struct pw_nested_step *step = &walk->steps[i];

		if (!is_of(walk, i, stage) || t.step_count == PW_MAX_LEVELS)
			continue;
		at[t.step_count] = i;
		t.access = step->access;
		t.steps[t.step_count++] = (struct pw_trace_step){.table = step->table,
			.entry = step->entry,
			.index = step->index,
			.level = step->level,
			.kind = step->kind};
	}
	if (stage == 2 && t.result.rule == PW_RULE_SHADOW_STACK)
		decider = refusing_shadow_stack(&t);
	else
		decider = translation_deciding_step(&t);
	return decider < 0 ? -1 : (int)at[decider];
}

void nested_walk_make(struct nested_walk *walk, const struct pw_space *stage1,
	const struct pw_space *stage2, pw_va va, pw_access access)
{
	const struct pw_nested_tracer tracer = {.step = keep_step, .ctx = walk};

	*walk = (struct nested_walk){.stage1 = stage1, .stage2 = stage2, .access = access};
	/* The status is in the result, with everything else. */
	(void)!pw_nested_translate_trace(stage1, stage2, va, access, &walk->result, &tracer);
	walk->decider = deciding_step(walk);
}

static const struct pw_space *space_of(
	const struct nested_walk *walk, const struct pw_nested_step *step)
{
	return step->stage == 1 ? walk->stage1 : walk->stage2;
}

/* ---- For people ---- */

static bool begins_walk(const struct nested_walk *walk, unsigned i)
{
	const struct pw_nested_step *step = &walk->steps[i], *before = step - 1;

	return step->stage == 2 && (i == 0 || before->stage == 1 || before->gpa != step->gpa ||
					   before->during != step->during);
}

static const char *access_words(pw_access access)
{
	if (access & PW_ACCESS_SHADOW_STACK)
		return access & PW_ACCESS_WRITE ? ", a shadow-stack write"
						: ", a shadow-stack read";
	if (access & PW_ACCESS_READ)
		return access & PW_ACCESS_USER ? ", a user's read" : ", a read";
	if (access & PW_ACCESS_WRITE)
		return access & PW_ACCESS_USER ? ", a user's write" : ", a write";
	if (access & PW_ACCESS_FETCH)
		return access & PW_ACCESS_USER ? ", a user's fetch" : ", a fetch";
	return "";
}

static void print_purpose(const struct pw_nested_step *step)
{
	static const char *const words[PW_DURING_COUNT] = {
		[PW_DURING_FINAL] = "the final access",
		[PW_DURING_TABLE] = "the guest's entry of level",
		[PW_DURING_UPDATE] = "Accessed or Dirty in the guest's entry of level",
		[PW_DURING_PDPTE] = "the guest's PDPTE, of level",
	};

	output_text("0x%" PRIx64 ", %s", step->gpa, words[step->during]);
	if (step->table_level >= 0)
		output_text(" %d", step->table_level);
	output_text("%s:\n", access_words(step->access));
}

static void print_step(const struct nested_walk *walk, unsigned i)
{
	const struct pw_nested_step *step = &walk->steps[i];
	const struct pw_space *space = space_of(walk, step);
	char table[20], entry[20], pa[24], bits[WALK_BITS_BYTES], rights[RIGHTS_BYTES];
	const char *kind = pw_kind_name((enum pw_kind)step->kind);

	if (begins_walk(walk, i))
		print_purpose(step);
	(void)snprintf(table, sizeof table, "0x%" PRIx64, step->table);
	(void)snprintf(entry, sizeof entry, "0x%" PRIx64, step->entry);
	(void)snprintf(pa, sizeof pa, "0x%" PRIx64, step->pa);
	if (step->deed == PW_NESTED_REGISTER) {
		(void)snprintf(table, sizeof table, "PDPTEs");
		(void)snprintf(pa, sizeof pa, "-");
	}
	output_text("%5u %5u  %-18s %5" PRIu32 "  %-18s  %-18s  %-5s %s%-6s  %s\n",
		(unsigned)step->stage, (unsigned)step->level, table, step->index, pa, entry,
		step->deed == PW_NESTED_STORE ? "store" : kind,
		(int)i == walk->decider ? "* " : "  ",
		step->kind == PW_HOLE || step->kind == PW_BAD || step->deed == PW_NESTED_STORE
			? "-"
			: rights_text(step->rights, space->format, rights),
		walk_bits_text(space, step->level, step->entry, (enum pw_kind)step->kind, bits));
}

void nested_walk_print_steps(const struct nested_walk *walk)
{
	if (walk->step_count > 0)
		output_text("%5s %5s  %-18s %5s  %-18s  %-18s  %-5s   %-6s  %s\n", "STAGE", "LEVEL",
			"TABLE", "INDEX", "PA", "ENTRY", "KIND", "RIGHTS", "BITS");
	for (unsigned i = 0; i < walk->step_count; i++)
		print_step(walk, i);
}

/* ---- For programs ---- */

/* As the options --access, --user and --shadow-stack name it. */
static void put_access(json_t *record, pw_access access)
{
	if (access & PW_ACCESS_ANY)
		return;
	field_string(record, "access",
		access & PW_ACCESS_READ    ? "r"
		: access & PW_ACCESS_WRITE ? "w"
					   : "x");
	if (access & PW_ACCESS_USER)
		field_bool(record, "by_user", true);
	if (access & PW_ACCESS_SHADOW_STACK)
		field_bool(record, "shadow_stack", true);
}

static json_t *step_record(const struct nested_walk *walk, unsigned i)
{
	const struct pw_nested_step *step = &walk->steps[i];
	const struct pw_space *space = space_of(walk, step);
	json_t *record = json_object();

	field_number(record, "stage", step->stage);
	field_string(record, "during", pw_during_name((enum pw_during)step->during));
	if (step->table_level >= 0)
		field_number(record, "table_level", (uint64_t)step->table_level);
	if (step->stage == 2)
		put_access(record, step->access);
	if (step->deed != PW_NESTED_REGISTER) {
		field_address(record, "gpa", step->gpa);
		field_address(record, "entry_pa", step->pa);
	}
	field_number(record, "level", step->level);
	if (step->deed == PW_NESTED_REGISTER)
		field_bool(record, "register", true);
	else
		field_address(record, "table", step->table);
	field_number(record, "index", step->index);
	field_address(record, step->deed == PW_NESTED_STORE ? "stored" : "entry", step->entry);
	field_string(record, "kind", pw_kind_name((enum pw_kind)step->kind));
	if (step->deed != PW_NESTED_STORE && (step->kind == PW_PAGE || step->kind == PW_TABLE))
		field_rights(record, space->format, step->rights, step->user, step->supervisor);
	field_value(record, "bits",
		walk_bits_array(space, step->level, step->entry, (enum pw_kind)step->kind));
	if ((int)i == walk->decider)
		field_bool(record, "decides", true);
	return record;
}

void nested_walk_print_records(const struct nested_walk *walk)
{
	for (unsigned i = 0; i < walk->step_count; i++)
		output_record(step_record(walk, i));
	output_record(nested_record(walk->stage1, walk->stage2, &walk->result));
}
