/* pcscf/policy_config.c - see policy_config.h. */
#include "common/sip/media.h"
#include "common/util/bytes.h"
#include "pcscf/policy_config.h"

static const char *const mode_names[POLICY_N_MODES] = { "off", "rx", "n5", "bsf" };
static const char *const choice_names[] = { "refuse", "go_on", "retry" };

const char *policy_mode_name(enum policy_mode m)
{
	return mode_names[m];
}

static unsigned index_of(struct str name, const char *const *names, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (str_eq_c(name, names[i]))
			return i;
	return 0;
}

static enum policy_mode mode_at(const struct cfg_node *r, const char *key)
{
	return (enum policy_mode)index_of(cfg_str(r, key), mode_names, POLICY_N_MODES);
}

static int media_type_at(const struct cfg_node *r, size_t i)
{
	for (int t = MEDIA_AUDIO; t <= MEDIA_OTHER; t++)
		if (str_ieq_c(cfg_strs_at(r, "policy.media", i), media_type_name((enum media_type)t)))
			return t;
	return -1;
}

/* Some phone has that mode by configuration. */
static bool is_said(const struct cfg_node *r, enum policy_mode mode)
{
	bool named = mode_at(r, "policy.mode") == mode;

	for (size_t i = 0; i < cfg_list_len(r, "policy.access"); i++)
		named = named || mode_at(cfg_list_at(r, "policy.access", i), "mode") == mode;
	return named;
}

/* Some phone may have that mode. */
static bool names_mode(const struct cfg_node *r, enum policy_mode mode)
{
	if (is_said(r, mode))
		return true;
	return mode != POLICY_BSF && is_said(r, POLICY_BSF) &&
	       (mode == POLICY_N5 || mode_at(r, "policy.bsf.none") == mode || mode_at(r, "policy.bsf.silent") == mode);
}

void policy_config_check(const struct cfg_node *r, struct buf *errors)
{
	struct addr a;
	unsigned bits;

	if (!cfg_has(r, "policy"))
		return;
	if (names_mode(r, POLICY_RX) && !cfg_has(r, "diameter"))
		cfg_error(r, "policy", errors, "policy: mode rx needs a diameter section");
	if (names_mode(r, POLICY_N5))
		n5_config_check(r, errors);
	if (names_mode(r, POLICY_BSF) && !cfg_has(r, "policy.n5.bsf"))
		cfg_error(r, "policy", errors, "policy: mode bsf needs policy.n5.bsf");
	if (cfg_list_len(r, "policy.access") > POLICY_MAX_RULES)
		cfg_error(r, "policy.access", errors, "policy.access: more than %u entries", POLICY_MAX_RULES);
	for (size_t i = 0; i < cfg_list_len(r, "policy.access"); i++) {
		const struct cfg_node *n = cfg_list_at(r, "policy.access", i);

		if (cfg_has(n, "network") && addr_prefix_parse(cfg_str(n, "network"), &a, &bits) < 0)
			cfg_error(n, "network", errors, "policy.access[].network: neither ADDRESS nor ADDRESS/BITS");
	}
	for (size_t i = 0; i < cfg_list_len(r, "policy.media"); i++)
		if (media_type_at(r, i) < 0)
			cfg_error(r, "policy.media", errors, "policy.media: %.*s is no type of media",
				  STR_ARG(cfg_strs_at(r, "policy.media", i)));
}

static void read_rules(struct policy_config *c, const struct cfg_node *r)
{
	for (size_t i = 0; i < cfg_list_len(r, "policy.access") && c->n_rules < POLICY_MAX_RULES; i++) {
		const struct cfg_node *n = cfg_list_at(r, "policy.access", i);
		struct policy_rule *rule = &c->rule[c->n_rules++];

		if (cfg_has(n, "network"))
			addr_prefix_parse(cfg_str(n, "network"), &rule->network, &rule->bits);
		rule->type = cfg_str(n, "type");
		rule->mode = mode_at(n, "mode");
	}
}

void policy_config_read(struct policy_config *c, const struct cfg_node *r)
{
	c->mode = mode_at(r, "policy.mode");
	read_rules(c, r);
	c->used[POLICY_RX] = names_mode(r, POLICY_RX) && cfg_has(r, "diameter");
	c->used[POLICY_N5] = names_mode(r, POLICY_N5);
	c->used[POLICY_BSF] = names_mode(r, POLICY_BSF);
	c->bsf_none = mode_at(r, "policy.bsf.none");
	c->bsf_silent = mode_at(r, "policy.bsf.silent");
	if (c->used[POLICY_N5])
		n5_config_read(&c->n5, r);
	c->on_refused = (enum policy_choice)index_of(cfg_str(r, "policy.on_refused"), choice_names, 3);
	c->on_silence = (enum policy_choice)index_of(cfg_str(r, "policy.on_silence"), choice_names, 3);
	c->release_on_loss = str_eq_c(cfg_str(r, "policy.on_loss"), "release");
	c->registration = cfg_bool(r, "policy.registration");
	c->location = cfg_bool(r, "policy.location");
	c->wait_ms = (uint32_t)cfg_int(r, "policy.wait_ms");
	c->max_calls = (uint32_t)cfg_int(r, "policy.max_calls");
	c->max_call_s = (uint32_t)cfg_int(r, "policy.max_call_s");
	for (size_t i = 0; i < cfg_list_len(r, "policy.media"); i++)
		if (media_type_at(r, i) >= 0)
			c->media |= 1u << media_type_at(r, i);
	if (!c->media)
		c->media = 1u << MEDIA_AUDIO | 1u << MEDIA_VIDEO;
	c->realm = cfg_str(r, "policy.rx.realm");
	c->host = cfg_str(r, "policy.rx.host");
	c->application = cfg_str(r, "policy.rx.application");
	c->mps = cfg_str(r, "policy.rx.mps");
}

bool policy_is_used(const struct policy_config *c)
{
	for (int m = POLICY_OFF + 1; m < POLICY_N_MODES; m++)
		if (c->used[m])
			return true;
	return false;
}

/* The first entry that fits: by where the phone is, and by what it says of its access. */
enum policy_mode policy_mode_of(const struct policy_config *c, const struct binding *b)
{
	for (unsigned i = 0; i < c->n_rules; i++) {
		const struct policy_rule *r = &c->rule[i];

		if ((!addr_is_set(&r->network) || addr_in_prefix(&b->flow.remote, &r->network, r->bits)) &&
		    (!r->type.l || str_istarts(b->access, r->type)))
			return r->mode;
	}
	return c->mode;
}
