/* SPDX-License-Identifier: MIT */
/*
 * Memory types: what a CPU's MTRRs say of physical memory, how types combine, and second-stage
 * mappings that carry them. Under EPT the host's MTRRs are not consulted: whoever builds the tables
 * has to put their types into the entries, and a page that spans two types is not legal.
 * SDM vol. 3A, "Memory Type Range Registers (MTRRs)", "Page Attribute Table (PAT)"; vol. 3C, "EPT
 * and Memory Typing".
 */
#ifndef PAGEWALK_MTRR_H
#define PAGEWALK_MTRR_H

#include <pagewalk/build.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Encodings of memory types in MTRRs, in the PAT and in EPT entries. */
enum pw_memory_type {
	PW_TYPE_UC = 0,
	PW_TYPE_WC = 1,
	PW_TYPE_WT = 4,
	PW_TYPE_WP = 5,
	PW_TYPE_WB = 6,
	PW_TYPE_UC_MINUS = 7,     /* in the PAT only */
	PW_TYPE_MIXED = 0xfe,     /* more than one in the range asked for */
	PW_TYPE_UNDEFINED = 0xff, /* overlapping MTRRs whose types the manual does not combine */
};

/* One pair IA32_MTRR_PHYSBASEn, IA32_MTRR_PHYSMASKn. */
struct pw_mtrr_range {
	uint64_t base, mask;
};

/* The MTRRs as the CPU has them. */
struct pw_mtrr {
	uint64_t def_type; /* IA32_MTRR_DEF_TYPE: bits 7:0 the type, 10 FE, 11 E */
	/* IA32_MTRR_FIX64K_00000, FIX16K_80000, FIX16K_A0000, FIX4K_C0000 ... FIX4K_F8000. */
	uint64_t fixed[11];
	const struct pw_mtrr_range *variable;
	size_t variable_count;
	uint8_t maxphyaddr; /* 32 to 52; 0: 52 */
};

/*
 * The type at pa; *last (if not NULL) is the last address up to which it certainly holds. UC where
 * MTRRs are off; fixed ranges before variable ones; UC before all, WT before WB; other overlaps are
 * PW_TYPE_UNDEFINED.
 */
PW_API enum pw_memory_type pw_mtrr_type(const struct pw_mtrr *mtrr, pw_pa pa, pw_pa *last);

/*
 * The type of [first, last], or PW_TYPE_MIXED; *same (if not NULL) is the last address of the range
 * up to which the type is that of `first`. With masks that leave gaps that may be an address
 * earlier, and the answer PW_TYPE_MIXED: it looks no further than 1024 steps. PW_TYPE_UNDEFINED if
 * first > last.
 */
PW_API enum pw_memory_type pw_mtrr_range_type(
	const struct pw_mtrr *mtrr, pw_pa first, pw_pa last, pw_pa *same);

/*
 * The type of an access, from that of the MTRR, or of the EPT entry that stands in for it, and that
 * of the PAT entry that the page selects (PW_TYPE_UC_MINUS too). PW_TYPE_UNDEFINED for what are no
 * such types.
 */
PW_API enum pw_memory_type pw_memory_type_combine(
	enum pw_memory_type mtrr, enum pw_memory_type pat);

/*
 * The type of a guest's access through an EPT page. `ept_type` is struct pw_result.memory_type of
 * that page: the type, and bit 3 for IPAT, which leaves the guest's PAT out; guest_cd is the
 * guest's CR0.CD, which makes it UC whatever else is said.
 */
PW_API enum pw_memory_type pw_ept_access_type(
	unsigned ept_type, enum pw_memory_type guest_pat, bool guest_cd);

/*
 * Maps as pw_map() does, PW_REPLACE included, with the memory type that the MTRRs give for each pa
 * (`rights` names none: PW_E_ARGUMENT), so that no page spans two types. Where types are undefined
 * the pages are uncached. It is one mapping, planned and reserved as a whole before anything
 * changes: an error, at whatever page, leaves all of the range as it was, on live spaces too.
 * Statuses of pw_map(). PW_E_RIGHTS also if the format lacks one of the types; PW_E_ALIGNMENT also
 * if a type ends inside the format's smallest page.
 */
PW_API PW_NODISCARD enum pw_status pw_map_typed(const struct pw_space *space, pw_va va, pw_pa pa,
	uint64_t size, pw_rights rights, const struct pw_mtrr *mtrr, struct pw_flush *flush);

#ifdef __cplusplus
}
#endif

#endif
