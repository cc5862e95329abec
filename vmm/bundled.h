/* SPDX-License-Identifier: MIT */
/* Private: the ELF file of the `paging` guest inside this program, for vmm_image_load_elf_bytes().
 */
#ifndef VMM_BUNDLED_H
#define VMM_BUNDLED_H

extern const unsigned char vmm_bundled_guest[];
extern const unsigned char vmm_bundled_guest_end[];

#define VMM_BUNDLED_GUEST_BYTES ((size_t)(vmm_bundled_guest_end - vmm_bundled_guest))

#endif
