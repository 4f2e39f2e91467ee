/* pcscf/agw_end.c - sessions at a relay that are over here: delete, until the relay has answered.  See agw.h. */
#include <stdlib.h>
#include "common/log/log.h"
#include "common/util/bencode.h"
#include "pcscf/agw_private.h"

#define RETRY_MS 5000u
#define MAX_TRIES 60u			/* five minutes: a relay ends what no packet passes in by itself */

static METRIC_DEF(m_ended, "cscf_pcscf_media_ended_total", METRIC_COUNTER, "Sessions at media relays that ended, by how.", "outcome", NULL);

static void end_free(struct agw_end *e)
{
	timer_stop(&e->timer);
	if (e->query)
		ng_cancel(e->query);
	list_del(&e->link);
	e->aw->n_ends--;
	free(e);
}

static void ended(struct agw_end *e, const char *how)
{
	metric_add(&m_ended, how, NULL, 1);
	if (e->kept)
		agw_forget(e->aw->pw, e->id);
	end_free(e);
}

static int64_t total(struct str all, const char *what)
{
	struct str v;
	int64_t n;

	return bencode_find(all, "totals", &v) && bencode_find(v, "RTP", &v) && bencode_find(v, what, &v) && bencode_int(v, &n) ? n : 0;
}

static void again(struct agw_end *e)
{
	if (++e->tries < MAX_TRIES) {
		timer_start(e->aw->pw->w->wheel, &e->timer, RETRY_MS);
		return;
	}
	log_warn(LOG_SESS, "a media session could not be ended", LOG_C("session", e->id), LOG_C("relay", e->aw->pw->p->relay[e->relay].name));
	ended(e, "given up");
}

static void on_answer(void *arg, const struct ng_answer *a)
{
	struct agw_end *e = arg;

	e->query = NULL;
	if (a->outcome == NG_SILENT) {
		again(e);
		return;
	}
	if (a->outcome == NG_OK)
		log_info(LOG_SESS, "media session over", LOG_C("session", e->id), LOG_I("rtp_packets", total(a->all, "packets")),
			 LOG_I("rtp_octets", total(a->all, "bytes")), LOG_C("relay", e->aw->pw->p->relay[e->relay].name));
	else
		log_info(LOG_SESS, "media session over", LOG_C("session", e->id), LOG_C("cause", a->why));
	ended(e, a->outcome == NG_OK ? "ok" : "error");
}

static void on_time(struct timer *t)
{
	struct agw_end *e = container_of(t, struct agw_end, timer);
	struct pcscf *p = e->aw->pw->p;
	struct buf b;

	if (e->tries && !atomic_load_explicit(&p->relay[e->relay].up, memory_order_relaxed)) {
		again(e);
		return;
	}
	buf_init(&b, 1024);
	buf_putc(&b, 'd');
	bencode_put_pair(&b, "command", STR("delete"));
	bencode_put_pair(&b, "call-id", str_from_c(e->id));
	bencode_put_pair(&b, "from-tag", STR("phone"));
	bencode_put_str(&b, STR("delete-delay"));
	bencode_put_int(&b, 0);
	buf_putc(&b, 'e');
	e->query = b.failed ? NULL : ng_ask(e->aw->ng, e->relay, buf_str(&b), on_answer, e);
	buf_fini(&b);
	if (!e->query)
		again(e);
}

void agw_end_at(struct agw_worker *aw, unsigned relay, const char *id, bool kept, uint32_t after_ms)
{
	struct agw_end *e = aw->n_ends < AGW_MAX_ENDS ? calloc(1, sizeof(*e)) : NULL;

	metrics_register(&m_ended);
	if (!e) {
		metric_add(&m_ended, "lost", NULL, 1);
		if (kept)
			agw_forget(aw->pw, id);
		return;
	}
	e->aw = aw;
	e->relay = relay;
	e->kept = kept;
	str_copy(str_from_c(id), e->id, sizeof(e->id));
	timer_init(&e->timer, on_time);
	list_add_tail(&aw->ends, &e->link);
	aw->n_ends++;
	if (after_ms)
		timer_start(aw->pw->w->wheel, &e->timer, after_ms);
	else
		on_time(&e->timer);
}

void agw_ends_free(struct agw_worker *aw)
{
	while (!list_empty(&aw->ends))
		end_free(list_entry(aw->ends.next, struct agw_end, link));
}
