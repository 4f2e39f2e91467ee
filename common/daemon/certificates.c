/* common/daemon/certificates.c - sip.tls of the configuration: checked, loaded, renewed on SIGHUP.  RFC 3261 §26.3, RFC 5922. */
#include <errno.h>
#include <stdio.h>
#include "common/daemon/private.h"
#include "common/log/log.h"

int certificates_load(const struct cfg *c, struct tls_context **ret, char reterr[TLS_ERROR_BYTES])
{
	const struct cfg_node *r = cfg_root(c);
	struct tls_cert more[TLS_MAX_CERTS];
	struct str verify = cfg_str(r, "sip.tls.verify_clients");
	struct tls_config t = {
		.cert = { cfg_cstr(r, "sip.tls.cert_file"), cfg_cstr(r, "sip.tls.key_file") },
		.more = more,
		.ca_file = cfg_has(r, "sip.tls.ca_file") ? cfg_cstr(r, "sip.tls.ca_file") : NULL,
		.verify_clients = str_eq_c(verify, "required") ? TLS_VERIFY_REQUIRED
				  : str_eq_c(verify, "if_given") ? TLS_VERIFY_IF_GIVEN : TLS_VERIFY_NO,
		.verify_servers = cfg_bool(r, "sip.tls.verify_servers"),
		.only_tls13 = str_eq_c(cfg_str(r, "sip.tls.min_version"), "1.3"),
	};

	for (; t.n_more < TLS_MAX_CERTS && t.n_more < cfg_list_len(r, "sip.tls.certificates"); t.n_more++) {
		const struct cfg_node *n = cfg_list_at(r, "sip.tls.certificates", t.n_more);

		more[t.n_more] = (struct tls_cert){ cfg_cstr(n, "cert_file"), cfg_cstr(n, "key_file") };
	}
	*ret = tls_context_new(&t, reterr);
	return *ret ? 0 : -EINVAL;
}

void certificates_check(const struct cfg *c, struct buf *errors)
{
	const struct cfg_node *r = cfg_root(c);
	struct tls_context *t = NULL;
	char why[TLS_ERROR_BYTES];
	bool listens = false;

	for (size_t i = 0; i < cfg_list_len(r, "sip.listen"); i++)
		listens |= str_istarts(cfg_strs_at(r, "sip.listen", i), STR("tls:"));
	if (!cfg_has(r, "sip.tls")) {
		if (listens)
			cfg_error(r, "sip.listen", errors, "sip.listen: tls needs a certificate: give sip.tls");
		return;
	}
	if (cfg_list_len(r, "sip.tls.certificates") > TLS_MAX_CERTS)
		cfg_error(r, "sip.tls.certificates", errors, "sip.tls.certificates: more than %u", TLS_MAX_CERTS);
	else if (certificates_load(c, &t, why) < 0)
		cfg_error(r, "sip.tls", errors, "sip.tls: %s", why);
	tls_context_unref(t);
}

int certificates_use(struct stack *s, const struct cfg *c)
{
	struct tls_context *t;
	char why[TLS_ERROR_BYTES];

	if (!cfg_has(cfg_root(c), "sip.tls"))
		return 0;
	if (certificates_load(c, &t, why) < 0) {	/* changed since they were checked */
		log_error(LOG_TP, "the certificates cannot be used", LOG_C("why", why));
		return -EINVAL;
	}
	if (!cfg_bool(cfg_root(c), "sip.tls.verify_servers"))
		log_warn(LOG_SEC, "sip.tls.verify_servers is off: anybody can pose as a neighbour");
	transport_group_set_tls(s->group, t);
	tls_context_unref(t);
	return 0;
}
