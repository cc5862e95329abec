/* SPDX-License-Identifier: MIT */
/*
 * Translation of many addresses at once. The walks of a group go down together, one level at a
 * time, each asking for its next entry before it is needed, so that the memory works on all of
 * them.
 */
#ifndef PAGEWALK_BATCH_H
#define PAGEWALK_BATCH_H

#include <pagewalk/translate.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The part of struct pw_result that a list wants: the fields mean the same. */
struct pw_hit {
	pw_pa pa;
	uint8_t status; /* enum pw_status */
	int8_t level;
	uint8_t size_log2; /* the page has 1 << size_log2 bytes; 0 if there is none */
	uint8_t flags;     /* PW_RESULT_ACCESSED, _DIRTY, _GLOBAL */
	uint8_t rights;
	uint8_t user;
	uint8_t supervisor;
	uint8_t implicit;
};

/*
 * Translates va[0..count) for `access`; hits[i] answers va[i] as pw_translate() would. Returns how
 * many are PW_OK. An access that is none gives PW_E_ARGUMENT in every hit. Thread safe. Each answer
 * comes from entries that were each loaded once; between two answers of one batch the tables may
 * have changed.
 */
PW_API size_t pw_translate_batch(const struct pw_space *space, const pw_va *va, size_t count,
	pw_access access, struct pw_hit *hits);

/*
 * The best vector code for this CPU, to be put into struct pw_memory.kernels; NULL if there is
 * none, and always in a freestanding build. Asks the CPU each time: call it once and keep the
 * answer.
 */
PW_API const struct pw_kernels *pw_kernels_best(void);

#ifdef __cplusplus
}
#endif

#endif
