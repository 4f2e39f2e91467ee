/* common/util/addr.h - IPv4 and IPv6 socket addresses. */
#pragma once
#include <netinet/in.h>
#include <sys/socket.h>
#include "common/util/str.h"

struct addr {
	union {
		struct sockaddr sa;
		struct sockaddr_in in4;
		struct sockaddr_in6 in6;
	};
};

#define ADDR_STRLEN 72				/* "[v6%scope]:port" and the NUL */

static inline socklen_t addr_len(const struct addr *a)
{
	return a->sa.sa_family == AF_INET6 ? sizeof(a->in6) : sizeof(a->in4);
}
static inline bool addr_is_set(const struct addr *a)
{
	return a->sa.sa_family != 0;
}
/* Literal without port: "10.0.0.1", "2001:db8::1", "[2001:db8::1]".  0 or -EBADMSG. */
int addr_parse(struct str host, uint16_t port, struct addr *ret);
/* "10.0.0.1:5060", "[::1]:5060"; without ":port" the default is taken.  0 or -EBADMSG. */
int addr_parse_hostport(struct str hp, uint16_t default_port, struct addr *ret);
uint16_t addr_port(const struct addr *a);
void addr_set_port(struct addr *a, uint16_t port);
bool addr_is_any(const struct addr *a);				/* 0.0.0.0, :: */
bool addr_eq(const struct addr *a, const struct addr *b);	/* address and port */
bool addr_is_loopback(const struct addr *a);		/* 127/8, ::1 */
bool addr_host_eq(const struct addr *a, const struct addr *b);	/* address only */
/* "10.0.0.1" or, for SIP, "[2001:db8::1]".  Returns dst. */
const char *addr_host(const struct addr *a, char dst[ADDR_STRLEN]);
const char *addr_fmt(const struct addr *a, char dst[ADDR_STRLEN]);	/* with the port */
uint64_t addr_hash(const struct addr *a);
/* "ADDRESS" or "ADDRESS/BITS".  0 or -EBADMSG. */
int addr_prefix_parse(struct str text, struct addr *ret, unsigned *ret_bits);
bool addr_in_prefix(const struct addr *a, const struct addr *prefix, unsigned bits);
