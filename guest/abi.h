/* SPDX-License-Identifier: MIT */
/*
 * What a guest and the VMM agree on; the one header that both include.
 *
 * A guest prints through GUEST_PORT_CONSOLE, byte by byte. For everything else it fills a struct
 * guest_call in its memory and writes the structure's guest-physical address (under 4 GiB) to
 * GUEST_PORT_CALL with one 32-bit OUT: a physical address, so that the question does not depend on
 * the translation that is asked about. When the OUT returns, the VMM has set `answer`.
 *
 * The layout is the same for 32-bit and 64-bit guests.
 */
#ifndef GUEST_ABI_H
#define GUEST_ABI_H

#include <stddef.h>
#include <stdint.h>

/* Raised when an old guest or an old VMM would misread the new layout. */
#define GUEST_ABI_VERSION 1

#define GUEST_PORT_CONSOLE 0xe9   /* out, 8 bits: one character */
#define GUEST_PORT_EXIT    0xf4   /* out: the guest ends, and the value is its code */
#define GUEST_PORT_SERIAL  0x3f8  /* 16550A */
#define GUEST_PORT_CALL    0x5070 /* out, 32 bits: where the struct guest_call is */

/* guest_call.number */
enum guest_call_number {
	GUEST_CALL_START = 1,     /* the first call of a guest */
	GUEST_CALL_TRANSLATE = 2, /* "this is how I mapped that address" */
	GUEST_CALL_STRING = 3,    /* "there is text for you at that address" */
	GUEST_CALL_FAULT = 4,     /* "this access raised that exception" */
	GUEST_CALL_FAILURE = 5,   /* a check inside the guest failed */
	GUEST_CALL_DONE = 6,      /* the last call: the VMM does not return from it */
	GUEST_CALL_BATCH = 7,     /* "what shall I access?", and what became of it */
};

/* guest_call.answer */
enum guest_answer {
	GUEST_ANSWER_NONE = 0,  /* set by the guest; also: taken note of */
	GUEST_ANSWER_AGREE = 1, /* the VMM finds what the guest says */
	GUEST_ANSWER_DIFFER = 2,
	GUEST_ANSWER_UNKNOWN = 3, /* the VMM does not know this call */
};

/* Rights of a page, folded over all levels of the guest's tables. */
#define GUEST_RIGHT_MAPPED  1u /* not set: the guest left a hole there */
#define GUEST_RIGHT_WRITE   2u
#define GUEST_RIGHT_EXECUTE 4u
#define GUEST_RIGHT_USER    8u

/* What kind of access raised an exception. */
#define GUEST_ACCESS_READ     1u
#define GUEST_ACCESS_WRITE    2u
#define GUEST_ACCESS_FETCH    4u
#define GUEST_ACCESS_USER     8u
#define GUEST_ACCESS_IMPLICIT 16u /* the processor's own, of a descriptor, with READ */

#define GUEST_LABEL_BYTES 48 /* text for people, ended by NUL */

struct guest_start {
	uint32_t abi_version;  /* GUEST_ABI_VERSION of the guest */
	uint32_t reserved;     /* 0 */
	uint64_t memory_bytes; /* answer: size of guest RAM */
};

struct guest_translate {
	uint64_t va;
	uint64_t pa;        /* of that very byte */
	uint64_t page_size; /* bytes */
	uint64_t pattern;   /* the 8 bytes that stand there */
	uint32_t rights;    /* GUEST_RIGHT_...; 0: a hole, and the other three mean nothing */
	uint32_t reserved;  /* 0 */
};

struct guest_string {
	uint64_t va;
	uint64_t bytes; /* without NUL */
};

/* What the processor reported (vector 256: nothing, the access went through). */
struct guest_fault {
	uint64_t va;     /* the address that was accessed */
	uint64_t cr2;    /* after it; as before it unless the vector is 14 */
	uint32_t access; /* GUEST_ACCESS_... */
	uint32_t vector;
	uint32_t error_code;
	uint32_t expected_vector;
	uint32_t expected_error_code;
	uint32_t reserved; /* 0 */
};

#define GUEST_NO_FAULT 256u

struct guest_failure {
	uint64_t got;
	uint64_t wanted;
	uint32_t line;
	uint32_t reserved; /* 0 */
	char file[32];     /* end of the file's name, ended by NUL */
};

struct guest_done {
	uint32_t code; /* 0: everything was as it should be */
	uint32_t reserved;
};

/* What a GUEST_CALL_BATCH says of the struct guest_batch. */
enum guest_batch_stage {
	GUEST_BATCH_WANTED =
		0, /* it is free; answers AGREE: the VMM filled it, NONE: that was all */
	GUEST_BATCH_READY = 1, /* tables and registers are as it asks; the accesses come next */
	GUEST_BATCH_DONE = 2,  /* the accesses have been made, and it says what became of them */
};

struct guest_batch_call {
	uint64_t pa;    /* of the struct guest_batch */
	uint32_t stage; /* enum guest_batch_stage */
	uint32_t reserved;
};

struct guest_call {
	uint32_t number; /* enum guest_call_number */
	uint32_t answer; /* enum guest_answer */
	char label[GUEST_LABEL_BYTES];
	union {
		struct guest_start start;
		struct guest_translate translate;
		struct guest_string string;
		struct guest_fault fault;
		struct guest_failure failure;
		struct guest_done done;
		struct guest_batch_call batch;
		uint8_t room[72]; /* the whole structure is 128 bytes */
	};
};

/*
 * A batch: the VMM says which entries to write, which registers to set and which addresses to
 * access; the guest does so and says what the processor did about each. Between READY and DONE it
 * changes nothing but what the accesses themselves change, so that at READY the VMM can foretell
 * every one of them from guest memory and registers.
 */
#define GUEST_BATCH_VERSION  1
#define GUEST_BATCH_TABLES   5
#define GUEST_BATCH_STORES   1056
#define GUEST_BATCH_ACCESSES 512

struct guest_store {
	uint64_t pa; /* of a table that the guest offered */
	uint64_t entry;
	uint32_t bytes; /* 4 or 8 */
	uint32_t reserved;
};

struct guest_access {
	uint64_t va;
	uint64_t cr2;    /* answer, where the vector is 14 */
	uint32_t access; /* GUEST_ACCESS_... */
	uint32_t value;  /* to write; answer: what was read, or what the fetched code gave back */
	uint32_t vector; /* answer: GUEST_NO_FAULT, 13 or 14 */
	uint32_t error_code; /* answer */
};

struct guest_batch {
	/* From the guest: */
	uint32_t version;   /* GUEST_BATCH_VERSION */
	uint32_t long_mode; /* 1 or 0 */
	uint32_t cpuid_1_edx, cpuid_7_ebx, cpuid_7_ecx, cpuid_80000001_edx;
	uint64_t root;    /* 4-level or 5-level, or PAE: maps the guest's image, low, */
	uint64_t root_32; /* and for 32-bit paging */
	uint64_t tables[GUEST_BATCH_TABLES]; /* pages of zeros */

	/* From the VMM: */
	uint64_t cr0, cr3, cr4, efer, rflags; /* of rflags, AC counts */
	uint32_t pkru;                        /* with CR4.PKE */
	uint32_t stores_count, accesses_count;
	uint32_t reserved;
	struct guest_store stores[GUEST_BATCH_STORES];
	struct guest_access accesses[GUEST_BATCH_ACCESSES];
};

/*
 * What the guest `remap` changes until it is told to stop: two branches of 4-level tables below one
 * entry, in guest-physical memory. Filled by the VMM before the guest runs.
 */
#define GUEST_REMAP_GPA UINT64_C(0x400000)

struct guest_remap {
	uint64_t root;                       /* address of the entry that links a branch, */
	uint64_t lower[2];                   /* of the one above the page in each branch, */
	uint64_t page[2];                    /* and of the page's */
	uint64_t link[2], table[2], good[2]; /* what these hold while the branch is linked */
	uint64_t switches;                   /* by the guest: how often it has linked the other */
	uint64_t stop;
};

/* i386 aligns 64-bit members to 4 bytes only: both sides check. */
#ifndef __cplusplus
_Static_assert(sizeof(struct guest_call) == 128, "one size for 32-bit and 64-bit guests");
_Static_assert(offsetof(struct guest_call, start) == 56, "no padding");
_Static_assert(offsetof(struct guest_translate, rights) == 32, "no padding");
_Static_assert(offsetof(struct guest_fault, access) == 16, "no padding");
_Static_assert(offsetof(struct guest_failure, file) == 24, "no padding");
_Static_assert(sizeof(struct guest_access) == 32, "no padding");
_Static_assert(sizeof(struct guest_store) == 24, "no padding");
_Static_assert(offsetof(struct guest_batch, cr0) == 80, "no padding");
_Static_assert(offsetof(struct guest_batch, stores) == 136, "no padding");
_Static_assert(offsetof(struct guest_batch, accesses) % 8 == 0, "no padding");
#endif

#endif
