/* SPDX-License-Identifier: MIT */
/*
 * Formats: paging hierarchies as constant data. A program may describe one of its own; check it
 * with pw_format_check() once, then use it like the built-in ones.
 *
 * A format is immutable and may be shared by all threads.
 */
#ifndef PAGEWALK_FORMAT_H
#define PAGEWALK_FORMAT_H

#include <pagewalk/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Marks the absence of a bit where a bit number is asked for. */
#define PW_NO_BIT 0xff

/* Entries of one table that one TLB entry may hold. */
#define PW_GROUP_MAX 128

#define PW_MAX_ATTRIBUTES 6
#define PW_TYPE_BITS      5
#define PW_RIGHTS_TABLE   (1u << PW_MAX_ATTRIBUTES)

/* Output-address bits that do not stand at their own place: (entry & mask) << left. */
struct pw_move {
	uint64_t mask;
	uint8_t left;
};

/*
 * One shape that a PAGE of a level can have. An entry has this shape if (entry & mask) == value.
 */
struct pw_page {
	uint64_t mask;
	uint64_t value;
	uint64_t address; /* bits holding the output address, before address_left is applied */
	struct pw_move high[2]; /* further address bits (PSE-36, Arm supersections) */
	uint64_t reserved;      /* any of these set: BAD */
	uint64_t illegal_low6;  /* bit n set: entry[5:0] == n is BAD (EPT memory types, RISC-V W
				   without R) */
	uint64_t bits;          /* set in every entry that a builder makes of this shape */
	uint64_t accessed;      /* mask of the Accessed bit, 0 if none */
	uint64_t dirty;         /* bits that are all set in a dirty page, 0 if none */
	uint64_t dirty_clear;  /* mask of a bit that must be 0 for "dirty" (Arm DBM pages: AP[2]) */
	uint64_t global;       /* mask of the Global bit, 0 if none */
	uint64_t global_clear; /* mask of a bit that means "not global" (Arm nG), 0 if none */
	/*
	 * A bit that says: this is one of an aligned group of pages that are alike and follow each
	 * other in va and pa, so that one TLB entry may hold them all (Arm Contiguous); 0: none.
	 */
	uint64_t hint;
	uint8_t hint_log2; /* bytes of such a group: at most PW_GROUP_MAX pages */
	uint8_t size_log2; /* 0: this shape does not exist */
	uint8_t right_bit[PW_MAX_ATTRIBUTES]; /* bit of attribute i in this shape, or PW_NO_BIT */
	uint8_t type_bit[PW_TYPE_BITS];       /* bits of the memory-type index, lowest first, or
						 PW_NO_BIT */
	/*
	 * A bit that makes the page shareable between CPUs and stands elsewhere in other shapes
	 * (Arm short descriptors' S; of long ones `bits` has SH), 0: none. Builders set it, and
	 * where a page changes its size it stays as it is.
	 */
	uint8_t shareable_bit;
};

/* One level of a hierarchy. */
struct pw_level {
	uint8_t shift; /* lowest va bit of the index; an ordinary page here has 1 << shift bytes */
	uint8_t index_bits;   /* the table has 1 << index_bits entries */
	uint64_t present_all; /* all of these must be set, and */
	uint64_t present_any; /* any of these if not 0; otherwise the entry is a hole */
	uint64_t table_mask; /* a present entry is a TABLE if (entry & table_mask) == table_value */
	uint64_t table_value;   /* (a level without tables: mask 0, value 1) */
	uint64_t table_address; /* bits holding the next table's address, before address_left */
	uint64_t table_reserved;
	uint64_t table_illegal_low6;
	uint64_t table_bits; /* set in every table entry that a builder makes */
	uint64_t fold;       /* bits of a table entry here that count towards the folded rights */
	struct pw_page page; /* the ordinary page */
	struct pw_page span; /* a page that spans several entries of this level (Arm 64 KiB large
				page, supersection; RISC-V NAPOT); tried before `page`.
				All of its entries are equal */
};

/* How an attribute is folded from the tables' entries and the page's. */
enum pw_fold {
	PW_FOLD_PAGE,    /* the page alone decides */
	PW_FOLD_AND,     /* set in the page and in every table entry (x86 R/W, U/S) */
	PW_FOLD_OR,      /* set in the page or in any table entry (x86 XD, Arm PXNTable) */
	PW_FOLD_AND_NOT, /* set in the page and in no table entry (Arm AP[1] under APTable[0]) */
};

/* One bit that decides about rights. Its place in a page is pw_page.right_bit[]. */
struct pw_attribute {
	uint8_t fold;      /* enum pw_fold */
	uint8_t table_bit; /* bit in table entries, or PW_NO_BIT */
};

/*
 * Folded rights as table: the attributes' values, attribute 0 lowest, index an array of these.
 * Bits 0-2 user R W X; 4-6 supervisor R W X; 8-10 implicit supervisor R W X; 12-15 R W X U.
 */
typedef uint16_t pw_grant;
#define PW_GRANT_USER(rwx)       (pw_grant)((rwx)&7)
#define PW_GRANT_SUPERVISOR(rwx) (pw_grant)((((rwx)&7) << 4) | (((rwx)&7) << 8))
/* The four-letter summary from the parts. */
#define PW_GRANT(user, supervisor)                                                                 \
	(pw_grant)(PW_GRANT_USER(user) | PW_GRANT_SUPERVISOR(supervisor) |                         \
		   ((user) ? ((((user)&7) | 8) << 12) : (((supervisor)&7) << 12)))
/* Formats without the notion of a user: one set, no fourth letter. */
#define PW_GRANT_ALL(rwx)                                                                          \
	(pw_grant)(PW_GRANT_USER(rwx) | PW_GRANT_SUPERVISOR(rwx) | (((rwx)&7) << 12))

/* Which addresses a format takes. */
enum pw_extension {
	PW_ZERO_EXTENDED, /* bits above va_bits are 0 */
	PW_SIGN_EXTENDED, /* bits above va_bits equal bit va_bits - 1 (x86-64, RISC-V) */
	PW_ONE_EXTENDED,  /* bits above va_bits are 1 (Arm TTBR1) */
};

/* Families share architecture rules that are not data: error codes, control registers. */
enum pw_family {
	PW_FAMILY_OTHER,
	PW_FAMILY_X86,
	PW_FAMILY_EPT,
	PW_FAMILY_ARM,
	PW_FAMILY_RISCV,
	PW_FAMILY_NPT,
};

/* Rights, or a memory type, that the format cannot express. */
#define PW_CANNOT 0xff

struct pw_format {
	const char *name;
	const char *manual; /* the manual and section that define it */
	uint8_t family;     /* enum pw_family */
	uint8_t levels;     /* 0: no translation, pa = va */
	uint8_t va_bits;
	uint8_t extension; /* enum pw_extension */
	uint8_t pa_bits;
	uint8_t entry_bytes;  /* 4 or 8 */
	uint8_t address_left; /* entry address fields are shifted left by this (RISC-V: 2) */
	uint8_t attribute_count;
	bool has_user;              /* pages tell user from supervisor */
	bool big_endian;            /* entries are stored big-endian */
	uint64_t reserved_above_pa; /* address bits of an entry that are reserved above the physical
				       address width in force (x86: bits 51:12, PAE 62:12); 0: none
				     */
	uint64_t root_align;        /* the root's alignment in bytes; 0: its table's size */
	uint64_t global_table;      /* mask of a Global bit in table entries (RISC-V), 0 if none */
	uint64_t need_accessed;    /* page bits whose absence makes the hardware fault on access, */
	uint64_t need_dirty;       /* and on a write */
	uint8_t key_bit, key_bits; /* protection key in pages: lowest bit and width; 0 bits: none */
	uint64_t software;         /* bits of every page that the hardware leaves to software */
	struct pw_attribute attribute[PW_MAX_ATTRIBUTES];
	pw_grant grant[PW_RIGHTS_TABLE]; /* rights by folded attributes */
	uint8_t encode[16];     /* the attributes that grant the rights R W X U, or PW_CANNOT */
	uint8_t encode_type[8]; /* memory-type index of PW_MEM_... (0: ordinary; 6 and 7 name none),
				   or PW_CANNOT */
	uint8_t ignore_pat; /* bits of the index that leave out the guest's PAT (EPT: IPAT), 0: none
			     */
	struct pw_level level[PW_MAX_LEVELS]; /* level[0] is the last table */
};

/* ---- Built-in formats ---------------------------------------------------------------------- */

extern PW_API const struct pw_format pw_format_x86_none;
extern PW_API const struct pw_format pw_format_x86_32;
/* The same with CR4.PSE = 0: no 4 MiB pages. Named "x86-32" too; not listed by pw_format_at(). */
extern PW_API const struct pw_format pw_format_x86_32_no_pse;
extern PW_API const struct pw_format pw_format_x86_pae;
extern PW_API const struct pw_format pw_format_x86_64;
extern PW_API const struct pw_format pw_format_x86_64_la57;
extern PW_API const struct pw_format pw_format_ept_4;
extern PW_API const struct pw_format pw_format_ept_5;
/*
 * The same with mode-based execute control; not listed by pw_format_at(). Rights: PW_X lets
 * fetches from supervisor-mode linear addresses through, PW_U those from user-mode ones.
 */
extern PW_API const struct pw_format pw_format_ept_4_mbec;
extern PW_API const struct pw_format pw_format_ept_5_mbec;
extern PW_API const struct pw_format pw_format_npt_4;
extern PW_API const struct pw_format pw_format_npt_5;
extern PW_API const struct pw_format pw_format_armv7_short;
extern PW_API const struct pw_format pw_format_armv7_lpae;
extern PW_API const struct pw_format pw_format_arm64_4k;
extern PW_API const struct pw_format pw_format_arm64_4k_39;
extern PW_API const struct pw_format pw_format_arm64_16k;
extern PW_API const struct pw_format pw_format_arm64_64k;
extern PW_API const struct pw_format pw_format_arm64_s2_4k;
extern PW_API const struct pw_format pw_format_arm64_s2_16k;
extern PW_API const struct pw_format pw_format_arm64_s2_64k;
extern PW_API const struct pw_format pw_format_riscv_sv32;
extern PW_API const struct pw_format pw_format_riscv_sv39;
extern PW_API const struct pw_format pw_format_riscv_sv48;
extern PW_API const struct pw_format pw_format_riscv_sv57;
extern PW_API const struct pw_format pw_format_riscv_sv32x4;
extern PW_API const struct pw_format pw_format_riscv_sv39x4;
extern PW_API const struct pw_format pw_format_riscv_sv48x4;
extern PW_API const struct pw_format pw_format_riscv_sv57x4;

/* The built-in format number `index` (0, 1, ...), or NULL past the last. */
PW_API const struct pw_format *pw_format_at(size_t index);

/* The built-in format of that name ("x86-64", "ept-4", ...), or NULL. `name` may be NULL. */
PW_API const struct pw_format *pw_format_find(const char *name);

/*
 * Checks a format's consistency: widths that add up, masks that do not overlap, levels in order.
 * PW_OK, or PW_E_ARGUMENT with a static text in *why (if why is not NULL).
 */
PW_API PW_NODISCARD enum pw_status pw_format_check(
	const struct pw_format *format, const char **why);

/* ---- Questions about a level ---------------------------------------------------------------- */

/* Entries of a table of this level. */
PW_API uint64_t pw_level_entries(const struct pw_level *level);
/* Bytes of the range that one entry of this level covers (an ordinary page's size). */
PW_API uint64_t pw_level_page_size(const struct pw_level *level);
/* The va bits that index a table of this level. */
PW_API uint64_t pw_level_mask(const struct pw_level *level);
/* The last address of the entry's range that contains va. Does not wrap. */
PW_API pw_va pw_level_last(const struct pw_level *level, pw_va va);
/* The index of va in a table of this level. */
PW_API uint64_t pw_level_index(const struct pw_level *level, pw_va va);
/* Bytes of a table of this level. */
PW_API uint64_t pw_table_bytes(const struct pw_format *format, unsigned level);

/* ---- Questions about a format ----------------------------------------------------------------*/

/* The va bits that any level or the page offset uses. */
PW_API uint64_t pw_format_va_mask(const struct pw_format *format);
/* The format takes this address (it is canonical). */
PW_API bool pw_format_takes(const struct pw_format *format, pw_va va);
/* The low va_bits of va, extended as the format asks. */
PW_API pw_va pw_format_extend(const struct pw_format *format, pw_va va);

/* ---- Questions about an entry, as the format's own rows have it ------------------------------ */

/* What the entry is at this level (< format->levels). */
PW_API enum pw_kind pw_entry_kind(const struct pw_format *format, unsigned level, uint64_t entry);
PW_API bool pw_entry_is_present(const struct pw_format *format, unsigned level, uint64_t entry);
PW_API bool pw_entry_is_page(const struct pw_format *format, unsigned level, uint64_t entry);
PW_API bool pw_entry_is_table(const struct pw_format *format, unsigned level, uint64_t entry);
/* A PAGE above level 0. */
PW_API bool pw_entry_is_huge_page(const struct pw_format *format, unsigned level, uint64_t entry);
/* Output address of a PAGE, address of the next table of a TABLE; 0 for a HOLE or a BAD entry. */
PW_API pw_pa pw_entry_address(const struct pw_format *format, unsigned level, uint64_t entry);
/* Bytes that a PAGE maps; 0 for other kinds. */
PW_API uint64_t pw_entry_page_size(const struct pw_format *format, unsigned level, uint64_t entry);
/*
 * What a PAGE's entry (of any level) holds in format->software, as one number: the lowest of these
 * bits is bit 0. Builders take it as PW_SOFTWARE(n).
 */
PW_API uint64_t pw_entry_software(const struct pw_format *format, uint64_t entry);

#ifdef __cplusplus
}
#endif

#endif
