/* common/daemon/tls_rest.c - GET /api/v1/tls/certificates: the certificates that the configuration names, as their files are now.  No keys. */
#include <stdio.h>
#include <stdlib.h>
#include "common/daemon/private.h"
#include "common/util/clock.h"

#define MAX_OF_FILE 16u			/* shown of a chain or a bundle */

static void add_one(cJSON *items, const char *use, const char *file, const struct tls_cert_view *v)
{
	int64_t left_s = v->not_after_s - (int64_t)(clock_wall_us() / 1000000);
	cJSON *o = cJSON_CreateObject();
	char when[40];

	cJSON_AddStringToObject(o, "use", use);
	cJSON_AddStringToObject(o, "file", file);
	cJSON_AddStringToObject(o, "subject", v->subject);
	cJSON_AddStringToObject(o, "issuer", v->issuer);
	cJSON_AddStringToObject(o, "names", v->names);
	cJSON_AddStringToObject(o, "serial", v->serial);
	cJSON_AddStringToObject(o, "sha256", v->fingerprint);
	clock_rfc3339((uint64_t)v->not_before_s * 1000000, when);
	cJSON_AddStringToObject(o, "notBefore", when);
	clock_rfc3339((uint64_t)v->not_after_s * 1000000, when);
	cJSON_AddStringToObject(o, "notAfter", when);
	cJSON_AddNumberToObject(o, "daysLeft", (double)(left_s / 86400));
	cJSON_AddItemToArray(items, o);
}

static void add_file(cJSON *items, const char *use, const char *file)
{
	struct tls_cert_view v[MAX_OF_FILE];
	char *pem;
	size_t n;

	if (!file || rest_slurp(file, &pem, NULL) < 0)
		return;
	n = tls_certs_view(pem, v, MAX_OF_FILE);
	for (size_t i = 0; i < n; i++)
		add_one(items, use, file, &v[i]);
	explicit_bzero(pem, strlen(pem));	/* a key may stand in the same file */
	free(pem);
}

static void get_certificates(void *u, struct http_req *r)
{
	static const char *const keys[] = { "sip.tls.cert_file", "sip.tls.ca_file", "rest.tls.cert_file", "rest.tls.client_ca_file",
					    "state.redis.tls.cert_file", "state.redis.tls.ca_file" };
	static const char *const more[] = { "policy.n5.tls.cert_file", "policy.n5.tls.ca_file" };	/* of the P-CSCF */
	struct stack *s = u;
	const struct cfg_node *root = cfg_root(s->daemon->config);
	cJSON *items = cJSON_CreateArray();
	char use[64];

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (cfg_has(root, keys[i]))
			add_file(items, keys[i], cfg_cstr(root, keys[i]));
	for (size_t i = 0; i < cfg_list_len(root, "sip.tls.certificates"); i++) {
		snprintf(use, sizeof(use), "sip.tls.certificates[%zu].cert_file", i);
		add_file(items, use, cfg_cstr(cfg_list_at(root, "sip.tls.certificates", i), "cert_file"));
	}
	for (size_t i = 0; s->ops->uses_rx && i < sizeof(more) / sizeof(more[0]); i++)
		if (cfg_has(root, more[i]))
			add_file(items, more[i], cfg_cstr(root, more[i]));
	http_reply_page(r, items, NULL);
}

const struct http_route tls_routes[] = {
	{ "GET", "/api/v1/tls/certificates", HTTP_VIEW, get_certificates,
	  "Certificates that the configuration names, of SIP, REST, Redis and N5, with the days they are still good for." },
	{ NULL, NULL, HTTP_OPEN, NULL, NULL },
};
