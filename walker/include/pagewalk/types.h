/* SPDX-License-Identifier: MIT */
/*
 * The vocabulary of pagewalk. These words mean the same in every header, message and manual page.
 *
 *   va       input address of a walk. For a second stage (EPT, NPT, Arm stage 2, RISC-V G-stage)
 *            the va is the guest-physical address.
 *   pa       output address of a walk, and the address of every table.
 *   range    inside the library ranges are closed, [first, last], so that the top of the address
 *            space is an ordinary address. Sizes in bytes appear only at the API's edge.
 *   table    one page-table page; an array of entries.
 *   entry    one word of a table (a PTE, at whatever level).
 *   level    0 is the last table (4 KiB entries on x86), counting up to the root, on every format.
 *   kind     what an entry is: HOLE (not present), PAGE (a leaf), TABLE (points to the next table)
 *            or BAD (the hardware would refuse it: reserved bits, an illegal combination).
 *   huge page  a PAGE above level 0.
 *   format   a paging hierarchy as constant data.
 *   memory   the only door through which the library reaches tables and data.
 *   space    a format, a root table, a memory and the rules in force (control registers).
 *   access   what someone tries to do (PW_ACCESS_...).
 *   rights   what the entries grant (PW_R, PW_W, ...), folded over every level.
 */
#ifndef PAGEWALK_TYPES_H
#define PAGEWALK_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* 0.x promises no binary interface: the SONAME carries the minor version. */
#define PW_VERSION_MAJOR 0
#define PW_VERSION_MINOR 1
#define PW_VERSION_PATCH 0
#define PW_VERSION       (PW_VERSION_MAJOR * 10000 + PW_VERSION_MINOR * 100 + PW_VERSION_PATCH)

#if defined(__GNUC__)
#define PW_NODISCARD __attribute__((warn_unused_result))
#define PW_API       __attribute__((visibility("default")))
#else
#define PW_NODISCARD
#define PW_API
#endif

typedef uint64_t pw_va;
typedef uint64_t pw_pa;

/* No format, built in or user-defined, has more levels than this. */
#define PW_MAX_LEVELS 6

/*
 * What a call answers. PW_OK is 0. The first group speaks about an address or an entry, the second
 * (PW_E_...) about the call itself.
 */
enum pw_status {
	PW_OK = 0,
	PW_NOT_PRESENT,    /* an entry on the way is a hole */
	PW_RESERVED,       /* an entry on the way is BAD */
	PW_NON_CANONICAL,  /* the format cannot take this address */
	PW_NO_MEMORY,      /* a table lies outside the memory, or the memory refused to read it */
	PW_PROTECTION,     /* the folded rights refuse the access */
	PW_PROTECTION_KEY, /* the protection key alone refuses the access */
	PW_ACCESS_FLAG,    /* the hardware would fault to have Accessed or Dirty set by software */
	PW_UNSTABLE,       /* the tables kept changing under the walk */
	PW_LASS, /* x86: linear-address-space separation refuses the access, whatever the tables say
		  */

	PW_E_ARGUMENT, /* an argument is outside its documented range */
	PW_E_RANGE, /* first lies after last, a size wraps around, or exceeds what the format takes
		     */
	PW_E_ALIGNMENT, /* an address or size is not a multiple of the smallest page, a root not of
			   its table's size */
	PW_E_EXISTS,    /* something is mapped there already */
	PW_E_RIGHTS,    /* the format cannot express these rights or this memory type */
	PW_E_NO_TABLES, /* the memory has no (more) pages to give */
	PW_E_READ_ONLY, /* the memory has no way to write, or refused the write */
	PW_E_BUDGET,    /* the budget of work, or the scratch memory, is used up */
	PW_E_STATE,     /* the control registers contradict each other */
	PW_E_CALLBACK,  /* a handler failed the walk; its own code is in the walker */
	PW_E_UNSUPPORTED, /* this format cannot do that */
	PW_STATUS_COUNT
};

/* The status in one hyphenated lower-case word ("not-present", "reserved", ...). Never NULL. */
PW_API const char *pw_status_name(enum pw_status status);

/*
 * An access: exactly one of READ, WRITE, FETCH or ANY, with modifiers. 0 is not an access: it is
 * refused with PW_E_ARGUMENT, so that a forgotten argument cannot mean "regardless of rights".
 */
typedef uint32_t pw_access;
#define PW_ACCESS_READ         ((pw_access)1 << 0)
#define PW_ACCESS_WRITE        ((pw_access)1 << 1)
#define PW_ACCESS_FETCH        ((pw_access)1 << 2)
/* Regardless of rights: for debuggers. Rights are reported, not enforced. Takes no modifier. */
#define PW_ACCESS_ANY          ((pw_access)1 << 3)
/* From user mode (x86 CPL 3, Arm EL0, RISC-V U-mode); without it, from supervisor mode. */
#define PW_ACCESS_USER         ((pw_access)1 << 4)
/* x86: an implicit supervisor access (descriptor tables, TSS): EFLAGS.AC does not count. */
#define PW_ACCESS_IMPLICIT     ((pw_access)1 << 5)
/* x86: a CET shadow-stack access. */
#define PW_ACCESS_SHADOW_STACK ((pw_access)1 << 6)

/*
 * Rights. In results: the rights of the least privileged mode that can reach the page at all, and
 * PW_U if that is the user mode. For builders: the rights wanted, with a memory type and options.
 */
typedef uint32_t pw_rights;
#define PW_R               ((pw_rights)1 << 0)
#define PW_W               ((pw_rights)1 << 1)
#define PW_X               ((pw_rights)1 << 2)
#define PW_U               ((pw_rights)1 << 3)
#define PW_RIGHTS_MASK     ((pw_rights)0xf)
/* For builders: a global page (x86 G, RISC-V G, Arm !nG). */
#define PW_GLOBAL          ((pw_rights)1 << 4)
/*
 * For builders: in groups that one TLB entry may hold, wherever both addresses and the size allow
 * it (Arm: the Contiguous bit, large pages and supersections; RISC-V with Svnapot: pages of 64
 * KiB). For pw_collapse(), beside the level: pages that are there form such groups.
 */
#define PW_CONTIGUOUS      ((pw_rights)1 << 5)
/* For pw_map(), pw_map_needs() and pw_allocate(): whatever is mapped in the range is replaced. */
#define PW_REPLACE         ((pw_rights)1 << 6)
/*
 * For builders: memory type; none given means the format's ordinary cacheable memory. What cannot
 * be named is PW_E_RIGHTS: where registers say what a type is (Arm stage 1 of long descriptors:
 * MAIR; x86, beyond the PAT's reset value) give PW_MEM_INDEX().
 */
#define PW_MEM_SHIFT       8
#define PW_MEM_MASK        ((pw_rights)7 << PW_MEM_SHIFT)
#define PW_MEM_UC          ((pw_rights)1 << PW_MEM_SHIFT) /* uncached (Arm stage 2: Device-nGnRE) */
#define PW_MEM_WC          ((pw_rights)2 << PW_MEM_SHIFT) /* write combining (Arm stage 2: Normal-NC) */
#define PW_MEM_WT          ((pw_rights)3 << PW_MEM_SHIFT) /* write through */
#define PW_MEM_WP          ((pw_rights)4 << PW_MEM_SHIFT) /* write protected */
#define PW_MEM_WB          ((pw_rights)5 << PW_MEM_SHIFT) /* write back */
/* For builders: the memory type by the format's own index (struct pw_result.memory_type), 0 to 31:
 * x86 PAT << 2 | PCD << 1 | PWT, EPT type | IPAT << 3, Arm AttrIndx or MemAttr. */
#define PW_MEM_INDEX_SHIFT 11
#define PW_MEM_INDEX_MASK  ((pw_rights)31 << PW_MEM_INDEX_SHIFT)
#define PW_MEM_INDEX(n)                                                                            \
	((pw_rights)7 << PW_MEM_SHIFT | ((pw_rights)(n) << PW_MEM_INDEX_SHIFT & PW_MEM_INDEX_MASK))
/* For builders: beside a type, the guest's PAT does not count (EPT: IPAT). */
#define PW_IPAT           ((pw_rights)1 << 7)
/* For builders: a value for the bits that a page leaves to software; see pw_entry_software(). */
#define PW_SOFTWARE_SHIFT 16
#define PW_SOFTWARE_MASK  ((pw_rights)0xffff << PW_SOFTWARE_SHIFT)
#define PW_SOFTWARE(n)    ((pw_rights)(n) << PW_SOFTWARE_SHIFT)

/* What an entry is. */
enum pw_kind {
	PW_HOLE,
	PW_PAGE,
	PW_TABLE,
	PW_BAD,
};

/* "hole", "page", "table" or "bad". Never NULL. */
PW_API const char *pw_kind_name(enum pw_kind kind);

/* "4 KiB", "2 MiB", "1 GiB", ...; "?" for a size that no format has. Never NULL. */
PW_API const char *pw_size_name(uint64_t bytes);

#ifdef __cplusplus
}
#endif

#endif
