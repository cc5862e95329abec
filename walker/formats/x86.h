/* SPDX-License-Identifier: MIT */
/*
 * x86 rows. SDM vol. 3A, "Paging": 32-Bit Paging, PAE Paging, 4-Level Paging and 5-Level Paging.
 * Levels: 0 = PTE, 1 = PDE, 2 = PDPTE, 3 = PML4E, 4 = PML5E.
 *
 * The reserved masks are those of a CPU with NXE, PSE, PSE-36, PAT and 1 GiB pages; control state
 * that takes one of these away adds to them in the space.
 */
#ifndef PW_FORMATS_X86_H
#define PW_FORMATS_X86_H

#include "../bits.h"
#include <pagewalk/format.h>

#define X86_P  PW_BIT(0)
#define X86_W  PW_BIT(1)
#define X86_U  PW_BIT(2)
#define X86_A  PW_BIT(5)
#define X86_D  PW_BIT(6)
#define X86_PS PW_BIT(7)
#define X86_G  PW_BIT(8)
#define X86_XD PW_BIT(63)

/* A page: PWT and PCD are bits 3 and 4; the PAT bit is 7 in a PTE and 12 in a larger page. */
#define X86_PAGE(shift_, address_, reserved_, bits_, pat_, xd_)                                    \
	X86_PAGE_GLOBAL(shift_, address_, reserved_, bits_, pat_, xd_, X86_G)
#define X86_PAGE_GLOBAL(shift_, address_, reserved_, bits_, pat_, xd_, global_)                    \
	{                                                                                          \
		.address = (address_), .reserved = (reserved_), .bits = X86_P | (bits_),           \
		.accessed = X86_A, .dirty = X86_D, .global = (global_), .size_log2 = (shift_),     \
		.right_bit = {1, 2, xd_, PW_NO_BIT, PW_NO_BIT, PW_NO_BIT}, .type_bit = {           \
			3,                                                                         \
			4,                                                                         \
			pat_,                                                                      \
			PW_NO_BIT,                                                                 \
			PW_NO_BIT                                                                  \
		}                                                                                  \
	}

#define X86_NO_PAGE                                                                                \
	{                                                                                          \
		.size_log2 = 0                                                                     \
	}

/* A level whose present entries are all tables: bit 7 set is a reserved bit there. */
#define X86_TABLES_ONLY(shift_)                                                                    \
	{                                                                                          \
		.shift = (shift_), .index_bits = 9, .present_all = X86_P, .table_mask = 0,         \
		.table_value = 0, .table_address = PW_BITS(12, 51), .table_reserved = X86_PS,      \
		.table_bits = X86_P | X86_W | X86_U, .fold = ~(uint64_t)0, .page = X86_NO_PAGE     \
	}

/* A level of 8-byte entries where bit 7 tells a page from a table. */
#define X86_TABLES_OR_PAGES(shift_, reserved_)                                                     \
	{                                                                                          \
		.shift = (shift_), .index_bits = 9, .present_all = X86_P, .table_mask = X86_PS,    \
		.table_value = 0, .table_address = PW_BITS(12, 51),                                \
		.table_bits = X86_P | X86_W | X86_U, .fold = ~(uint64_t)0,                         \
		.page = X86_PAGE(shift_, PW_BITS(shift_, 51), reserved_, X86_PS, 12, 63)           \
	}

#define X86_PTE                                                                                    \
	{                                                                                          \
		.shift = 12, .index_bits = 9, .present_all = X86_P, .table_mask = 0,               \
		.table_value = 1, .page = X86_PAGE(12, PW_BITS(12, 51), 0, 0, 7, 63)               \
	}

/* Folded attributes: W, U, XD (lowest first). A user page is one with U = 1 at every level. */
#define X86_GRANTS                                                                                 \
	{                                                                                          \
		[0] = PW_GRANT(0, PW_R | PW_X), [1] = PW_GRANT(0, PW_R | PW_W | PW_X),             \
		[2] = PW_GRANT(PW_R | PW_X, PW_R | PW_X),                                          \
		[3] = PW_GRANT(PW_R | PW_W | PW_X, PW_R | PW_W | PW_X), [4] = PW_GRANT(0, PW_R),   \
		[5] = PW_GRANT(0, PW_R | PW_W), [6] = PW_GRANT(PW_R, PW_R),                        \
		[7] = PW_GRANT(PW_R | PW_W, PW_R | PW_W)                                           \
	}

#define X86_ATTRIBUTES                                                                             \
	{                                                                                          \
		{PW_FOLD_AND, 1}, {PW_FOLD_AND, 2},                                                \
		{                                                                                  \
			PW_FOLD_OR, 63                                                             \
		}                                                                                  \
	}

/* Rights R W X U as index; every present entry is readable, so R is a must. */
#define X86_ENCODE                                                                                 \
	{                                                                                          \
		PW_CANNOT, 4, PW_CANNOT, 5, PW_CANNOT, 0, PW_CANNOT, 1, PW_CANNOT, 6, PW_CANNOT,   \
			7, PW_CANNOT, 2, PW_CANNOT, 3                                              \
	}

/* Without XD everything is executable: X is a must as well. */
#define X86_ENCODE_NO_XD                                                                           \
	{                                                                                          \
		PW_CANNOT, PW_CANNOT, PW_CANNOT, PW_CANNOT, PW_CANNOT, 0, PW_CANNOT, 1, PW_CANNOT, \
			PW_CANNOT, PW_CANNOT, PW_CANNOT, PW_CANNOT, 2, PW_CANNOT, 3                \
	}

/* PAT index by the reset value of IA32_PAT: 0 WB, 1 WT, 2 UC-, 3 UC. No WC, no WP there. */
#define X86_ENCODE_TYPE                                                                            \
	{                                                                                          \
		0, 3, PW_CANNOT, 1, PW_CANNOT, 0, PW_CANNOT, PW_CANNOT                             \
	}

/*
 * Ignored in every page: bits 11:9, in long mode bits 58:52 too (62:59 are the protection key). SDM
 * vol. 3A, "Formats of CR3 and Paging-Structure Entries"; APM vol. 2, "AVL". PAE reserves 62:52.
 */
#define X86_AVL      PW_BITS(9, 11)
#define X86_LONG_AVL (X86_AVL | PW_BITS(52, 58))

#define X86_LONG(name_, manual_, levels_, va_bits_)                                                \
	{                                                                                          \
		.name = (name_), .manual = (manual_), .family = PW_FAMILY_X86,                     \
		.levels = (levels_), .va_bits = (va_bits_), .extension = PW_SIGN_EXTENDED,         \
		.pa_bits = 52, .entry_bytes = 8, .attribute_count = 3, .has_user = true,           \
		.reserved_above_pa = PW_BITS(12, 51), .key_bit = 59, .key_bits = 4,                \
		.software = X86_LONG_AVL, .attribute = X86_ATTRIBUTES, .grant = X86_GRANTS,        \
		.encode = X86_ENCODE, .encode_type = X86_ENCODE_TYPE, .level = {                   \
			X86_PTE,                                                                   \
			X86_TABLES_OR_PAGES(21, PW_BITS(13, 20)),                                  \
			X86_TABLES_OR_PAGES(30, PW_BITS(13, 29)),                                  \
			X86_TABLES_ONLY(39),                                                       \
			X86_TABLES_ONLY(48),                                                       \
		}                                                                                  \
	}

/* These two stand here so that the hot paths can be compiled against them as constants. */
static const struct pw_format pw_row_x86_64 = X86_LONG("x86-64",
	"Intel SDM vol. 3A, 4-Level Paging; AMD APM vol. 2, Long-Mode Page Translation", 4, 48);

#endif
