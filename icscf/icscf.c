/* icscf/icscf.c - the life of the role: made from the configuration, one part per worker. */
#include <errno.h>
#include <stdlib.h>
#include "common/log/log.h"
#include "icscf/icscf.h"

#define MESSAGE_WAIT_T1 60		/* Timer F is 64*T1, RFC 3261 §17.1.2.2 */

static enum hss_profile hss_profile(struct str name)
{
	return str_eq_c(name, "pyhss") ? HSS_PYHSS : str_eq_c(name, "open5gs") ? HSS_OPEN5GS : HSS_STANDARD;
}

static struct str next_hop(const struct cfg *c)
{
	char text[SCSCF_URI_MAX];
	struct str uri;

	if (!cfg_has(cfg_root(c), "numbers.next_hop") || scscf_uri(cfg_str(cfg_root(c), "numbers.next_hop"), text, &uri) < 0)
		return STR_NONE;
	return str_from_c(str_dup(uri));
}

int icscf_new(struct icscf **ret, const struct cfg *c)
{
	struct icscf *i = calloc(1, sizeof(*i));
	struct str domain = cfg_home_domain(c);

	if (!i)
		return -ENOMEM;
	icscf_figures_register();
	pthread_mutex_init(&i->lock, NULL);
	i->home_domain = str_from_c(str_dup(domain));
	i->numbers_next_hop = next_hop(c);
	i->message_wait_ms = MESSAGE_WAIT_T1 * (uint32_t)cfg_int(cfg_root(c), "sip.timers.t1_ms");
	i->hss = hss_profile(cfg_str(cfg_root(c), "diameter.hss_profile"));
	i->selection = selection_new(c, NULL);
	i->trust = networks_new(cfg_root(c), "trust.networks");
	i->hide_users = cfg_bool(cfg_root(c), "trust.hide_users");
	i->refusal_ms = (uint32_t)cfg_int(cfg_root(c), "trust.refusal_ms");
	i->servers = networks_new(cfg_root(c), "trust.application_servers");
	if (!i->home_domain.p || !i->selection || !i->trust || !i->servers) {
		icscf_free(i);
		return -ENOMEM;
	}
	*ret = i;
	return 0;
}

void icscf_free(struct icscf *i)
{
	if (!i)
		return;
	obj_unref(i->selection);
	free(i->trust);
	free(i->servers);
	pthread_mutex_destroy(&i->lock);
	free((char *)i->home_domain.p);
	free((char *)i->numbers_next_hop.p);
	free(i);
}

struct selection *icscf_selection(struct icscf *i)
{
	struct selection *s;

	pthread_mutex_lock(&i->lock);
	s = obj_ref(i->selection);
	pthread_mutex_unlock(&i->lock);
	return s;
}

void icscf_reload(struct icscf *i, const struct cfg *c)
{
	struct selection *fresh = selection_new(c, i->selection), *old;

	if (!fresh) {
		log_error(LOG_CONF, "the new table of S-CSCFs is not taken: out of memory");
		return;
	}
	pthread_mutex_lock(&i->lock);
	old = i->selection;
	i->selection = fresh;
	pthread_mutex_unlock(&i->lock);
	obj_unref(old);
}

static int worker_new(void *u, struct worker *w, void **ret_role)
{
	struct icscf_worker *iw = calloc(1, sizeof(*iw));

	if (!iw)
		return -ENOMEM;
	iw->i = u;
	iw->i->stack = w->stack;
	iw->w = w;
	*ret_role = iw;
	return 0;
}

static void worker_free(struct worker *w, void *role)
{
	(void)w;
	free(role);
}

const struct role_ops icscf_ops = {
	.worker_new = worker_new, .worker_free = worker_free, .request = icscf_request, .ack = icscf_ack,
	.fe = "i-cscf", .uses_diameter = true, .off_route = true, .routes = icscf_routes, .shapes = icscf_shapes, .trust_key = "trust.networks",
};
