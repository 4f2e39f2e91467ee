/* pcscf/n5_config.c - see n5_config.h. */
#include <stdio.h>
#include "common/util/rand.h"
#include "pcscf/n5_config.h"
#include "pcscf/sbi.h"

static const char *const roots[] = { "policy.n5.pcf", "policy.n5.nrf", "policy.n5.bsf", "policy.n5.scp", "policy.n5.notify_root" };

void n5_config_check(const struct cfg_node *r, struct buf *errors)
{
	bool any = false, https = false;
	struct sbi_uri u;

	for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
		if (!cfg_has(r, roots[i]))
			continue;
		if (sbi_uri_parse(cfg_str(r, roots[i]), &u) < 0 || cfg_str(r, roots[i]).l >= N5_URI_BYTES)
			cfg_error(r, roots[i], errors, "%s: not http://HOST:PORT or https://HOST:PORT", roots[i]);
		else
			https = https || (u.tls && i + 1 < sizeof(roots) / sizeof(roots[0]));
		any = any || i + 1 < sizeof(roots) / sizeof(roots[0]);
	}
	if (!any)
		cfg_error(r, "policy", errors, "policy: mode n5 needs policy.n5.pcf, nrf, bsf or scp");
	if (!cfg_has(r, "policy.n5.listen"))
		cfg_error(r, "policy", errors, "policy: mode n5 needs policy.n5.listen, where the PCF's notifications come");
	if (cfg_bool(r, "policy.n5.oauth2") && !cfg_has(r, "policy.n5.nrf"))
		cfg_error(r, "policy.n5.oauth2", errors, "policy.n5.oauth2: tokens come from policy.n5.nrf, which is missing");
	if (cfg_has(r, "policy.n5.tls.cert_file") != cfg_has(r, "policy.n5.tls.key_file"))
		cfg_error(r, "policy.n5.tls", errors, "policy.n5.tls: cert_file and key_file go together");
	if (https && !cfg_has(r, "policy.n5.tls"))
		cfg_error(r, "policy.n5", errors, "policy.n5: an https root needs policy.n5.tls");
}

/* UUID version 4: RFC 9562 §5.4. */
static void make_instance(char dst[40])
{
	uint8_t o[16];
	char h[33];

	rand_bytes(o, sizeof(o));
	o[6] = (uint8_t)((o[6] & 15u) | 0x40);
	o[8] = (uint8_t)((o[8] & 63u) | 0x80);
	hex_encode(o, sizeof(o), h);
	snprintf(dst, 40, "%.8s-%.4s-%.4s-%.4s-%.12s", h, h + 8, h + 12, h + 16, h + 20);
}

void n5_config_read(struct n5_config *c, const struct cfg_node *r)
{
	char at[ADDR_STRLEN];

	c->pcf = cfg_str(r, "policy.n5.pcf");
	c->nrf = cfg_str(r, "policy.n5.nrf");
	c->bsf = cfg_str(r, "policy.n5.bsf");
	c->scp = cfg_str(r, "policy.n5.scp");
	c->oauth2 = cfg_bool(r, "policy.n5.oauth2");
	c->dnn = cfg_str(r, "policy.n5.dnn");
	c->snssai = cfg_str(r, "policy.n5.snssai");
	c->application = cfg_str(r, "policy.n5.application");
	c->mps = cfg_str(r, "policy.n5.mps");
	c->timeout_ms = (uint32_t)cfg_int(r, "policy.n5.timeout_ms");
	c->bsf_cache_s = (uint32_t)cfg_int(r, "policy.n5.bsf_cache_s");
	c->find_ms = (uint32_t)cfg_int(r, "policy.wait_ms") / 2;	/* what comes then has the other half */
	c->cert_file = cfg_cstr(r, "policy.n5.tls.cert_file");
	c->key_file = cfg_cstr(r, "policy.n5.tls.key_file");
	c->ca_file = cfg_cstr(r, "policy.n5.tls.ca_file");
	c->tls = cfg_has(r, "policy.n5.tls") && c->cert_file;
	addr_parse_hostport(cfg_str(r, "policy.n5.listen"), 7777, &c->listen);
	if (cfg_has(r, "policy.n5.notify_root"))
		str_copy(cfg_str(r, "policy.n5.notify_root"), c->notify_root, sizeof(c->notify_root));
	else
		snprintf(c->notify_root, sizeof(c->notify_root), "http%s://%s", c->tls ? "s" : "", addr_fmt(&c->listen, at));
	if (cfg_has(r, "policy.n5.nf_instance_id"))
		str_copy(cfg_str(r, "policy.n5.nf_instance_id"), c->instance, sizeof(c->instance));
	else
		make_instance(c->instance);
}
