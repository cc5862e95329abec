/* SPDX-License-Identifier: MIT */
/*
 * Extended page tables. SDM vol. 3C, "The Extended Page Table Mechanism (EPT)".
 * Levels: 0 = PTE, 1 = PDE, 2 = PDPTE, 3 = PML4E, 4 = PML5E.
 *
 * An entry is present if it grants anything at all: execute-only entries exist. A misconfigured
 * entry (SDM "EPT Misconfigurations") is BAD: W without R, a reserved bit, a memory type 2, 3 or 7.
 * Unlike in ordinary paging bit 12 of a large page is reserved: there is no PAT bit.
 */
#include "ept.h"
#include <pagewalk/format.h>

/* Bitmaps over entry[5:0]: bits 2:0 are X W R, bits 5:3 the memory type. */
#define EPT_EVERY_TYPE  UINT64_C(0x0101010101010101)
#define EPT_W_WITHOUT_R (EPT_EVERY_TYPE << 2 | EPT_EVERY_TYPE << 6)
#define EPT_TYPE(n)     (UINT64_C(0xff) << (8 * (n)))
#define EPT_BAD_TYPES   (EPT_TYPE(2) | EPT_TYPE(3) | EPT_TYPE(7))

/*
 * With mode-based execute control bit 10 (XU) rules fetches from user-mode linear addresses, and an
 * entry that grants nothing else is present too. Without it bit 10 is ignored: `xu_` is PW_NO_BIT.
 */
#define EPT_XU       10
#define EPT_ANY(xu_) ((xu_) == EPT_XU ? EPT_RWX | PW_BIT(EPT_XU) : EPT_RWX)

/*
 * Bits of a page that the hardware ignores whatever the controls are (SDM vol. 3C, "Format of an
 * EPT Page-Table Entry that Maps a 4-KByte Page", and those of larger pages).
 */
#define EPT_IGNORED (PW_BIT(11) | PW_BITS(52, 56) | PW_BIT(59) | PW_BIT(62))

#define EPT_PAGE(shift_, reserved_, bits_, xu_)                                                    \
	{                                                                                          \
		.address = PW_BITS(shift_, 51), .reserved = (reserved_),                           \
		.illegal_low6 = EPT_W_WITHOUT_R | EPT_BAD_TYPES, .bits = (bits_),                  \
		.accessed = EPT_A, .dirty = EPT_D, .size_log2 = (shift_),                          \
		.right_bit = {0, 1, 2, xu_, PW_NO_BIT, PW_NO_BIT}, .type_bit = {                   \
			3,                                                                         \
			4,                                                                         \
			5,                                                                         \
			6,                                                                         \
			PW_NO_BIT                                                                  \
		}                                                                                  \
	}

#define EPT_TABLE(shift_, mask_, reserved_, xu_)                                                   \
	.shift = (shift_), .index_bits = 9, .present_any = EPT_ANY(xu_), .table_mask = (mask_),    \
	.table_value = 0, .table_address = PW_BITS(12, 51), .table_reserved = (reserved_),         \
	.table_illegal_low6 = EPT_W_WITHOUT_R, .table_bits = EPT_ANY(xu_), .fold = ~(uint64_t)0

#define EPT_TABLES_ONLY(shift_, xu_)                                                               \
	{                                                                                          \
		EPT_TABLE(shift_, 0, PW_BITS(3, 7), xu_), .page = {.size_log2 = 0 }                \
	}

#define EPT_TABLES_OR_PAGES(shift_, reserved_, xu_)                                                \
	{                                                                                          \
		EPT_TABLE(shift_, EPT_PS, PW_BITS(3, 6), xu_),                                     \
			.page = EPT_PAGE(shift_, reserved_, EPT_PS, xu_)                           \
	}

#define EPT_HIERARCHY(levels_, va_bits_, xu_)                                                      \
	.family = PW_FAMILY_EPT, .levels = (levels_), .va_bits = (va_bits_),                       \
	.extension = PW_ZERO_EXTENDED, .pa_bits = 52, .entry_bytes = 8,                            \
	.reserved_above_pa = PW_BITS(12, 51), .software = EPT_IGNORED,                             \
	.attribute = {{PW_FOLD_AND, 0}, {PW_FOLD_AND, 1}, {PW_FOLD_AND, 2}, {PW_FOLD_AND, xu_}},   \
	.encode_type = {6, 0, 1, 4, 5, 6, PW_CANNOT, PW_CANNOT}, .ignore_pat = 8,                  \
	.level = {                                                                                 \
		{                                                                                  \
			.shift = 12,                                                               \
			.index_bits = 9,                                                           \
			.present_any = EPT_ANY(xu_),                                               \
			.table_value = 1,                                                          \
			.page = EPT_PAGE(12, 0, 0, xu_),                                           \
		},                                                                                 \
		EPT_TABLES_OR_PAGES(21, PW_BITS(12, 20), xu_),                                     \
		EPT_TABLES_OR_PAGES(30, PW_BITS(12, 29), xu_),                                     \
		EPT_TABLES_ONLY(39, xu_),                                                          \
		EPT_TABLES_ONLY(48, xu_),                                                          \
	}

/* Every subset of R W X that is not misconfigured; there is no user. */
#define EPT_RIGHTS                                                                                 \
	.attribute_count = 3, .has_user = false,                                                   \
	.grant = {[1] = PW_GRANT_ALL(1),                                                           \
		[2] = PW_GRANT_ALL(2),                                                             \
		[3] = PW_GRANT_ALL(3),                                                             \
		[4] = PW_GRANT_ALL(4),                                                             \
		[5] = PW_GRANT_ALL(5),                                                             \
		[6] = PW_GRANT_ALL(6),                                                             \
		[7] = PW_GRANT_ALL(7)},                                                            \
	.encode = {PW_CANNOT, 1, PW_CANNOT, 3, 4, 5, PW_CANNOT, 7, PW_CANNOT, PW_CANNOT,           \
		PW_CANNOT, PW_CANNOT, PW_CANNOT, PW_CANNOT, PW_CANNOT, PW_CANNOT}

/* Attributes R W X XU. The letters are R, W, X for the supervisor, and U where the user fetches. */
#define MBEC_GRANT(i)                                                                              \
	(pw_grant)(PW_GRANT_USER(((i)&3) | ((i)&8) >> 1) | PW_GRANT_SUPERVISOR(i) | (i) << 12)
#define EPT_MBEC_RIGHTS                                                                            \
	.attribute_count = 4, .has_user = true,                                                    \
	.grant = {0, MBEC_GRANT(1), MBEC_GRANT(2), MBEC_GRANT(3), MBEC_GRANT(4), MBEC_GRANT(5),    \
		MBEC_GRANT(6), MBEC_GRANT(7), MBEC_GRANT(8), MBEC_GRANT(9), MBEC_GRANT(10),        \
		MBEC_GRANT(11), MBEC_GRANT(12), MBEC_GRANT(13), MBEC_GRANT(14), MBEC_GRANT(15)},   \
	.encode = {PW_CANNOT, 1, PW_CANNOT, 3, 4, 5, PW_CANNOT, 7, 8, 9, PW_CANNOT, 11, 12, 13,    \
		PW_CANNOT, 15}

#define EPT_MANUAL(length_)                                                                        \
	"Intel SDM vol. 3C, EPT Translation Mechanism (page-walk length " length_ ")"

const struct pw_format pw_format_ept_4 = {
	.name = "ept-4", .manual = EPT_MANUAL("4"), EPT_RIGHTS, EPT_HIERARCHY(4, 48, PW_NO_BIT)};

const struct pw_format pw_format_ept_5 = {
	.name = "ept-5", .manual = EPT_MANUAL("5"), EPT_RIGHTS, EPT_HIERARCHY(5, 57, PW_NO_BIT)};

const struct pw_format pw_format_ept_4_mbec = {
	.name = "ept-4", .manual = EPT_MANUAL("4"), EPT_MBEC_RIGHTS, EPT_HIERARCHY(4, 48, EPT_XU)};

const struct pw_format pw_format_ept_5_mbec = {
	.name = "ept-5", .manual = EPT_MANUAL("5"), EPT_MBEC_RIGHTS, EPT_HIERARCHY(5, 57, EPT_XU)};

_Static_assert((EPT_W_WITHOUT_R & (PW_BIT(2) | PW_BIT(6))) == (PW_BIT(2) | PW_BIT(6)), "W, WX");
_Static_assert((EPT_W_WITHOUT_R & (PW_BIT(1) | PW_BIT(3) | PW_BIT(7))) == 0, "R, RW, RWX");
