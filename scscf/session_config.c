/* scscf/session_config.c - sessions.*: the dial plan, the static routes, the trust domain, the application servers. */
#include <errno.h>
#include <stdlib.h>
#include "common/config/config.h"
#include "scscf/session.h"

const struct cfg_row scscf_session_schema[] = {
	{ "sessions", CFG_MAP, .help = "How requests of and to our users are routed (TS 24.229 §5.4.3)." },
	{ "sessions.country_code", CFG_STR, 1, 3, NULL, "@digits", 0, NULL,
	  "Country code that national numbers get; absent: only numbers with it are understood." },
	{ "sessions.national_prefix", CFG_STR, 0, 8, "0", NULL, 0, NULL,
	  "What is dialled before a national number; \"\" where there is none." },
	{ "sessions.international_prefix", CFG_STR, 0, 8, "00", NULL, 0, NULL, "What is dialled before a country code." },
	{ "sessions.area_code", CFG_STR, 1, 8, NULL, "@digits", 0, NULL,
	  "Area code that numbers dialled without one get, behind the country code; absent: none does." },
	{ "sessions.short_number_digits", CFG_INT, 0, 15, "6", NULL, 0, NULL,
	  "A number of at most so many digits that begins with no prefix is a short one (112, 1001): it gets no codes." },
	{ "sessions.enum_suffix", CFG_STR, 1, 200, NULL, "@host", 0, NULL,
	  "Domain of ENUM (RFC 6116), as in \"e164.arpa\": numbers are looked up there before anything else; absent: not at all." },
	{ "sessions.routes", CFG_LIST,
	  .help = "Next hops for domains, and for numbers that no home user has: the table of a BGCF (TS 24.229 §5.6.2)." },
	{ "sessions.routes[].prefix", CFG_STR, 1, 32, NULL, NULL, 0, NULL,
	  "Beginning of a number, \"+44\" or \"+\" for every global one; the longest one counts." },
	{ "sessions.routes[].domain", CFG_STR, 1, 253, NULL, "@hostip", 0, NULL, "Host of the Request-URI, instead of a prefix." },
	{ "sessions.routes[].next_hop", CFG_STR, 5, 253, NULL, NULL, CFG_REQUIRED, NULL, "SIP URI that the request goes to." },
	{ "sessions.routes[].trusted", CFG_BOOL, 0, 0, "true", NULL, 0, NULL,
	  "Inside the trust domain: keeps P-headers and identities that ask for privacy." },
	{ "sessions.routes[].priority", CFG_INT, 0, 65535, "0", NULL, 0, NULL,
	  "Among rows for the same prefix or domain: the least one first, the next when it fails (408, 500, 502 to 504, silence)." },
	{ "sessions.routes[].weight", CFG_INT, 0, 65535, "1", NULL, 0, NULL, "Share among rows of the same priority." },
	{ "sessions.routes[].strip_headers", CFG_STR_LIST, 1, 64, NULL, NULL, 0, NULL,
	  "Names of headers that requests to this next hop leave without." },
	{ "sessions.routes[].add_headers", CFG_STR_MAP, 1, 128, NULL, NULL, 0, NULL,
	  "Headers that requests to this next hop get, instead of those of the same name." },
	{ "sessions.route_wait_ms", CFG_INT, 100, 60000, "4000", NULL, 0, "ms",
	  "A next hop of the table that says nothing for so long has failed, when there is another row for it." },
	{ "sessions.non_invite_wait_ms", CFG_INT, 100, 600000, "28000", NULL, 0, "ms",
	  "A request other than INVITE that a phone does not answer is given up; below 64 T1 of who waits (RFC 4320)." },
	{ "sessions.max_session_s", CFG_INT, 0, 31536000, "0", NULL, 0, "s",
	  "A session that has lasted so long is ended by BYEs to both ends (TS 24.229 §5.4.5); 0: none is." },
	{ "sessions.max_per_user", CFG_INT, 0, 10000, "0", NULL, 0, NULL,
	  "Sessions that a registration may have at a time, both ways; one more gets 403, or 486 when it is called; 0: any number." },
	{ "sessions.end_with_contact", CFG_BOOL, 0, 0, "true", NULL, 0, NULL,
	  "Sessions of a phone end when its contact does: de-registration by the phone or the network, expiry (TS 24.229 §5.4.1.4, §5.4.1.5)." },
	{ "sessions.as_wait_ms", CFG_INT, 100, 60000, "5000", NULL, 0, "ms",
	  "An application server that says nothing for so long has failed: default handling (TS 24.229 §5.4.3.2)." },
	{ "sessions.as_progress_ms", CFG_INT, 0, 170000, "20000", NULL, 0, "ms",
	  "One that took an INVITE with 100, and then neither sends another 1xx nor the request back for so long, has failed, too; 0: until timer C." },
	{ "sessions.as_budgets", CFG_LIST, .help = "Application servers that get another time than as_wait_ms." },
	{ "sessions.as_budgets[].server", CFG_STR, 5, 253, NULL, NULL, CFG_REQUIRED, NULL,
	  "SIP URI that is equal (RFC 3261 §19.1.4) to the ServerName of the filter criteria." },
	{ "sessions.as_budgets[].wait_ms", CFG_INT, 100, 60000, NULL, NULL, CFG_REQUIRED, "ms",
	  "So long it may say nothing." },
	{ "sessions.as_hold_s", CFG_INT, 0, 3600, "10", NULL, 0, "s",
	  "So long a server that did not answer is not asked again." },
	{ "sessions.shared_ifc_file", CFG_STR, 1, 4096, NULL, NULL, 0, NULL,
	  "XML file with the shared sets of filter criteria that profiles name by SharedIFCSetID." },
	{ "sessions.fallback_ifc_set", CFG_INT, -1, 2147483647, "-1", NULL, 0, NULL,
	  "The shared set of filter criteria (SharedIFCSetID) for requests that none of the user's own wants; -1: none." },
	{ "sessions.dummy_server", CFG_STR, 5, 253, NULL, NULL, 0, NULL,
	  "ServerName of criteria that count as wanting a request, but have no server: the request goes on to the next." },
	{ "sessions.refuse_without_service", CFG_BOOL, 0, 0, "false", NULL, 0, NULL,
	  "Refuse requests of and for users that no criterion wants, the fallback set included, with 403: a user without services is a mistake." },
	{ "sessions.trusted_domains", CFG_STR_LIST, 1, 253, NULL, "@hostip", 0, NULL,
	  "Other domains inside the trust domain (TS 24.229 §4.4)." },
	{ "sessions.services", CFG_STR_LIST, 5, 253, NULL, NULL, 0, NULL,
	  "Services (ICSI, \"urn:urn-7:3gpp-service...\") that users may ask for by P-Preferred-Service; one that is not there is not "
	  "asserted (RFC 6050); none: every one." },
	{ "sessions.application_servers", CFG_STR_LIST, 1, 72, NULL, "@ip", 0, NULL,
	  "Addresses of application servers that may originate for a user." },
	{ "sessions.interrogating", CFG_STR_LIST, 1, 72, NULL, "@ip", 0, NULL,
	  "Addresses of I-CSCFs that let application servers originate for a user by way of them, and nobody else (their "
	  "trust.application_servers); none: no I-CSCF does." },
	{ 0 },
};

static bool is_sip_uri(const struct cfg_node *n, const char *key)
{
	struct sip_uri u;

	return sip_uri_parse(cfg_str(n, key), &u, NULL) == 0 && u.host.l &&
	       (u.scheme == SIP_SCHEME_SIP || u.scheme == SIP_SCHEME_SIPS);
}

/* What the proxy and the transport live on is not for a header profile. */
static bool may_be_edited(struct str name)
{
	static const char *const fixed[] = { "Via", "From", "To", "Call-ID", "CSeq", "Contact", "Route", "Record-Route", "Max-Forwards",
					     "Content-Length", "Content-Type", "Require", "Proxy-Require", NULL };

	for (size_t i = 0; i < name.l; i++)
		if (name.p[i] <= ' ' || name.p[i] == ':' || (unsigned char)name.p[i] >= 127)
			return false;
	for (const char *const *f = fixed; *f; f++)
		if (str_ieq_c(name, *f))
			return false;
	return name.l > 1;		/* compact forms stand for most of them */
}

static void profile_check(const struct cfg_node *e, struct buf *errors)
{
	size_t n = cfg_list_len(e, "strip_headers"), i = 0;
	struct str name, value;

	for (; i < n; i++)
		if (!may_be_edited(cfg_strs_at(e, "strip_headers", i)))
			cfg_error(e, "strip_headers", errors, "\"%.*s\" is no header that may be taken out",
				  STR_ARG(cfg_strs_at(e, "strip_headers", i)));
	for (i = 0; cfg_map_at(e, "add_headers", i, &name, &value); i++)
		if (!may_be_edited(name))
			cfg_error(e, "add_headers", errors, "\"%.*s\" is no header that may be added", STR_ARG(name));
	if (n > ROUTE_MAX_HEADERS || i > ROUTE_MAX_HEADERS)
		cfg_error(e, "next_hop", errors, "a header profile has at most %u names", ROUTE_MAX_HEADERS);
}

static void budgets_check(const struct cfg_node *r, struct buf *errors)
{
	size_t n = cfg_list_len(r, "sessions.as_budgets");

	for (size_t i = 0; i < n; i++) {
		const struct cfg_node *e = cfg_list_at(r, "sessions.as_budgets", i);

		if (!is_sip_uri(e, "server"))
			cfg_error(e, "server", errors, "must be a SIP URI, as in \"sip:as.example:5060\"");
	}
	if (n > SESSION_MAX_BUDGETS)
		cfg_error(r, "sessions.as_budgets", errors, "at most %u servers are taken", SESSION_MAX_BUDGETS);
}

void session_config_check(const struct cfg *c, struct buf *errors)
{
	const struct cfg_node *r = cfg_root(c);
	size_t n = cfg_list_len(r, "sessions.routes");

	for (size_t i = 0; i < n; i++) {
		const struct cfg_node *e = cfg_list_at(r, "sessions.routes", i);

		if (cfg_has(e, "prefix") == cfg_has(e, "domain"))
			cfg_error(e, cfg_has(e, "prefix") ? "domain" : "next_hop", errors,
				  "a route is for a prefix or for a domain, one of both");
		if (!is_sip_uri(e, "next_hop"))
			cfg_error(e, "next_hop", errors, "must be a SIP URI, as in \"sip:mgcf.example:5060\"");
		profile_check(e, errors);
	}
	if (n > SESSION_MAX_ROUTES)
		cfg_error(r, "sessions.routes", errors, "at most %u routes are taken", SESSION_MAX_ROUTES);
	budgets_check(r, errors);
}

/* "<URI;lr>"; NUL-terminated and owned by the route. */
static char *as_route(struct str uri)
{
	struct sip_uri u;
	struct buf b;
	char *s;

	buf_init(&b, 1024);
	buf_putc(&b, '<');
	buf_put(&b, uri);
	if (sip_uri_parse(uri, &u, NULL) == 0 && !sip_uri_has_lr(&u))
		buf_puts(&b, ";lr");
	buf_putc(&b, '>');
	s = b.failed ? NULL : str_dup(buf_str(&b));
	buf_fini(&b);
	return s;
}

static bool take_budgets(struct session_config *s)
{
	size_t n = cfg_list_len(s->root, "sessions.as_budgets");

	s->budgets = calloc(n ? n : 1, sizeof(*s->budgets));
	for (size_t i = 0; s->budgets && i < n; i++) {
		const struct cfg_node *e = cfg_list_at(s->root, "sessions.as_budgets", i);
		struct session_budget *b = &s->budgets[s->n_budgets];

		b->wait_ms = (uint32_t)cfg_int(e, "wait_ms");
		if (sip_uri_parse(cfg_str(e, "server"), &b->server, NULL) == 0)		/* session_config_check has said so */
			s->n_budgets++;
	}
	return s->budgets != NULL;
}

int session_config_new(const struct cfg *c, struct session_config **ret)
{
	const struct cfg_node *r = cfg_root(c);
	struct session_config *s = calloc(1, sizeof(*s));
	size_t n = cfg_list_len(r, "sessions.routes");

	*ret = s;
	if (!s)
		return -ENOMEM;
	s->root = r;
	s->end_with_contact = cfg_bool(r, "sessions.end_with_contact");
	s->as_progress_ms = (uint32_t)cfg_int(r, "sessions.as_progress_ms");
	s->country_code = cfg_str(r, "sessions.country_code");
	s->national_prefix = cfg_str(r, "sessions.national_prefix");
	s->area_code = cfg_str(r, "sessions.area_code");
	s->enum_suffix = cfg_str(r, "sessions.enum_suffix");
	s->short_digits = (uint32_t)cfg_int(r, "sessions.short_number_digits");
	s->route_wait_ms = (uint32_t)cfg_int(r, "sessions.route_wait_ms");
	s->international_prefix = cfg_str(r, "sessions.international_prefix");
	s->non_invite_wait_ms = (uint32_t)cfg_int(r, "sessions.non_invite_wait_ms");
	s->as_wait_ms = (uint32_t)cfg_int(r, "sessions.as_wait_ms");
	s->dummy_server = cfg_str(r, "sessions.dummy_server");
	s->refuse_without_service = cfg_bool(r, "sessions.refuse_without_service");
	s->as_hold_s = (uint32_t)cfg_int(r, "sessions.as_hold_s");
	s->max_per_user = (uint32_t)cfg_int(r, "sessions.max_per_user");
	s->max_session_s = (uint32_t)cfg_int(r, "sessions.max_session_s");
	if (!take_budgets(s))
		return -ENOMEM;
	s->routes = calloc(n ? n : 1, sizeof(*s->routes));
	for (; s->routes && s->n_routes < n; s->n_routes++) {
		const struct cfg_node *e = cfg_list_at(r, "sessions.routes", s->n_routes);
		char *hop = as_route(cfg_str(e, "next_hop"));

		if (!hop)
			break;
		s->routes[s->n_routes] = (struct session_route){
			.prefix = cfg_str(e, "prefix"), .domain = cfg_str(e, "domain"), .next_hop = str_from_c(hop),
			.trusted = cfg_bool(e, "trusted"), .priority = (uint32_t)cfg_int(e, "priority"),
			.weight = (uint32_t)cfg_int(e, "weight"), .node = e,
		};
	}
	return s->routes && s->n_routes == n ? 0 : -ENOMEM;
}

void session_config_free(struct session_config *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->n_routes; i++)
		free((void *)(uintptr_t)c->routes[i].next_hop.p);
	free(c->routes);
	free(c->budgets);
	free(c);
}

uint32_t session_config_as_wait(const struct session_config *c, struct str server)
{
	struct sip_uri u;

	if (!c)
		return SESSION_AS_WAIT_MS;
	if (c->n_budgets && sip_uri_parse(server, &u, NULL) == 0)
		for (size_t i = 0; i < c->n_budgets; i++)
			if (sip_uri_equal(&u, &c->budgets[i].server))
				return c->budgets[i].wait_ms;
	return c->as_wait_ms;
}

bool session_config_trusts_domain(const struct session_config *c, struct str host)
{
	size_t n = c ? cfg_list_len(c->root, "sessions.trusted_domains") : 0;

	for (size_t i = 0; i < n; i++)
		if (str_ieq(cfg_strs_at(c->root, "sessions.trusted_domains", i), host))
			return true;
	return false;
}

bool session_config_has_service(const struct session_config *c, struct str urn)
{
	size_t n = c ? cfg_list_len(c->root, "sessions.services") : 0;

	for (size_t i = 0; i < n; i++)
		if (str_ieq(cfg_strs_at(c->root, "sessions.services", i), urn))
			return true;
	return n == 0 && str_istarts(urn, STR("urn:"));
}

static bool is_listed(const struct session_config *c, const char *list, const struct sip_flow *from)
{
	size_t n = c ? cfg_list_len(c->root, list) : 0;
	struct addr a;

	for (size_t i = 0; i < n; i++)
		if (addr_parse(cfg_strs_at(c->root, list, i), 0, &a) == 0 && addr_host_eq(&a, &from->remote))
			return true;
	return false;
}

bool session_config_is_as(const struct session_config *c, const struct sip_flow *from)
{
	return is_listed(c, "sessions.application_servers", from);
}

bool session_config_may_originate(const struct session_config *c, const struct sip_flow *from)
{
	return session_config_is_as(c, from) || is_listed(c, "sessions.interrogating", from);
}
