/* SPDX-License-Identifier: MIT */
/*
 * Translation through tables that are in use while we look: a guest's vCPUs walk them, and the
 * guest changes them. One function takes the CPU's part and leaves the marks that its walk leaves;
 * the other only looks, and makes sure of what it saw.
 *
 * Both walk at most `tries` times, so that no guest can hold the caller for ever; a handful is
 * plenty unless someone changes the same tables in a tight loop. Both are thread safe.
 */
#ifndef PAGEWALK_LIVE_H
#define PAGEWALK_LIVE_H

#include <pagewalk/translate.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Translates as pw_translate() does and, if the access is allowed, sets the Accessed and Dirty
 * flags as the hardware would; for those who emulate an access on the guest's behalf:
 *
 *   x86, EPT  Accessed in every entry that was used (but not in a PAE PDPTE, which has none), Dirty
 *             in the page's entry if the access writes.
 *   RISC-V    with pw_rules.riscv_hardware_ad, A and on a write D of the page's entry.
 *   Arm       the Access flag of the page's entry, unless pw_rules.arm_access_flag_fault.
 *
 * Nothing is written unless every check has succeeded, and entries that have their flags already
 * are left alone. Each flag is set by a compare-exchange against the entry that was walked; if the
 * entry has changed, the whole walk is made again. An entry that cannot be written is passed over
 * in silence: the result's entry and flags say what stands in memory afterwards.
 *
 * A format has its flags whether or not the hardware at hand uses them: do not call this for an EPT
 * without Accessed and Dirty flags (EPTP bit 6).
 *
 * Returns result->status: as pw_translate(), or PW_UNSTABLE if an entry changed under every one of
 * the walks (some upper entries may have got their Accessed flag by then), with that entry as it
 * was read in the result. PW_E_ARGUMENT for tries == 0 and for PW_ACCESS_ANY, which is nobody's
 * access. `result` may be NULL.
 */
PW_API PW_NODISCARD enum pw_status pw_translate_update(const struct pw_space *space, pw_va va,
	pw_access access, unsigned tries, struct pw_result *result);

/*
 * Translates as pw_translate() does, then reads every entry that the walk used once more, root
 * first. If one has changed, the answer may be made of entries that never stood in memory together;
 * the walk is made again. Writes nothing.
 *
 * What is returned was made from entries that each read the same twice, the first time all before
 * the second. An entry that changed and changed back in between goes unnoticed.
 *
 * Returns result->status: as pw_translate(), or PW_UNSTABLE if no walk held still, with the entry
 * that changed last as it was first read in the result. PW_E_ARGUMENT for tries == 0. `result` may
 * be NULL.
 */
PW_API PW_NODISCARD enum pw_status pw_translate_stable(const struct pw_space *space, pw_va va,
	pw_access access, unsigned tries, struct pw_result *result);

#ifdef __cplusplus
}
#endif

#endif
