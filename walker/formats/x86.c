/* SPDX-License-Identifier: MIT */
#include "x86.h"

const struct pw_format pw_format_x86_64 = X86_LONG("x86-64",
	"Intel SDM vol. 3A, 4-Level Paging; AMD APM vol. 2, Long-Mode Page Translation", 4, 48);

const struct pw_format pw_format_x86_64_la57 = X86_LONG(
	"x86-64-la57", "Intel SDM vol. 3A, 5-Level Paging; AMD APM vol. 2, 5-Level Paging", 5, 57);

/* CR0.PG = 0: linear addresses are physical addresses, every access is allowed. */
const struct pw_format pw_format_x86_none = {
	.name = "x86-none",
	.manual = "Intel SDM vol. 3A, Paging Modes (CR0.PG = 0)",
	.family = PW_FAMILY_X86,
	.levels = 0,
	.va_bits = 32,
	.extension = PW_ZERO_EXTENDED,
	.pa_bits = 32,
	.has_user = true,
	.grant = {[0] = PW_GRANT(PW_R | PW_W | PW_X, PW_R | PW_W | PW_X)},
};

/*
 * A 4 MiB page under PSE-36 holds physical bits 39:32 in its bits 20:13; bit 21 is reserved, and
 * so are those of bits 20:13 that lie above the physical width.
 */
/* Without CR4.PSE bit 7 of a PDE is ignored: every present PDE is a table. */
#define X86_32_FORMAT(ps_)                                                                         \
	{                                                                                          \
		.name = "x86-32", .manual = "Intel SDM vol. 3A, 32-Bit Paging",                    \
		.family = PW_FAMILY_X86, .levels = 2, .va_bits = 32,                               \
		.extension = PW_ZERO_EXTENDED, .pa_bits = 40, .entry_bytes = 4,                    \
		.software = X86_AVL, .attribute_count = 2, .has_user = true,                       \
		.attribute = X86_ATTRIBUTES, .grant = X86_GRANTS, .encode = X86_ENCODE_NO_XD,      \
		.encode_type = X86_ENCODE_TYPE,                                                    \
		.level = {                                                                         \
			{                                                                          \
				.shift = 12,                                                       \
				.index_bits = 10,                                                  \
				.present_all = X86_P,                                              \
				.table_value = 1,                                                  \
				.page = X86_PAGE(12, PW_BITS(12, 31), 0, 0, 7, PW_NO_BIT),         \
			},                                                                         \
			{                                                                          \
				.shift = 22,                                                       \
				.index_bits = 10,                                                  \
				.present_all = X86_P,                                              \
				.table_mask = (ps_),                                               \
				.table_address = PW_BITS(12, 31),                                  \
				.table_bits = X86_P | X86_W | X86_U,                               \
				.fold = PW_BITS(0, 31),                                            \
				.page =                                                            \
					{                                                          \
						.address = PW_BITS(22, 31),                        \
						.high = {{.mask = PW_BITS(13, 20), .left = 19}},   \
						.reserved = PW_BIT(21),                            \
						.bits = X86_P | X86_PS,                            \
						.accessed = X86_A,                                 \
						.dirty = X86_D,                                    \
						.global = X86_G,                                   \
						.size_log2 = 22,                                   \
						.right_bit = {1, 2, PW_NO_BIT, PW_NO_BIT,          \
							PW_NO_BIT, PW_NO_BIT},                     \
						.type_bit = {3, 4, 12, PW_NO_BIT, PW_NO_BIT},      \
					},                                                         \
			},                                                                         \
		},                                                                                 \
	}

const struct pw_format pw_format_x86_32 = X86_32_FORMAT(X86_PS);
const struct pw_format pw_format_x86_32_no_pse = X86_32_FORMAT(0);

/*
 * PAE: bits 62:M are reserved (not only 51:M). A PDPTE has no R/W, U/S or XD: it does not take part
 * in the folding, and bits 1, 2, 8:5 and 63:M are reserved in it.
 */
const struct pw_format pw_format_x86_pae = {
	.name = "x86-pae",
	.manual = "Intel SDM vol. 3A, PAE Paging",
	.family = PW_FAMILY_X86,
	.levels = 3,
	.va_bits = 32,
	.extension = PW_ZERO_EXTENDED,
	.pa_bits = 52,
	.entry_bytes = 8,
	.attribute_count = 3,
	.has_user = true,
	.reserved_above_pa = PW_BITS(12, 62),
	.software = X86_AVL,
	.attribute = X86_ATTRIBUTES,
	.grant = X86_GRANTS,
	.encode = X86_ENCODE,
	.encode_type = X86_ENCODE_TYPE,
	.level =
		{
			X86_PTE,
			X86_TABLES_OR_PAGES(21, PW_BITS(13, 20)),
			{
				.shift = 30,
				.index_bits = 2,
				.present_all = X86_P,
				.table_address = PW_BITS(12, 51),
				.table_reserved = PW_BITS(1, 2) | PW_BITS(5, 8) | PW_BIT(63),
				.table_bits = X86_P,
				.page = X86_NO_PAGE,
			},
		},
};

/* The rows must not let an attribute bit stand inside an address field. */
_Static_assert((PW_BITS(21, 51) & (PW_BITS(13, 20) | PW_BIT(12) | X86_PS)) == 0, "2 MiB page");
_Static_assert((PW_BITS(30, 51) & (PW_BITS(13, 29) | PW_BIT(12) | X86_PS)) == 0, "1 GiB page");
_Static_assert(((PW_BITS(13, 20) << 19) & ~PW_BITS(32, 39)) == 0, "PSE-36 field");
