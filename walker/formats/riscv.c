/* SPDX-License-Identifier: MIT */
/*
 * RISC-V. Privileged ISA: "Sv32", "Sv39", "Sv48", "Sv57" and, for the guest stage, "Guest Physical
 * Address Translation" (SvNNx4: a root of four times the size, two more address bits, and every
 * access treated as one from user mode).
 *
 * An entry with R = W = X = 0 is a table; at level 0 the hardware refuses it. Refused are further:
 * W without R, bits 60:54 and, without Svpbmt, 62:61, A, D and U in a table entry, and a superpage
 * whose low page-number bits are not zero.
 *
 * "Svnapot": N (bit 63) with ppn[3:0] = 1000 in a last table is one of 16 equal entries of a 64 KiB
 * page; N with anything else is reserved. A space without rule `riscv_napot` refuses all of it.
 */
#include "../bits.h"
#include <pagewalk/format.h>

#define RV_V   PW_BIT(0)
#define RV_RWX PW_BITS(1, 3)
#define RV_U   PW_BIT(4)
#define RV_G   PW_BIT(5)
#define RV_A   PW_BIT(6)
#define RV_D   PW_BIT(7)
#define RV_RSW PW_BITS(8, 9)
#define RV_N   PW_BIT(63)

/* Bitmaps over entry[5:0] = G U X W R V. */
#define RV_EVERY_GUX   UINT64_C(0x0101010101010101)
#define RV_W_WITHOUT_R ((RV_EVERY_GUX << 4) | (RV_EVERY_GUX << 5))
/* R = W = 0 and X = 0: bits 0 and 1 (V) of every group of sixteen. */
#define RV_NO_RWX      (UINT64_C(0x0003000300030003))

#define RV_PAGE(global_, shift_, top_)                                                             \
	.address = PW_BITS((shift_)-2, top_), .accessed = RV_A, .dirty = RV_D,                     \
	.global = (global_), .size_log2 = (shift_),                                                \
	.right_bit = {1, 2, 3, 4, PW_NO_BIT, PW_NO_BIT},                                           \
	.type_bit = {PW_NO_BIT, PW_NO_BIT, PW_NO_BIT, PW_NO_BIT, PW_NO_BIT}

/*
 * `global_` is the G bit, which the guest stage ignores. PPN[0] starts at bit 10; `top_` is the
 * highest bit of the page number, `high_` what lies above.
 */
#define RV_LEVEL(global_, shift_, index_, top_, high_, illegal_, mask_, value_)                    \
	.shift = (shift_), .index_bits = (index_), .present_all = RV_V, .table_mask = (mask_),     \
	.table_value = (value_), .table_address = PW_BITS(10, top_),                               \
	.table_reserved = RV_A | RV_D | RV_U | (high_), .table_bits = RV_V, .fold = RV_G,          \
	.page = {                                                                                  \
		.reserved = (PW_BITS(10, (shift_)-2) & ~PW_BIT((shift_)-2)) | (high_),             \
		.illegal_low6 = (illegal_),                                                        \
		.bits = RV_V | RV_A | RV_D,                                                        \
		RV_PAGE(global_, shift_, top_),                                                    \
	}

#define RV_LAST(global_, index_, top_, high_)                                                      \
	RV_LEVEL(global_, 12, index_, top_, high_, RV_W_WITHOUT_R | RV_NO_RWX, 0, 1)
#define RV32_LAST(global_)                                                                         \
	{                                                                                          \
		RV_LAST(global_, 10, 31, 0)                                                        \
	}
#define RV_UPPER(global_, shift_, index_, top_, high_)                                             \
	{                                                                                          \
		RV_LEVEL(global_, shift_, index_, top_, high_, RV_W_WITHOUT_R, RV_RWX, 0)          \
	}

/* With Svnapot's 64 KiB page: ppn[3:0] is bits 13:10. */
#define RV64_LAST(global_)                                                                         \
	{                                                                                          \
		RV_LAST(global_, 9, 53, PW_BITS(54, 63)),                                          \
			.span = {                                                                  \
				.mask = RV_N | PW_BITS(10, 13),                                    \
				.value = RV_N | PW_BIT(13),                                        \
				.reserved = PW_BITS(54, 62),                                       \
				.illegal_low6 = RV_W_WITHOUT_R | RV_NO_RWX,                        \
				.bits = RV_N | PW_BIT(13) | RV_V | RV_A | RV_D,                    \
				RV_PAGE(global_, 16, 53),                                          \
			},                                                                         \
	}
#define RV64_UPPER(global_, shift_, index_) RV_UPPER(global_, shift_, index_, 53, PW_BITS(54, 63))

/*
 * Folded attributes: R, W, X, U. In a user page supervisor mode may not fetch at all, nor touch
 * data while sstatus.SUM is 0; the rules of a space can set SUM and MXR.
 */
#define RV_GRANTS                                                                                  \
	{                                                                                          \
		[1] = PW_GRANT(0, 1), [3] = PW_GRANT(0, 3), [4] = PW_GRANT(0, 4),                  \
		[5] = PW_GRANT(0, 5), [7] = PW_GRANT(0, 7), [9] = PW_GRANT(1, 0),                  \
		[11] = PW_GRANT(3, 0), [12] = PW_GRANT(4, 0), [13] = PW_GRANT(5, 0),               \
		[15] = PW_GRANT(7, 0)                                                              \
	}

#define RV_ENCODE                                                                                  \
	{                                                                                          \
		PW_CANNOT, 1, PW_CANNOT, 3, 4, 5, PW_CANNOT, 7, PW_CANNOT, 9, PW_CANNOT, 11, 12,   \
			13, PW_CANNOT, 15                                                          \
	}

/* The guest stage: U = 0 grants nothing, and there is no user to tell apart. */
#define RV_GUEST_GRANTS                                                                            \
	{                                                                                          \
		[9] = PW_GRANT_ALL(1), [11] = PW_GRANT_ALL(3), [12] = PW_GRANT_ALL(4),             \
		[13] = PW_GRANT_ALL(5), [15] = PW_GRANT_ALL(7)                                     \
	}

#define RV_GUEST_ENCODE                                                                            \
	{                                                                                          \
		PW_CANNOT, 9, PW_CANNOT, 11, 12, 13, PW_CANNOT, 15, PW_CANNOT, PW_CANNOT,          \
			PW_CANNOT, PW_CANNOT, PW_CANNOT, PW_CANNOT, PW_CANNOT, PW_CANNOT           \
	}

/* No memory types without Svpbmt: the physical memory attributes decide. */
#define RV_FORMAT(name_, manual_, levels_, va_bits_, extension_, pa_bits_, bytes_, user_, above_)  \
	.name = (name_), .manual = (manual_), .family = PW_FAMILY_RISCV, .levels = (levels_),      \
	.va_bits = (va_bits_), .extension = (extension_), .pa_bits = (pa_bits_),                   \
	.entry_bytes = (bytes_), .software = RV_RSW, .address_left = 2, .attribute_count = 4,      \
	.has_user = (user_), .reserved_above_pa = (above_), .need_accessed = RV_A,                 \
	.need_dirty = RV_D,                                                                        \
	.attribute = {{PW_FOLD_PAGE, PW_NO_BIT}, {PW_FOLD_PAGE, PW_NO_BIT},                        \
		{PW_FOLD_PAGE, PW_NO_BIT}, {PW_FOLD_PAGE, PW_NO_BIT}},                             \
	.encode_type = {                                                                           \
		0, PW_CANNOT, PW_CANNOT, PW_CANNOT, PW_CANNOT, PW_CANNOT, PW_CANNOT, PW_CANNOT}

#define RV_FIRST_STAGE .global_table = RV_G, .grant = RV_GRANTS, .encode = RV_ENCODE
#define RV_GUEST_STAGE .grant = RV_GUEST_GRANTS, .encode = RV_GUEST_ENCODE
#define RV_GUEST_MANUAL                                                                            \
	"RISC-V Privileged ISA, Hypervisor Extension, Guest Physical Address Translation"

const struct pw_format pw_format_riscv_sv32 = {
	RV_FORMAT("riscv-sv32", "RISC-V Privileged ISA, Sv32", 2, 32, PW_ZERO_EXTENDED, 34, 4, true,
		PW_BITS(10, 31)),
	RV_FIRST_STAGE,
	.level = {RV32_LAST(RV_G), RV_UPPER(RV_G, 22, 10, 31, 0)},
};

const struct pw_format pw_format_riscv_sv39 = {
	RV_FORMAT("riscv-sv39", "RISC-V Privileged ISA, Sv39", 3, 39, PW_SIGN_EXTENDED, 56, 8, true,
		PW_BITS(10, 53)),
	RV_FIRST_STAGE,
	.level = {RV64_LAST(RV_G), RV64_UPPER(RV_G, 21, 9), RV64_UPPER(RV_G, 30, 9)},
};

const struct pw_format pw_format_riscv_sv48 = {
	RV_FORMAT("riscv-sv48", "RISC-V Privileged ISA, Sv48", 4, 48, PW_SIGN_EXTENDED, 56, 8, true,
		PW_BITS(10, 53)),
	RV_FIRST_STAGE,
	.level = {RV64_LAST(RV_G), RV64_UPPER(RV_G, 21, 9), RV64_UPPER(RV_G, 30, 9),
		RV64_UPPER(RV_G, 39, 9)},
};

const struct pw_format pw_format_riscv_sv57 = {
	RV_FORMAT("riscv-sv57", "RISC-V Privileged ISA, Sv57", 5, 57, PW_SIGN_EXTENDED, 56, 8, true,
		PW_BITS(10, 53)),
	RV_FIRST_STAGE,
	.level = {RV64_LAST(RV_G), RV64_UPPER(RV_G, 21, 9), RV64_UPPER(RV_G, 30, 9),
		RV64_UPPER(RV_G, 39, 9), RV64_UPPER(RV_G, 48, 9)},
};

const struct pw_format pw_format_riscv_sv32x4 = {
	RV_FORMAT("riscv-sv32x4", RV_GUEST_MANUAL, 2, 34, PW_ZERO_EXTENDED, 34, 4, false,
		PW_BITS(10, 31)),
	RV_GUEST_STAGE,
	.level = {RV32_LAST(0), RV_UPPER(0, 22, 12, 31, 0)},
};

const struct pw_format pw_format_riscv_sv39x4 = {
	RV_FORMAT("riscv-sv39x4", RV_GUEST_MANUAL, 3, 41, PW_ZERO_EXTENDED, 56, 8, false,
		PW_BITS(10, 53)),
	RV_GUEST_STAGE,
	.level = {RV64_LAST(0), RV64_UPPER(0, 21, 9), RV64_UPPER(0, 30, 11)},
};

const struct pw_format pw_format_riscv_sv48x4 = {
	RV_FORMAT("riscv-sv48x4", RV_GUEST_MANUAL, 4, 50, PW_ZERO_EXTENDED, 56, 8, false,
		PW_BITS(10, 53)),
	RV_GUEST_STAGE,
	.level = {RV64_LAST(0), RV64_UPPER(0, 21, 9), RV64_UPPER(0, 30, 9), RV64_UPPER(0, 39, 11)},
};

const struct pw_format pw_format_riscv_sv57x4 = {
	RV_FORMAT("riscv-sv57x4", RV_GUEST_MANUAL, 5, 59, PW_ZERO_EXTENDED, 56, 8, false,
		PW_BITS(10, 53)),
	RV_GUEST_STAGE,
	.level = {RV64_LAST(0), RV64_UPPER(0, 21, 9), RV64_UPPER(0, 30, 9), RV64_UPPER(0, 39, 9),
		RV64_UPPER(0, 48, 11)},
};
