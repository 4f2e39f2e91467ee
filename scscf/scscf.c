/* scscf/scscf.c - the S-CSCF's parts put together: one struct for the daemon, one per worker. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/log/log.h"
#include "scscf/registrar.h"
#include "scscf/session.h"
#include "scscf/subscription.h"

static const struct scscf_cx to_hss = { cx_mar_send, cx_sar_send };

static enum hss_profile read_hss(const struct cfg *c)
{
	struct str s = cfg_str(cfg_root(c), "diameter.hss_profile");

	if (str_eq(s, STR("pyhss")))
		return HSS_PYHSS;
	return str_eq(s, STR("open5gs")) ? HSS_OPEN5GS : HSS_STANDARD;
}

static int load_shared(struct scscf *s, const struct cfg *c)
{
	const char *file = cfg_cstr(cfg_root(c), "sessions.shared_ifc_file");
	char why[160];
	int rc = file && *file ? criteria_store_load(s->criteria, file, why) : 0;

	if (rc < 0)
		log_error(LOG_CONF, "the shared filter criteria cannot be used", LOG_C("file", file), LOG_C("why", why));
	return rc;
}

/* A table that is one shared set: it follows when that set is changed. */
static int load_fallback(struct scscf *s, const struct cfg *c)
{
	int64_t set = cfg_int(cfg_root(c), "sessions.fallback_ifc_set");
	char text[64];

	if (set < 0)
		return 0;
	snprintf(text, sizeof(text), "<SharedIFCSetID>%" PRId64 "</SharedIFCSetID>", set);
	return criteria_get(s->criteria, str_from_c(text), &s->fallback);
}

int scscf_new(struct scscf **ret, const struct cfg *c)
{
	struct scscf *s = calloc(1, sizeof(*s));
	struct reg_config *reg = reg_config_new(c);
	struct session_config *sessions = NULL;
	int rc;

	*ret = s;
	if (!s || !reg) {
		reg_config_free(reg);
		return -ENOMEM;
	}
	s->cx = &to_hss;
	s->reg = reg;
	s->hss = read_hss(c);
	s->dir = reg_directory_new();
	s->criteria = criteria_store_new();
	s->as_calls = cmap_new();
	s->session_counts = cmap_new();
	s->watch = watch_index_new();
	if (!s->criteria || !s->as_calls || !s->session_counts || !s->watch)
		return -ENOMEM;
	if ((rc = load_shared(s, c)) < 0)
		return rc;
	if (!s->dir || session_config_new(c, &sessions) < 0) {
		session_config_free(sessions);
		return -ENOMEM;
	}
	s->sessions = sessions;
	return load_fallback(s, c);
}

void scscf_free(struct scscf *s)
{
	for (unsigned i = 0; s && i < SCSCF_MAX_HSS; i++)
		free(atomic_load(&s->hss_name[i]));
	if (!s)
		return;
	reg_directory_free(s->dir);
	cmap_free(s->shared_criteria);
	cmap_free(s->as_calls);
	cmap_free(s->session_counts);
	obj_unref(s->fallback);
	criteria_store_free(s->criteria);
	watch_index_free(s->watch);
	session_config_free((struct session_config *)(uintptr_t)s->sessions);
	reg_config_free(s->reg);
	free((char *)(uintptr_t)s->server_name.p);
	free(s);
}

/* registrar.server_name, or "sip:" and our name. */
static int make_server_name(struct scscf *s)
{
	struct str text = cfg_str(cfg_root(stack_config(s->stack)), "registrar.server_name");
	struct buf b;
	char *name;

	buf_init(&b, 512);
	if (text.l == 0)
		buf_puts(&b, "sip:");
	buf_put(&b, text.l ? text : stack_sip_name(s->stack));
	name = b.failed ? NULL : str_dup(buf_str(&b));
	buf_fini(&b);
	if (!name)
		return -ENOMEM;
	s->server_name = str_from_c(name);
	return 0;
}

int scscf_worker_new(void *u, struct worker *w, void **ret_role)
{
	struct scscf *s = u;
	struct scscf_worker *sw = calloc(1, sizeof(*sw));

	*ret_role = sw;
	if (!sw)
		return -ENOMEM;
	s->stack = w->stack;
	if (!s->server_name.l && make_server_name(s) < 0)
		return -ENOMEM;
	sw->s = s;
	sw->w = w;
	list_init(&sw->fetches);
	list_init(&sw->invites);
	ending_watch(sw);
	sw->registrar = registrar_new(sw);
	sw->subscriptions = subscriptions_new(sw);
	return sw->registrar && sw->subscriptions ? legs_new(sw) : -ENOMEM;
}

void scscf_worker_free(struct worker *w, void *role)
{
	struct scscf_worker *sw = role;

	unregistered_free(sw);
	subscriptions_free(sw->subscriptions);
	registrar_free(sw->registrar);
	legs_free(sw);
	w->role = NULL;			/* the registrars of those that are freed later look at every worker */
	free(sw);
}
