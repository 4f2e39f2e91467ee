/* pcscf/agw_config.h - media.*: which calls go through a media relay, and through which.  Row P17. */
#pragma once
#include "common/config/config.h"
#include "pcscf/ng.h"

enum agw_mode { AGW_OFF, AGW_FAMILY, AGW_NAT, AGW_ALWAYS };

struct agw_config {			/* texts live with the configuration */
	enum agw_mode mode;
	struct agw_relay_config {
		struct addr address;
		uint32_t weight;
	} relay[NG_MAX_RELAYS];
	unsigned n_relays;
	int core_family;		/* AF_INET, AF_INET6; 0: whatever stands in an offer of the phone's */
	struct str access_interface, core_interface;	/* the relay's names; empty: it chooses */
	bool keep_ice, go_on;
	uint32_t timeout_ms, ping_ms;
};
void agw_config_check(const struct cfg_node *r, struct buf *errors);
void agw_config_read(struct agw_config *c, const struct cfg_node *r);
const char *agw_mode_name(enum agw_mode m);
