/* SPDX-License-Identifier: MIT */
/* Which guest tables the roots were made from: records in the caller's array, chained by page. */
#include "shadow.h"

/* Fibonacci hashing: page numbers come in rows. */
static uint32_t chain_of(const struct pw_shadow *shadow, pw_pa hpa)
{
	uint64_t mixed = (hpa >> 12) * UINT64_C(0x9e3779b97f4a7c15);

	return (uint32_t)(mixed >> 32) % (uint32_t)shadow->config.use_max;
}

static struct pw_shadow_use *use_at(const struct pw_shadow *shadow, uint32_t index)
{
	return index == PW_SHADOW_NONE ? NULL : &shadow->config.uses[index];
}

static uint32_t index_of(const struct pw_shadow *shadow, const struct pw_shadow_use *use)
{
	return (uint32_t)(use - shadow->config.uses);
}

void pw_uses_begin(struct pw_shadow *shadow)
{
	struct pw_shadow_use *uses = shadow->config.uses;
	uint32_t count = (uint32_t)shadow->config.use_max;

	for (uint32_t i = 0; i < count; i++)
		uses[i] = (struct pw_shadow_use){.root = PW_SHADOW_NONE,
			.head = PW_SHADOW_NONE,
			.next = i + 1 < count ? i + 1 : PW_SHADOW_NONE};
	shadow->free_use = 0;
}

/* The first from `index` on in its chain that is of this page. */
static struct pw_shadow_use *same_page(const struct pw_shadow *shadow, uint32_t index, pw_pa hpa)
{
	struct pw_shadow_use *use = use_at(shadow, index);

	while (use && use->hpa != hpa)
		use = use_at(shadow, use->next);
	return use;
}

struct pw_shadow_use *pw_use_first(const struct pw_shadow *shadow, pw_pa hpa)
{
	return same_page(shadow, shadow->config.uses[chain_of(shadow, hpa)].head, hpa);
}

struct pw_shadow_use *pw_use_next(const struct pw_shadow *shadow, const struct pw_shadow_use *use)
{
	return same_page(shadow, use->next, use->hpa);
}

/* Two guest-physical pages may be one host-physical page: each is protected for itself. */
static bool gpa_in_use(const struct pw_shadow *shadow, pw_pa hpa, pw_pa gpa)
{
	const struct pw_shadow_use *use = pw_use_first(shadow, hpa);

	while (use && use->gpa != gpa)
		use = pw_use_next(shadow, use);
	return use != NULL;
}

static void protect(const struct pw_shadow *shadow, pw_pa gpa, bool on)
{
	const struct pw_shadow_config *config = &shadow->config;

	if (config->protect)
		config->protect(config->ctx, gpa, on);
}

static bool is_same(const struct pw_shadow_use *a, const struct pw_shadow_use *b)
{
	return a->root == b->root && a->level == b->level && a->first == b->first &&
	       a->gpa == b->gpa;
}

enum pw_status pw_use_note(
	struct pw_shadow *shadow, const struct pw_shadow_use *wanted, bool *fresh)
{
	struct pw_shadow_use *use = pw_use_first(shadow, wanted->hpa);
	uint32_t head, *chain;
	bool known;

	*fresh = !use;
	for (; use; use = pw_use_next(shadow, use)) {
		if (is_same(use, wanted)) {
			use->writes = 0;
			return PW_OK;
		}
	}
	if (shadow->free_use == PW_SHADOW_NONE)
		return PW_E_NO_TABLES;
	known = gpa_in_use(shadow, wanted->hpa, wanted->gpa);
	use = use_at(shadow, shadow->free_use);
	shadow->free_use = use->next;
	chain = &shadow->config.uses[chain_of(shadow, wanted->hpa)].head;
	head = use->head; /* of the chain whose number this record has, not of its own */
	*use = *wanted;
	use->head = head;
	use->writes = 0;
	use->stale = false;
	use->next = *chain;
	*chain = index_of(shadow, use);
	if (!known)
		protect(shadow, use->gpa, true);
	return PW_OK;
}

static void release(struct pw_shadow *shadow, struct pw_shadow_use *use)
{
	pw_pa hpa = use->hpa, gpa = use->gpa;

	use->root = PW_SHADOW_NONE;
	use->hpa = use->gpa = 0;
	use->stale = false;
	use->next = shadow->free_use;
	shadow->free_use = index_of(shadow, use);
	if (!gpa_in_use(shadow, hpa, gpa))
		protect(shadow, gpa, false);
}

void pw_uses_sweep(struct pw_shadow *shadow)
{
	struct pw_shadow_use *uses = shadow->config.uses;

	for (size_t i = 0; i < shadow->config.use_max; i++) {
		uint32_t *link = &uses[i].head;

		while (*link != PW_SHADOW_NONE) {
			struct pw_shadow_use *use = &uses[*link];

			if (use->stale) {
				*link = use->next;
				release(shadow, use);
			} else {
				link = &use->next;
			}
		}
	}
}

bool pw_uses_overlap(const struct pw_shadow *shadow, pw_pa hpa, uint64_t bytes)
{
	const struct pw_shadow_use *uses = shadow->config.uses;

	if (bytes == PW_SHADOW_PAGE)
		return pw_use_first(shadow, hpa) != NULL;
	for (size_t i = 0; i < shadow->config.use_max; i++) {
		if (uses[i].root != PW_SHADOW_NONE && uses[i].hpa - hpa < bytes)
			return true;
	}
	return false;
}
