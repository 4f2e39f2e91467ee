/* pcscf/records.c - see records.h. */
#include <errno.h>
#include <stdlib.h>
#include "common/log/log.h"
#include "common/log/records.h"
#include "common/util/clock.h"
#include "pcscf/agw.h"
#include "pcscf/policy.h"
#include "pcscf/records.h"

static METRIC_DEF(m_lost, "cscf_records_lost_total", METRIC_COUNTER, "Call records that could not be written.", NULL, NULL);
static METRIC_DEF(m_written, "cscf_records_total", METRIC_COUNTER, "Call records by type.", "type", NULL);

struct line {
	struct line *next;		/* the one before it */
	char *text;
};

/* Lines wait in a list of their own: the main loop is only told to look at it.  What it did not come to when the daemon stops is written
 * at the close. */
struct call_records {
	struct records *file;		/* main thread */
	struct loop *loop;
	_Atomic(struct line *) waiting;	/* the youngest first */
	atomic_uint n;
	bool failed;			/* the last one was lost: said once */
};

static void write_line(struct call_records *cr, struct line *l)
{
	int rc = records_put(cr->file, str_from_c(l->text));

	if (rc < 0) {
		metric_add(&m_lost, NULL, NULL, 1);
		if (!cr->failed)
			log_error(LOG_CORE, "call records are lost", LOG_C("error", strerror(-rc)));
	}
	cr->failed = rc < 0;
	atomic_fetch_sub_explicit(&cr->n, 1, memory_order_relaxed);
	free(l->text);
	free(l);
}

static void write_waiting(void *arg)
{
	struct call_records *cr = arg;
	struct line *l = atomic_exchange_explicit(&cr->waiting, NULL, memory_order_acquire), *oldest = NULL, *next;

	for (; l; l = next) {
		next = l->next;
		l->next = oldest;
		oldest = l;
	}
	for (l = oldest; l; l = next) {
		next = l->next;
		write_line(cr, l);
	}
}

static bool add_waiting(struct call_records *cr, char *text)
{
	struct line *l = malloc(sizeof(*l)), *before;

	if (!l)
		return false;
	if (atomic_fetch_add_explicit(&cr->n, 1, memory_order_relaxed) >= RECORDS_MAX_WAITING) {
		atomic_fetch_sub_explicit(&cr->n, 1, memory_order_relaxed);
		free(l);
		return false;
	}
	l->text = text;
	before = atomic_load_explicit(&cr->waiting, memory_order_relaxed);
	do
		l->next = before;
	while (!atomic_compare_exchange_weak_explicit(&cr->waiting, &before, l, memory_order_release, memory_order_relaxed));
	return true;
}

/* Any thread; while the daemon stops there are no workers, and this is the main one. */
static void put(struct call_records *cr, cJSON *o, const char *type)
{
	char *text = cJSON_PrintUnformatted(o);

	cJSON_Delete(o);
	if (!text || !add_waiting(cr, text)) {
		free(text);
		metric_add(&m_lost, NULL, NULL, 1);
		return;
	}
	metric_add(&m_written, type, NULL, 1);
	if (!worker_current())
		write_waiting(cr);
	else
		(void)loop_post(cr->loop, write_waiting, cr);	/* full: one that is in it writes this too; stopped: the close does */
}

static void add(cJSON *o, const char *name, struct str v)
{
	char *c = v.l ? str_dup(v) : NULL;

	if (c)
		cJSON_AddStringToObject(o, name, c);
	free(c);
}

static void add_time(cJSON *o, const char *name, uint64_t wall_us)
{
	char when[40];

	if (!wall_us)
		return;
	clock_rfc3339(wall_us, when);
	cJSON_AddStringToObject(o, name, when);
}

void record_call(struct call_records *cr, const struct call *c, const char *why)
{
	uint64_t now = clock_wall_us();
	cJSON *o;

	if (!cr)
		return;
	o = cJSON_CreateObject();
	cJSON_AddStringToObject(o, "type", "call");
	add(o, "icid", c->icid);
	add(o, "callId", c->call_id);
	cJSON_AddStringToObject(o, "side", c->ue_called ? "term" : "orig");
	add(o, "user", c->b->identity[0].aor);
	add(o, "impi", c->b->impi);
	add(o, "from", c->from);
	add(o, "to", c->to);
	add(o, "access", c->b->access);
	if (c->emergency)
		cJSON_AddBoolToObject(o, "emergency", true);
	add_time(o, "startedAt", c->started_wall_us);
	add_time(o, "answeredAt", c->answered_wall_us);
	add_time(o, "endedAt", now);
	if (c->answered_wall_us && now > c->answered_wall_us)
		cJSON_AddNumberToObject(o, "durationMs", (double)((now - c->answered_wall_us) / 1000));
	if (c->status)
		cJSON_AddNumberToObject(o, "status", c->status);
	cJSON_AddStringToObject(o, "cause", why);
	if (c->policy)
		cJSON_AddItemToObject(o, "policy", policy_summary(c));
	if (c->agw)
		cJSON_AddItemToObject(o, "media", agw_summary(c));
	put(cr, o, "call");
}

void record_registration(struct call_records *cr, const struct binding *b, const char *event, struct str icid, uint32_t expires_s)
{
	cJSON *o;

	if (!cr)
		return;
	o = cJSON_CreateObject();
	cJSON_AddStringToObject(o, "type", "registration");
	cJSON_AddStringToObject(o, "event", event);
	add(o, "icid", icid);
	add(o, "user", b->n_identities ? b->identity[0].aor : STR_NONE);
	add(o, "impi", b->impi);
	add(o, "contact", b->contact);
	add(o, "access", b->access);
	add_time(o, "at", clock_wall_us());
	if (expires_s)
		cJSON_AddNumberToObject(o, "expiresS", expires_s);
	put(cr, o, "registration");
}

int call_records_open(struct call_records **ret, struct loop *main_loop, const struct cfg_node *r)
{
	struct call_records *cr;
	int rc;

	*ret = NULL;
	if (!cfg_has(r, "records.file"))
		return 0;
	cr = calloc(1, sizeof(*cr));
	rc = cr ? records_open(&cr->file, cfg_cstr(r, "records.file"), (uint64_t)cfg_int(r, "records.max_bytes"),
			       (unsigned)cfg_int(r, "records.keep")) : -ENOMEM;
	if (rc < 0) {
		log_error(LOG_CORE, "the file of call records cannot be opened", LOG_C("file", cfg_cstr(r, "records.file")),
			  LOG_C("error", strerror(-rc)));
		free(cr);
		return rc;
	}
	cr->loop = main_loop;
	metrics_register(&m_lost);
	metrics_register(&m_written);
	*ret = cr;
	return 0;
}

void call_records_close(struct call_records *cr)
{
	if (!cr)
		return;
	write_waiting(cr);
	records_close(cr->file);
	free(cr);
}
