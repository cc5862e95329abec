/* SPDX-License-Identifier: MIT */
/*
 * Private: what an enumeration reads next. The tables below the present level-1 table and below the
 * one after it are found before they are needed, so that while one table is scanned the next one in
 * the walk's order is prefetched, line for line, and of the one after that the first lines. Nothing
 * is decided by what is seen here.
 */
#ifndef PW_PRIVATE_AHEAD_H
#define PW_PRIVATE_AHEAD_H

#include <pagewalk/regions.h>

/* At a TABLE entry of level 2 that will be entered. */
void pw_ahead_enter(struct pw_regions *regions);

/*
 * At a TABLE entry of level 1: where the last table that comes after its table stands, or NULL.
 * What is remembered of that table is prefetched.
 */
const char *pw_ahead_next(struct pw_regions *regions);

/* After the scan of that table: begins to fetch the one after the next, for the time until then. */
void pw_ahead_start(const struct pw_regions *regions);

/*
 * In a level-1 table: how many of the `count` entries behind the present one are holes up to the
 * next table, or to the last of them; 0: none, or not known.
 */
uint64_t pw_ahead_holes(const struct pw_regions *regions, uint64_t count);

/* A new call begins: the tables may have changed since the last one. */
void pw_ahead_forget(struct pw_regions *regions);

#endif
