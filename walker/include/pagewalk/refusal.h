/* SPDX-License-Identifier: MIT */
/*
 * Why a builder says PW_E_RIGHTS: which of the rights that were asked for cannot be had, and what
 * stands against them.
 */
#ifndef PAGEWALK_REFUSAL_H
#define PAGEWALK_REFUSAL_H

#include <pagewalk/space.h>

#ifdef __cplusplus
extern "C" {
#endif

enum pw_refusal_rule {
	PW_REFUSAL_FINE,     /* nothing stands against them */
	PW_REFUSAL_NEEDS,    /* the format has them only together with others */
	PW_REFUSAL_IN_FORCE, /* the same by the rules of this space: no execute-only EPT, no NXE */
	PW_REFUSAL_NOT_HAD,  /* the format does not know this right at all (PW_U in EPT) */
	PW_REFUSAL_TYPE,     /* no such memory type */
	PW_REFUSAL_IPAT,     /* PW_IPAT, or not with this type */
	PW_REFUSAL_GLOBAL,   /* no global pages */
	PW_REFUSAL_SOFTWARE, /* fewer bits are left to software */
	PW_REFUSAL_TABLE,    /* a table entry denies them, and serves addresses outside too */
	PW_REFUSAL_COUNT
};

struct pw_refusal {
	uint8_t rule;      /* enum pw_refusal_rule */
	uint8_t level;     /* TABLE: of the entry */
	pw_rights wanted;  /* R W X U as asked for */
	pw_rights lacking; /* NEEDS, IN_FORCE: of R W X U, the fewest that have to come with them */
	pw_rights refused; /* NOT_HAD: of R W X U, those that there are not */
	pw_rights type;    /* TYPE, IPAT: PW_MEM_... as asked for */
	pw_va va;          /* TABLE: an address of the range that the entry serves */
	uint64_t entry;    /* TABLE */
};

/*
 * Tells why pw_map(), pw_allocate() or pw_protect() of this range refuse these rights, whatever
 * else there is in the range; nothing is written. For pw_modify() ask for the rights that a page
 * would have afterwards.
 *
 * PW_E_RIGHTS, with *reason; PW_OK if the rights are no reason to refuse. Other statuses are those
 * of pw_map() for the range and for unknown bits; then *reason stays as it was. Thread safe.
 *
 * Manuals: SDM vol. 3C "EPT Misconfigurations"; RISC-V privileged manual "Addressing and Memory
 * Protection" (encodings of R, W and X); Arm ARM D8 "Stage 2 data accesses".
 */
PW_API PW_NODISCARD enum pw_status pw_why_refused(const struct pw_space *space, pw_va va,
	uint64_t size, pw_rights rights, struct pw_refusal *reason);

/*
 * One line about it, without the address: "ept-4 cannot give -w-- without r: an EPT
 * misconfiguration". Into text[size], always terminated if size > 0. Returns text, or "" if size is
 * 0. 160 bytes hold all of it. Thread safe.
 */
PW_API const char *pw_refusal_text(
	const struct pw_space *space, const struct pw_refusal *reason, char *text, size_t size);

#ifdef __cplusplus
}
#endif

#endif
