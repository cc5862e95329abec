/* SPDX-License-Identifier: MIT */
/*
 * Reading and writing guest-virtual memory, across pages, each page translated on its own.
 */
#ifndef PAGEWALK_COPY_H
#define PAGEWALK_COPY_H

#include <pagewalk/translate.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Copies `bytes` from guest-virtual memory at va into `to`, or nothing: the whole range is
 * translated before the first byte is copied. (If the guest changes the tables in between, the
 * status is that of the page that went away, and `to` holds the pages before it; so it is if
 * memory->read_bytes refuses a page in the middle.) Ranges may end at the top of the address space,
 * not wrap (PW_E_RANGE).
 *
 * Page data outside the memory give PW_NO_MEMORY, and in pw_copy_to() those that are there to be
 * read only PW_E_READ_ONLY. If why is not NULL, *why holds the translation that failed, or that of
 * the first page.
 */
PW_API PW_NODISCARD enum pw_status pw_copy_from(const struct pw_space *space, pw_va va, void *to,
	size_t bytes, pw_access access, struct pw_result *why);

/* The other direction. The only function here that writes, and only data, never tables. */
PW_API PW_NODISCARD enum pw_status pw_copy_to(const struct pw_space *space, pw_va va,
	const void *from, size_t bytes, pw_access access, struct pw_result *why);

/*
 * Copies as much as there is from va on, up to `bytes`; *done bytes. The status is PW_OK if that is
 * all of them, otherwise the reason why it ends there (PW_E_RANGE: the address space does).
 */
PW_API PW_NODISCARD enum pw_status pw_copy_some(const struct pw_space *space, pw_va va, void *to,
	size_t bytes, pw_access access, size_t *done);

/* A debugger's view: regardless of rights. */
PW_NODISCARD static inline enum pw_status pw_read(
	const struct pw_space *space, pw_va va, void *to, size_t bytes)
{
	return pw_copy_from(space, va, to, bytes, PW_ACCESS_ANY, NULL);
}

PW_NODISCARD static inline enum pw_status pw_write(
	const struct pw_space *space, pw_va va, const void *from, size_t bytes)
{
	return pw_copy_to(space, va, from, bytes, PW_ACCESS_ANY, NULL);
}

#ifdef __cplusplus
}
#endif

#endif
