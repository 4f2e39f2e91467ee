/* tests/hss/main.c - labhssd: start and stop of the lab HSS; what it does is in libhss.a. */
#include <errno.h>
#include <stdlib.h>
#include "common/daemon/daemon.h"
#include "common/log/log.h"
#include "common/util/clock.h"
#include "tests/hss/hss_config.h"
#include "tests/hss/state.h"

#define SERVE_TIMEOUT_MS 60000		/* longer than any delay that can be ordered */

/* State of subscribers that are in the table: from the process's past, or from before the file was read again. */
static void recall(struct hss *h, const struct subs *old)
{
	for (size_t i = 0; i < h->subs->n; i++) {
		struct sub *b = h->subs->v[i];
		const struct sub *was = old ? subs_by_impi(old, str_from_c(b->name)) : NULL;
		uint64_t sqn = b->d.sqn;

		if (was) {
			b->n = was->n;
			b->d = was->d;
			b->d.server_name = was->d.server_name ? subs_intern(h->subs, str_from_c(was->d.server_name)) : NULL;
			b->d.server_host = was->d.server_host ? subs_intern(h->subs, str_from_c(was->d.server_host)) : NULL;
		} else if (h->state && state_get(h->state, h->subs, b) == -EBADMSG) {
			log_warn(LOG_CORE, "stored state is not understood", LOG_C("impi", b->impi));
		}
		if (b->d.sqn < sqn)		/* the file may move it forward, never back */
			b->d.sqn = sqn;
	}
}

static void on_reload(void *u, const struct cfg *c)
{
	struct hss *h = u;
	struct subs *old = h->subs;

	hss_config_apply(h, c);
	h->subs = hss_config_take_subs();
	recall(h, old);
	subs_adopt(h->subs, old);
	subs_free(old);
	log_info(LOG_CONF, "subscribers read", LOG_U("subscribers", h->subs->n));
}

static int open_diameter(struct hss *h, const struct cfg *c)
{
	const struct cfg_node *r = cfg_root(c);
	const char *realm = cfg_cstr(r, "diameter.realm");
	struct dia_config d = { .identity = cfg_cstr(r, "diameter.identity"), .realm = realm ? realm : cfg_home_domain(c).p,
				.request_timeout_ms = SERVE_TIMEOUT_MS,
				.max_outstanding = (uint32_t)cfg_int(r, "diameter.max_outstanding"), .watchdog_s = 6,
				.any_peer = true };
	int rc;

	if (addr_parse_hostport(cfg_str(r, "diameter.listen"), 3868, &d.listen) < 0)
		return -EINVAL;
	hss_cx_open(h);
	rc = dia_start(&d);
	if (rc < 0)
		return rc;
	h->client = dia_client_new(h->loop, (uint32_t)cfg_int(r, "diameter.request_timeout_ms"), d.max_outstanding, d.max_outstanding);
	return h->client ? 0 : -ENOMEM;
}

static int open_state(struct hss *h, const struct cfg *c)
{
	const char *dir = cfg_cstr(cfg_root(c), "state.dir");
	int rc = 0;

	if (dir && *dir)
		rc = state_open(&h->state, dir);
	if (rc < 0) {
		log_error(LOG_CORE, "the state cannot be opened", LOG_C("dir", dir), LOG_C("error", state_error(rc)));
		return -EIO;
	}
	recall(h, NULL);
	return 0;
}

int main(int argc, char **argv)
{
	struct daemon d = { .name = "labhss", .schema = hss_schema, .common = hss_common_schema, .check = hss_config_check,
			    .reload = on_reload };
	uint64_t began = clock_mono_ms();
	struct hss h = { 0 };
	int rc = daemon_init(&d, argc, argv);

	if (rc != DAEMON_GO) {
		subs_free(hss_config_take_subs());
		return daemon_exit(&d, rc);
	}
	h.loop = d.loop;
	list_init(&h.pushes);
	list_init(&h.held);
	d.u = &h;
	h.subs = hss_config_take_subs();
	hss_config_apply(&h, d.config);
	rc = open_state(&h, d.config);
	if (rc == 0)
		rc = open_diameter(&h, d.config);
	if (rc == 0)
		rc = daemon_rest_open(h.loop, "labhss", cfg_root(d.config), hss_routes, &h, &h.http);
	if (rc == 0) {
		log_info(LOG_CORE, "subscribers read", LOG_U("subscribers", h.subs->n), LOG_U("start_ms", clock_mono_ms() - began));
		daemon_ready(&d);
		rc = loop_run(d.loop);
	}
	dia_client_free(h.client);
	push_close(&h);
	hss_cx_close(&h);
	dia_stop();
	http_server_free(h.http);
	state_close(h.state);
	behave_clear(&h.behave);
	subs_free(h.subs);
	return daemon_exit(&d, rc);
}
