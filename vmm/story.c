/* SPDX-License-Identifier: MIT */
#include "story.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <pagewalk/copy.h>
#include <pagewalk_vmm/ports.h>

#include "claims.h"
#include "fields.h"
#include "listing.h"
#include "output.h"
#include "translation.h"
#include "walk_lines.h"

#define INDENT             "  "
#define WALK_INDENT        "      "
#define STRING_BYTES_SHOWN 256

void story_begin(struct story *story, const char *who)
{
	if (!story->json)
		output_text(
			"%s, with %" PRIu64 " MiB of memory.\n\n", who, story->memory_bytes >> 20);
}

/* ---- The console ---- */

static void print_console_line(struct story *story)
{
	json_t *record = json_object();

	field_string(record, "event", "console");
	field_bytes(record, "text", story->line, story->line_bytes);
	output_record(record);
	story->line_bytes = 0;
}

static void console_json(struct story *story, const char *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		story->line[story->line_bytes++] = bytes[i];
		if (bytes[i] == '\n' || story->line_bytes == sizeof story->line)
			print_console_line(story);
	}
}

void story_console(struct story *story, const char *bytes, size_t count)
{
	if (count == 0)
		return;
	if (story->json) {
		console_json(story, bytes, count);
	} else {
		output_bytes(bytes, count);
		story->in_line = bytes[count - 1] != '\n';
	}
	/* Somebody may be watching. */
	if (bytes[count - 1] == '\n')
		output_flush();
}

/* What follows is ours: it begins a line of its own. */
static void leave_console(struct story *story)
{
	if (story->json && story->line_bytes > 0)
		print_console_line(story);
	if (story->in_line)
		output_text("\n");
	story->in_line = false;
}

/* ---- The address space ---- */

static void show_space(struct story *story, const struct pw_space *space)
{
	if (story->listed)
		return;
	story->listed = true;
	if (!story->json)
		output_text("\nThe guest's address space (%s, root 0x%" PRIx64 "):\n",
			space->format->name, space->root);
	(void)listing_print(&(struct listing){
		.space = space,
		.last = UINT64_MAX,
		.memory_bytes = story->memory_bytes,
		.is_event = true,
		.json = story->json,
		.indent = INDENT,
	});
	if (!story->json)
		output_text("\nWhat the guest says it mapped, held against what pagewalk finds:\n");
}

/* ---- Answers ---- */

static json_t *walk_array(const struct translation *t)
{
	json_t *walk = json_array();

	for (size_t i = 0; i < t->step_count; i++)
		if (json_array_append_new(walk, walk_step_record(t, i)) != 0)
			output_out_of_memory();
	return walk;
}

static void put_claim(json_t *record, const struct guest_call *call)
{
	if (call->number != GUEST_CALL_FAULT)
		return;
	field_string(record, "access", claim_access_text(call->fault.access));
	if (call->fault.vector == GUEST_NO_FAULT) {
		field_value(record, "guest_vector", json_null());
		return;
	}
	field_number(record, "guest_vector", call->fault.vector);
	field_address(record, "guest_error_code", call->fault.error_code);
}

static json_t *answer_record(const struct translation *t, const char *label)
{
	json_t *record = json_object();
	json_t *answer = translation_record(t);

	field_string(record, "event", "translation");
	field_bytes(record, "label", label, strlen(label));
	if (json_object_update(record, answer) != 0)
		output_out_of_memory();
	json_decref(answer);
	field_value(record, "walk", walk_array(t));
	return record;
}

static void answer_json(const struct translation *t, const struct guest_call *call, bool agrees,
	const char *string, size_t string_bytes)
{
	json_t *record = answer_record(t, call->label);

	put_claim(record, call);
	if (string != NULL)
		field_bytes(record, "string", string, string_bytes);
	field_bool(record, "agrees", agrees);
	output_record(record);
}

/* The label comes from the guest. */
static const char *harmless(const char *label, char *text, size_t size)
{
	size_t at = 0;

	for (; label[at] != '\0' && at + 1 < size; at++)
		text[at] = label[at] >= ' ' && label[at] <= '~' ? label[at] : '?';
	text[at] = '\0';
	return text;
}

/* One walk level by level for each page size. */
static void show_walk(struct story *story, const struct translation *t)
{
	uint64_t size = t->result.page_size;

	if (t->result.status != PW_OK || (story->walked & size))
		return;
	story->walked |= size;
	walk_print_steps(t, WALK_INDENT);
}

static void show_exception(const struct guest_fault *fault)
{
	output_text(WALK_INDENT "a %s; ", claim_access_text(fault->access));
	if (fault->vector == GUEST_NO_FAULT)
		output_text("the guest met no exception\n");
	else
		output_text("the guest took exception %" PRIu32 ", error code 0x%" PRIx32 "\n",
			fault->vector, fault->error_code);
}

static void answer_text(struct story *story, const struct translation *t,
	const struct guest_call *call, bool agrees)
{
	char text[TRANSLATION_TEXT_BYTES], label[GUEST_LABEL_BYTES];

	output_text(INDENT "%s  %-40s  %s\n", agrees ? "agrees " : "DIFFERS",
		harmless(call->label, label, sizeof label), translation_text(t, text, sizeof text));
	if (call->number == GUEST_CALL_FAULT)
		show_exception(&call->fault);
	show_walk(story, t);
}

static void answer_string(const struct story *story, const struct translation *t,
	const struct guest_call *call, bool agrees)
{
	char string[STRING_BYTES_SHOWN], text[STRING_BYTES_SHOWN + 1];
	size_t wanted =
		call->string.bytes < sizeof string ? (size_t)call->string.bytes : sizeof string;
	size_t count = 0;

	(void)!pw_copy_some(t->space, call->string.va, string, wanted, PW_ACCESS_ANY, &count);
	if (story->json) {
		answer_json(t, call, agrees, string, count);
		return;
	}
	for (size_t i = 0; i < count; i++)
		text[i] = string[i] >= ' ' && string[i] <= '~' ? string[i] : '?';
	text[count] = '\0';
	output_text("\nA string in guest-virtual memory, read from 0x%" PRIx64 ":\n" INDENT
		    "\"%s\"\n",
		call->string.va, text);
	if (!agrees)
		output_text(INDENT "DIFFERS  no string of %" PRIu64 " byte%s is there\n",
			call->string.bytes, call->string.bytes == 1 ? "" : "s");
	output_text("\n");
}

static void remember(struct story *story, const struct guest_translate *said)
{
	if (said->rights == 0 && !story->has_hole) {
		story->has_hole = true;
		story->hole = said->va;
	} else if ((said->rights & GUEST_RIGHT_MAPPED) && !(said->rights & GUEST_RIGHT_WRITE) &&
		   !story->has_read_only) {
		story->has_read_only = true;
		story->read_only = said->va;
	}
}

static void answer(struct story *story, const struct pw_space *space, const struct guest_call *call)
{
	struct translation translation;
	bool agrees = vmm_claim_agrees(space, call);

	leave_console(story);
	show_space(story, space);
	story->answers++;
	story->agreeing += agrees;
	translation_make(&translation, space, claim_va(call), claim_access(call));
	if (call->number == GUEST_CALL_STRING)
		answer_string(story, &translation, call, agrees);
	else if (story->json)
		answer_json(&translation, call, agrees, NULL, 0);
	else
		answer_text(story, &translation, call, agrees);
	if (call->number == GUEST_CALL_TRANSLATE)
		remember(story, &call->translate);
}

/* ---- The end ---- */

static void show_fault(const struct story *story, const struct pw_space *space, const char *who,
	pw_va va, pw_access access)
{
	struct translation translation;
	char reason[TRANSLATION_TEXT_BYTES];

	translation_make(&translation, space, va, access);
	if (story->json)
		output_record(answer_record(&translation, who));
	else
		output_text(INDENT "%s 0x%" PRIx64 ": %s: %s\n", who, va,
			pw_status_name(translation.result.status),
			translation_reason(&translation, reason, sizeof reason));
}

static void show_faults(struct story *story, const struct pw_space *space)
{
	if (!story->has_read_only && !story->has_hole)
		return;
	leave_console(story);
	if (!story->json)
		output_text("\nWhat would fault, and why:\n");
	if (story->has_read_only) {
		show_fault(story, space, "a write to", story->read_only, PW_ACCESS_WRITE);
		show_fault(story, space, "a user read of", story->read_only,
			PW_ACCESS_READ | PW_ACCESS_USER);
	}
	if (story->has_hole)
		show_fault(story, space, "a read of", story->hole, PW_ACCESS_READ);
}

static void show_failure(struct story *story, const struct guest_failure *failure)
{
	char file[sizeof failure->file], text[160];

	(void)snprintf(text, sizeof text,
		"a check failed in the guest, %s line %" PRIu32 ": got 0x%" PRIx64
		", wanted 0x%" PRIx64,
		harmless(failure->file, file, sizeof file), failure->line, failure->got,
		failure->wanted);
	story_exit(story, "failure", text);
}

void story_call(struct story *story, const struct pw_space *space, const struct guest_call *call)
{
	switch (call->number) {
	case GUEST_CALL_TRANSLATE:
	case GUEST_CALL_STRING:
	case GUEST_CALL_FAULT:
		answer(story, space, call);
		break;
	case GUEST_CALL_FAILURE:
		show_failure(story, &call->failure);
		break;
	case GUEST_CALL_DONE:
		show_faults(story, space);
		break;
	default:
		break;
	}
}

void story_exit(struct story *story, const char *kind, const char *reason)
{
	json_t *record;

	leave_console(story);
	if (!story->json) {
		output_flush();
		output_complain("%s", reason);
		return;
	}
	record = json_object();
	field_string(record, "event", "exit");
	field_string(record, "kind", kind);
	field_string(record, "reason", reason);
	output_record(record);
}

void story_result(struct story *story, const uint32_t *code, int exit_status)
{
	json_t *record;

	leave_console(story);
	if (!story->json) {
		if (story->answers > 0)
			output_text("\nResult: %" PRIu64 " answer%s, %" PRIu64
				    " agree%s with the guest%s\n",
				story->answers, story->answers == 1 ? "" : "s", story->agreeing,
				story->agreeing == 1 ? "s" : "",
				story->answers == story->agreeing ? "." : ", THE OTHERS DO NOT.");
		return;
	}
	record = json_object();
	field_string(record, "event", "result");
	if (code != NULL)
		field_number(record, "code", *code);
	field_number(record, "exit_status", (uint64_t)exit_status);
	field_number(record, "answers", story->answers);
	field_number(record, "agreeing", story->agreeing);
	output_record(record);
}
