/* common/config/format.c - what texts must look like: addresses, listeners, and the named formats of schema rows. */
#include "common/config/private.h"
#include "common/log/log.h"
#include "common/util/addr.h"

static const char *const protocols[] = { "udp", "tcp", "tls" };

const char *cfg_hostport_why(struct str s)
{
	struct str port = STR_NONE;
	ssize_t colon = str_rchr(s, ':');
	struct addr a;
	uint32_t n = 0;

	if (addr_parse(s, 0, &a) == 0)
		return a.sa.sa_family == AF_INET6 && s.p[0] != '[' ?
			       "the port is missing: write \"[ADDRESS]:PORT\"" :
			       "the port is missing: write \"ADDRESS:PORT\"";
	if (colon < 0)
		return "must be \"ADDRESS:PORT\" with an IPv4 or IPv6 address, not a name";
	port = str_from(s, (size_t)colon + 1);
	if (str_to_u32(port, &n) < 0 || n < 1 || n > 65535)
		return "the port must be 1 to 65535";
	if (addr_parse(str_head(s, (size_t)colon), 0, &a) < 0)
		return "must be \"ADDRESS:PORT\" with an IPv4 or IPv6 address, not a name";
	if (addr_parse_hostport(s, 0, &a) < 0)
		return "an IPv6 address stands in brackets: write \"[ADDRESS]:PORT\"";
	return NULL;
}

static bool cut_proto(struct str s, struct str *ret_rest)
{
	struct str proto;

	if (!str_cut(s, ':', &proto, ret_rest))
		return false;
	for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++)
		if (str_eq_c(proto, protocols[i]))
			return true;
	return false;
}

const char *cfg_listen_why(struct str s)
{
	struct str rest;

	if (!cut_proto(s, &rest))
		return "must start with \"udp:\", \"tcp:\" or \"tls:\", as in \"udp:192.0.2.1:5060\"";
	return cfg_hostport_why(rest);
}

static bool is_digits(struct str s)
{
	for (size_t i = 0; i < s.l; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return s.l > 0;
}

static bool is_label_char(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '-' || c == '_';
}

/* RFC 1123 §2.1: labels of 1 to 63, 253 in all; a Diameter identity is one too (RFC 6733 §4.3.1). */
static bool is_host(struct str s)
{
	size_t label = 0;

	if (s.l == 0 || s.l > 253 || s.p[0] == '-')
		return false;
	for (size_t i = 0; i < s.l; i++) {
		if (s.p[i] == '.' ? label == 0 : !is_label_char(s.p[i]) || ++label > 63)
			return false;
		if (s.p[i] == '.')
			label = 0;
	}
	return true;
}

static bool is_ip(struct str s)
{
	struct addr a;

	return addr_parse(s, 0, &a) == 0;
}

static bool is_host_or_ip(struct str s)
{
	return is_host(s) || is_ip(s);
}

static bool is_addr(struct str s)
{
	return is_ip(s) || !cfg_hostport_why(s);
}

static bool is_hop(struct str s)
{
	struct str rest;

	return is_addr(s) || (cut_proto(s, &rest) && is_addr(rest));
}

static bool is_log_level(struct str s)
{
	enum log_level l;

	return log_level_from_name(s, &l) == 0;
}

static bool is_path(struct str s)
{
	return s.l > 0 && s.p[0] == '/';
}

/* An origin as RFC 6454 §6.2 writes it: scheme, host, port; no path. */
static bool is_origin(struct str s)
{
	struct str rest = str_starts(s, STR("https://")) ? str_from(s, 8) : str_starts(s, STR("http://")) ? str_from(s, 7) : STR_NONE;

	return rest.l && (is_host(rest) || is_addr(rest) || !cfg_hostport_why(rest));
}

static const struct cfg_format formats[] = {
	{ "@digits",	is_digits,	"digits only",						"01" },
	{ "@host",	is_host,	"a host or domain name",				"node.example.org" },
	{ "@hostip",	is_host_or_ip,	"a host name or an IP address",				"node.example.org" },
	{ "@ip",	is_ip,		"an IPv4 or IPv6 address",				"192.0.2.1" },
	{ "@addr",	is_addr,	"ADDRESS or ADDRESS:PORT",				"192.0.2.1:53" },
	{ "@hop",	is_hop,		"ADDRESS:PORT with \"udp:\", \"tcp:\" or \"tls:\" before it or not",
												"udp:192.0.2.1:5060" },
	{ "@loglevel",	is_log_level,	"one of error, warn, info, debug",			"info" },
	{ "@origin",	is_origin,	"\"http://ADDRESS:PORT\" or https, without a path",	"http://192.0.2.1:8080" },
	{ "@abspath",	is_path,	"an absolute path",					"/run/cscf/node.sock" },
};

const struct cfg_format *cfg_format_find(const char *choices)
{
	for (size_t i = 0; choices && i < sizeof(formats) / sizeof(formats[0]); i++)
		if (strcmp(choices, formats[i].name) == 0)
			return &formats[i];
	return NULL;
}
