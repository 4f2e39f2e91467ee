/* scscf/giba.h - GPRS-IMS-Bundled Authentication: the address that the network gave a phone says who it is.  TS 33.203 annex T,
 * TS 24.229 §5.4.1.2.1E, TS 29.228 §6.3; row S5.  Only auth.c and giba.c see it. */
#pragma once
#include "common/config/networks.h"
#include "scscf/registration.h"

/* What the HSS said of a subscriber; either or both are set. */
struct giba_address {
	struct addr ip4, ip6;
	unsigned ip6_bits;		/* 128 when the HSS gave the interface identifier, too */
};

/* Where the REGISTER came from, as nodes that are trusted saw it: from our neighbour downwards, the first address that is not one of
 * theirs.  What stands below it in the Vias was written there, and proves nothing.  0; -EPERM: our neighbour is no trusted one;
 * -ENOENT: there are trusted nodes only; -EBADMSG: a Via that says no address. */
int giba_source(const struct sip_msg *m, const struct networks *trusted, struct addr *ret);
/* false: the item has no address that could be one phone's. */
bool giba_read(const struct cx_auth_item *it, struct giba_address *ret);
bool giba_is(const struct giba_address *known, const struct addr *source);
