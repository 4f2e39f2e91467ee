/* common/dialog/ends.c - see ends.h. */
#include <stdlib.h>
#include "common/dialog/ends.h"
#include "common/sip/nameaddr.h"

#define ENDS_MAX_ROUTES 16u		/* Record-Route values; a dialog with more is not ended by us */
#define ENDS_MAX_BYTES 8192u

static char *contact_of(const struct sip_msg *m)
{
	struct sip_values it = sip_values(m, SIP_H_CONTACT);
	struct sip_nameaddr n;
	struct str v;

	return sip_values_next(&it, &v) && sip_nameaddr_parse(v, &n) == 0 && !n.star ? str_dup(n.uri.text) : NULL;
}

static unsigned routes_of(const struct sip_msg *m, struct str ret[ENDS_MAX_ROUTES])
{
	struct sip_values it = sip_values(m, SIP_H_RECORD_ROUTE);
	struct str v;
	unsigned n = 0;

	while (sip_values_next(&it, &v)) {
		if (n < ENDS_MAX_ROUTES)
			ret[n] = v;
		n++;
	}
	return n;
}

/* Values from..to-1, or backwards. */
static char *join(const struct str *v, unsigned from, unsigned to, bool backwards)
{
	struct buf b;
	char *text;

	buf_init(&b, ENDS_MAX_BYTES);
	for (unsigned i = from; i < to; i++) {
		if (i > from)
			buf_puts(&b, ", ");
		buf_put(&b, v[backwards ? to - 1 - (i - from) : i]);
	}
	text = b.l && !b.failed ? str_dup(buf_str(&b)) : NULL;
	buf_fini(&b);
	return text;
}

struct dialog_ends *dialog_ends_new(const struct sip_msg *invite)
{
	struct dialog_ends *e = calloc(1, sizeof(*e));
	struct str v[ENDS_MAX_ROUTES];

	if (!e)
		return NULL;
	e->n_before = routes_of(invite, v);
	e->cseq[0] = invite->cseq;
	if (e->n_before > ENDS_MAX_ROUTES)
		return e;			/* without a contact: it cannot be ended */
	e->contact[0] = contact_of(invite);
	e->route[0] = join(v, 0, e->n_before, false);	/* §12.1.1: in this order */
	return e;
}

static char *dup_or_null(const char *s)
{
	return s ? str_dup(str_from_c(s)) : NULL;
}

struct dialog_ends *dialog_ends_copy(const struct dialog_ends *e)
{
	struct dialog_ends *c = e ? malloc(sizeof(*c)) : NULL;

	if (!c)
		return NULL;
	*c = *e;
	for (unsigned i = 0; i < 2; i++) {
		c->contact[i] = dup_or_null(e->contact[i]);
		c->route[i] = dup_or_null(e->route[i]);
	}
	return c;
}

void dialog_ends_free(struct dialog_ends *e)
{
	for (unsigned i = 0; e && i < 2; i++) {
		free(e->contact[i]);
		free(e->route[i]);
	}
	free(e);
}

/* §12.1.2: the callee's side of the route set is what stands above our own values, backwards.  Ours are just above those that stood
 * in the INVITE when it came first; on a second pass there are more of us in between, and of application servers. */
void dialog_ends_answered(struct dialog_ends *e, const struct sip_msg *response, unsigned n_ours)
{
	struct str v[ENDS_MAX_ROUTES];
	unsigned n = routes_of(response, v);

	free(e->contact[1]);
	free(e->route[1]);
	e->contact[1] = e->route[1] = NULL;
	if (n > ENDS_MAX_ROUTES || n < e->n_before + n_ours)
		return;				/* we are not on its route */
	e->contact[1] = contact_of(response);
	e->route[1] = join(v, 0, n - e->n_before - n_ours, true);
}

void dialog_ends_by_flow(struct dialog_ends *e, unsigned end, const struct sip_msg *m)
{
	free(e->route[end]);
	free(e->contact[end]);
	e->route[end] = NULL;
	e->contact[end] = contact_of(m);
	if (end == 0)
		e->n_before = 0;
}

static bool refreshes(const struct sip_msg *m)
{
	return m->method == SIP_INVITE || m->method == SIP_UPDATE;
}

static void refresh(struct dialog_ends *e, unsigned end, const struct sip_msg *m)
{
	char *contact = refreshes(m) && e->contact[end] ? contact_of(m) : NULL;

	if (!contact)
		return;
	free(e->contact[end]);
	e->contact[end] = contact;
}

void dialog_ends_request(struct dialog_ends *e, unsigned from, const struct sip_msg *m)
{
	if (m->cseq > e->cseq[from])
		e->cseq[from] = m->cseq;
	refresh(e, from, m);
}

void dialog_ends_response(struct dialog_ends *e, unsigned from, const struct sip_msg *m)
{
	if (m->status >= 200 && m->status < 300)
		refresh(e, from, m);
}

struct bytes *dialog_ends_bye(struct dialog_ends *e, unsigned to, const struct dialog_names *n, struct str reason, struct str extra)
{
	unsigned from = 1 - to;
	struct bytes *wire = NULL;
	struct buf b;

	if (!e->contact[to])
		return NULL;
	buf_init(&b, 4 * ENDS_MAX_BYTES);
	buf_printf(&b, "BYE %s SIP/2.0\r\nMax-Forwards: 70\r\n", e->contact[to]);
	if (e->route[to])
		buf_printf(&b, "Route: %s\r\n", e->route[to]);
	buf_printf(&b, "From: <%.*s>;tag=%.*s\r\nTo: <%.*s>;tag=%.*s\r\nCall-ID: %.*s\r\nCSeq: %u BYE\r\n", STR_ARG(n->uri[from]),
		   STR_ARG(n->tag[from]), STR_ARG(n->uri[to]), STR_ARG(n->tag[to]), STR_ARG(n->call_id), ++e->cseq[from]);
	buf_printf(&b, "Reason: %.*s\r\n%.*sContent-Length: 0\r\n\r\n", STR_ARG(reason), STR_ARG(extra));
	if (!b.failed)
		wire = bytes_new(buf_str(&b));
	buf_fini(&b);
	return wire;
}
