/* pcscf/n5_stored.c - application sessions over a restart: no PCF is left with one that nobody ends.  Rows Q4, H1; reliability F1.
 *
 * A record stands from the 201 to the end that the PCF has confirmed; it says when that end was begun.  The session of an answered call goes
 * on with it (call_stored.c).  Where policy control does not know that call again (there were too many, the phone's mode is another one) and
 * the call itself goes on (session_stored.c), it is a left-over: it goes with the call (BYE, release, session timer), the registration, the
 * PCF's wish, or policy.max_call_s.  What was not answered, what is over, and the session of a registration (which gets a new one) is ended at
 * once. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/log/log.h"
#include "common/store/fields.h"
#include "pcscf/n5.h"
#include "pcscf/session.h"

#define RECORD_BYTES 4096u
#define NUMBER_STRLEN 17

struct kept {
	uint64_t number, binding_id, ends_ms;		/* ends: store time */
	struct str resource, call_id;
	uint8_t answered;
};
static const struct field kept_fields[] = {
	FIELD(1, FIELD_U64, struct kept, number),
	FIELD(2, FIELD_U64, struct kept, binding_id),
	FIELD(3, FIELD_U64, struct kept, ends_ms),
	FIELD(4, FIELD_STR, struct kept, resource),
	FIELD(5, FIELD_STR, struct kept, call_id),
	FIELD(6, FIELD_U8, struct kept, answered),
	{ 0 },
};

static struct str key_of(uint64_t number, char dst[NUMBER_STRLEN])
{
	return str_make(dst, (size_t)snprintf(dst, NUMBER_STRLEN, "%016llx", (unsigned long long)number));
}

void n5_keep(const struct n5_session *s)
{
	struct store_port *port = s->pw->w->store;
	char key[NUMBER_STRLEN];
	bool answered = s->answered || (s->call && s->call->state == CALL_CONFIRMED);	/* the 201 may come behind the 200 */
	struct kept k;
	struct buf out;

	if (!port || !s->resource[0])
		return;
	k = (struct kept){ .number = s->number, .binding_id = s->b ? s->b->id : s->left_binding, .resource = str_from_c(s->resource),
			   .ends_ms = store_now_ms(store_of(port)) + (uint64_t)s->pw->p->cfg.policy.max_call_s * 1000,
			   .call_id = s->call ? s->call->call_id : STR_NONE, .answered = answered && !s->over };
	buf_init(&out, RECORD_BYTES);
	fields_write(kept_fields, &k, &out);
	if (out.failed || store_put(port, STORE_POLICY, key_of(s->number, key), buf_str(&out), 0) < 0)
		log_error(LOG_SESS, "a policy session could not be kept", LOG_C("session", s->resource));
	buf_fini(&out);
}

void n5_forget(const struct n5_session *s)
{
	char key[NUMBER_STRLEN];

	if (s->resource[0])
		store_del(s->pw->w->store, STORE_POLICY, key_of(s->number, key));
}

/* ---- left-overs ---- */

static void on_life(struct timer *t)
{
	n5_session_end(container_of(t, struct n5_session, life));
}

void n5_left_gone(struct pcscf_worker *pw, struct str call_id, uint64_t binding_id)
{
	struct list *i, *next;

	if (!pw->n5 || !pw->n5->n_left)
		return;
	list_for_each_safe(i, next, &pw->n5->all) {
		struct n5_session *s = list_entry(i, struct n5_session, link);

		if (s->left_call && !s->over && s->left_binding == binding_id && (!call_id.l || str_eq_c(call_id, s->left_call)))
			n5_session_end(s);
	}
}

/* Its call does, and something tells of that one's end. */
static bool goes_on(const struct pcscf_worker *pw, const struct kept *k)
{
	return k->answered && k->call_id.l && session_goes_on(pw->sessions, k->call_id, k->binding_id);
}

static int take_up(struct pcscf *p, const struct kept *k, uint64_t now_ms)
{
	struct worker *w = k->call_id.l ? stack_worker_of_call(p->stack, k->call_id) : stack_worker(p->stack, 0);
	struct pcscf_worker *pw = pcscf_of(w);
	struct sbi_uri u;
	struct n5_session *s;
	struct call *c;

	if (!pw->n5)
		return -ENOTSUP;			/* another mode now: nobody here speaks to that PCF */
	if (sbi_uri_parse(k->resource, &u) < 0 || k->resource.l >= N5_RESOURCE_BYTES)
		return -EBADMSG;
	c = k->call_id.l && pw->calls ? call_find(pw->calls, k->call_id, k->binding_id) : NULL;
	s = n5_session_new(pw, c ? c->b : NULL);
	if (!s)
		return -ENOMEM;
	n5_session_renumber(s, k->number);
	str_copy(k->resource, s->resource, sizeof(s->resource));
	if (c && policy_adopt(c, &n5_backend, s)) {
		s->call = c;
		s->answered = true;
		return 0;
	}
	timer_init(&s->life, on_life);
	s->left_binding = k->binding_id;
	s->answered = k->answered;
	s->left_call = str_dup(k->call_id);
	pw->n5->n_left += s->left_call != NULL;
	timer_start(w->wheel, &s->life, s->left_call && goes_on(pw, k) && k->ends_ms > now_ms ? k->ends_ms - now_ms : 0);
	return 0;
}

struct restoring {
	struct pcscf *p;
	struct store *store;
	unsigned n;
};

static void on_record(void *arg, const struct store_record *rec)
{
	struct restoring *r = arg;
	struct kept k = { 0 };
	int rc = fields_read(kept_fields, rec->value, &k, NULL, NULL);

	if (rc == 0)
		rc = take_up(r->p, &k, store_now_ms(r->store));
	r->n += rc == 0;
	if (rc == 0)
		return;
	log_warn(LOG_SESS, "a kept policy session cannot be used", LOG_S("session", k.resource), LOG_C("error", strerror(-rc)));
	store_del(store_port(r->store, 0), STORE_POLICY, rec->key);
}

int n5_restore(struct pcscf *p, struct store *store)
{
	struct restoring r = { .p = p, .store = store };
	int rc = store_scan(store, STORE_POLICY, on_record, &r);

	if (rc == 0 && r.n)
		log_info(LOG_SESS, "policy sessions of before are known", LOG_U("sessions", r.n));
	return rc;
}
