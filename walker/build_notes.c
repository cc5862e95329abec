/* SPDX-License-Identifier: MIT */
#include "build_notes.h"

static uint64_t per_table(const struct pw_build *b)
{
	return (pw_entry_count(pw_row(b, 0)) - 1) >> 1;
}

static uint64_t place_of(const struct pw_build *b, pw_va at, unsigned level)
{
	_Static_assert(PW_MAX_LEVELS <= 8, "a level takes three bits");
	return (at >> pw_row(b, 0)->shift << 3 | level) & PW_LOW(8u * b->format->entry_bytes);
}

/* No division, which a 32-bit target would take from a library. */
uint64_t pw_notes_tables(const struct pw_build *b, uint64_t notes)
{
	uint64_t tables = 0;

	for (uint64_t held = PW_FIRST_NOTES; held < notes && per_table(b); held += per_table(b))
		tables++;
	return tables;
}

/* The slot for the next note, in a new spare table if there is none left. */
static bool make_slot(struct pw_build *b, struct pw_notes *notes)
{
	pw_pa pa;

	if (notes->made > PW_FIRST_NOTES && notes->slot < per_table(b))
		return true;
	if (!per_table(b) || !pw_new_table(b, 0, &pa))
		return false;
	if (notes->made == PW_FIRST_NOTES)
		notes->head = pa;
	else
		b->refused |= !pw_poke(b, &notes->table, 0, pw_chain_link(b, pa));
	notes->table = pw_table_open(b, 0, pa);
	notes->slot = 0;
	return true;
}

bool pw_note_add(
	struct pw_build *b, struct pw_notes *notes, pw_va at, unsigned level, uint64_t entry)
{
	uint64_t place = place_of(b, at, level);

	if (notes->made < PW_FIRST_NOTES) {
		notes->first[notes->made++] = (struct pw_note){place, entry};
		return true;
	}
	if (!make_slot(b, notes))
		return false;
	b->refused |= !pw_poke(b, &notes->table, 1 + 2 * notes->slot, place);
	b->refused |= !pw_poke(b, &notes->table, 2 + 2 * notes->slot, entry);
	notes->slot++;
	notes->made++;
	return true;
}

bool pw_note_next(const struct pw_build *b, struct pw_notes *notes, struct pw_note *note)
{
	uint64_t link;

	if (notes->read == notes->made)
		return false;
	if (notes->read < PW_FIRST_NOTES) {
		*note = notes->first[notes->read++];
		return true;
	}
	if (notes->read == PW_FIRST_NOTES) {
		notes->table = pw_table_open(b, 0, notes->head);
		notes->slot = 0;
	} else if (notes->slot == per_table(b)) {
		if (!pw_peek_at(b, &notes->table, 0, &link))
			return false;
		notes->table = pw_table_open(b, 0, pw_chain_target(b, link));
		notes->slot = 0;
	}
	notes->read++;
	if (!pw_peek_at(b, &notes->table, 1 + 2 * notes->slot, &note->place) ||
		!pw_peek_at(b, &notes->table, 2 + 2 * notes->slot, &note->entry))
		return false;
	notes->slot++;
	return true;
}

bool pw_note_is_for(const struct pw_build *b, const struct pw_note *note, pw_va at, unsigned level)
{
	return note->place == place_of(b, at, level);
}

unsigned pw_note_level(const struct pw_note *note)
{
	return note->place & 7;
}

void pw_notes_end(struct pw_build *b, const struct pw_notes *notes)
{
	struct pw_table table = {notes->head, NULL};
	uint64_t link;

	for (uint64_t left = pw_notes_tables(b, notes->made); left; left--) {
		pw_pa pa = table.pa;

		link = 0;
		if (left > 1)
			(void)pw_peek_at(b, &table, 0, &link);
		table.pa = pw_chain_target(b, link);
		pw_return_table(b, 0, pa);
	}
}
