/* tests/hss/hss_config.h - the configuration of labhssd, and the subscribers file that it names. */
#pragma once
#include "common/config/config.h"
#include "tests/hss/hss.h"

extern const struct cfg_row hss_common_schema[];	/* instead of the daemons': a HSS has no SIP */
extern const struct cfg_row hss_schema[];

/* daemon.check: reads the subscribers too, so that -t and a reload find their mistakes. */
void hss_config_check(const struct cfg *c, struct buf *errors);
/* The subscribers that the last good check has read; the caller's from now on. */
struct subs *hss_config_take_subs(void);
void hss_config_apply(struct hss *h, const struct cfg *c);	/* settings and misbehaviour */
