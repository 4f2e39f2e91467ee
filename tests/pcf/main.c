/* tests/pcf/main.c - labpcfd: start and stop of the lab PCF; what it does is in libpcf.a. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/daemon/daemon.h"
#include "common/log/log.h"
#include "tests/pcf/pcf.h"

#define MAX_CONNECTIONS 64u
#define MAX_STREAMS 100u
#define IDLE_MS 600000u
#define CONNECT_MS 2000u
#define PUSH_MAX 64u

static const struct cfg_row common_schema[] = {
	{ "plmn", CFG_MAP, .help = "The home network." },
	{ "plmn.mcc", CFG_STR, 3, 3, NULL, "@digits", CFG_REQUIRED, NULL, "Mobile country code, three digits." },
	{ "plmn.mnc", CFG_STR, 2, 3, NULL, "@digits", CFG_REQUIRED, NULL, "Mobile network code, two or three digits." },
	{ "domain", CFG_STR, 1, 253, NULL, "@host", 0, NULL, "Home domain, when it is not the one of the PLMN." },
	{ "sbi", CFG_MAP, .flags = CFG_REQUIRED, .help = "HTTP/2." },
	{ "sbi.listen", CFG_ADDR, 0, 0, NULL, NULL, CFG_REQUIRED, NULL, "Where PCF, NRF, BSF, SCP and token server are." },
	{ "sbi.tls", CFG_MAP, .help = "TLS, with a certificate of everybody; else clear text." },
	{ "sbi.tls.cert_file", CFG_FILE, 0, 0, NULL, NULL, CFG_REQUIRED, NULL, "Our certificate, PEM." },
	{ "sbi.tls.key_file", CFG_FILE, 0, 0, NULL, NULL, CFG_REQUIRED, NULL, "Its key, PEM." },
	{ "sbi.tls.ca_file", CFG_FILE, 0, 0, NULL, NULL, CFG_REQUIRED, NULL, "Whom we trust, PEM." },
	{ "rest", CFG_MAP, .help = "The control interface." },
	{ "rest.unix_socket", CFG_FILE, 0, 0, NULL, NULL, 0, NULL, "Unix socket; needs no token." },
	{ "rest.listen", CFG_ADDR, 0, 0, NULL, NULL, 0, NULL, "Where it is served." },
	{ "rest.token_file", CFG_FILE, 0, 0, NULL, NULL, 0, NULL, "File whose first line is the bearer token." },
	{ "rest.token", CFG_STR, 1, 512, NULL, NULL, CFG_SECRET, NULL, "The bearer token itself." },
	{ "log", CFG_MAP, .help = "The log, on standard error." },
	{ "log.level", CFG_ENUM, 0, 0, "info", "error|warn|info|debug", CFG_RELOAD, NULL, "Level of all areas." },
	{ "log.format", CFG_ENUM, 0, 0, "text", "text|json", 0, NULL, "Lines for people or for machines." },
	{ "log.levels", CFG_STR_MAP, 0, 0, NULL, "@loglevel", CFG_RELOAD, NULL, "Level of single areas." },
	{ 0 },
};
static const struct cfg_row schema[] = { { 0 } };

static void on_hang_up(struct timer *t)
{
	h2_server_hang_up(container_of(t, struct pcf, hang_up)->server);
}

static int open_tls(struct pcf *p, const struct cfg_node *r)
{
	const struct h2_tls_config t = { .cert_file = cfg_cstr(r, "sbi.tls.cert_file"), .key_file = cfg_cstr(r, "sbi.tls.key_file"),
					 .ca_file = cfg_cstr(r, "sbi.tls.ca_file"), .verify = true };
	char why[H2_TLS_ERROR_BYTES] = "";

	if (!cfg_has(r, "sbi.tls"))
		return 0;
	p->server_tls = h2_tls_new(&t, true, why);
	p->client_tls = p->server_tls ? h2_tls_new(&t, false, why) : NULL;
	if (p->client_tls)
		return 0;
	log_error(LOG_REST, "sbi.tls cannot be used", LOG_C("error", why));
	return -EINVAL;
}

static int open_sbi(struct pcf *p, const struct cfg *c)
{
	struct h2_server_config s = { .max_connections = MAX_CONNECTIONS, .max_streams = MAX_STREAMS, .idle_ms = IDLE_MS, .request = pcf_request, .u = p };
	struct h2_client_config k = { .connect_ms = CONNECT_MS, .idle_ms = IDLE_MS, .max_requests = PUSH_MAX, .max_streams = MAX_STREAMS };
	char at[ADDR_STRLEN];
	int rc;

	list_init(&p->sessions);
	list_init(&p->held);
	timer_init(&p->hang_up, on_hang_up);
	if (addr_parse_hostport(cfg_str(cfg_root(c), "sbi.listen"), 7777, &s.listen) < 0)
		return -EINVAL;
	rc = open_tls(p, cfg_root(c));
	if (rc < 0)
		return rc;
	s.tls = p->server_tls;
	k.tls = p->client_tls;
	snprintf(p->root, sizeof(p->root), "http%s://%s", s.tls ? "s" : "", addr_fmt(&s.listen, at));
	rc = h2_server_new(&p->server, p->loop, &s);
	if (rc < 0) {
		log_error(LOG_REST, "sbi.listen cannot be opened", LOG_C("address", at), LOG_C("error", strerror(-rc)));
		return rc;
	}
	p->client = h2_client_new(p->loop, &k);
	return p->client ? 0 : -ENOMEM;
}

int main(int argc, char **argv)
{
	static struct pcf p;
	struct daemon d = { .name = "labpcf", .schema = schema, .common = common_schema };
	int rc = daemon_init(&d, argc, argv);

	if (rc != DAEMON_GO)
		return daemon_exit(&d, rc);
	p.loop = d.loop;
	rc = open_sbi(&p, d.config);
	if (rc == 0)
		rc = daemon_rest_open(p.loop, "labpcf", cfg_root(d.config), pcf_routes, &p, &p.http);
	if (rc == 0) {
		daemon_ready(&d);
		rc = loop_run(d.loop);
	}
	h2_client_free(p.client);
	if (p.sessions.next)
		pcf_close(&p);
	h2_server_free(p.server);
	http_server_free(p.http);
	h2_tls_free(p.server_tls);
	h2_tls_free(p.client_tls);
	return daemon_exit(&d, rc);
}
