/* SPDX-License-Identifier: MIT */
/*
 * Nested page tables. AMD APM vol. 2, "Nested Paging". The tables are those of the host's long mode
 * (EFER.LMA, CR4.LA57 at VMRUN); their input is the guest-physical address, which has no sign.
 * Levels: 0 = PTE, 1 = PDE, 2 = PDPTE, 3 = PML4E, 4 = PML5E.
 *
 * Every nested access is a user's: an entry without U grants nothing, and CR0.WP does not count.
 * Bit 8 must be zero in PML4E and PML5E; G means nothing.
 */
#include "x86.h"

#define NPT_TABLES_ONLY(shift_)                                                                    \
	{                                                                                          \
		.shift = (shift_), .index_bits = 9, .present_all = X86_P, .table_mask = 0,         \
		.table_value = 0, .table_address = PW_BITS(12, 51),                                \
		.table_reserved = X86_PS | X86_G, .table_bits = X86_P | X86_W | X86_U,             \
		.fold = ~(uint64_t)0, .page = X86_NO_PAGE                                          \
	}

#define NPT_TABLES_OR_PAGES(shift_)                                                                \
	{                                                                                          \
		.shift = (shift_), .index_bits = 9, .present_all = X86_P, .table_mask = X86_PS,    \
		.table_value = 0, .table_address = PW_BITS(12, 51),                                \
		.table_bits = X86_P | X86_W | X86_U, .fold = ~(uint64_t)0,                         \
		.page = X86_PAGE_GLOBAL(                                                           \
			shift_, PW_BITS(shift_, 51), PW_BITS(13, (shift_)-1), X86_PS, 12, 63, 0)   \
	}

/* Folded attributes: W, U, XD, as in x86 rows. */
#define NPT_FORMAT(name_, manual_, levels_, va_bits_)                                              \
	{                                                                                          \
		.name = (name_), .manual = (manual_), .family = PW_FAMILY_NPT,                     \
		.levels = (levels_), .va_bits = (va_bits_), .extension = PW_ZERO_EXTENDED,         \
		.pa_bits = 52, .entry_bytes = 8, .attribute_count = 3, .has_user = false,          \
		.reserved_above_pa = PW_BITS(12, 51), .software = X86_LONG_AVL,                    \
		.attribute = X86_ATTRIBUTES,                                                       \
		.grant = {[2] = PW_GRANT_ALL(PW_R | PW_X),                                         \
			[3] = PW_GRANT_ALL(PW_R | PW_W | PW_X),                                    \
			[6] = PW_GRANT_ALL(PW_R),                                                  \
			[7] = PW_GRANT_ALL(PW_R | PW_W)},                                          \
		.encode = {PW_CANNOT, 6, PW_CANNOT, 7, PW_CANNOT, 2, PW_CANNOT, 3, PW_CANNOT,      \
			PW_CANNOT, PW_CANNOT, PW_CANNOT, PW_CANNOT, PW_CANNOT, PW_CANNOT,          \
			PW_CANNOT},                                                                \
		.encode_type = X86_ENCODE_TYPE, .level = {                                         \
			{.shift = 12,                                                              \
				.index_bits = 9,                                                   \
				.present_all = X86_P,                                              \
				.table_value = 1,                                                  \
				.page = X86_PAGE_GLOBAL(12, PW_BITS(12, 51), 0, 0, 7, 63, 0)},     \
			NPT_TABLES_OR_PAGES(21),                                                   \
			NPT_TABLES_OR_PAGES(30),                                                   \
			NPT_TABLES_ONLY(39),                                                       \
			NPT_TABLES_ONLY(48),                                                       \
		}                                                                                  \
	}

const struct pw_format pw_format_npt_4 =
	NPT_FORMAT("npt-4", "AMD APM vol. 2, Nested Paging (host in 4-level long mode)", 4, 48);

const struct pw_format pw_format_npt_5 =
	NPT_FORMAT("npt-5", "AMD APM vol. 2, Nested Paging (host in 5-level long mode)", 5, 57);
