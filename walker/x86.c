/* SPDX-License-Identifier: MIT */
/* From an x86 CPU's control registers to the space it walks. SDM vol. 3A, "Paging". */
#include "entry.h"
#include "linear.h"
#include "rules.h"
#include "space.h"

#define CR0_NW    PW_BIT(29)
#define CR0_CD    PW_BIT(30)
/* LAM_U57 and LAM_U48 (61, 62); bit 63 of a MOV operand is no part of CR3. */
#define CR3_FLAGS PW_BITS(61, 63)
#define XD        PW_BIT(63)

struct rule {
	const char *text;
	bool broken;
};

static const char *broken_rule(const struct pw_x86_state *s)
{
	bool pg = s->cr0 & PW_CR0_PG, lma = s->efer & PW_EFER_LMA, lme = s->efer & PW_EFER_LME;
	const struct rule rules[] = {
		{"CR0[63:32] must be 0", (s->cr0 >> 32) != 0},
		{"CR0.PG=1 needs CR0.PE=1", pg && !(s->cr0 & PW_CR0_PE)},
		{"CR0.NW=1 needs CR0.CD=1", (s->cr0 & CR0_NW) && !(s->cr0 & CR0_CD)},
		{"EFER.LMA=1 needs CR0.PG=1", lma && !pg},
		{"EFER.LMA=1 needs EFER.LME=1", lma && !lme},
		{"EFER.LME=1 with CR0.PG=1 means EFER.LMA=1", lme && pg && !lma},
		{"EFER.LMA=1 needs CR4.PAE=1", lma && !(s->cr4 & PW_CR4_PAE)},
		{"CR4.PCIDE=1 needs EFER.LMA=1", (s->cr4 & PW_CR4_PCIDE) && !lma},
		{"CR4.CET=1 needs CR0.WP=1", (s->cr4 & PW_CR4_CET) && !(s->cr0 & PW_CR0_WP)},
	};

	for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
		if (rules[i].broken)
			return rules[i].text;
	}
	return NULL;
}

static const struct pw_format *paging_mode(const struct pw_x86_state *s)
{
	if (!(s->cr0 & PW_CR0_PG))
		return &pw_format_x86_none;
	if (!(s->cr4 & PW_CR4_PAE))
		return s->cr4 & PW_CR4_PSE ? &pw_format_x86_32 : &pw_format_x86_32_no_pse;
	if (!(s->efer & PW_EFER_LMA))
		return &pw_format_x86_pae;
	return s->cr4 & PW_CR4_LA57 ? &pw_format_x86_64_la57 : &pw_format_x86_64;
}

static pw_pa root_of(const struct pw_x86_state *s, const struct pw_format *format)
{
	if (format->levels == 0)
		return 0;
	if (format->levels == 2)
		return s->cr3 & PW_BITS(12, 31);
	if (format->levels == 3)
		return s->cr3 & PW_BITS(5, 31);
	return s->cr3 & PW_BITS(12, 51) & ~s->encryption_mask;
}

/* Reserved bits that control state adds to the format's row. SDM "Reserved bits" per paging mode.
 */
static void add_reserved(struct pw_space *space, const struct pw_x86_state *s)
{
	const struct pw_format *format = space->format;

	for (unsigned i = 0; i < format->levels; i++) {
		uint64_t extra = 0;

		if (format->entry_bytes == 8 && !(s->efer & PW_EFER_NXE))
			extra |= XD;
		/*
		 * APM vol. 2: bit 8 must be zero in PML5E and PML4E. In a PDPTE it is ignored:
		 * Linux commit 5ecad245de2a.
		 */
		space->reserved_table[i] |= extra;
		if (s->amd && format->levels >= 4 && i >= 3)
			space->reserved_table[i] |= PW_BIT(8);
		space->reserved_page[i] |= extra;
		space->reserved_table[i] &= ~s->encryption_mask;
		space->reserved_page[i] &= ~s->encryption_mask;
	}
	if (format->levels >= 4 && s->no_1g_pages)
		space->reserved_page[2] |= PW_BIT(7);
	if (format->levels == 2 && s->no_pse36)
		space->reserved_page[1] |= PW_BITS(13, 21);
	space->address_clear = s->encryption_mask;
}

/* SDM vol. 3A, "Determination of Access Rights". Attributes of x86 rows: W, U, XD. */
static pw_grant grant_of(const struct pw_x86_state *s, unsigned attributes)
{
	bool w = attributes & 1, u = attributes & 2, x = !(attributes & 4);
	bool wp = s->cr0 & PW_CR0_WP, smap = s->cr4 & PW_CR4_SMAP;
	unsigned data = PW_R | (w || !wp ? PW_W : 0);
	unsigned user = u ? PW_R | (w ? PW_W : 0) | (x ? PW_X : 0) : 0;
	unsigned fetch = x && !(u && (s->cr4 & PW_CR4_SMEP)) ? PW_X : 0;
	unsigned explicit_data = u && smap && !(s->rflags & PW_RFLAGS_AC) ? 0 : data;
	unsigned implicit_data = u && smap ? 0 : data;
	pw_grant grant = PW_GRANT(user, explicit_data | fetch);

	return (pw_grant)((grant & ~0x700u) | (implicit_data | fetch) << 8);
}

/* SDM vol. 3A, "PDPTE Registers": checked when they are loaded. */
static enum pw_status load_pdptes(
	struct pw_space *space, const struct pw_x86_state *s, const char **why)
{
	for (unsigned i = 0; i < 4; i++) {
		uint64_t entry = s->pdpte[i];

		if (!s->pdpte_loaded && !pw_load(space->format, space, space->root + 8 * i, &entry))
			return PW_NO_MEMORY;
		if ((entry & 1) && (entry & space->reserved_table[2])) {
			*why = "a present PDPTE has reserved bits: loading CR3 raises #GP(0)";
			return PW_E_STATE;
		}
		space->pdpte[i] = entry;
	}
	space->flags |= PW_SPACE_PDPTE;
	return PW_OK;
}

static void set_flags(struct pw_space *space, const struct pw_x86_state *s)
{
	bool nxe = (s->efer & PW_EFER_NXE) && (s->cr4 & PW_CR4_PAE);

	if (nxe || (s->cr4 & PW_CR4_SMEP))
		space->flags |= PW_SPACE_FETCH_BIT;
	if (s->cr0 & PW_CR0_WP)
		space->flags |= PW_SPACE_WP;
	if (s->cr4 & PW_CR4_CET)
		space->flags |= PW_SPACE_CET;
	/* Protection keys exist in 4-level and 5-level paging only. */
	if (space->format->key_bits && (s->cr4 & PW_CR4_PKE))
		space->flags |= PW_SPACE_PKE | PW_SPACE_CAREFUL;
	if (space->format->key_bits && (s->cr4 & PW_CR4_PKS))
		space->flags |= PW_SPACE_PKS | PW_SPACE_CAREFUL;
	space->pkru = s->pkru;
	space->pkrs = s->pkrs;
}

static void set_linear_rules(struct pw_space *space, const struct pw_x86_state *s)
{
	bool smap = s->cr4 & PW_CR4_SMAP, ac = s->rflags & PW_RFLAGS_AC;

	if (space->format->levels < 4)
		return;
	if (s->cr3 & PW_CR3_LAM_U57)
		space->lam_user = 57;
	else if (s->cr3 & PW_CR3_LAM_U48)
		space->lam_user = 48;
	if (s->cr4 & PW_CR4_LAM_SUP)
		space->lam_supervisor = space->format->va_bits;
	if (s->cr4 & PW_CR4_LASS)
		space->lass = (uint8_t)(PW_LASS_ON | (smap ? PW_LASS_IMPLICIT : 0) |
					(smap && !ac ? PW_LASS_EXPLICIT : 0));
}

enum pw_status pw_space_init_x86(struct pw_space *space, const struct pw_x86_state *state,
	const struct pw_memory *memory, const char **why)
{
	const char *ignored;

	if (!why)
		why = &ignored;
	*why = NULL;
	if (!state || (state->maxphyaddr && (state->maxphyaddr < 32 || state->maxphyaddr > 52)) ||
		state->encryption_mask & ~PW_BITS(12, 51))
		return PW_E_ARGUMENT;
	*why = broken_rule(state);
	if (*why)
		return PW_E_STATE;

	const struct pw_format *format = paging_mode(state);
	enum pw_status status =
		pw_space_prepare(space, format, root_of(state, format), memory, state->maxphyaddr);

	if (status != PW_OK)
		return status;
	if (format->levels >= 4 &&
		(state->cr3 & ~CR3_FLAGS & ~state->encryption_mask & ~PW_LOW(space->pa_bits))) {
		*why = "CR3 has bits set at or above MAXPHYADDR";
		return PW_E_STATE;
	}
	add_reserved(space, state);
	if (format->levels) {
		for (unsigned i = 0; i < 8; i++)
			space->grant[i] = grant_of(state, i);
	}
	set_flags(space, state);
	set_linear_rules(space, state);
	pw_space_finish(space);
	if (format == &pw_format_x86_pae && (state->pdpte_loaded || state->pdpte_load))
		return load_pdptes(space, state, why);
	return PW_OK;
}
