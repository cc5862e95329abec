/* SPDX-License-Identifier: MIT */
/* Files that are written whole or not at all. */
#ifndef PAGEWALK_WHOLE_FILE_H
#define PAGEWALK_WHOLE_FILE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Writes the file under a temporary name beside it and renames that, so that under its own name
 * there is always a complete file, the old one or the new one. What is there must be a regular
 * file, or a link to one, and stays a link. False after a complaint.
 */
bool whole_file_write(const char *path, const void *bytes, size_t count);

#endif
