/* common/ipsec/private.h - what xfrm.c and take_up.c share. */
#pragma once
#include <libmnl/libmnl.h>
#include <linux/xfrm.h>
#include "common/ipsec/ipsec.h"

#define NL_BYTES 4096u

struct xfrm {
	struct mnl_socket *nl, *events;
	unsigned seq, port;
};

/* One direction of one pair. */
struct half {
	struct addr src, dst;		/* with ports; of tunnel mode the inner ones */
	struct addr outer_src, outer_dst;
	uint16_t encap_src, encap_dst;	/* UDP ports; both 0: transport mode */
	uint32_t spi, reqid, seq;
	bool in, tunnel;
};

/* The four of a set: in and out at our server port, out and in at our client port. */
void xfrm_halves(const struct ipsec_set *s, struct half h[4]);
/* Sends and takes answers until the last one; cb is of a dump's parts.  0 or what the kernel says. */
int xfrm_ask(struct xfrm *x, struct nlmsghdr *n, mnl_cb_t cb, void *arg);
struct nlmsghdr *xfrm_begin(char *buf, uint16_t type, uint16_t flags);
uint16_t xfrm_family(const struct addr *a);
void xfrm_put_address(const struct addr *a, xfrm_address_t *ret);
void xfrm_put_selector(const struct half *h, struct xfrm_selector *s);
int xfrm_sa_del(struct xfrm *x, const xfrm_address_t *dst, uint32_t spi_be, uint16_t fam);
int xfrm_policy_del(struct xfrm *x, const struct xfrm_selector *sel, uint8_t dir);
bool xfrm_same_address(const xfrm_address_t *a, const xfrm_address_t *b, uint16_t fam);
