/* SPDX-License-Identifier: MIT */
/* Roots: made when a guest's CR3 is first loaded, kept, taken apart when memory runs out. */
#include "shadow.h"

static const char *const verdict_names[] = {
	[PW_SHADOW_RETRY] = "retry",
	[PW_SHADOW_INJECT] = "inject",
	[PW_SHADOW_EMULATE] = "emulate",
	[PW_SHADOW_LOST] = "lost",
};
_Static_assert(sizeof verdict_names / sizeof verdict_names[0] == PW_SHADOW_VERDICT_COUNT,
	"every verdict has a name");

const char *pw_shadow_verdict_name(enum pw_shadow_verdict verdict)
{
	return (unsigned)verdict < PW_SHADOW_VERDICT_COUNT ? verdict_names[verdict] : "?";
}

static bool is_sound(const struct pw_shadow_config *config)
{
	if (!config->memory || !config->memory->allocate_table || !config->find || !config->roots ||
		!config->uses)
		return false;
	if (config->format != &pw_format_x86_64 && config->format != &pw_format_x86_64_la57)
		return false;
	if (config->largest_page && config->largest_page != PW_BIT(12) &&
		config->largest_page != PW_BIT(21) && config->largest_page != PW_BIT(30))
		return false;
	if (config->own_index > 511 || (config->own_index && !config->own_entry))
		return false;
	return config->root_max > 0 && config->root_max < PW_SHADOW_NONE &&
	       config->use_max >= PW_MAX_LEVELS && config->use_max < PW_SHADOW_NONE;
}

enum pw_status pw_shadow_begin(struct pw_shadow *shadow, const struct pw_shadow_config *config)
{
	if (!shadow || !config || !is_sound(config))
		return PW_E_ARGUMENT;
	*shadow = (struct pw_shadow){.config = *config, .current = PW_SHADOW_NONE};
	if (!shadow->config.largest_page)
		shadow->config.largest_page = PW_SHADOW_PAGE;
	for (size_t i = 0; i < config->root_max; i++)
		config->roots[i].in_use = false;
	pw_uses_begin(shadow);
	return PW_OK;
}

bool pw_shadow_own_range(const struct pw_shadow *shadow, pw_va *first, pw_va *last)
{
	const struct pw_format *format = shadow->config.format;
	unsigned shift = format->level[format->levels - 1].shift;

	if (!shadow->config.own_entry)
		return false;
	*first = pw_extend(
		format->extension, format->va_bits, (pw_va)shadow->config.own_index << shift);
	*last = *first | PW_LOW(shift);
	return true;
}

/* Tables that wait for a flush can be had now: no CPU walks them. */
static void reclaim(const struct pw_space *space, struct pw_flush *flush)
{
	if (!flush || !flush->freed_count)
		return;
	if (flush->flush_now)
		flush->flush_now(flush->ctx, flush);
	pw_flush_done(space, flush);
	if (!flush->flush_now)
		flush->everything = true;
}

static bool take_apart(
	struct pw_shadow *shadow, struct pw_shadow_root *root, struct pw_flush *flush)
{
	const struct pw_memory *memory = shadow->config.memory;

	if (pw_shadow_empty(shadow, root, flush) != PW_OK)
		return false;
	reclaim(&root->shadow, flush);
	if (memory->free_table)
		memory->free_table(memory->ctx, root->shadow.root,
			pw_table_bytes(root->shadow.format, root->shadow.format->levels - 1u));
	root->in_use = false;
	if (flush)
		flush->everything = true;
	return true;
}

/* The root loaded least recently, without the one in force; or NULL. */
static struct pw_shadow_root *oldest(const struct pw_shadow *shadow)
{
	struct pw_shadow_root *roots = shadow->config.roots, *found = NULL;

	for (size_t i = 0; i < shadow->config.root_max; i++) {
		if (roots[i].in_use && i != shadow->current &&
			(!found || roots[i].stamp < found->stamp))
			found = &roots[i];
	}
	return found;
}

bool pw_shadow_evict(struct pw_shadow *shadow, struct pw_flush *flush, bool *emptied)
{
	struct pw_shadow_root *root = oldest(shadow);

	if (root) {
		shadow->counts.evicted++;
		return take_apart(shadow, root, flush);
	}
	if (*emptied || shadow->current == PW_SHADOW_NONE)
		return false;
	*emptied = true;
	root = &shadow->config.roots[shadow->current];
	shadow->counts.evicted++;
	if (pw_shadow_empty(shadow, root, flush) != PW_OK)
		return false;
	reclaim(&root->shadow, flush);
	return true;
}

void pw_shadow_end(struct pw_shadow *shadow, struct pw_flush *flush)
{
	struct pw_shadow_root *root;

	shadow->current = PW_SHADOW_NONE;
	while ((root = oldest(shadow)) != NULL && take_apart(shadow, root, flush))
		;
}

/* ---- Loading ---- */

static bool same_words(const uint64_t *a, const uint64_t *b, unsigned count)
{
	uint64_t differ = 0;

	for (unsigned i = 0; i < count; i++)
		differ |= a[i] ^ b[i];
	return !differ;
}

static bool same_reserved(const struct pw_space *a, const struct pw_space *b)
{
	return same_words(a->reserved_table, b->reserved_table, PW_MAX_LEVELS) &&
	       same_words(a->reserved_page, b->reserved_page, PW_MAX_LEVELS) &&
	       a->pa_bits == b->pa_bits && a->address_clear == b->address_clear;
}

static bool same_grants(const struct pw_space *a, const struct pw_space *b)
{
	unsigned differ = 0;

	for (unsigned i = 0; i < PW_RIGHTS_TABLE; i++)
		differ |= a->grant[i] ^ b->grant[i];
	return !differ && a->pkru == b->pkru && a->pkrs == b->pkrs && a->flags == b->flags;
}

/* Both spaces give every access the same answer as long as their memory does. */
static bool is_same(const struct pw_space *a, const struct pw_space *b)
{
	return a->format == b->format && a->root == b->root && a->memory == b->memory &&
	       same_reserved(a, b) && same_grants(a, b) && same_words(a->pdpte, b->pdpte, 4) &&
	       a->lam_user == b->lam_user && a->lam_supervisor == b->lam_supervisor &&
	       a->lass == b->lass;
}

static struct pw_shadow_root *cached(
	const struct pw_shadow *shadow, const struct pw_space *guest, bool user)
{
	struct pw_shadow_root *roots = shadow->config.roots;

	for (size_t i = 0; i < shadow->config.root_max; i++) {
		if (roots[i].in_use && roots[i].user == user && is_same(&roots[i].guest, guest))
			return &roots[i];
	}
	return NULL;
}

static struct pw_shadow_root *unused(const struct pw_shadow *shadow)
{
	struct pw_shadow_root *roots = shadow->config.roots;

	for (size_t i = 0; i < shadow->config.root_max; i++) {
		if (!roots[i].in_use)
			return &roots[i];
	}
	return NULL;
}

/* A new root in a free place. PW_E_NO_TABLES: no place, or no table. */
static enum pw_status make(struct pw_shadow *shadow, const struct pw_space *guest, bool user,
	struct pw_shadow_root **made)
{
	const struct pw_shadow_config *config = &shadow->config;
	struct pw_shadow_root *root = unused(shadow);
	enum pw_status status;
	pw_va own, last;
	pw_pa pa;

	if (!root)
		return PW_E_NO_TABLES;
	status = pw_root_create(config->format, config->memory, &pa);
	if (status != PW_OK)
		return status;
	status = pw_space_init(&root->shadow, config->format, pa, config->memory);
	if (status == PW_OK && pw_shadow_own_range(shadow, &own, &last))
		status = pw_write_pte(&root->shadow, own, 0, config->own_entry);
	if (status != PW_OK) {
		if (config->memory->free_table)
			config->memory->free_table(config->memory->ctx, pa, PW_SHADOW_PAGE);
		return status;
	}
	root->guest = *guest;
	root->user = user;
	root->filled = false;
	root->in_use = true;
	*made = root;
	return PW_OK;
}

enum pw_status pw_shadow_load(struct pw_shadow *shadow, const struct pw_space *guest, bool user,
	struct pw_flush *flush, pw_pa *root)
{
	struct pw_shadow_root *found;
	enum pw_status status = PW_OK;
	bool emptied = false;

	shadow->current = PW_SHADOW_NONE;
	if (!guest || !root)
		return PW_E_ARGUMENT;
	if (guest->format->family != PW_FAMILY_X86 ||
		guest->format->va_bits > shadow->config.format->va_bits)
		return PW_E_UNSUPPORTED;
	/* SDM vol. 3A, "PDPTE Registers": it is the load that reads them. */
	if (guest->format->levels == 3 && !(guest->flags & PW_SPACE_PDPTE))
		return PW_E_UNSUPPORTED;
	found = cached(shadow, guest, user);
	if (!found) {
		do
			status = make(shadow, guest, user, &found);
		while (status == PW_E_NO_TABLES && pw_shadow_evict(shadow, flush, &emptied));
		if (status != PW_OK)
			return status;
	}
	found->stamp = ++shadow->stamp;
	shadow->current = (uint32_t)(found - shadow->config.roots);
	*root = found->shadow.root;
	return PW_OK;
}
