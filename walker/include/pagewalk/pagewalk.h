/* SPDX-License-Identifier: MIT */
/* Everything. The vocabulary is in pagewalk/types.h. */
#ifndef PAGEWALK_PAGEWALK_H
#define PAGEWALK_PAGEWALK_H

#include <pagewalk/batch.h>
#include <pagewalk/build.h>
#include <pagewalk/copy.h>
#include <pagewalk/cursor.h>
#include <pagewalk/format.h>
#include <pagewalk/harvest.h>
#include <pagewalk/invalidate.h>
#include <pagewalk/journal.h>
#include <pagewalk/lint.h>
#include <pagewalk/live.h>
#include <pagewalk/memory.h>
#include <pagewalk/mtrr.h>
#include <pagewalk/nested.h>
#include <pagewalk/refusal.h>
#include <pagewalk/regions.h>
#include <pagewalk/resize.h>
#include <pagewalk/shadow.h>
#include <pagewalk/space.h>
#include <pagewalk/stage2.h>
#include <pagewalk/translate.h>
#include <pagewalk/types.h>
#include <pagewalk/walk.h>

#endif
