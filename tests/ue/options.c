/* tests/ue/options.c - the command line: options and what is derived from them.  TS 23.003 §13. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include "tests/ue/ue.h"

static const char usage[] =
	"usage: imsue --pcscf udp:ADDRESS:PORT --imsi IMSI --mcc MCC --mnc MNC (--k HEX --opc HEX | --password TEXT) [options]\n"
	"A simulated IMS phone: commands on stdin (or -e), events as JSON lines on stdout.\n"
	"\n"
	"  --pcscf PROTO:ADDR:PORT  where the P-CSCF is; PROTO is udp, tcp or tls\n"
	"  --tls-ca FILE            whom to trust, PEM (the system's)\n"
	"  --tls-name NAME          what the P-CSCF's certificate must say, RFC 5922 (its address)\n"
	"  --bind ADDR[:PORT]       own address (default: what the kernel takes; any port)\n"
	"  --imsi N --msisdn N --mcc N --mnc N     identities of TS 23.003 §13 are made from these\n"
	"  --impi X --impu URI --domain D          or given\n"
	"  --k HEX --opc HEX        AKA; --op HEX instead of --opc; --amf is accepted and not needed\n"
	"  --sqn N                  highest sequence number the card has seen (default 0)\n"
	"  --password TEXT          SIP Digest\n"
	"  --expires S              wanted lifetime of the registration (600000)\n"
	"  --answer auto|manual|CODE    incoming calls: answer, leave to `answer`, or reject with CODE (auto)\n"
	"  --ring-ms N              auto: ring that long (500)\n"
	"  --max-ring-s N           manual: 480 after that (120)\n"
	"  --precond yes|no         preconditions of RFC 3312 (yes)\n"
	"  --rtp yes|no             send silence and count what comes (yes)\n"
	"  --user-agent TEXT\n"
	"  --no-authorization       the first REGISTER without Authorization\n"
	"  --t1-ms N                T1; T2, T4 follow (default: TS 24.229 §7.7, 2000)\n"
	"  --udp-max BYTES          larger requests go over TCP, RFC 3261 says 1300 (0: none does)\n"
	"  --message-proto PROTO    MESSAGE goes by udp or tcp, whatever the rest does\n"
	"  --ipsec                  security agreement and IPsec (TS 33.203); CAP_NET_ADMIN and a kernel with ESP\n"
	"  --ipsec-offer ALG/EALG,...   what Security-Client holds, in that order (all of TS 33.203)\n"
	"  --nat                    offer ESP within UDP as well, and use it when a NAT is between (TS 33.203 annex M)\n"
	"  --attack NAME            do one thing wrong: verify-{alg,ealg,spi-c,spi-s,port-c,port-s,q,short,missing},\n"
	"                           client-{spi,port,short}, clear-answer, clear-requests, clear-prack, wrong-spi\n"
	"  --trace                  an event per SIP message\n"
	"  -e 'CMD; CMD; ...'       run these, then quit; status 0 when all succeeded.  A list goes on when a command has\n"
	"                           its outcome (call: at once); commands are separated by ';' and a blank\n"
	"\n"
	"commands: register, reregister, deregister, subscribe, unsubscribe (reg event), call URI, answer [CALL], reject [CODE],\n"
	"          hold, resume, hangup, cancel, info, message URI TEXT, options URI, raw FILE, disconnect (all connections),\n"
	"          wait EVENT [SECONDS], pause SECONDS, quit\n"
	"events: ready registering challenged secured resync registered deregistered registration-failed disconnected calling trying progress\n"
	"        ringing prack update incoming answered held resumed ended call-failed message-sent message-received\n"
	"        subscribed subscription-failed notify response timeout error sip\n";

enum {
	OPT_PCSCF = 256, OPT_BIND, OPT_IMSI, OPT_MSISDN, OPT_MCC, OPT_MNC, OPT_IMPI, OPT_IMPU, OPT_DOMAIN, OPT_K, OPT_OPC, OPT_OP,
	OPT_AMF, OPT_SQN, OPT_PASSWORD, OPT_EXPIRES, OPT_ANSWER, OPT_RING_MS, OPT_MAX_RING_S, OPT_PRECOND, OPT_RTP, OPT_USER_AGENT,
	OPT_NO_AUTHORIZATION, OPT_T1_MS, OPT_UDP_MAX, OPT_IPSEC, OPT_IPSEC_OFFER, OPT_NAT, OPT_MESSAGE_PROTO, OPT_TLS_CA, OPT_TLS_NAME, OPT_ATTACK, OPT_TRACE, OPT_HELP,
};

static const struct option options[] = {
	{ "pcscf", 1, NULL, OPT_PCSCF }, { "bind", 1, NULL, OPT_BIND }, { "imsi", 1, NULL, OPT_IMSI },
	{ "msisdn", 1, NULL, OPT_MSISDN }, { "mcc", 1, NULL, OPT_MCC }, { "mnc", 1, NULL, OPT_MNC }, { "impi", 1, NULL, OPT_IMPI },
	{ "impu", 1, NULL, OPT_IMPU }, { "domain", 1, NULL, OPT_DOMAIN }, { "k", 1, NULL, OPT_K }, { "opc", 1, NULL, OPT_OPC },
	{ "op", 1, NULL, OPT_OP }, { "amf", 1, NULL, OPT_AMF }, { "sqn", 1, NULL, OPT_SQN },
	{ "password", 1, NULL, OPT_PASSWORD }, { "expires", 1, NULL, OPT_EXPIRES }, { "answer", 1, NULL, OPT_ANSWER },
	{ "ring-ms", 1, NULL, OPT_RING_MS }, { "max-ring-s", 1, NULL, OPT_MAX_RING_S }, { "precond", 1, NULL, OPT_PRECOND },
	{ "rtp", 1, NULL, OPT_RTP }, { "user-agent", 1, NULL, OPT_USER_AGENT },
	{ "no-authorization", 0, NULL, OPT_NO_AUTHORIZATION }, { "t1-ms", 1, NULL, OPT_T1_MS },
	{ "udp-max", 1, NULL, OPT_UDP_MAX }, { "ipsec", 0, NULL, OPT_IPSEC },
	{ "ipsec-offer", 1, NULL, OPT_IPSEC_OFFER }, { "nat", 0, NULL, OPT_NAT },
	{ "message-proto", 1, NULL, OPT_MESSAGE_PROTO }, { "tls-ca", 1, NULL, OPT_TLS_CA }, { "tls-name", 1, NULL, OPT_TLS_NAME },
	 { "attack", 1, NULL, OPT_ATTACK }, { "trace", 0, NULL, OPT_TRACE },
	{ "help", 0, NULL, OPT_HELP }, { NULL, 0, NULL, 0 },
};

/* What is read on the way and turned into something else at the end. */
struct reader {
	struct ue_options *o;
	char *why;
	size_t why_size;
	bool has_k, has_opc, has_op, has_message_proto;
	uint8_t op[16];
};

static int refuse(struct reader *r, const char *option, const char *what)
{
	snprintf(r->why, r->why_size, "--%s: %s", option, what);
	return -EINVAL;
}

static int read_text(struct reader *r, const char *name, const char *in, char *dst, size_t size)
{
	for (const char *c = in; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return refuse(r, name, "control characters are not allowed");
	return str_copy(str_from_c(in), dst, size) && in[0] ? 0 : refuse(r, name, "empty or too long");
}

static int read_digits(struct reader *r, const char *name, const char *in, char *dst, size_t size)
{
	struct str s = str_from_c(in);

	for (size_t i = 0; i < s.l; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return refuse(r, name, "only digits are allowed");
	return s.l && str_copy(s, dst, size) ? 0 : refuse(r, name, "empty or too long");
}

static int read_number(struct reader *r, const char *name, const char *in, uint32_t least, uint32_t *ret)
{
	uint32_t n;

	if (str_to_u32(str_from_c(in), &n) < 0 || n < least)
		return refuse(r, name, "not a number, or too small");
	*ret = n;
	return 0;
}

static int read_key(struct reader *r, const char *name, const char *in, uint8_t dst[16])
{
	size_t n;

	return hex_decode(str_from_c(in), dst, 16, &n) == 0 && n == 16 ? 0 : refuse(r, name, "32 hex digits are needed");
}

static int read_yes(struct reader *r, const char *name, const char *in, bool *ret)
{
	*ret = !strcmp(in, "yes");
	return *ret || !strcmp(in, "no") ? 0 : refuse(r, name, "yes or no");
}

static int read_pcscf(struct reader *r, const char *in)
{
	struct str proto, where;

	if (!str_cut(str_from_c(in), ':', &proto, &where) || sip_proto_from_name(proto, &r->o->proto) < 0 ||
	    addr_parse_hostport(where, r->o->proto == SIP_TLS ? 5061 : 5060, &r->o->pcscf) < 0)
		return refuse(r, "pcscf", "udp:ADDRESS:PORT, tcp:ADDRESS:PORT or tls:ADDRESS:PORT is needed");
	return 0;
}

static int read_message_proto(struct reader *r, const char *in)
{
	r->has_message_proto = true;
	return sip_proto_from_name(str_from_c(in), &r->o->message_proto) == 0 && r->o->message_proto != SIP_TLS ? 0 :
	       refuse(r, "message-proto", "udp or tcp");
}

static int read_offer(struct reader *r, const char *in)
{
	struct str rest = str_from_c(in), one, alg, ealg;

	for (r->o->n_pairs = 0; rest.l; r->o->n_pairs++) {
		str_cut(rest, ',', &one, &rest);
		str_cut(one, '/', &alg, &ealg);
		if (r->o->n_pairs == UE_PAIRS || sec_alg_from_name(alg, &r->o->pair[r->o->n_pairs].alg) < 0 ||
		    sec_ealg_from_name(ealg, &r->o->pair[r->o->n_pairs].ealg) < 0)
			return refuse(r, "ipsec-offer", "ALG/EALG,... is needed");
	}
	return 0;
}

static int read_answer(struct reader *r, const char *in)
{
	uint32_t n;

	if (!strcmp(in, "auto")) {
		r->o->answer = ANSWER_AUTO;
	} else if (!strcmp(in, "manual")) {
		r->o->answer = ANSWER_MANUAL;
	} else if (str_to_u32(str_from_c(in), &n) == 0 && n >= 300 && n <= 699) {
		r->o->answer = ANSWER_REJECT;
		r->o->reject_code = n;
	} else {
		return refuse(r, "answer", "auto, manual or a status from 300 to 699");
	}
	return 0;
}

static int read_option(struct reader *r, int opt, const char *name, const char *v)
{
	struct ue_options *o = r->o;

	switch (opt) {
	case OPT_PCSCF:
		return read_pcscf(r, v);
	case OPT_BIND:
		return addr_parse_hostport(str_from_c(v), 0, &o->bind) == 0 ? 0 : refuse(r, name, "not an address");
	case OPT_IMSI:
		return read_digits(r, name, v, o->imsi, sizeof(o->imsi));
	case OPT_MSISDN:
		return read_digits(r, name, v + (v[0] == '+'), o->msisdn, sizeof(o->msisdn));
	case OPT_MCC:
		return read_digits(r, name, v, o->mcc, sizeof(o->mcc));
	case OPT_MNC:
		return read_digits(r, name, v, o->mnc, sizeof(o->mnc));
	case OPT_IMPI:
		return read_text(r, name, v, o->impi, sizeof(o->impi));
	case OPT_IMPU:
		return read_text(r, name, v, o->impu, sizeof(o->impu));
	case OPT_DOMAIN:
		return read_text(r, name, v, o->domain, sizeof(o->domain));
	case OPT_K:
		r->has_k = true;
		return read_key(r, name, v, o->k);
	case OPT_OPC:
		r->has_opc = true;
		return read_key(r, name, v, o->opc);
	case OPT_OP:
		r->has_op = true;
		return read_key(r, name, v, r->op);
	case OPT_AMF:
		return 0;			/* it comes in AUTN */
	case OPT_SQN:
		return str_to_u64(str_from_c(v), &o->sqn) == 0 && o->sqn < 1ull << 48 ? 0 :
		       refuse(r, name, "a number of 48 bits");
	case OPT_PASSWORD:
		return read_text(r, name, v, o->password, sizeof(o->password));
	case OPT_EXPIRES:
		return read_number(r, name, v, 0, &o->expires_s);
	case OPT_ANSWER:
		return read_answer(r, v);
	case OPT_RING_MS:
		return read_number(r, name, v, 0, &o->ring_ms);
	case OPT_MAX_RING_S:
		return read_number(r, name, v, 1, &o->max_ring_s);
	case OPT_PRECOND:
		return read_yes(r, name, v, &o->precond);
	case OPT_RTP:
		return read_yes(r, name, v, &o->rtp);
	case OPT_USER_AGENT:
		return read_text(r, name, v, o->user_agent, sizeof(o->user_agent));
	case OPT_NO_AUTHORIZATION:
		o->no_authorization = true;
		return 0;
	case OPT_T1_MS:
		return read_number(r, name, v, 1, &o->t1_ms);
	case OPT_UDP_MAX:
		return read_number(r, name, v, 0, &o->udp_max_bytes);
	case OPT_IPSEC:
		o->ipsec = true;
		return 0;
	case OPT_NAT:
		o->nat = true;
		return 0;
	case OPT_MESSAGE_PROTO:
		return read_message_proto(r, v);
	case OPT_TLS_CA:
		return read_text(r, name, v, o->tls_ca, sizeof(o->tls_ca));
	case OPT_TLS_NAME:
		return read_text(r, name, v, o->tls_name, sizeof(o->tls_name));
	case OPT_IPSEC_OFFER:
		return read_offer(r, v);
	case OPT_ATTACK:
		return attack_from_name(v, &o->attack) == 0 ? 0 : refuse(r, name, "not one of the list");
	case OPT_TRACE:
		o->trace = true;
		return 0;
	case 'e':
		o->script = v;
		return 0;
	default:
		return -EINVAL;
	}
}

/* ims.mncMNC.mccMCC.3gppnetwork.org, the MNC in three digits: TS 23.003 §13.2 to §13.4B. */
static int derive(struct reader *r)
{
	struct ue_options *o = r->o;
	int n = 0;

	if (!addr_is_set(&o->pcscf))
		return refuse(r, "pcscf", "is missing");
	if (!o->domain[0] && o->mcc[0] && o->mnc[0])
		snprintf(o->domain, sizeof(o->domain), "ims.mnc%s%s.mcc%s.3gppnetwork.org",
			 strlen(o->mnc) == 2 ? "0" : "", o->mnc, o->mcc);
	if (!o->domain[0])
		return refuse(r, "domain", "is missing: give --mcc and --mnc, or --domain");
	if (!o->impi[0] && o->imsi[0])
		n = snprintf(o->impi, sizeof(o->impi), "%s@%s", o->imsi, o->domain);
	if (!o->impi[0] || n >= (int)sizeof(o->impi))
		return refuse(r, "impi", "is missing: give --imsi, or --impi");
	if (!o->impu[0])
		n = snprintf(o->impu, sizeof(o->impu), "sip:%s", o->impi);
	if (n >= (int)sizeof(o->impu))
		return refuse(r, "impu", "too long");
	if (r->has_k != (r->has_opc || r->has_op))
		return refuse(r, "k", "--k needs --opc or --op, and they need it");
	if (!r->has_k && !o->password[0])
		return refuse(r, "k", "credentials are missing: give --k and --opc, or --password");
	if (r->has_message_proto && o->proto == SIP_TLS)
		return refuse(r, "message-proto", "not with TLS");
	if (o->ipsec && o->proto == SIP_TLS)
		return refuse(r, "ipsec", "TLS needs none");
	if (!r->has_message_proto)
		o->message_proto = o->proto;
	o->has_k = r->has_k;
	if (r->has_op && !r->has_opc)
		milenage_opc(o->k, r->op, o->opc);
	snprintf(o->pani, sizeof(o->pani), "3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=%s%s0001000001A",
		 o->mcc[0] ? o->mcc : "001", o->mnc[0] ? o->mnc : "01");
	return 0;
}

int options_read(struct ue_options *o, int argc, char **argv, char *why, size_t why_size)
{
	struct reader r = { .o = o, .why = why, .why_size = why_size };
	int opt, at = 0, rc;

	*o = (struct ue_options){
		.expires_s = 600000, .ring_ms = 500, .max_ring_s = 120, .precond = true, .rtp = true, .user_agent = "imsue",
	};
	(void)read_offer(&r, "hmac-sha-1-96/aes-cbc,hmac-sha-1-96/des-ede3-cbc,hmac-sha-1-96/null,hmac-md5-96/aes-cbc,"
			     "hmac-md5-96/des-ede3-cbc,hmac-md5-96/null,null/aes-gcm,aes-gmac/null");
	opterr = 0;
	optind = 0;
	while ((opt = getopt_long(argc, argv, ":e:h", options, &at)) != -1) {
		if (opt == 'h' || opt == OPT_HELP) {
			fputs(usage, stdout);
			return -ECANCELED;
		}
		if (opt == '?' || opt == ':') {
			snprintf(why, why_size, opt == ':' ? "%s needs a value" : "no such option: %s", argv[optind - 1]);
			return -EINVAL;
		}
		rc = read_option(&r, opt, opt == 'e' ? "e" : options[at].name, optarg);
		if (rc < 0)
			return rc;
	}
	if (optind < argc) {
		snprintf(why, why_size, "not an option: %s", argv[optind]);
		return -EINVAL;
	}
	return derive(&r);
}
