/* common/config/schema_common.c - the keys that every daemon has, and what their rows alone cannot check. */
#include "common/config/private.h"
#include "common/log/log.h"

#define PORT_MAX 65535

/* The timers of TS 24.229 §7.7 (table 7.7.1): between network elements as in RFC 3261 table 4, towards the phone longer. */
const struct cfg_row cfg_common_schema[] = {
	{ "plmn", CFG_MAP, .help = "The home network; realm, home domain and names derive from it (TS 23.003 §13)." },
	{ "plmn.mcc", CFG_STR, 3, 3, NULL, "@digits", CFG_REQUIRED, NULL, "Mobile country code, three digits." },
	{ "plmn.mnc", CFG_STR, 2, 3, NULL, "@digits", CFG_REQUIRED, NULL, "Mobile network code, two or three digits." },
	{ "domain", CFG_STR, 1, 253, NULL, "@host", 0, NULL, "Home domain, when it is not the one of the PLMN." },
	{ "domain_aliases", CFG_STR_LIST, 1, 253, NULL, "@host", 0, NULL, "Other names that are this home domain too." },
	{ "user", CFG_STR, 1, 32, NULL, NULL, 0, NULL,
	  "Started as root, the daemon becomes this user once its sockets are open; it must be able to read this file." },
	{ "workers", CFG_INT, 0, 64, "1", NULL, 0, NULL, "Threads that handle SIP; 0: the cores less one, at least one." },

	{ "sip", CFG_MAP, .flags = CFG_REQUIRED, .help = "SIP listeners, timers and limits." },
	{ "sip.listen", CFG_LISTEN, 0, 0, NULL, NULL, CFG_REQUIRED, NULL, "Where SIP is received: \"udp:ADDRESS:PORT\", tcp, tls." },
	{ "sip.name", CFG_STR, 1, 253, NULL, "@hostip", 0, NULL,
	  "Host name of this node in Path, Record-Route and Service-Route; else the address of the first listener." },
	{ "sip.tls", CFG_MAP, .help = "TLS for SIP; certificates are read again on SIGHUP." },
	{ "sip.tls.cert_file", CFG_FILE, 0, 0, NULL, NULL, CFG_REQUIRED | CFG_RELOAD, NULL, "Certificate with its chain, PEM." },
	{ "sip.tls.key_file", CFG_FILE, 0, 0, NULL, NULL, CFG_REQUIRED | CFG_RELOAD, NULL, "Its private key, PEM." },
	{ "sip.tls.ca_file", CFG_FILE, 0, 0, NULL, NULL, CFG_RELOAD, NULL, "Whom we trust, PEM; else the system's authorities." },
	{ "sip.tls.verify_clients", CFG_ENUM, 0, 0, "no", "no|if_given|required", CFG_RELOAD, NULL,
	  "Must those who connect show a certificate?  Phones have none, neighbours should." },
	{ "sip.tls.verify_servers", CFG_BOOL, 0, 0, "true", NULL, CFG_RELOAD, NULL,
	  "Must a neighbour we connect to prove the domain it was asked for (RFC 5922)?" },
	{ "sip.tls.min_version", CFG_ENUM, 0, 0, "1.2", "1.2|1.3", CFG_RELOAD, NULL, "Oldest version of TLS." },
	{ "sip.tls.certificates", CFG_LIST, .help = "Certificates for other names, chosen by the name asked for (SNI)." },
	{ "sip.tls.certificates[].cert_file", CFG_FILE, 0, 0, NULL, NULL, CFG_REQUIRED | CFG_RELOAD, NULL, "Certificate with its chain, PEM." },
	{ "sip.tls.certificates[].key_file", CFG_FILE, 0, 0, NULL, NULL, CFG_REQUIRED | CFG_RELOAD, NULL, "Its private key, PEM." },
	{ "sip.timers", CFG_MAP, .help = "Timers between network elements (RFC 3261 table 4)." },
	{ "sip.timers.t1_ms", CFG_INT, 1, 60000, "500", NULL, 0, "ms", "T1, the round-trip estimate." },
	{ "sip.timers.t2_ms", CFG_INT, 1, 120000, "4000", NULL, 0, "ms", "T2, the longest interval between retransmissions." },
	{ "sip.timers.t4_ms", CFG_INT, 1, 120000, "5000", NULL, 0, "ms", "T4, how long a message stays in the network." },
	{ "sip.timers.d_ms", CFG_INT, 0, 300000, "32000", NULL, 0, "ms", "D, how long a copy of a refused INVITE's answer is acknowledged again." },
	{ "sip.ue_timers", CFG_MAP, .help = "Timers between the P-CSCF and the phone (TS 24.229 §7.7)." },
	{ "sip.ue_timers.t1_ms", CFG_INT, 1, 60000, "2000", NULL, 0, "ms", "T1 towards the phone." },
	{ "sip.ue_timers.t2_ms", CFG_INT, 1, 120000, "16000", NULL, 0, "ms", "T2 towards the phone." },
	{ "sip.ue_timers.t4_ms", CFG_INT, 1, 120000, "17000", NULL, 0, "ms", "T4 towards the phone." },
	{ "sip.ue_timers.d_ms", CFG_INT, 0, 300000, "128000", NULL, 0, "ms", "D towards the phone." },
	{ "sip.timer_c_s", CFG_INT, 1, 3600, "185", NULL, 0, "s",
	  "Timer C: how long a call may ring; RFC 3261 §16.6 asks for more than 180." },
	{ "sip.next_hop_wait_ms", CFG_INT, 0, 60000, "5000", NULL, 0, "ms",
	  "So long a next hop with several addresses may say nothing before the next one is tried; 0: until the transaction ends." },
	{ "sip.session_timer", CFG_MAP, .help = "Refreshes of calls, where this node is on their route (RFC 4028)." },
	{ "sip.session_timer.min_se_s", CFG_INT, 90, 86400, "90", NULL, 0, "s", "Calls that want to be refreshed more often get 422." },
	{ "sip.session_timer.expires_s", CFG_INT, 0, 86400, "0", NULL, 0, "s",
	  "Interval that this node asks for, and the largest it lets pass; 0: the phones decide." },
	{ "sip.max_transactions", CFG_INT, 16, 100000000, "100000", NULL, 0, NULL, "Transactions at a time in one worker." },
	{ "sip.max_message_bytes", CFG_INT, 2048, 1048576, "65536", NULL, 0, "bytes", "Largest SIP message that is taken." },
	{ "sip.max_connections", CFG_INT, 1, 1000000, "10000", NULL, 0, NULL, "TCP connections at a time in one worker." },
	{ "sip.tcp_idle_s", CFG_INT, 10, 86400, "3600", NULL, 0, "s", "A connection without traffic is closed after that." },
	{ "sip.udp_max_bytes", CFG_INT, 576, PORT_MAX, "1300", NULL, 0, "bytes",
	  "Larger requests go over TCP (RFC 3261 §18.1.1)." },

	{ "sip.overload", CFG_MAP, .help = "Refusal of new work when messages wait too long (RFC 6357)." },
	{ "sip.overload.enabled", CFG_BOOL, 0, 0, "true", NULL, 0, NULL, "Refuse new requests with 503 while overloaded?" },
	{ "sip.overload.target_delay_ms", CFG_INT, 1, 10000, "50", NULL, 0, "ms",
	  "How long messages may wait for their turn; beyond it a part of the new requests is refused." },
	{ "sip.overload.neighbours", CFG_BOOL, 0, 0, "true", NULL, 0, NULL,
	  "Tell core neighbours how much to hold back, and hold back what they ask for (RFC 7339)?" },
	{ "sip.overload.never_refuse", CFG_STR_LIST, 1, 64, NULL, NULL, 0, NULL,
	  "Priority values and Resource-Priority namespaces whose requests are never refused; emergency services never are." },

	{ "sip.sources", CFG_MAP, .help = "What one address may send; trusted neighbours are exempt.  Used by the P-CSCF." },
	{ "sip.sources.enabled", CFG_BOOL, 0, 0, "true", NULL, 0, NULL, "Limit and ban sources?" },
	{ "sip.sources.messages_per_s", CFG_INT, 0, 1000000, "200", NULL, 0, NULL,
	  "Messages per second of one address (IPv6: /64), and of each phone registered behind it; 0: no limit." },
	{ "sip.sources.burst", CFG_INT, 1, 10000000, "1000", NULL, 0, NULL, "Messages at once after a pause." },
	{ "sip.sources.malformed_answers_per_s", CFG_INT, 0, 1000000, "5", NULL, 0, NULL,
	  "Answers per second to malformed messages of one address; 0: no limit." },
	{ "sip.sources.ban_after_malformed", CFG_INT, 0, 1000000, "50", NULL, 0, NULL, "Malformed messages within the window; 0: no ban." },
	{ "sip.sources.ban_after_refused", CFG_INT, 0, 1000000, "100", NULL, 0, NULL,
	  "Requests refused with 403, 404 or 481 within the window; 0: no ban." },
	{ "sip.sources.ban_after_auth_failed", CFG_INT, 0, 1000000, "20", NULL, 0, NULL, "Failed authentications within the window; 0: no ban." },
	{ "sip.sources.window_s", CFG_INT, 1, 86400, "60", NULL, 0, "s", "The window." },
	{ "sip.sources.ban_s", CFG_INT, 1, 604800, "300", NULL, 0, "s", "How long a ban lasts." },
	{ "sip.sources.max", CFG_INT, 16, 10000000, "65536", NULL, 0, NULL, "Sources that are remembered at a time." },
	{ "sip.sources.exempt", CFG_STR_LIST, 1, 80, NULL, NULL, 0, NULL, "ADDRESS or ADDRESS/BITS that are never limited." },
	{ "sip.sources.exempt_loopback", CFG_BOOL, 0, 0, "true", NULL, 0, NULL, "The same for this machine itself." },

	{ "diameter", CFG_MAP, .help = "The Diameter node and its peers." },
	{ "diameter.identity", CFG_STR, 1, 253, NULL, "@host", CFG_REQUIRED, NULL, "Origin-Host of this node." },
	{ "diameter.realm", CFG_STR, 1, 253, NULL, "@host", 0, NULL, "Origin-Realm; else the home domain." },
	{ "diameter.listen", CFG_ADDR, 0, 0, NULL, NULL, 0, NULL, "Where peers may connect; absent: this node only connects." },
	{ "diameter.peers", CFG_LIST, .help = "The nodes this one connects to: a HSS, or an agent on the way to it." },
	{ "diameter.peers[].identity", CFG_STR, 1, 253, NULL, "@host", CFG_REQUIRED, NULL, "Its Origin-Host." },
	{ "diameter.peers[].realm", CFG_STR, 1, 253, NULL, "@host", 0, NULL, "Its realm; else the realm of this node." },
	{ "diameter.peers[].address", CFG_STR, 1, 72, NULL, "@ip", 0, NULL, "Its address; else its identity is looked up." },
	{ "diameter.peers[].port", CFG_INT, 1, PORT_MAX, "3868", NULL, 0, NULL, "Its port." },
	{ "diameter.peers[].transport", CFG_ENUM, 0, 0, "tcp", "tcp", 0, NULL, "Transport to it." },
	{ "diameter.destination_realm", CFG_STR, 1, 253, NULL, "@host", 0, NULL, "Destination-Realm of requests; else the home domain." },
	{ "diameter.destination_host", CFG_STR, 1, 253, NULL, "@host", 0, NULL, "Destination-Host of first requests to the HSS." },
	{ "diameter.request_timeout_ms", CFG_INT, 100, 60000, "5000", NULL, 0, "ms", "An answer that takes longer is given up." },
	{ "diameter.max_outstanding", CFG_INT, 1, 10000, "64", NULL, 0, NULL, "Requests at a time without an answer, per worker." },
	{ "diameter.max_waiting", CFG_INT, 0, 1000000, "2000", NULL, 0, NULL,
	  "Requests that wait for their turn, within request_timeout_ms, per worker." },
	{ "diameter.max_redirects", CFG_INT, 0, 1000000, "10000", NULL, 0, NULL,
	  "Users whose HSS a redirect (3006) named that are remembered, per worker; 0: none, the redirect is followed each time." },
	{ "diameter.max_redirect_s", CFG_INT, 1, 604800, "3600", NULL, 0, "s", "So long at most, whatever its Redirect-Max-Cache-Time." },
	{ "diameter.overload_reports", CFG_BOOL, 0, 0, "true", NULL, 0, NULL,
	  "Say that we know overload reports (DOIC, RFC 7683), and send less when the HSS wants less, new registrations first.  HSSs of the standard profile." },
	{ "diameter.hss_profile", CFG_ENUM, 0, 0, "standard", "standard|pyhss|open5gs", 0, NULL,
	  "Which HSS it is, where it differs from TS 29.228." },

	{ "dns", CFG_MAP, .help = "Name resolution (RFC 3263)." },
	{ "dns.servers", CFG_STR_LIST, 1, 72, NULL, "@addr", 0, NULL, "DNS servers, ADDRESS or ADDRESS:PORT; none: next_hops only." },
	{ "dns.timeout_ms", CFG_INT, 10, 60000, "500", NULL, 0, "ms", "Per attempt." },
	{ "dns.tries", CFG_INT, 1, 10, "2", NULL, 0, NULL, "Attempts per server." },
	{ "dns.next_hops", CFG_STR_MAP, 1, 128, NULL, "@hop", 0, NULL,
	  "Host or domain to \"udp:ADDRESS:PORT\": these names are not looked up." },
	{ "dns.cache_max", CFG_INT, 0, 10000000, "10000", NULL, 0, NULL, "Names in the cache of one worker." },
	{ "dns.stale_max_s", CFG_INT, 0, 604800, "3600", NULL, 0, "s", "How long an expired answer serves while DNS is down." },

	{ "rest", CFG_MAP, .help = "The management interface." },
	{ "rest.listen", CFG_ADDR, 0, 0, NULL, NULL, 0, NULL, "Where it is served." },
	{ "rest.token_file", CFG_FILE, 0, 0, NULL, NULL, CFG_RELOAD, NULL, 
	  "File of bearer tokens, a line each: TOKEN [ROLE [NAME]]; ROLE is view, operate or admin (admin when it is not said)." },
	{ "rest.token", CFG_STR, 1, 512, NULL, NULL, CFG_SECRET | CFG_RELOAD, NULL, "The bearer token itself; token_file is better." },
	{ "rest.unix_socket", CFG_FILE, 0, 0, NULL, NULL, 0, NULL, "Unix socket for cscfctl; its file mode is the key, it needs no token." },
	{ "rest.requests_per_s", CFG_INT, 0, 1000000, "500", NULL, 0, NULL, "Requests per second of one address; 0: no limit." },
	{ "rest.console_dir", CFG_FILE, 0, 0, NULL, NULL, 0, NULL, "Folder of the web console, served at /console (deploy/console)." },
	{ "rest.neighbours", CFG_STR_LIST, 1, 256, NULL, "@origin", 0, NULL,
	  "REST addresses of the other daemons, \"http://ADDRESS:PORT\": their consoles may watch this daemon (CORS), and this one's console watches them." },
	{ "rest.tls", CFG_MAP, .help = "Certificate, when it is served over TLS." },
	{ "rest.tls.cert_file", CFG_FILE, 0, 0, NULL, NULL, CFG_REQUIRED, NULL, "Certificate chain, PEM." },
	{ "rest.tls.key_file", CFG_FILE, 0, 0, NULL, NULL, CFG_REQUIRED, NULL, "Private key, PEM." },
	{ "rest.tls.client_ca_file", CFG_FILE, 0, 0, NULL, NULL, 0, NULL,
	  "Authorities, PEM: who shows a certificate of theirs needs no token for the role below." },
	{ "rest.tls.client_role", CFG_ENUM, 0, 0, "view", "view|operate|admin", 0, NULL, "What a client certificate allows." },

	{ "state", CFG_MAP, .help = "What outlives the process." },
	{ "state.backend", CFG_ENUM, 0, 0, "embedded", "embedded|redis|none", 0, NULL,
	  "Where state is kept: in files of state.dir; there and, shared with other instances, in Redis; nowhere." },
	{ "state.dir", CFG_FILE, 0, 0, NULL, NULL, 0, NULL, "Its directory; absent: nothing outlives the process." },
	{ "state.commit_ms", CFG_INT, 10, 60000, "500", NULL, 0, "ms",
	  "Changes go to the disk so often; a power cut costs what came later, a kill of the process nothing." },
	{ "state.max_bytes", CFG_INT, 1048576, INT64_C(1) << 44, "1073741824", NULL, 0, "bytes", "The state file grows no larger." },
	{ "state.max_pending_bytes", CFG_INT, 65536, INT64_C(1) << 40, "268435456", NULL, 0, "bytes",
	  "Changes that wait in memory while the disk takes none; more are lost." },
	{ "state.journal_bytes", CFG_INT, 65536, 1073741824, "4194304", NULL, 0, "bytes",
	  "Journal of each worker: changes between two commits." },
	{ "state.config_revisions", CFG_INT, 0, 1000, "50", NULL, 0, NULL, "Versions of the configuration file that are kept." },
	{ "state.token_key_file", CFG_FILE, 0, 0, NULL, NULL, 0, NULL,
	  "Key of the routing tokens, 16 octets, the same in all instances that share state; default: token.key in state.dir." },
	{ "state.redis", CFG_MAP, .help = "With backend redis: which server, and as whom." },
	{ "state.redis.servers", CFG_STR_LIST, 1, 72, NULL, NULL, 0, NULL, "ADDRESS:PORT; several are tried in turn, or are nodes of a Cluster." },
	{ "state.redis.sentinels", CFG_STR_LIST, 1, 72, NULL, NULL, 0, NULL, "ADDRESS:PORT of Sentinels, in place of servers." },
	{ "state.redis.master", CFG_STR, 1, 128, "mymaster", NULL, 0, NULL, "What the Sentinels call the master." },
	{ "state.redis.cluster", CFG_BOOL, 0, 0, "false", NULL, 0, NULL, "The servers are a Redis Cluster." },
	{ "state.redis.username", CFG_STR, 1, 128, NULL, NULL, 0, NULL, "User of its access control list." },
	{ "state.redis.password", CFG_STR, 1, 512, NULL, NULL, CFG_SECRET, NULL, "Its password, or the server's." },
	{ "state.redis.database", CFG_INT, 0, 65535, "0", NULL, 0, NULL, "Number of the database; 0 in a Cluster." },
	{ "state.redis.instance", CFG_STR, 1, 64, NULL, "@host", 0, NULL, "Name of this instance, another one in each; default: the first listener." },
	{ "state.redis.tls", CFG_MAP, .help = "Servers and Sentinels over TLS." },
	{ "state.redis.tls.ca_file", CFG_FILE, 0, 0, NULL, NULL, 0, NULL,
	  "Who vouches for their certificates, PEM; absent: they are spoken to in clear." },
	{ "state.redis.tls.cert_file", CFG_FILE, 0, 0, NULL, NULL, 0, NULL, "Certificate that we show, with its chain, PEM; with key_file." },
	{ "state.redis.tls.key_file", CFG_FILE, 0, 0, NULL, NULL, 0, NULL, "Its private key, PEM." },
	{ "state.redis.tls.server_name", CFG_STR, 1, 253, NULL, "@hostip", 0, NULL,
	  "Name that the servers' certificates have; default: the address that each has here." },
	{ "state.redis.timeout_ms", CFG_INT, 100, 60000, "1000", NULL, 0, "ms", "It counts as away when it is silent so long." },

	{ "log", CFG_MAP, .help = "The log, on standard error." },
	{ "log.level", CFG_ENUM, 0, 0, "info", "error|warn|info|debug", CFG_RELOAD, NULL, "Level of all areas." },
	{ "log.format", CFG_ENUM, 0, 0, "text", "text|json", 0, NULL, "Lines for people or for machines." },
	{ "log.levels", CFG_STR_MAP, 0, 0, NULL, "@loglevel", CFG_RELOAD, NULL, "Level of single areas." },

	{ "trace", CFG_MAP, .help = "The flow recorder: what ladders and explanations are made of." },
	{ "trace.flows", CFG_INT, 0, 10000000, "10000", NULL, 0, NULL, "Calls, registrations and other flows that are remembered; 0: none." },
	{ "trace.memory_mb", CFG_INT, 1, 65536, "16", NULL, 0, "MiB", "Memory for their events; the oldest go." },
	{ "trace.hep_collector", CFG_ADDR, 0, 0, NULL, NULL, CFG_RELOAD, NULL, "Collector (Homer) that traces with `hep` go to, by HEP3 over UDP." },
	{ "trace.hep_agent_id", CFG_INT, 0, UINT32_MAX, "2001", NULL, CFG_RELOAD, NULL, "Capture agent id in what it gets." },
	{ 0 },
};

static void check_log_areas(struct cfg_load *l, const struct cfg_node *r)
{
	const struct cfg_value *v = cfg_value(r, "log.levels", NULL);
	struct cfg_suggest sug;
	struct cfg_shown shown;
	enum log_area area;
	char hint[96];

	for (size_t i = 0; i < v->count; i++) {
		if (log_area_from_name(v->items[2 * i], &area) == 0)
			continue;
		cfg_suggest_init(&sug, v->items[2 * i]);
		for (unsigned a = 0; a < LOG_N_AREAS; a++)
			cfg_suggest_word(&sug, str_from_c(log_area_name((enum log_area)a)));
		cfg_mistake_at(l, v->item_raws[2 * i], "log.levels: %s is no area of the log%s",
			       cfg_show(v->items[2 * i], &shown), cfg_suggest_text(&sug, hint, sizeof(hint)));
	}
}

/* T1 below T2: RFC 3261 §17.1.1.1 draws the retransmissions up to T2. */
static void check_timers(struct cfg_load *l, const struct cfg_node *r, const char *t1, const char *t2)
{
	const struct cfg_value *a = cfg_value(r, t1, NULL), *b = cfg_value(r, t2, NULL);

	if (a->text.p && b->text.p && a->n > b->n && (a->raw || b->raw))
		cfg_mistake_at(l, a->raw ? a->raw : b->raw, "%s is %lld, longer than %s with %lld", t1, (long long)a->n, t2,
			       (long long)b->n);
}

static void check_peers(struct cfg_load *l, const struct cfg_node *r)
{
	const struct cfg_value *v = cfg_value(r, "diameter.peers", NULL);
	struct cfg_shown shown;

	for (size_t i = 0; i < v->count; i++) {
		struct str id = cfg_str(v->elems[i], "identity");

		for (size_t j = 0; j < i && id.l; j++) {
			if (!str_ieq(id, cfg_str(v->elems[j], "identity")))
				continue;
			cfg_mistake_at(l, cfg_value(v->elems[i], "identity", NULL)->raw,
				       "diameter.peers: %s stands twice", cfg_show(id, &shown));
			break;
		}
	}
}

/* RFC 4028 §8.1: a node does not ask for less than it refuses. */
static void check_session_timer(struct cfg_load *l, const struct cfg_node *r)
{
	const struct cfg_value *min = cfg_value(r, "sip.session_timer.min_se_s", NULL), *want = cfg_value(r, "sip.session_timer.expires_s", NULL);

	if (want->raw && min->text.p && want->n && want->n < min->n)
		cfg_mistake_at(l, want->raw, "sip.session_timer.expires_s is %lld, less than min_se_s with %lld", (long long)want->n,
			       (long long)min->n);
}

void cfg_common_check(struct cfg_load *l, const struct cfg_node *r)
{
	const struct raw *both = cfg_value(r, "rest.token", NULL)->raw, *dia = cfg_value(r, "diameter", NULL)->raw;

	check_log_areas(l, r);
	check_timers(l, r, "sip.timers.t1_ms", "sip.timers.t2_ms");
	check_timers(l, r, "sip.ue_timers.t1_ms", "sip.ue_timers.t2_ms");
	check_session_timer(l, r);
	check_peers(l, r);
	if (both && cfg_has(r, "rest.token_file"))
		cfg_mistake_at(l, both->key, "rest: either token or token_file, not both");
	if (dia && !cfg_has(r, "diameter.realm") && !cfg_has(r, "domain") && !cfg_has(r, "plmn"))
		cfg_mistake_at(l, dia->key, "diameter: no realm, and neither plmn nor domain to derive it from");
}
