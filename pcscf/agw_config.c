/* pcscf/agw_config.c - see agw_config.h. */
#include "pcscf/agw_config.h"

static const char *const mode_names[] = { "off", "family", "nat", "always" };

const char *agw_mode_name(enum agw_mode m)
{
	return mode_names[m];
}

static enum agw_mode mode_of(const struct cfg_node *r)
{
	for (int m = AGW_OFF; m <= AGW_ALWAYS; m++)
		if (str_eq_c(cfg_str(r, "media.mode"), mode_names[m]))
			return (enum agw_mode)m;
	return AGW_OFF;
}

void agw_config_check(const struct cfg_node *r, struct buf *errors)
{
	size_t n = cfg_list_len(r, "media.rtpengine");

	if (!cfg_has(r, "media"))
		return;
	if (n > NG_MAX_RELAYS)
		cfg_error(r, "media.rtpengine", errors, "media.rtpengine: more than %u entries", NG_MAX_RELAYS);
	if (mode_of(r) != AGW_OFF && !n)
		cfg_error(r, "media", errors, "media: mode %s needs media.rtpengine, where the relays are", mode_names[mode_of(r)]);
	if (cfg_has(r, "media.access_interface") != cfg_has(r, "media.core_interface"))
		cfg_error(r, "media", errors, "media: access_interface and core_interface go together");
}

void agw_config_read(struct agw_config *c, const struct cfg_node *r)
{
	struct str family = cfg_str(r, "media.core_family");

	c->mode = mode_of(r);
	for (size_t i = 0; i < cfg_list_len(r, "media.rtpengine") && c->n_relays < NG_MAX_RELAYS; i++) {
		const struct cfg_node *n = cfg_list_at(r, "media.rtpengine", i);

		if (addr_parse_hostport(cfg_str(n, "address"), 0, &c->relay[c->n_relays].address) < 0)
			continue;
		c->relay[c->n_relays++].weight = (uint32_t)cfg_int(n, "weight");
	}
	c->core_family = str_eq_c(family, "ipv4") ? AF_INET : str_eq_c(family, "ipv6") ? AF_INET6 : 0;
	c->access_interface = cfg_str(r, "media.access_interface");
	c->core_interface = cfg_str(r, "media.core_interface");
	c->keep_ice = str_eq_c(cfg_str(r, "media.ice"), "keep");
	c->go_on = str_eq_c(cfg_str(r, "media.on_failure"), "go_on");
	c->timeout_ms = (uint32_t)cfg_int(r, "media.timeout_ms");
	c->ping_ms = (uint32_t)cfg_int(r, "media.ping_ms");
}
