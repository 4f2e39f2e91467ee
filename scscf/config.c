/* scscf/config.c - registrar.*: what the S-CSCF's registrar can be told.  sessions.* is in session_config.c. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "common/config/networks.h"
#include "common/log/log.h"
#include "scscf/registrar.h"
#include "scscf/session.h"

#define SCHEMA_MAX 96

static const struct cfg_row rows[] = {
	{ "registrar", CFG_MAP, .help = "Registration and authentication (TS 24.229 §5.4.1)." },
	{ "registrar.server_name", CFG_STR, 5, 253, NULL, NULL, 0, NULL,
	  "Our SIP URI as the HSS stores it; else sip: and sip.name with the port of the first listener." },
	{ "registrar.default_expires_s", CFG_INT, 1, 31536000, "3600", NULL, CFG_RELOAD, "s", "Granted when the phone asks for no time." },
	{ "registrar.min_expires_s", CFG_INT, 0, 3600, "60", NULL, CFG_RELOAD, "s", "Shorter gets 423 (RFC 3261 §10.3)." },
	{ "registrar.max_expires_s", CFG_INT, 1, 31536000, "7200", NULL, CFG_RELOAD, "s", "Longer is shortened to this." },
	{ "registrar.emergency_max_expires_s", CFG_INT, 60, 31536000, "3600", NULL, CFG_RELOAD, "s",
	  "The same for registrations for emergencies, which have no least time (TS 24.229 §5.4.8.2)." },
	{ "registrar.expires_spread_percent", CFG_INT, 0, 50, "0", NULL, CFG_RELOAD, NULL,
	  "Each registration gets up to so much less time than it could, by chance, but not less than min_expires_s: phones that came at once do not "
	  "come back at once; 0: exact times." },
	{ "registrar.max_contacts", CFG_INT, 1, REG_MAX_CONTACTS, "10", NULL, CFG_RELOAD, NULL,
	  "Contacts of one private identity; one more takes the place of the one refreshed longest ago." },
	{ "registrar.await_auth_s", CFG_INT, 1, 3600, "240", NULL, CFG_RELOAD, "s", "Timer reg-await-auth (TS 24.229 §7.8)." },
	{ "registrar.vectors", CFG_INT, 1, CX_MAX_VECTORS, "3", NULL, CFG_RELOAD, NULL,
	  "Vectors asked for at a time; 1 where other services use up the same sequence numbers." },
	{ "registrar.max_resyncs", CFG_INT, 0, 10, "2", NULL, CFG_RELOAD, NULL, "Resynchronisations (AUTS) in a row; then 403." },
	{ "registrar.challenge_reuse_s", CFG_INT, 0, 240, "10", NULL, CFG_RELOAD, "s",
	  "So long an unanswered challenge is sent again instead of a new one: a flood costs the HSS nothing." },
	{ "registrar.nonce_lifetime_s", CFG_INT, 10, 604800, "3600", NULL, CFG_RELOAD, "s", "SIP Digest: how long a nonce serves." },
	{ "registrar.qop", CFG_ENUM, 0, 0, "auth", "none|auth|auth-int|both", CFG_RELOAD, NULL,
	  "Quality of protection in challenges when the HSS names none." },
	{ "registrar.sar_on_refresh", CFG_BOOL, 0, 0, "false", NULL, CFG_RELOAD, NULL,
	  "Tell the HSS of re-registrations that change nothing (SAR RE_REGISTRATION)." },
	{ "registrar.challenge_refresh", CFG_BOOL, 0, 0, "true", NULL, CFG_RELOAD, NULL,
	  "Challenge re-registrations that did not come through a security association." },
	{ "registrar.challenge_after_s", CFG_INT, 0, 31536000, "0", NULL, CFG_RELOAD, "s",
	  "Challenge a re-registration, also through a security association, when the phone last proved itself so long ago; 0: not for its age." },
	{ "registrar.challenge_every", CFG_INT, 0, 1000, "0", NULL, CFG_RELOAD, NULL,
	  "Challenge each so many-th re-registration, also through a security association; 1: all of them; 0: not by count." },
	{ "registrar.feature_caps", CFG_STR_LIST, 2, 120, NULL, NULL, CFG_RELOAD, NULL,
	  "What this network can do, told in Feature-Caps of the 200 (RFC 6809): \"+NAME\" or \"+NAME=VALUE\", as in \"+g.3gpp.verstat\"." },
	{ "registrar.akav2", CFG_BOOL, 0, 0, "true", NULL, CFG_RELOAD, NULL,
	  "AKAv2-SHA-256 and AKAv2-MD5 (RFC 4169) with phones whose Authorization names them; all others get AKAv1-MD5." },
	{ "registrar.restoration", CFG_BOOL, 0, 0, "true", NULL, CFG_RELOAD, NULL,
	  "Have the HSS keep the contacts of registrations, and ask for them after a restart (TS 23.380); with HSSs of the standard profile." },
	{ "registrar.gruu", CFG_BOOL, 0, 0, "true", NULL, CFG_RELOAD, NULL,
	  "Give phones that know them (Supported: gruu) a public and a temporary GRUU (RFC 5627)." },
	{ "registrar.outbound_required", CFG_BOOL, 0, 0, "true", NULL, CFG_RELOAD, NULL,
	  "Refuse with 439 phones that ask for several flows (reg-id, Supported: outbound) through a first hop that does not say ob in its "
	  "Path (RFC 5626); false: register them, without their reg-id." },
	{ "registrar.giba", CFG_ENUM, 0, 0, "off", "off|GIBA|Early-IMS-Security", CFG_RELOAD, NULL,
	  "Phones that send no Authorization are known by the address that the HSS has for their bearer (TS 33.203 annex T), which is asked by this "
	  "name of the scheme; who has none there is challenged.  Nothing but the access network's care for addresses protects them." },
	{ "registrar.giba_trusted", CFG_STR_LIST, 2, 80, NULL, NULL, CFG_RELOAD, NULL,
	  "With giba: ADDRESS or ADDRESS/BITS of the P-CSCFs and I-CSCFs; what they say in Via of where a REGISTER came from is believed." },
	{ "registrar.allow_unprotected_aka", CFG_BOOL, 0, 0, "true", NULL, CFG_RELOAD, NULL,
	  "Take AKA answers that did not come through IPsec.  Lab only: set it to false where all phones have IPsec." },
	{ "registrar.keep_server_name", CFG_BOOL, 0, 0, "false", NULL, CFG_RELOAD, NULL,
	  "Ask the HSS to leave users with us when their registration ends (SAR USER_ and TIMEOUT_DEREGISTRATION_STORE_SERVER_NAME): their profile serves "
	  "as one of an unregistered user for unregistered_keep_s without another SAR.  HSSs of the standard profile." },
	{ "registrar.unregistered_keep_s", CFG_INT, 1, 86400, "300", NULL, CFG_RELOAD, "s",
	  "So long the profile of a user who is not registered serves before the HSS is told and asked again." },
	{ "registrar.retry_after_s", CFG_INT, 1, 3600, "10", NULL, CFG_RELOAD, "s",
	  "Retry-After when the HSS is away or silent; up to half more is added at random." },
	{ "registrar.restart_grace_s", CFG_INT, 0, 3600, "5", NULL, 0, "s",
	  "Registrations that ran out while the process was away end so long after its start: a phone that tried meanwhile tries again." },
	{ "registrar.subscription_min_s", CFG_INT, 1, 3600, "60", NULL, CFG_RELOAD, "s", "Subscriptions to registration state: shorter gets 423." },
	{ "registrar.subscription_max_s", CFG_INT, 60, 31536000, "600000", NULL, CFG_RELOAD, "s", "Longer subscriptions are shortened to this." },
	{ "registrar.reg_event_subscribers", CFG_STR_LIST, 5, 253, NULL, NULL, CFG_RELOAD, NULL,
	  "SIP URIs of application servers that may watch every registration; without a user part: everything at that host and port." },
	{ "registrar.notify_refresh", CFG_BOOL, 0, 0, "true", NULL, CFG_RELOAD, NULL, "Tell subscribers of re-registrations that only refresh." },
	{ "registrar.notify_partial", CFG_BOOL, 0, 0, "false", NULL, CFG_RELOAD, NULL,
	  "After the first NOTIFY tell only what changed (RFC 3680 §5.1); phones that miss one are better off without." },
	{ "registrar.reauth_expires_s", CFG_INT, 1, 3600, "60", NULL, CFG_RELOAD, "s",
	  "Network-initiated re-authentication: so long the contacts stay unless the phone registers again (TS 24.229 §5.4.1.6)." },
	{ "registrar.third_party_min_s", CFG_INT, 1, 3600, "30", NULL, CFG_RELOAD, "s",
	  "An application server that takes a third-party REGISTER for less time than the phone has is told again in time, but not sooner than this." },
	{ 0 },
};

const struct cfg_row *scscf_schema(void)
{
	static struct cfg_row all[SCHEMA_MAX];
	const struct cfg_row *const tables[] = { rows, scscf_session_schema };
	size_t n = 0;

	for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++) {
		for (const struct cfg_row *r = tables[t]; r->path; r++) {
			assert(n < SCHEMA_MAX - 1);
			all[n++] = *r;
		}
	}
	return all;
}

/* RFC 6809 §6.3.1: "+" and a name, perhaps with a quoted value; written without the quotes here. */
static bool is_feature_cap(struct str s)
{
	struct str name, value;
	bool has_value = str_cut(s, '=', &name, &value);

	if (name.l < 2 || name.p[0] != '+' || (has_value && !value.l))
		return false;
	for (size_t i = 0; i < value.l; i++)
		if (value.p[i] == '"' || value.p[i] == '\\' || (unsigned char)value.p[i] < ' ' || value.p[i] == 0x7f)
			return false;
	for (size_t i = 1; i < name.l; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!'.-%", name.p[i]))
			return false;
	return true;
}

static char *feature_caps(const struct cfg_node *r)
{
	size_t n = cfg_list_len(r, "registrar.feature_caps");
	struct str name, value;
	char *ret = NULL;
	struct buf b;

	buf_init(&b, 16384);
	buf_puts(&b, "*");
	for (size_t i = 0; i < n; i++) {
		if (str_cut(cfg_strs_at(r, "registrar.feature_caps", i), '=', &name, &value))
			buf_printf(&b, ";%.*s=\"%.*s\"", STR_ARG(name), STR_ARG(value));
		else
			buf_printf(&b, ";%.*s", STR_ARG(name));
	}
	if (n && !b.failed)
		ret = str_dup(buf_str(&b));
	buf_fini(&b);
	return ret;
}

void scscf_check(const struct cfg *c, struct buf *errors)
{
	const struct cfg_node *r = cfg_root(c);
	struct str name = cfg_str(r, "registrar.server_name");
	struct sip_uri u;

	if (cfg_int(r, "registrar.min_expires_s") > cfg_int(r, "registrar.max_expires_s"))
		cfg_error(r, "registrar.min_expires_s", errors, "registrar.min_expires_s is longer than max_expires_s");
	if (cfg_int(r, "registrar.default_expires_s") > cfg_int(r, "registrar.max_expires_s") ||
	    cfg_int(r, "registrar.default_expires_s") < cfg_int(r, "registrar.min_expires_s"))
		cfg_error(r, "registrar.default_expires_s", errors,
			  "registrar.default_expires_s is not between min_expires_s and max_expires_s");
	if (name.l && (sip_uri_parse(name, &u, NULL) < 0 || u.host.l == 0))
		cfg_error(r, "registrar.server_name", errors, "must be a SIP URI, as in \"sip:scscf.example:6060\"");
	for (size_t i = 0; i < cfg_list_len(r, "registrar.feature_caps"); i++)
		if (!is_feature_cap(cfg_strs_at(r, "registrar.feature_caps", i)))
			cfg_error(r, "registrar.feature_caps", errors, "registrar.feature_caps: \"%.*s\" is neither +NAME nor +NAME=VALUE",
				  STR_ARG(cfg_strs_at(r, "registrar.feature_caps", i)));
	networks_check(r, "registrar.giba_trusted", errors);
	if (!str_eq(cfg_str(r, "registrar.giba"), STR("off")) && cfg_list_len(r, "registrar.giba_trusted") == 0)
		cfg_error(r, "registrar.giba", errors, "registrar.giba needs registrar.giba_trusted: whose word for an address counts");
	session_config_check(c, errors);
}

struct reg_config *reg_config_new(const struct cfg *c)
{
	const struct cfg_node *r = cfg_root(c);
	struct str qop = cfg_str(r, "registrar.qop");
	struct reg_config *ret = calloc(1, sizeof(*ret));
	struct networks *trusted = ret ? networks_new(r, "registrar.giba_trusted") : NULL;

	if (!trusted) {
		free(ret);
		return NULL;
	}
	*ret = (struct reg_config){
		.default_expires_s = (uint32_t)cfg_int(r, "registrar.default_expires_s"),
		.min_expires_s = (uint32_t)cfg_int(r, "registrar.min_expires_s"),
		.max_expires_s = (uint32_t)cfg_int(r, "registrar.max_expires_s"),
		.emergency_max_expires_s = (uint32_t)cfg_int(r, "registrar.emergency_max_expires_s"),
		.expires_spread_percent = (uint32_t)cfg_int(r, "registrar.expires_spread_percent"),
		.max_contacts = (uint32_t)cfg_int(r, "registrar.max_contacts"),
		.await_auth_s = (uint32_t)cfg_int(r, "registrar.await_auth_s"),
		.vectors = (uint32_t)cfg_int(r, "registrar.vectors"),
		.max_resyncs = (uint32_t)cfg_int(r, "registrar.max_resyncs"),
		.challenge_reuse_s = (uint32_t)cfg_int(r, "registrar.challenge_reuse_s"),
		.nonce_lifetime_s = (uint32_t)cfg_int(r, "registrar.nonce_lifetime_s"),
		.qop = str_eq(qop, STR("none")) ? REG_QOP_NONE : str_eq(qop, STR("auth")) ? REG_QOP_AUTH :
		       str_eq(qop, STR("both")) ? REG_QOP_BOTH : REG_QOP_AUTH_INT,
		.sar_on_refresh = cfg_bool(r, "registrar.sar_on_refresh"),
		.challenge_refresh = cfg_bool(r, "registrar.challenge_refresh"),
		.challenge_after_s = (uint32_t)cfg_int(r, "registrar.challenge_after_s"),
		.challenge_every = (uint32_t)cfg_int(r, "registrar.challenge_every"),
		.restoration = cfg_bool(r, "registrar.restoration"),
		.gruu = cfg_bool(r, "registrar.gruu"),
		.outbound_required = cfg_bool(r, "registrar.outbound_required"),
		.feature_caps = feature_caps(r),
		.akav2 = cfg_bool(r, "registrar.akav2"),
		.giba = str_eq(cfg_str(r, "registrar.giba"), STR("off")) ? NULL : cfg_cstr(r, "registrar.giba"),
		.giba_trusted = trusted,
		.allow_unprotected_aka = cfg_bool(r, "registrar.allow_unprotected_aka"),
		.keep_server_name = cfg_bool(r, "registrar.keep_server_name"),
		.unregistered_keep_s = (uint32_t)cfg_int(r, "registrar.unregistered_keep_s"),
		.restart_grace_s = (uint32_t)cfg_int(r, "registrar.restart_grace_s"),
		.retry_after_s = (uint32_t)cfg_int(r, "registrar.retry_after_s"),
		.subscription_min_s = (uint32_t)cfg_int(r, "registrar.subscription_min_s"),
		.subscription_max_s = (uint32_t)cfg_int(r, "registrar.subscription_max_s"),
		.reauth_expires_s = (uint32_t)cfg_int(r, "registrar.reauth_expires_s"),
		.third_party_min_s = (uint32_t)cfg_int(r, "registrar.third_party_min_s"),
		.notify_refresh = cfg_bool(r, "registrar.notify_refresh"),
		.notify_partial = cfg_bool(r, "registrar.notify_partial"),
		.root = r,
		.keeps = cfg_ref((struct cfg *)(uintptr_t)c),
	};
	return ret;
}

void reg_config_free(const struct reg_config *c)
{
	if (c) {
		free(c->feature_caps);
		free(c->giba_trusted);
		cfg_unref(c->keeps);
	}
	free((void *)(uintptr_t)c);
}

/* Whoever still reads the old one does so within one turn of its worker's loop: the last worker to come round frees it. */
static void let_go(struct worker *w, void *arg)
{
	struct reg_config *old = arg;

	(void)w;
	if (atomic_fetch_sub(&old->readers, 1) == 1)
		reg_config_free(old);
}

void scscf_reload(struct scscf *s, const struct cfg *c)
{
	struct reg_config *fresh = reg_config_new(c), *old;

	if (!fresh) {
		log_error(LOG_CONF, "out of memory: registrar.* stays as it was");
		return;
	}
	old = (struct reg_config *)(uintptr_t)atomic_exchange(&s->reg, fresh);
	atomic_store(&old->readers, stack_n_workers(s->stack));
	for (unsigned i = 0; i < stack_n_workers(s->stack); i++)
		if (worker_post(stack_worker(s->stack, i), let_go, old) < 0)
			log_warn(LOG_CONF, "a worker's mailbox is full: the old registrar.* stays in memory", LOG_U("worker", i));
}
