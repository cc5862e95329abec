/* SPDX-License-Identifier: MIT */
/* Each kind of benchmark adds its rows. */
#ifndef BENCH_KINDS_H
#define BENCH_KINDS_H

void translate_add(void);
void enumerate_add(void);
void enumerate_hostile_add(void);
void build_add(void);
void read_add(void);
void exit_add(void);
void start_add(void);
void levels_add(void);
void nested_add(void);
void threads_add(void);

#endif
