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
#define GUEST_PORT_SERIAL  0x3f8  /* 16550: transmit only */
#define GUEST_PORT_CALL    0x5070 /* out, 32 bits: where the struct guest_call is */

/* guest_call.number */
enum guest_call_number {
	GUEST_CALL_START = 1,     /* the first call of a guest */
	GUEST_CALL_TRANSLATE = 2, /* "this is how I mapped that address" */
	GUEST_CALL_STRING = 3,    /* "there is text for you at that address" */
	GUEST_CALL_FAULT = 4,     /* "this access raised that exception" */
	GUEST_CALL_FAILURE = 5,   /* a check inside the guest failed */
	GUEST_CALL_DONE = 6,      /* the last call: the VMM does not return from it */
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
#define GUEST_ACCESS_READ  1u
#define GUEST_ACCESS_WRITE 2u
#define GUEST_ACCESS_FETCH 4u
#define GUEST_ACCESS_USER  8u

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
		uint8_t room[72]; /* the whole structure is 128 bytes */
	};
};

/* i386 aligns 64-bit members to 4 bytes only: both sides check. */
#ifndef __cplusplus
_Static_assert(sizeof(struct guest_call) == 128, "one size for 32-bit and 64-bit guests");
_Static_assert(offsetof(struct guest_call, start) == 56, "no padding");
_Static_assert(offsetof(struct guest_translate, rights) == 32, "no padding");
_Static_assert(offsetof(struct guest_fault, access) == 16, "no padding");
_Static_assert(offsetof(struct guest_failure, file) == 24, "no padding");
#endif

#endif
