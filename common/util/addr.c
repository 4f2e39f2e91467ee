/* common/util/addr.c - socket addresses as text and back. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include "common/util/addr.h"
#include "common/util/hash.h"

int addr_parse(struct str host, uint16_t port, struct addr *ret)
{
	char text[ADDR_STRLEN], *scope;
	struct addr a = { 0 };
	bool bracketed = host.l >= 2 && host.p[0] == '[' && host.p[host.l - 1] == ']';

	if (bracketed)
		host = str_make(host.p + 1, host.l - 2);
	if (host.l == 0 || !str_copy(host, text, sizeof(text)) || strlen(text) != host.l)
		return -EBADMSG;
	if (!bracketed && inet_pton(AF_INET, text, &a.in4.sin_addr) == 1) {
		a.in4.sin_family = AF_INET;
		a.in4.sin_port = htons(port);
		*ret = a;
		return 0;
	}
	scope = strchr(text, '%');
	if (scope)
		*scope++ = '\0';
	if (inet_pton(AF_INET6, text, &a.in6.sin6_addr) != 1)
		return -EBADMSG;
	a.in6.sin6_family = AF_INET6;
	a.in6.sin6_port = htons(port);
	if (scope) {
		a.in6.sin6_scope_id = if_nametoindex(scope);
		if (a.in6.sin6_scope_id == 0)		/* no interface of that name: no such address here */
			return -EBADMSG;
	}
	*ret = a;
	return 0;
}

int addr_parse_hostport(struct str hp, uint16_t default_port, struct addr *ret)
{
	struct str host = hp, port = STR_NONE;
	uint32_t n = default_port;
	ssize_t i;

	if (hp.l && hp.p[0] == '[') {
		i = str_chr(hp, ']');
		if (i < 0)
			return -EBADMSG;
		host = str_head(hp, (size_t)i + 1);
		port = str_from(hp, (size_t)i + 1);
		if (port.l && port.p[0] != ':')
			return -EBADMSG;
		if (port.l)
			port = str_from(port, 1);
		else
			i = -1;
		if (i >= 0 && port.l == 0)
			return -EBADMSG;
	} else {
		i = str_rchr(hp, ':');
		if (i >= 0 && str_chr(hp, ':') == i) {
			host = str_head(hp, (size_t)i);
			port = str_from(hp, (size_t)i + 1);
			if (port.l == 0)
				return -EBADMSG;
		}
	}
	if (port.l && (str_to_u32(port, &n) < 0 || n > 65535))
		return -EBADMSG;
	return addr_parse(host, (uint16_t)n, ret);
}

uint16_t addr_port(const struct addr *a)
{
	return ntohs(a->sa.sa_family == AF_INET6 ? a->in6.sin6_port : a->in4.sin_port);
}

void addr_set_port(struct addr *a, uint16_t port)
{
	if (a->sa.sa_family == AF_INET6)
		a->in6.sin6_port = htons(port);
	else
		a->in4.sin_port = htons(port);
}

bool addr_is_any(const struct addr *a)
{
	if (a->sa.sa_family == AF_INET6)
		return IN6_IS_ADDR_UNSPECIFIED(&a->in6.sin6_addr);
	return a->in4.sin_addr.s_addr == htonl(INADDR_ANY);
}

bool addr_host_eq(const struct addr *a, const struct addr *b)
{
	if (a->sa.sa_family != b->sa.sa_family)
		return false;
	if (a->sa.sa_family == AF_INET6)
		return memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, 16) == 0 && a->in6.sin6_scope_id == b->in6.sin6_scope_id;
	return a->in4.sin_addr.s_addr == b->in4.sin_addr.s_addr;
}

bool addr_eq(const struct addr *a, const struct addr *b)
{
	return addr_host_eq(a, b) && addr_port(a) == addr_port(b);
}

/* Decimal at dst, no NUL; returns behind it. */
static char *put_number(char *dst, unsigned n)
{
	char digits[10];
	size_t i = sizeof(digits);

	do
		digits[--i] = (char)('0' + n % 10);
	while (n /= 10);
	memcpy(dst, digits + i, sizeof(digits) - i);
	return dst + sizeof(digits) - i;
}

/* Several times for every message: inet_ntop() goes through printf(). */
static char *put_ipv4(char *dst, const struct in_addr *in)
{
	const uint8_t *octet = (const uint8_t *)in;

	for (int i = 0; i < 4; i++) {
		if (i)
			*dst++ = '.';
		dst = put_number(dst, octet[i]);
	}
	*dst = '\0';
	return dst;
}

const char *addr_host(const struct addr *a, char dst[ADDR_STRLEN])
{
	char text[INET6_ADDRSTRLEN] = "";

	if (a->sa.sa_family == AF_INET) {
		put_ipv4(dst, &a->in4.sin_addr);
	} else if (a->sa.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &a->in6.sin6_addr, text, sizeof(text));
		snprintf(dst, ADDR_STRLEN, "[%s]", text);
	} else {
		str_copy(STR("-"), dst, ADDR_STRLEN);
	}
	return dst;
}

const char *addr_fmt(const struct addr *a, char dst[ADDR_STRLEN])
{
	char *end;

	addr_host(a, dst);
	if (addr_is_set(a)) {
		end = dst + strlen(dst);
		*end++ = ':';
		*put_number(end, addr_port(a)) = '\0';
	}
	return dst;
}

uint64_t addr_hash(const struct addr *a)
{
	uint8_t key[18] = { 0 };
	uint16_t port = addr_port(a);

	if (a->sa.sa_family == AF_INET6)
		memcpy(key, &a->in6.sin6_addr, 16);
	else
		memcpy(key, &a->in4.sin_addr, 4);
	memcpy(key + 16, &port, 2);
	return hash_str(str_make((const char *)key, sizeof(key)));
}

int addr_prefix_parse(struct str text, struct addr *ret, unsigned *ret_bits)
{
	struct str host, len;
	uint32_t n, max;
	bool cut = str_cut(text, '/', &host, &len);

	if (addr_parse(host, 0, ret) < 0)
		return -EBADMSG;
	n = max = ret->sa.sa_family == AF_INET6 ? 128 : 32;
	if (cut && (str_to_u32(len, &n) < 0 || n > max))
		return -EBADMSG;
	*ret_bits = n;
	return 0;
}

static const uint8_t *octets(const struct addr *a)
{
	return a->sa.sa_family == AF_INET6 ? (const uint8_t *)&a->in6.sin6_addr : (const uint8_t *)&a->in4.sin_addr;
}

bool addr_in_prefix(const struct addr *a, const struct addr *prefix, unsigned bits)
{
	const uint8_t *x = octets(a), *y = octets(prefix);

	if (a->sa.sa_family != prefix->sa.sa_family || memcmp(x, y, bits / 8))
		return false;
	return bits % 8 == 0 || ((x[bits / 8] ^ y[bits / 8]) & (0xff00 >> bits % 8) & 0xff) == 0;
}

bool addr_is_loopback(const struct addr *a)
{
	if (a->sa.sa_family == AF_INET6)
		return memcmp(&a->in6.sin6_addr, &in6addr_loopback, sizeof(in6addr_loopback)) == 0;
	return *(const uint8_t *)&a->in4.sin_addr == 127;
}
