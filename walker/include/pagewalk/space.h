/* SPDX-License-Identifier: MIT */
/*
 * Spaces: a format, a root, a memory and the rules in force. A space is made once, then constant:
 * any number of threads may walk it at once. It refers to its memory (and the windows behind it)
 * and to its format; both must outlive it. Builders change tables, never the space.
 */
#ifndef PAGEWALK_SPACE_H
#define PAGEWALK_SPACE_H

#include <pagewalk/format.h>
#include <pagewalk/memory.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Rules that the tables themselves do not carry. All zero is a good default: what the format's
 * description says, every optional refusal off.
 */
struct pw_rules {
	/*
	 * Physical address width in force (MAXPHYADDR, PS), 12 to 64; 0, and what is more than the
	 * format's: the format's.
	 */
	uint8_t pa_bits;
	bool ept_no_execute_only;    /* execute-only entries are misconfigured */
	bool ept_mode_based_execute; /* bit 10 of entries rules fetches from user-mode addresses */
	bool ept_no_accessed_dirty;  /* EPTP bit 6 is 0: a walk through guest tables reads them */
	bool ept_shadow_stack;       /* EPTP bit 7: bit 60 marks supervisor shadow-stack pages */
	bool ept_advanced;    /* violations tell of the linear address (qualification 9-11) */
	bool ept_no_2m_pages; /* bit 7 of an EPT PDE is reserved */
	bool no_1g_pages;     /* EPT, NPT: bit 7 of a PDPTE is reserved */
	bool npt_no_execute_disable; /* the host's EFER.NXE is 0: bit 63 is reserved */
	bool npt_smep;          /* the host's CR4.SMEP: fetches are told from reads, NXE or not */
	bool npt_gmet;          /* guest-mode execute trap */
	bool riscv_sum;         /* sstatus.SUM: supervisor data accesses to user pages */
	bool riscv_mxr;         /* sstatus.MXR: loads from executable pages */
	bool riscv_hardware_ad; /* Svadu: A and D are set by hardware, no fault */
	bool riscv_napot;       /* Svnapot: N = 1 makes 64 KiB pages, otherwise it is reserved */
	bool arm_high;          /* root is TTBR1's: addresses have their upper bits set */
	bool arm_access_flag_fault; /* AF = 0 faults (no hardware management of the Access flag) */
	bool arm_pan;               /* PSTATE.PAN: no privileged data access to user pages */
};

/* The control state that decides an x86 walk. SDM vol. 3A "Paging"; APM vol. 2 ch. 5. */
struct pw_x86_state {
	uint64_t cr0, cr3, cr4, efer; /* with EFER.LMA, of code in 64-bit mode (CS.L) */
	uint64_t rflags;              /* only AC (bit 18) counts, and only with CR4.SMAP */
	uint32_t pkru;                /* user pages' key rights, with CR4.PKE */
	uint32_t pkrs;                /* supervisor pages' key rights (IA32_PKRS), with CR4.PKS */
	uint64_t pdpte[4];            /* PAE: the CPU's four PDPTE registers, */
	bool pdpte_loaded;  /* if true; otherwise they are read from memory at CR3 in each walk, */
	bool pdpte_load;    /* or once, now, as a MOV to CR3 does */
	uint8_t maxphyaddr; /* CPUID 80000008H EAX[7:0], 32..52; 0: 52 (40 for 32-bit paging) */
	bool no_1g_pages;   /* the CPU has no 1 GiB pages: bit 7 of a PDPTE is reserved */
	bool no_pse36;      /* the CPU has no PSE-36 */
	bool amd;           /* bit 8 of PML5E and PML4E is reserved too */
	/* Address bits (12 to 51) that are not address (SEV's C-bit, key IDs); 0: none. */
	uint64_t encryption_mask;
};

/* CR0, CR4 and EFER bits that matter here. */
#define PW_CR0_PE    ((uint64_t)1 << 0)
#define PW_CR0_WP    ((uint64_t)1 << 16)
#define PW_CR0_PG    ((uint64_t)1 << 31)
#define PW_CR4_PSE   ((uint64_t)1 << 4)
#define PW_CR4_PAE   ((uint64_t)1 << 5)
#define PW_CR4_LA57  ((uint64_t)1 << 12)
#define PW_CR4_PCIDE ((uint64_t)1 << 17)
#define PW_CR4_SMEP  ((uint64_t)1 << 20)
#define PW_CR4_SMAP  ((uint64_t)1 << 21)
#define PW_CR4_PKE   ((uint64_t)1 << 22)
#define PW_CR4_CET   ((uint64_t)1 << 23)
#define PW_CR4_PKS   ((uint64_t)1 << 24)
#define PW_CR4_LASS  ((uint64_t)1 << 27)
#define PW_EFER_LME  ((uint64_t)1 << 8)
#define PW_EFER_LMA  ((uint64_t)1 << 10)
#define PW_EFER_NXE  ((uint64_t)1 << 11)
#define PW_RFLAGS_AC ((uint64_t)1 << 18)

/* LAM: the CPU takes metadata out of 64-bit addresses of ordinary data accesses. */
#define PW_CR3_LAM_U57 ((uint64_t)1 << 61)
#define PW_CR3_LAM_U48 ((uint64_t)1 << 62)
#define PW_CR4_LAM_SUP ((uint64_t)1 << 28)

/*
 * A space. Read `format`, `root`, `memory`, `empty`, `pa_bits` and `address_clear` freely; the rest
 * is derived by the init functions and private to the library.
 */
struct pw_space {
	const struct pw_format *format;
	pw_pa root;
	const struct pw_memory *memory;

	/* For the quick path: everything is decided, one comparison each. */
	struct pw_window window; /* the first window, kept close */
	uint64_t window_reach;   /* offsets below this hold a whole entry */
	uint64_t quick_reach;    /* the same of a window that begins at address 0; else 0 */
	uint64_t quick_accesses; /* bit n: access n is one that `quick_allowed` knows */
	uint64_t quick_address;  /* address bits of an entry */
	const void *quick_root;  /* the root's table, in the first window, */
	uint64_t quick_roots;    /* and how many entries it has; 0: not for the quick path */
	uint64_t quick_reserved; /* bits of a table entry, of whatever level, for the full path */
	uint64_t quick_unusual;  /* the same, and XD, which takes a second look */
	uint64_t quick_page[PW_MAX_LEVELS]; /* the same of a page */
	uint64_t quick_allowed[16]; /* by present and rights bits; bit n: access n is granted */
	uint64_t quick_grant[16];   /* rights, user, supervisor, implicit as in struct pw_result */

	/* The rules in full. */
	uint64_t reserved_table[PW_MAX_LEVELS];
	uint64_t reserved_page[PW_MAX_LEVELS];
	uint64_t reserved_span[PW_MAX_LEVELS];
	uint64_t illegal_low6; /* more illegal entry[5:0], beside the format's own */
	uint64_t need_accessed, need_dirty;
	uint64_t pdpte[4];
	uint64_t address_clear; /* bits taken out of every output address */
	uint64_t empty;         /* what builders write where nothing is mapped */
	uint32_t pkru, pkrs;
	uint8_t extension; /* enum pw_extension in force */
	uint8_t engine;    /* which instantiation of the quick path serves this space */
	uint8_t pa_bits;   /* physical address width in force */
	uint8_t flags;
	uint8_t lam_user, lam_supervisor; /* x86: address bits that LAM leaves; 0: it is off */
	uint8_t lass;
	uint8_t stage2; /* rules of a second stage */
	pw_grant grant[PW_RIGHTS_TABLE];
};

/*
 * Makes a space of `root` in `format`, with default rules: for x86 NXE, PSE, PSE-36 and 1 GiB pages
 * on, 52 address bits (32-bit paging: 40), write rights as the tables say; for EPT execute-only
 * allowed, mode-based execute off; for RISC-V and Arm all status bits of struct pw_rules 0.
 *
 * PW_E_ALIGNMENT: root is not aligned to its table. PW_E_ARGUMENT: a NULL argument, a memory whose
 * windows wrap or are misaligned. Whether a table is there is found out by walking. On failure
 * *space is not to be used.
 */
PW_API PW_NODISCARD enum pw_status pw_space_init(struct pw_space *space,
	const struct pw_format *format, pw_pa root, const struct pw_memory *memory);

/* The same with rules. PW_E_ARGUMENT also for a rule outside its range. */
PW_API PW_NODISCARD enum pw_status pw_space_init_rules(struct pw_space *space,
	const struct pw_format *format, pw_pa root, const struct pw_memory *memory,
	const struct pw_rules *rules);

/*
 * The space that an x86 CPU in this state walks: no paging, 32-bit, PAE, 4-level or 5-level, with
 * every rule the state implies. The low bits of CR3 (PWT, PCD, PCID) and its LAM bits are flags.
 * LAM and LASS act on single translations and copies; ranges (walks, regions, builders) are of
 * addresses without metadata, whoever accesses them.
 *
 * PW_E_STATE: registers that contradict each other, or PDPTEs that no MOV to CR3 would load, with
 * the broken rule in *why (static text; why may be NULL). PW_NO_MEMORY: PDPTEs are to be loaded,
 * and are not there. PW_E_ARGUMENT as above, and for maxphyaddr or encryption_mask out of range.
 */
PW_API PW_NODISCARD enum pw_status pw_space_init_x86(struct pw_space *space,
	const struct pw_x86_state *state, const struct pw_memory *memory, const char **why);

/*
 * What builders write for entries that hold nothing, in new tables and where they take something
 * out; 0 after the init functions. To be called before anybody uses the space. Whoever delivers
 * violations in the guest (EPT-violation #VE) has PW_EPT_SUPPRESS_VE in all entries that are not
 * present, but where a #VE is wanted. SDM vol. 3C, "Convertible EPT Violations".
 *
 * Only what is written is so: the root is made by pw_root_create_with(), and tables that are there
 * already stay as they are. Holes with another value are holes for every function, and keep the
 * tables they are in. PW_E_ARGUMENT: not a hole at every level, or wider than an entry.
 */
PW_API PW_NODISCARD enum pw_status pw_space_set_empty(struct pw_space *space, uint64_t empty);

#ifdef __cplusplus
}
#endif

#endif
