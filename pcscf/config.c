/* pcscf/config.c - access.*: what only the P-CSCF has. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/log/log.h"
#include "pcscf/pcscf.h"

const struct cfg_row pcscf_schema[] = {
	{ "access", CFG_MAP, .help = "The side of the phones (TS 24.229 §5.2)." },
	{ "access.trusted", CFG_STR_LIST, 1, 80, NULL, NULL, 0, NULL,
	  "Core nodes, ADDRESS or ADDRESS/BITS.  Others are found out: dns.next_hops, where REGISTERs go, who uses a Path of ours." },
	{ "access.icscf", CFG_STR, 5, 253, NULL, NULL, 0, NULL,
	  "SIP URI that REGISTERs go to; else what the home domain resolves to." },
	{ "access.roaming_domains", CFG_STR_LIST, 1, 253, NULL, "@host", 0, NULL,
	  "Home domains of visitors; REGISTERs for any other foreign domain are refused." },
	{ "access.visited_network", CFG_STR, 1, 253, NULL, NULL, 0, NULL,
	  "P-Visited-Network-ID; else the home domain (RFC 7315 §4.3)." },
	{ "access.match_by_address", CFG_BOOL, 0, 0, "true", NULL, 0, NULL,
	  "A registered phone may send from another port of its address; off: only from where it registered." },
	{ "access.pass_headers", CFG_STR_LIST, 1, 64, NULL, NULL, 0, NULL,
	  "Headers of phones that pass although the trust border takes them out (\"X-Custom\")." },
	{ "access.hide_topology", CFG_BOOL, 0, 0, "false", NULL, 0, NULL,
	  "Phones see no Via, Record-Route, Service-Route, Server or Warning of core nodes." },
	{ "access.early_media", CFG_BOOL, 0, 0, "false", NULL, 0, NULL,
	  "Phones may authorise early media (P-Early-Media of theirs passes); else only their \"supported\" does (RFC 5009)." },
	{ "access.max_contacts", CFG_INT, 1, 32, "4", NULL, 0, NULL, "Contact values in one REGISTER." },
	{ "access.max_sessions", CFG_INT, 1, 10000000, "100000", NULL, 0, NULL,
	  "Answered calls that can be ended from here; what is beyond passes all the same." },
	{ "access.max_early_calls", CFG_INT, 1, 1000, "4", NULL, 0, NULL, "Calls of one phone that hang unanswered; while there are so many the next one gets 486." },
	{ "access.early_grace_s", CFG_INT, 0, 60, "2", NULL, 0, "s", "A call hangs when it is not answered so long: short ones do not count." },
	{ "access.max_ringing_s", CFG_INT, 10, 3600, "300", NULL, 0, "s", "A call that is not answered so long is cancelled, whatever it hears." },
	{ "access.budgets", CFG_LIST, .help = "How much of a message phones may fill, by method; else 16384 octets of headers and a body as the method needs." },
	{ "access.budgets[].method", CFG_STR, 1, 16, NULL, NULL, CFG_REQUIRED, NULL, "INVITE, MESSAGE ...; \"*\": those that nobody knows." },
	{ "access.budgets[].header_bytes", CFG_INT, 1024, 65535, NULL, NULL, 0, "octets", "Start line and headers; more: 513." },
	{ "access.budgets[].body_bytes", CFG_INT, 0, 65535, NULL, NULL, 0, "octets", "Its body; more: 413." },
	{ "access.keep_s", CFG_INT, 0, 600, "30", NULL, 0, "s",
	  "Keep-alives that a phone behind a NAT offers: how often (RFC 6223); 0: it is not told to." },
	{ "access.retry_after_s", CFG_INT, 1, 3600, "10", NULL, 0, "s", "Retry-After while the core does not answer." },
	{ "access.ipsec", CFG_MAP, .help = "IPsec with the phones (TS 33.203 §7).  Without this section phones come in clear." },
	{ "access.ipsec.policy", CFG_ENUM, 0, 0, "require", "require|prefer|off", 0, NULL,
	  "require: phones without a security agreement are refused; prefer: they may register in clear." },
	{ "access.ipsec.listeners", CFG_STR_MAP, 1, 128, NULL, NULL, 0, NULL,
	  "Another policy for listeners of sip.listen: \"udp:192.0.2.10:5060\": prefer.  TLS listeners: off." },
	{ "access.ipsec.algorithms", CFG_STR_LIST, 3, 40, NULL, NULL, 0, NULL,
	  "ALG/EALG pairs, best first (hmac-sha-1-96/aes-cbc, null/aes-gcm); also aes-gmac/null, hmac-md5-96 and des-ede3-cbc." },
	{ "access.ipsec.allow_null", CFG_BOOL, 0, 0, "false", NULL, 0, NULL,
	  "Pairs without encryption may be listed: everybody on the way can read along." },
	{ "access.ipsec.server_port", CFG_INT, 1024, 65000, "5100", NULL, 0, NULL, "First protected server port (UDP and TCP)." },
	{ "access.ipsec.client_port", CFG_INT, 1024, 65000, "5120", NULL, 0, NULL, "First protected client port." },
	{ "access.ipsec.ports", CFG_INT, 3, 12, "4", NULL, 0, NULL, "How many of each: sets of one phone differ in them." },
	{ "access.ipsec.spi_first", CFG_INT, 256, 0x7fffffff, "1048576", NULL, 0, NULL, "First SPI of ours.  P-CSCFs of one address need ranges of their own." },
	{ "access.ipsec.spis", CFG_INT, 64, 4000000, "262144", NULL, 0, NULL, "How many; two per set." },
	{ "access.ipsec.reqid_first", CFG_INT, 1, 0x7fffffff, "1048576", NULL, 0, NULL,
	  "First reqid of associations; as many as SPIs.  What has one is ours, and is removed at start." },
	{ "access.ipsec.await_auth_s", CFG_INT, 1, 3600, "240", NULL, 0, "s", "reg-await-auth: how long a challenge may stay unanswered." },
	{ "access.ipsec.max_pending", CFG_INT, 0, 2000000, "20000", NULL, 0, NULL,
	  "Sets of associations that nobody has authenticated for yet; more: 503.  Each costs the kernel 15 KiB.  0: no limit." },
	{ "access.ipsec.max_pending_per_source", CFG_INT, 0, 2000000, "100", NULL, 0, NULL, "Of these, from one address.  0: no limit." },
	{ "access.ipsec.nat_port", CFG_INT, 0, 65000, "4500", NULL, 0, NULL,
	  "UDP port for the ESP of phones behind a NAT (mod=UDP-enc-tun).  0: they are treated as if there were none." },
	{ "access.ipsec.margin_s", CFG_INT, 0, 3600, "30", NULL, 0, "s", "Associations outlive the registration by that." },
	{ "access.ipsec.quarantine_s", CFG_INT, 0, 86400, "300", NULL, 0, "s", "An SPI is not used again for so long." },
	{ "access.emergency", CFG_MAP, .help = "Emergency calls (TS 24.229 §5.2.10)." },
	{ "access.emergency.ecscf", CFG_STR, 5, 253, NULL, NULL, 0, NULL,
	  "SIP URI of the E-CSCF.  Without it phones hear 380 and turn to the circuit-switched domain." },
	{ "access.emergency.numbers", CFG_STR_LIST, 1, 120, NULL, NULL, 0, NULL,
	  "Local emergency numbers, NUMBER or NUMBER=sos.SERVICE (\"112\", \"110=sos.police\"); urn:service:sos always is one." },
	{ "access.emergency.allow_anonymous", CFG_BOOL, 0, 0, "false", NULL, 0, NULL,
	  "Who is not registered may call the E-CSCF too; else 380 asks for an emergency registration." },
	{ "access.emergency.need_registration", CFG_BOOL, 0, 0, "false", NULL, 0, NULL,
	  "A normal registration does not do: 380 asks the phone for an emergency registration first." },
	{ "access.reg_event", CFG_BOOL, 0, 0, "true", NULL, 0, NULL,
	  "Subscribe to each user's registration state and follow it (TS 24.229 §5.2.3)." },
	{ "access.media", CFG_MAP, .help = "What an offer may ask for (TS 24.229 §6.2); else 488.  Emergency calls pass." },
	{ "access.media.types", CFG_STR_LIST, 4, 16, NULL, NULL, 0, NULL, "Types of media (audio, video, message...); else every one." },
	{ "access.media.codecs", CFG_STR_LIST, 3, 40, NULL, NULL, 0, NULL,
	  "Codecs of RTP, NAME/CLOCK (\"AMR-WB/16000\"); else every one.  DTMF, comfort noise and redundancy always pass." },
	{ "access.media.max_kbps", CFG_INT, 0, 1000000, "0", NULL, 0, "kbit/s", "b=AS of a media line at most; 0: no limit." },
	{ "policy", CFG_MAP, .help = "Who is asked about the bearers of calls (TS 29.214, TS 29.514).  Without this section nobody is." },
	{ "policy.mode", CFG_ENUM, 0, 0, "off", "off|rx|n5|bsf", 0, NULL,
	  "For phones that no entry of policy.access means; rx: a PCRF; n5: a PCF; bsf: n5 where the BSF knows a PCF of the phone's address." },
	{ "policy.access", CFG_LIST, .help = "Phones with a mode of their own; the first entry that fits counts." },
	{ "policy.access[].network", CFG_STR, 3, 80, NULL, NULL, 0, NULL, "Phones in this ADDRESS/BITS; else any." },
	{ "policy.access[].type", CFG_STR, 1, 64, NULL, NULL, 0, NULL,
	  "Phones whose P-Access-Network-Info begins so when they register (\"IEEE-802.11\"); else any." },
	{ "policy.access[].mode", CFG_ENUM, 0, 0, NULL, "off|rx|n5|bsf", CFG_REQUIRED, NULL, "Their mode." },
	{ "policy.bsf", CFG_MAP, .help = "Mode bsf, where the BSF knows no PCF." },
	{ "policy.bsf.none", CFG_ENUM, 0, 0, "rx", "off|rx|n5", 0, NULL, "The mode of a phone that it has no binding of." },
	{ "policy.bsf.silent", CFG_ENUM, 0, 0, "rx", "off|rx|n5", 0, NULL, "The mode when it does not answer, or not as it should." },
	{ "policy.wait_ms", CFG_INT, 50, 20000, "2000", NULL, 0, "ms",
	  "So long a message with an SDP answer waits for policy control." },
	{ "policy.on_refused", CFG_ENUM, 0, 0, "refuse", "refuse|go_on|retry", 0, NULL,
	  "When the answer is no: refuse the call (488 or 503), let it go on without a bearer, or ask once more if the no is for now." },
	{ "policy.on_silence", CFG_ENUM, 0, 0, "go_on", "refuse|go_on|retry", 0, NULL, "When there is no answer in time, or no peer." },
	{ "policy.on_loss", CFG_ENUM, 0, 0, "release", "release|go_on", 0, NULL,
	  "When the bearer of a call is lost or was not made (video alone never ends a call)." },
	{ "policy.media", CFG_STR_LIST, 4, 16, NULL, NULL, 0, NULL,
	  "Types of media that are asked about; else audio and video.  There are PCRFs that refuse all others." },
	{ "policy.registration", CFG_BOOL, 0, 0, "false", NULL, 0, NULL,
	  "A session for the signalling of each registration too: the network tells when a phone is out of reach." },
	{ "policy.location", CFG_BOOL, 0, 0, "false", NULL, 0, NULL,
	  "Ask where the phone is (NetLoc) and tell the core in P-Access-Network-Info." },
	{ "policy.max_calls", CFG_INT, 1, 1000000, "50000", NULL, 0, NULL,
	  "Calls that are kept at a time, per worker.  More go on unasked; what needs a media relay is refused, unless media.on_failure is go_on." },
	{ "policy.max_call_s", CFG_INT, 60, 604800, "86400", NULL, 0, "s", "A call without session timer that nobody ends is forgotten then." },
	{ "policy.rx", CFG_MAP, .help = "The PCRF.  Its address is in diameter.peers." },
	{ "policy.rx.realm", CFG_STR, 1, 253, NULL, "@host", 0, NULL, "Destination-Realm of the first AAR; else the realm of this node." },
	{ "policy.rx.host", CFG_STR, 1, 253, NULL, "@host", 0, NULL, "Destination-Host of the first AAR; later ones go to who answered." },
	{ "policy.rx.application", CFG_STR, 1, 253, "IMS Services", NULL, 0, NULL, "AF-Application-Identifier." },
	{ "policy.rx.mps", CFG_STR, 1, 253, NULL, NULL, 0, NULL, "MPS-Identifier of calls with Resource-Priority; else none." },
	{ "policy.n5", CFG_MAP, .help = "The PCF of a 5G core (TS 29.514), over HTTP/2: one of pcf, nrf, bsf and scp at least.  Roots are http://HOST:PORT." },
	{ "policy.n5.pcf", CFG_STR, 8, 255, NULL, NULL, 0, NULL, "Root of the PCF; with nrf or bsf what is taken when they are silent." },
	{ "policy.n5.nrf", CFG_STR, 8, 255, NULL, NULL, 0, NULL, "Root of the NRF, which lists PCFs (TS 29.510)." },
	{ "policy.n5.bsf", CFG_STR, 8, 255, NULL, NULL, 0, NULL, "Root of the BSF, which knows the PCF of each phone's address (TS 29.521)." },
	{ "policy.n5.bsf_cache_s", CFG_INT, 0, 3600, "60", NULL, 0, "s",
	  "So long an answer of the BSF counts for that address, unless the PCF that it names is not there or knows no session; 0: ask each time." },
	{ "policy.n5.scp", CFG_STR, 8, 255, NULL, NULL, 0, NULL, "Root of an SCP that everything for the PCF goes through and that finds it (TS 29.500 §6.10)." },
	{ "policy.n5.oauth2", CFG_BOOL, 0, 0, "false", NULL, 0, NULL, "The core wants tokens (TS 33.501 §13.4.1); the NRF gives them." },
	{ "policy.n5.listen", CFG_ADDR, 0, 0, NULL, NULL, 0, NULL, "Where the PCF's notifications come." },
	{ "policy.n5.notify_root", CFG_STR, 8, 255, NULL, NULL, 0, NULL, "Root of that as the PCF reaches it; else http://LISTEN." },
	{ "policy.n5.nf_instance_id", CFG_STR, 36, 36, NULL, NULL, 0, NULL, "Our UUID at the NRF; else a new one at each start." },
	{ "policy.n5.dnn", CFG_STR, 1, 100, NULL, NULL, 0, NULL, "Data network of the phones' IMS sessions (\"ims\"); else not said." },
	{ "policy.n5.snssai", CFG_STR, 1, 10, NULL, NULL, 0, NULL, "Their slice, SST or SST-SD (\"1\", \"1-000001\"); else not said." },
	{ "policy.n5.application", CFG_STR, 1, 253, "IMS Services", NULL, 0, NULL, "afAppId." },
	{ "policy.n5.mps", CFG_STR, 1, 253, NULL, NULL, 0, NULL, "mpsId of calls with Resource-Priority; else none." },
	{ "policy.n5.timeout_ms", CFG_INT, 100, 30000, "5000", NULL, 0, "ms", "So long an update waits for its answer; a 201 is waited for 30 seconds." },
	{ "policy.n5.tls", CFG_MAP, .help = "TLS for https roots, and for our listener when there is a certificate." },
	{ "policy.n5.tls.cert_file", CFG_FILE, 0, 0, NULL, NULL, 0, NULL, "Our certificate with its chain, PEM." },
	{ "policy.n5.tls.key_file", CFG_FILE, 0, 0, NULL, NULL, 0, NULL, "Its key, PEM." },
	{ "policy.n5.tls.ca_file", CFG_FILE, 0, 0, NULL, NULL, 0, NULL, "Whom we trust, PEM; else the system's." },
	{ "media", CFG_MAP, .help = "Media relays between phones and core (TS 24.229 §6.7).  Without this section media go as the phones say." },
	{ "media.mode", CFG_ENUM, 0, 0, "off", "off|family|nat|always", 0, NULL,
	  "Which calls: none; where the address families differ; there and where a phone is behind a NAT; all." },
	{ "media.rtpengine", CFG_LIST, .help = "The relays: ng ports of rtpengine." },
	{ "media.rtpengine[].address", CFG_ADDR, 0, 0, NULL, NULL, CFG_REQUIRED, NULL, "ADDRESS:PORT (UDP)." },
	{ "media.rtpengine[].weight", CFG_INT, 0, 1000, "1", NULL, 0, NULL, "Its share of new calls; 0: only while no other answers." },
	{ "media.access_interface", CFG_STR, 1, 64, NULL, NULL, 0, NULL, "rtpengine's name for its interface to the phones; else its first one." },
	{ "media.core_interface", CFG_STR, 1, 64, NULL, NULL, 0, NULL, "The same to the core." },
	{ "media.core_family", CFG_ENUM, 0, 0, "any", "any|ipv4|ipv6", 0, NULL,
	  "Addresses that the core is offered; any: what the phone has, until the core shows its own." },
	{ "media.ice", CFG_ENUM, 0, 0, "remove", "remove|keep", 0, NULL, "ICE in offers: taken out, or the relay takes part." },
	{ "media.on_failure", CFG_ENUM, 0, 0, "refuse", "refuse|go_on", 0, NULL,
	  "When no relay takes a call: 503, or it goes on with the addresses that the phones have.  Emergency calls go on." },
	{ "media.timeout_ms", CFG_INT, 100, 10000, "2000", NULL, 0, "ms", "So long a relay may take to answer; then it is down until it answers a ping." },
	{ "media.ping_ms", CFG_INT, 100, 600000, "5000", NULL, 0, "ms", "How often each relay is asked whether it lives." },
	{ "records", CFG_MAP, .help = "Call records: a line of JSON per call of a phone and per registration, with the ICID." },
	{ "records.file", CFG_FILE, 0, 0, NULL, NULL, CFG_REQUIRED, NULL, "Where they go; the daemon's user must be able to make files beside it." },
	{ "records.max_bytes", CFG_INT, 1024, 1099511627776, "104857600", NULL, 0, "octets", "The file becomes FILE.1 when it would grow above that." },
	{ "records.keep", CFG_INT, 0, 1000, "10", NULL, 0, NULL, "So many old ones stay." },
	{ 0 },
};

static int icscf_parse(struct str text, struct sip_uri *ret)
{
	if (sip_uri_parse(text, ret, NULL) < 0 || ret->headers.l ||
	    (ret->scheme != SIP_SCHEME_SIP && ret->scheme != SIP_SCHEME_SIPS))
		return -EBADMSG;
	return 0;
}

void pcscf_config_check(const struct cfg *cfg, struct buf *errors)
{
	const struct cfg_node *r = cfg_root(cfg);
	struct sip_uri u;
	struct addr a;
	unsigned bits;

	for (size_t i = 0; i < cfg_list_len(r, "access.trusted"); i++) {
		struct str one = cfg_strs_at(r, "access.trusted", i);

		if (addr_prefix_parse(one, &a, &bits) < 0)
			cfg_error(r, "access.trusted", errors, "access.trusted: %.*s is neither ADDRESS nor ADDRESS/BITS",
				  STR_ARG(one));
	}
	if (cfg_list_len(r, "access.trusted") > PCSCF_MAX_TRUSTED)
		cfg_error(r, "access.trusted", errors, "access.trusted: more than %u entries", PCSCF_MAX_TRUSTED);
	if (cfg_list_len(r, "access.pass_headers") > PCSCF_MAX_PASS)
		cfg_error(r, "access.pass_headers", errors, "access.pass_headers: more than %u entries", PCSCF_MAX_PASS);
	if (cfg_has(r, "access.icscf") && icscf_parse(cfg_str(r, "access.icscf"), &u) < 0)
		cfg_error(r, "access.icscf", errors, "access.icscf: not a SIP URI");
	security_config_check(r, errors);
	emergency_config_check(r, errors);
	policy_config_check(r, errors);
	agw_config_check(r, errors);
	sdp_policy_check_config(r, errors);
	budget_check_config(r, errors);
}

char *pcscf_route_of_uri(struct str uri)
{
	struct sip_uri u;
	char *text = NULL;

	if (icscf_parse(uri, &u) < 0 || asprintf(&text, "<%.*s%s>", STR_ARG(uri), sip_uri_has_lr(&u) ? "" : ";lr") < 0)
		return NULL;
	return text;
}

int pcscf_config_read(struct pcscf_config *c, const struct cfg *cfg, struct str sip_name)
{
	const struct cfg_node *r = cfg_root(cfg);

	for (size_t i = 0; i < cfg_list_len(r, "access.trusted") && c->n_trusted < PCSCF_MAX_TRUSTED; i++) {
		struct str one = cfg_strs_at(r, "access.trusted", i);

		if (addr_prefix_parse(one, &c->trusted[c->n_trusted].a, &c->trusted[c->n_trusted].bits) == 0)
			c->n_trusted++;
	}
	for (size_t i = 0; i < cfg_list_len(r, "access.pass_headers") && c->n_pass < PCSCF_MAX_PASS; i++)
		c->pass_headers[c->n_pass++] = cfg_strs_at(r, "access.pass_headers", i).p;
	c->match_by_address = cfg_bool(r, "access.match_by_address");
	c->hide_topology = cfg_bool(r, "access.hide_topology");
	c->early_media = cfg_bool(r, "access.early_media");
	c->reg_event = cfg_bool(r, "access.reg_event");
	c->max_contacts = (uint32_t)cfg_int(r, "access.max_contacts");
	c->max_sessions = (uint32_t)cfg_int(r, "access.max_sessions");
	c->max_early_calls = (uint32_t)cfg_int(r, "access.max_early_calls");
	c->early_grace_s = (uint32_t)cfg_int(r, "access.early_grace_s");
	c->max_ringing_s = (uint32_t)cfg_int(r, "access.max_ringing_s");
	c->keep_s = (uint32_t)cfg_int(r, "access.keep_s");
	c->retry_after_s = (uint32_t)cfg_int(r, "access.retry_after_s");
	c->udp_max_bytes = (uint32_t)cfg_int(r, "sip.udp_max_bytes");
	c->reg_event_linger_ms = 64 * (uint32_t)cfg_int(r, "sip.timers.t1_ms");
	c->silence_ms = 60 * (uint32_t)cfg_int(r, "sip.timers.t1_ms");
	c->visited_network = cfg_has(r, "access.visited_network") ? cfg_str(r, "access.visited_network") : cfg_home_domain(cfg);
	security_config_read(&c->security, r);
	c->path_host = sip_name;		/* the stack's: lives longer than we do */
	policy_config_read(&c->policy, r);
	agw_config_read(&c->agw, r);
	sdp_policy_read(&c->media, r);
	budget_read(&c->budgets, r);
	if (emergency_config_read(&c->emergency, r) < 0)
		return -ENOMEM;
	if (!cfg_has(r, "access.icscf"))
		return 0;
	c->icscf_text = pcscf_route_of_uri(cfg_str(r, "access.icscf"));
	c->icscf = str_from_c(c->icscf_text);
	return c->icscf_text ? 0 : -ENOMEM;
}

void pcscf_config_fini(struct pcscf_config *c)
{
	free(c->icscf_text);
	emergency_config_fini(&c->emergency);
}
