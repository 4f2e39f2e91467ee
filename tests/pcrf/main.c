/* tests/pcrf/main.c - labpcrfd: start and stop of the lab PCRF; what it does is in libpcrf.a. */
#include <errno.h>
#include <stdlib.h>
#include "common/daemon/daemon.h"
#include "common/log/log.h"
#include "tests/pcrf/pcrf.h"

#define SERVE_TIMEOUT_MS 60000u		/* longer than any delay that can be ordered */
#define PUSH_TIMEOUT_MS 5000u
#define PUSH_MAX 64u

static const struct cfg_row common_schema[] = {
	{ "plmn", CFG_MAP, .help = "The home network; realm and domain derive from it (TS 23.003 §13)." },
	{ "plmn.mcc", CFG_STR, 3, 3, NULL, "@digits", CFG_REQUIRED, NULL, "Mobile country code, three digits." },
	{ "plmn.mnc", CFG_STR, 2, 3, NULL, "@digits", CFG_REQUIRED, NULL, "Mobile network code, two or three digits." },
	{ "domain", CFG_STR, 1, 253, NULL, "@host", 0, NULL, "Home domain, when it is not the one of the PLMN." },
	{ "diameter", CFG_MAP, .flags = CFG_REQUIRED, .help = "The Diameter node.  Any peer may connect." },
	{ "diameter.identity", CFG_STR, 1, 253, NULL, "@host", CFG_REQUIRED, NULL, "Origin-Host of this node." },
	{ "diameter.realm", CFG_STR, 1, 253, NULL, "@host", 0, NULL, "Origin-Realm; else the home domain." },
	{ "diameter.listen", CFG_ADDR, 0, 0, NULL, NULL, CFG_REQUIRED, NULL, "Where peers connect." },
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

static int open_diameter(struct pcrf *p, const struct cfg *c)
{
	const struct cfg_node *r = cfg_root(c);
	const char *realm = cfg_cstr(r, "diameter.realm");
	struct dia_config d = { .identity = cfg_cstr(r, "diameter.identity"), .realm = realm ? realm : cfg_home_domain(c).p,
				.request_timeout_ms = SERVE_TIMEOUT_MS, .max_outstanding = PUSH_MAX, .watchdog_s = 6, .rx = true,
				.any_peer = true };
	int rc;

	if (addr_parse_hostport(cfg_str(r, "diameter.listen"), 3868, &d.listen) < 0)
		return -EINVAL;
	rc = dia_start(&d);
	if (rc < 0)
		return rc;
	p->client = dia_client_new(p->loop, PUSH_TIMEOUT_MS, PUSH_MAX, PUSH_MAX);
	return p->client ? 0 : -ENOMEM;
}

int main(int argc, char **argv)
{
	static struct pcrf p;
	struct daemon d = { .name = "labpcrf", .schema = schema, .common = common_schema };
	int rc = daemon_init(&d, argc, argv);

	if (rc != DAEMON_GO)
		return daemon_exit(&d, rc);
	p.loop = d.loop;
	pcrf_rx_open(&p);
	rc = open_diameter(&p, d.config);
	if (rc == 0)
		rc = daemon_rest_open(p.loop, "labpcrf", cfg_root(d.config), pcrf_routes, &p, &p.http);
	if (rc == 0) {
		daemon_ready(&d);
		rc = loop_run(d.loop);
	}
	dia_client_free(p.client);
	pcrf_rx_close(&p);
	dia_stop();
	http_server_free(p.http);
	return daemon_exit(&d, rc);
}
