/* tests/ue/message.c - MESSAGE (RFC 3428, TS 24.229 §5.1.2A), OPTIONS, and `raw`: a file as it is. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "common/util/rand.h"
#include "tests/ue/ue.h"

/* ---- requests without a dialog ---- */

struct pager {				/* one request in progress */
	struct ue *u;
	const char *method, *event;
	char to[UE_TEXT];
};

static void done(struct pager *p, unsigned status, struct str reason)
{
	cJSON *e = event_new(p->event);

	event_str(e, "method", str_from_c(p->method));
	event_str(e, "to", str_from_c(p->to));
	event_num(e, "status", status);
	event_str(e, "reason", reason);
	event_put(p->u, e, status >= 300);
}

static void on_response(void *user, struct tx_client *ct, struct sip_msg *m)
{
	(void)ct;
	if (m->status >= 200)
		done(user, m->status, m->reason);
}

static void on_failed(void *user, struct tx_client *ct, int err)
{
	(void)ct;
	done(user, err == -ETIMEDOUT ? 408 : 503, err == -ETIMEDOUT ? STR("no answer") : str_from_c(strerror(-err)));
}

static void on_gone(void *user, struct tx_client *ct)
{
	(void)ct;
	free(user);
}

static const struct tx_client_ops ops = { on_response, on_failed, on_gone };

static int send_one(struct ue *u, enum sip_method method, const char *event, struct str target, struct str headers,
		    struct str text)
{
	struct pager *p = calloc(1, sizeof(*p));
	char call_id[25], tag[11];
	struct request q = {
		.method = sip_method_name(method), .ruri = target, .to = target, .cseq = 1 + rand_below(1000), .headers = headers,
		.content_type = STR("text/plain"), .body = text,
	};
	struct via via;

	if (!p)
		return -ENOMEM;
	*p = (struct pager){ .u = u, .method = q.method, .event = event };
	str_copy(target, p->to, sizeof(p->to));
	rand_token(call_id, 24);
	rand_token(tag, 10);
	q.call_id = str_from_c(call_id);
	q.tag = str_from_c(tag);
	via_make(u, &via);
	if (net_send(u, method, &via, request_make(u, &via, &q), &ops, p))
		return 0;
	free(p);
	return -ENOBUFS;
}

int message_send(struct ue *u, struct str target, struct str text)
{
	return send_one(u, SIP_MESSAGE, "message-sent", target,
			STR("Accept-Contact: *;+g.3gpp.smsip\r\nAllow: " UE_ALLOW "\r\n"), text);
}

int options_send(struct ue *u, struct str target)
{
	return send_one(u, SIP_OPTIONS, "response", target, STR("Accept: application/sdp\r\n"), STR_NONE);
}

/* ---- in ---- */

void event_caller(cJSON *e, const struct sip_msg *m)
{
	event_str(e, "from", m->from.uri.text);
	event_uris(e, "assertedIdentity", m, SIP_H_PAI);
}

void message_in(struct ue *u, struct tx_server *st, struct sip_msg *m)
{
	cJSON *e = event_new("message-received");

	event_caller(e, m);
	event_str(e, "calledParty", sip_msg_value(m, SIP_H_PCALLED_PARTY_ID));
	event_str(e, "ruri", m->ruri_text);
	event_str(e, "contentType", sip_msg_value(m, SIP_H_CONTENT_TYPE));
	event_str(e, "text", m->body);
	tx_server_reply(st, 200, NULL, STR_NONE);
	event_put(u, e, false);
}

/* ---- raw ---- */

/* ${branch} ${token} ${local} ${contact} ${domain} ${identity} ${pcscf}; nothing else is touched. */
static struct str raw_value(const struct ue *u, struct str name, char scratch[ADDR_STRLEN])
{
	if (str_eq_c(name, "branch")) {
		tx_branch_make(scratch);
		return str_from_c(scratch);
	}
	if (str_eq_c(name, "token")) {
		rand_token(scratch, 16);
		return str_from_c(scratch);
	}
	if (str_eq_c(name, "pcscf"))
		return str_from_c(addr_fmt(&u->o.pcscf, scratch));
	return str_from_c(str_eq_c(name, "local") ? u->local_text : str_eq_c(name, "contact") ? u->contact :
			  str_eq_c(name, "domain") ? u->o.domain : str_eq_c(name, "identity") ? u->identity : NULL);
}

static void raw_expand(const struct ue *u, struct str text, struct buf *b)
{
	char scratch[ADDR_STRLEN];
	struct str name, rest, value;
	ssize_t i;

	while ((i = str_find(text, STR("${"))) >= 0) {
		buf_put(b, str_head(text, (size_t)i));
		text = str_from(text, (size_t)i);
		value = STR_NONE;
		if (str_cut(str_from(text, 2), '}', &name, &rest))
			value = raw_value(u, name, scratch);
		if (value.l) {
			buf_put(b, value);
			text = rest;
		} else {
			buf_puts(b, "${");
			text = str_from(text, 2);
		}
	}
	buf_put(b, text);
}

int raw_send(struct ue *u, struct str file)
{
	char path[4096], text[SIP_MSG_MAX_BYTES];
	struct bytes *wire;
	struct buf b;
	ssize_t n;
	int fd;

	if (!str_copy(file, path, sizeof(path)))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text));
	close(fd);
	if (n < 0)
		return -EIO;
	buf_init(&b, SIP_MSG_MAX_BYTES);
	raw_expand(u, str_make(text, (size_t)n), &b);
	wire = buf_take(&b);
	if (!wire)
		return -EMSGSIZE;
	net_send_plain(u, wire);
	bytes_unref(wire);
	return 0;
}
