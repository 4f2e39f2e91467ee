/* scscf/dryrun.c - see dryrun.h: TS 29.228 annexes B, C, F; rows T2, D15. */
#include <errno.h>
#include <stdlib.h>
#include "scscf/dryrun.h"
#include "scscf/session.h"

#define MESSAGE_MAX_BYTES 65536u

int dryrun_case(const char *name, enum session_case *ret)
{
	if (name && strcmp(name, "originating-registered") == 0)
		name = session_case_name(CASE_ORIGINATING);
	for (unsigned c = 0; name && c < N_SESSION_CASES; c++) {
		if (strcmp(name, session_case_name(c)) == 0) {
			*ret = c;
			return 0;
		}
	}
	return -EINVAL;
}

/* ---- the request ---- */

static const char *text_of(const cJSON *o, const char *name)
{
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, name));
}

/* Line ends as SIP has them; people type LF. */
static void put_lines(struct buf *b, const char *text)
{
	for (const char *p = text; *p; p++) {
		if (*p == '\n' && (p == text || p[-1] != '\r'))
			buf_putc(b, '\r');
		buf_putc(b, *p);
	}
}

static bool put_request(struct buf *b, const cJSON *o)
{
	const char *method = text_of(o, "method"), *uri = text_of(o, "requestUri"), *sdp = text_of(o, "sdp");
	const cJSON *h;

	if (!method || !uri)
		return false;
	buf_printf(b, "%s %s SIP/2.0\r\nVia: SIP/2.0/UDP dry-run.invalid;branch=z9hG4bKdry\r\nMax-Forwards: 70\r\n"
		   "From: <sip:dry-run@invalid>;tag=1\r\nTo: <%s>\r\nCall-ID: dry-run\r\nCSeq: 1 %s\r\n", method, uri, uri, method);
	cJSON_ArrayForEach(h, cJSON_GetObjectItemCaseSensitive(o, "headers"))
		if (h->string && cJSON_IsString(h))
			buf_printf(b, "%s: %s\r\n", h->string, h->valuestring);
	if (sdp)
		buf_puts(b, "Content-Type: application/sdp\r\n");
	buf_puts(b, "\r\n");
	if (sdp)
		put_lines(b, sdp);
	return true;
}

static int parse(struct str text, struct sip_msg **ret, const char **reterr)
{
	struct sip_parse_error err = { 0 };
	int rc = sip_msg_parse_copy(text, NULL, ret, &err);

	if (rc < 0) {
		*reterr = err.why ? err.why : "not a SIP message";
		return rc == -ENOMEM ? rc : -EBADMSG;
	}
	if ((*ret)->request)
		return 0;
	sip_msg_unref(*ret);
	*reterr = "a response is no request";
	return -EBADMSG;
}

int dryrun_message(const cJSON *body, struct sip_msg **ret, const char **reterr)
{
	const char *message = text_of(body, "message");
	struct buf b;
	int rc;

	buf_init(&b, MESSAGE_MAX_BYTES);
	*reterr = "neither a message nor a request with method and requestUri";
	if (message)
		put_lines(&b, message);
	rc = message || put_request(&b, cJSON_GetObjectItemCaseSensitive(body, "request")) ? 0 : -EBADMSG;
	if (rc == 0 && b.failed) {
		*reterr = "the message is too long";
		rc = -EBADMSG;
	}
	if (rc == 0)
		rc = parse(buf_str(&b), ret, reterr);
	buf_fini(&b);
	return rc;
}

/* ---- the outcome ---- */

static void add_str(cJSON *o, const char *name, struct str s)
{
	char *c = str_dup(s);

	cJSON_AddStringToObject(o, name, c ? c : "");
	free(c);
}

static cJSON *trigger_json(const struct trigger *t, const struct criteria_query *q)
{
	static const char *const kinds[] = { [TRIGGER_URI] = "requestUri", [TRIGGER_METHOD] = "method", [TRIGGER_HEADER] = "header",
					     [TRIGGER_CASE] = "sessionCase", [TRIGGER_SDP] = "sessionDescription" };
	cJSON *o = cJSON_CreateObject(), *what = cJSON_AddObjectToObject(o, "trigger");

	cJSON_AddStringToObject(what, "kind", kinds[t->kind]);
	cJSON_AddBoolToObject(what, "negated", t->negated);
	if (t->kind == TRIGGER_CASE)
		cJSON_AddStringToObject(what, "value", session_case_name(t->number));
	else if (t->kind == TRIGGER_HEADER && t->id != SIP_H_OTHER && !t->name)
		add_str(what, "value", sip_hdr_name((enum sip_hdr_id)t->id));
	else if (t->text.l)
		add_str(what, "value", t->text);
	if (q)
		cJSON_AddBoolToObject(o, "result", criteria_trigger_fits(t, q));
	return o;
}

cJSON *dryrun_criterion_json(const struct criterion *k)
{
	static const char *const parts[] = { "any", "registered", "unregistered", "any" };
	cJSON *o = cJSON_CreateObject(), *list;

	cJSON_AddNumberToObject(o, "priority", k->priority);
	add_str(o, "applicationServer", k->server);
	cJSON_AddStringToObject(o, "defaultHandling", k->terminate ? "terminate" : "continue");
	cJSON_AddStringToObject(o, "profilePart", parts[k->part & 3]);
	cJSON_AddStringToObject(o, "conditionType", !k->has_trigger ? "none" : k->cnf ? "cnf" : "dnf");
	list = cJSON_AddArrayToObject(o, "triggers");
	for (unsigned i = 0; i < k->n_triggers; i++)
		cJSON_AddItemToArray(list, trigger_json(&k->trigger[i], NULL));
	if (k->service_info.l)
		add_str(o, "serviceInformation", k->service_info);
	return o;
}

static cJSON *criterion_json(const struct criterion *k, const struct criteria_query *q, bool matched)
{
	cJSON *o = cJSON_CreateObject(), *list;

	cJSON_AddNumberToObject(o, "priority", k->priority);
	add_str(o, "applicationServer", k->server);
	cJSON_AddBoolToObject(o, "matched", matched);
	cJSON_AddBoolToObject(o, "registeredPart", (k->part & 1) != 0);
	cJSON_AddBoolToObject(o, "unregisteredPart", (k->part & 2) != 0);
	list = cJSON_AddArrayToObject(o, "triggers");
	for (unsigned i = 0; i < k->n_triggers; i++)
		cJSON_AddItemToArray(list, trigger_json(&k->trigger[i], q));
	return o;
}

cJSON *dryrun_json(const struct criteria *c, const struct criteria_query *q)
{
	cJSON *o = cJSON_CreateObject(), *chain = cJSON_AddArrayToObject(o, "chain"), *invoked = cJSON_AddArrayToObject(o, "invoked");
	unsigned next = criteria_next(c, 0, q);

	for (unsigned i = 0; c && i < c->n; i++) {
		bool matched = i == next;

		cJSON_AddItemToArray(chain, criterion_json(&c->v[i], q, matched));
		if (matched) {
			char *server = str_dup(c->v[i].server);

			cJSON_AddItemToArray(invoked, cJSON_CreateString(server ? server : ""));
			free(server);
			next = criteria_next(c, i + 1, q);
		}
	}
	return o;
}

/* ---- REST ---- */

static void answer(struct http_req *r, struct aor_view *set, struct str aor, struct sip_msg *m, enum session_case c)
{
	const struct reg_view *v = set->v[0];
	const struct profile_identity *id = profile_find(v->profile, aor);
	struct criteria_query q = { .m = m, .ruri = m->ruri_text, .scase = c, .registered = v->n_contacts > 0 };
	struct criteria *k;

	for (unsigned i = 1; i < set->n && v->n_contacts == 0; i++) {
		v = set->v[i];
		id = profile_find(v->profile, aor);
		q.registered = v->n_contacts > 0;
	}
	k = id ? profile_criteria(v->profile, id->service) : NULL;
	http_reply_json(r, 200, dryrun_json(k, &q));
	obj_unref(k);
}

void dryrun_route(void *u, struct http_req *r)
{
	struct scscf *s = u;
	struct aor_view *set = NULL;
	const cJSON *body = http_json(r);
	const char *why = "";
	enum session_case c;
	struct sip_msg *m;
	struct sip_uri uri;
	struct str aor;
	char text[512];

	if (!body)
		return;
	if (sip_uri_parse(http_param(r, "impu"), &uri, NULL) == 0 && sip_uri_aor(&uri, text, sizeof(text), &aor) == 0)
		set = reg_directory_aor(s->dir, aor);
	if (!set)
		http_problem(r, 404, "RESOURCE_NOT_FOUND", "nobody with that public identity has a profile here");
	else if (dryrun_case(text_of(body, "sessionCase"), &c) < 0)
		http_problem(r, 422, "INVALID_SESSION_CASE", "sessionCase is originating-registered, terminating-registered, "
			     "terminating-unregistered, originating-unregistered or originating-cdiv");
	else if (dryrun_message(body, &m, &why) < 0)
		http_problem(r, 422, "INVALID_MESSAGE", "%s", why);
	else {
		answer(r, set, aor, m, c);
		sip_msg_unref(m);
	}
	obj_unref(set);
}
