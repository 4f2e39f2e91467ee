/* common/dialog/dialog.c - one end of a dialog.  RFC 3261 §12. */
#include <errno.h>
#include <stdlib.h>
#include "common/dialog/dialog.h"
#include "common/util/rand.h"

#define DIALOG_MAX_REQUEST SIP_MSG_MAX_BYTES

struct dialog {
	char *call_id, *local_tag, *remote_tag;
	char *local, *remote;		/* From and To as they go out: name-addr with the tag */
	char *target;			/* remote target URI, §12.1 */
	char *route[DIALOG_MAX_ROUTES];
	unsigned n_routes;
	uint32_t local_cseq, remote_cseq, invite_cseq;
	bool remote_cseq_known, confirmed, uac;
};

struct str dialog_call_id(const struct dialog *d)
{
	return str_from_c(d->call_id);
}

struct str dialog_remote_tag(const struct dialog *d)
{
	return str_from_c(d->remote_tag);
}

struct str dialog_local_tag(const struct dialog *d)
{
	return str_from_c(d->local_tag);
}

uint32_t dialog_local_cseq(const struct dialog *d)
{
	return d->local_cseq;
}

bool dialog_confirmed(const struct dialog *d)
{
	return d->confirmed;
}

static void routes_clear(struct dialog *d)
{
	for (unsigned i = 0; i < d->n_routes; i++)
		free(d->route[i]);
	d->n_routes = 0;
}

void dialog_free(struct dialog *d)
{
	if (!d)
		return;
	routes_clear(d);
	free(d->call_id);
	free(d->local_tag);
	free(d->remote_tag);
	free(d->local);
	free(d->remote);
	free(d->target);
	free(d);
}

/* Record-Route of `m`, in its order for a UAS (§12.1.1), in reverse for a UAC (§12.1.2). */
static int routes_take(struct dialog *d, const struct sip_msg *m, bool reverse)
{
	struct sip_values it = sip_values(m, SIP_H_RECORD_ROUTE);
	struct sip_nameaddr na;
	struct str v;

	routes_clear(d);
	while (sip_values_next(&it, &v)) {
		if (d->n_routes == DIALOG_MAX_ROUTES || sip_nameaddr_parse(v, &na))
			return -EBADMSG;
		d->route[d->n_routes] = str_dup(v);
		if (!d->route[d->n_routes])
			return -ENOMEM;
		d->n_routes++;
	}
	for (unsigned i = 0; reverse && i < d->n_routes / 2; i++) {
		char *other = d->route[d->n_routes - 1 - i];

		d->route[d->n_routes - 1 - i] = d->route[i];
		d->route[i] = other;
	}
	return 0;
}

/* The URI of the first Contact.  -ENOENT, -EBADMSG. */
static int contact_uri(const struct sip_msg *m, struct str *ret)
{
	struct sip_values it = sip_values(m, SIP_H_CONTACT);
	struct sip_nameaddr na;
	struct str v;

	if (!sip_values_next(&it, &v))
		return -ENOENT;
	if (sip_nameaddr_parse(v, &na) || na.star)
		return -EBADMSG;
	*ret = na.uri.text;
	return 0;
}

static int target_set(struct dialog *d, struct str uri)
{
	char *copy = str_dup(uri);

	if (!copy)
		return -ENOMEM;
	free(d->target);
	d->target = copy;
	return 0;
}

static struct dialog *dialog_make(struct str call_id, struct str local_tag, struct str remote_tag, struct str remote)
{
	struct dialog *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->call_id = str_dup(call_id);
	d->local_tag = str_dup(local_tag);
	d->remote_tag = str_dup(remote_tag);
	d->remote = str_dup(remote);
	if (d->call_id && d->local_tag && d->remote_tag && d->remote)
		return d;
	dialog_free(d);
	return NULL;
}

int dialog_new_uac(const struct sip_msg *request, const struct sip_msg *response, struct dialog **ret)
{
	struct str target = request->ruri_text;
	struct dialog *d;
	int rc;

	*ret = NULL;
	if (response->status < 101 || response->status > 299 || !response->to_tag.l)
		return -EPROTO;		/* makes no dialog, §12.1 */
	rc = contact_uri(response, &target);
	if (rc == -EBADMSG || (rc == -ENOENT && response->status >= 200 && request->method == SIP_INVITE))
		return -EBADMSG;
	d = dialog_make(request->call_id, request->from_tag, response->to_tag, response->to.text);
	if (!d)
		return -ENOMEM;
	d->uac = true;
	d->local = str_dup(request->from.text);
	d->local_cseq = request->cseq;
	d->invite_cseq = request->method == SIP_INVITE ? request->cseq : 0;
	d->confirmed = response->status >= 200;
	rc = d->local ? routes_take(d, response, true) : -ENOMEM;
	if (!rc)
		rc = target_set(d, target);
	if (rc) {
		dialog_free(d);
		return rc;
	}
	*ret = d;
	return 0;
}

static char *with_tag(struct str value, struct str tag, bool bracketed)
{
	struct buf b;
	char *s;

	buf_init(&b, DIALOG_MAX_REQUEST);
	buf_puts(&b, bracketed ? "" : "<");
	buf_put(&b, value);
	buf_puts(&b, bracketed ? "" : ">");
	buf_puts(&b, ";tag=");
	buf_put(&b, tag);
	s = b.failed ? NULL : str_dup(buf_str(&b));
	buf_fini(&b);
	return s;
}

int dialog_new_uas(const struct sip_msg *request, struct str local_tag, struct dialog **ret)
{
	struct str target;
	struct dialog *d;
	int rc;

	*ret = NULL;
	rc = contact_uri(request, &target);
	if (rc)
		return -EBADMSG;
	d = dialog_make(request->call_id, local_tag, request->from_tag, request->from.text);
	if (!d)
		return -ENOMEM;
	/* A bare URI with parameters behind it cannot take the tag as it is; those parameters are the header's, §20.10. */
	d->local = request->to_tag.l ? str_dup(request->to.text)
				     : with_tag(request->to.bracketed ? request->to.text : request->to.uri.text, local_tag,
						request->to.bracketed);
	d->remote_cseq = request->cseq;
	d->remote_cseq_known = true;
	d->confirmed = request->method != SIP_INVITE;
	d->local_cseq = rand_below(10000);	/* §12.1.1: empty until our first request; §8.1.1.5: any start below 2^31 */
	rc = d->local ? routes_take(d, request, false) : -ENOMEM;
	if (!rc)
		rc = target_set(d, target);
	if (rc) {
		dialog_free(d);
		return rc;
	}
	*ret = d;
	return 0;
}

bool dialog_matches(const struct dialog *d, const struct sip_msg *m)
{
	struct str local = m->request ? m->to_tag : m->from_tag, remote = m->request ? m->from_tag : m->to_tag;

	return str_eq(m->call_id, dialog_call_id(d)) && str_eq(local, dialog_local_tag(d)) &&
	       str_eq(remote, dialog_remote_tag(d));
}

static bool refreshes_target(enum sip_method m)
{
	return m == SIP_INVITE || m == SIP_UPDATE || m == SIP_SUBSCRIBE || m == SIP_NOTIFY || m == SIP_REFER;
}

int dialog_request_in(struct dialog *d, const struct sip_msg *m)
{
	struct str uri;
	int rc;

	if (!dialog_matches(d, m))
		return -ENOENT;
	if (m->method == SIP_ACK || m->method == SIP_CANCEL) {	/* carry the INVITE's number, §12.2.2 */
		d->confirmed = d->confirmed || m->method == SIP_ACK;
		return 0;
	}
	if (d->remote_cseq_known && m->cseq < d->remote_cseq)
		return -EPROTO;
	d->remote_cseq = m->cseq;
	d->remote_cseq_known = true;
	if (!refreshes_target(m->method))
		return 0;
	rc = contact_uri(m, &uri);
	return rc == -ENOENT ? 0 : rc ? rc : target_set(d, uri);
}

void dialog_response_in(struct dialog *d, const struct sip_msg *m)
{
	struct str uri;

	if (m->status < 101 || m->status > 299 || !refreshes_target(m->method) || !dialog_matches(d, m))
		return;
	/* §13.2.2.4: the 2xx that confirms an early dialog settles the route set. */
	if (m->status >= 200 && !d->confirmed && d->uac && m->method == SIP_INVITE) {
		if (sip_msg_hdr(m, SIP_H_RECORD_ROUTE) || !d->n_routes)
			routes_take(d, m, true);
		d->confirmed = true;
	}
	if (!contact_uri(m, &uri))
		target_set(d, uri);
}

static bool route_is_loose(const char *route)
{
	struct sip_nameaddr na;

	return !sip_nameaddr_parse(str_from_c(route), &na) && sip_uri_has_lr(&na.uri);
}

static struct str route_uri(const char *route)
{
	struct sip_nameaddr na;

	return sip_nameaddr_parse(str_from_c(route), &na) ? STR_NONE : na.uri.text;
}

struct str dialog_next_hop(const struct dialog *d)
{
	return d->n_routes ? route_uri(d->route[0]) : str_from_c(d->target);
}

static void header_put(struct buf *b, const char *name, struct str value)
{
	buf_puts(b, name);
	buf_puts(b, ": ");
	buf_put(b, value);
	buf_puts(b, "\r\n");
}

/* §12.2.1.1: a strict router gets its own URI as Request-URI and the target as the last Route. */
static void routing_put(struct buf *b, const struct dialog *d, struct str method, struct str via)
{
	bool strict = d->n_routes && !route_is_loose(d->route[0]);

	buf_put(b, method);
	buf_putc(b, ' ');
	buf_put(b, strict ? route_uri(d->route[0]) : str_from_c(d->target));
	buf_puts(b, " SIP/2.0\r\n");
	if (via.l)
		header_put(b, "Via", via);
	for (unsigned i = strict; i < d->n_routes; i++)
		header_put(b, "Route", str_from_c(d->route[i]));
	if (strict) {
		buf_puts(b, "Route: <");
		buf_puts(b, d->target);
		buf_puts(b, ">\r\n");
	}
}

static uint32_t cseq_take(struct dialog *d, struct str method, uint32_t cseq)
{
	bool of_invite = str_eq_c(method, "ACK") || str_eq_c(method, "CANCEL");

	if (of_invite)
		return cseq ? cseq : d->invite_cseq;
	if (!cseq)
		cseq = d->local_cseq + 1;
	if (cseq > d->local_cseq)
		d->local_cseq = cseq;
	if (str_eq_c(method, "INVITE"))
		d->invite_cseq = cseq;
	return cseq;
}

struct bytes *dialog_request_make(struct dialog *d, struct str method, uint32_t cseq, struct str via, struct str headers,
				  struct str content_type, struct str body)
{
	struct buf b;

	buf_init(&b, DIALOG_MAX_REQUEST);
	routing_put(&b, d, method, via);
	header_put(&b, "Max-Forwards", STR("70"));
	header_put(&b, "From", str_from_c(d->local));
	header_put(&b, "To", str_from_c(d->remote));
	header_put(&b, "Call-ID", dialog_call_id(d));
	buf_printf(&b, "CSeq: %u %.*s\r\n", cseq_take(d, method, cseq), STR_ARG(method));
	buf_put(&b, headers);
	if (content_type.l && body.l)
		header_put(&b, "Content-Type", content_type);
	buf_printf(&b, "Content-Length: %zu\r\n\r\n", body.l);
	buf_put(&b, body);
	return buf_take(&b);
}

/* ---- kept ---- */

void dialog_keep(const struct dialog *d, struct dialog_kept *ret)
{
	*ret = (struct dialog_kept){
		.call_id = str_from_c(d->call_id), .local_tag = str_from_c(d->local_tag), .remote_tag = str_from_c(d->remote_tag),
		.local = str_from_c(d->local), .remote = str_from_c(d->remote), .target = str_from_c(d->target),
		.n_routes = d->n_routes, .local_cseq = d->local_cseq, .remote_cseq = d->remote_cseq, .invite_cseq = d->invite_cseq,
		.remote_cseq_known = d->remote_cseq_known, .confirmed = d->confirmed, .uac = d->uac,
	};
	for (unsigned i = 0; i < d->n_routes; i++)
		ret->route[i] = str_from_c(d->route[i]);
}

int dialog_restore(const struct dialog_kept *k, struct dialog **ret)
{
	struct sip_nameaddr na;
	struct dialog *d;
	int rc = 0;

	*ret = NULL;
	if (!k->call_id.l || !k->local_tag.l || !k->local.l || !k->remote.l || !k->target.l)
		return -EBADMSG;
	d = dialog_make(k->call_id, k->local_tag, k->remote_tag, k->remote);
	if (!d)
		return -ENOMEM;
	d->local_cseq = k->local_cseq;
	d->remote_cseq = k->remote_cseq;
	d->invite_cseq = k->invite_cseq;
	d->remote_cseq_known = k->remote_cseq_known;
	d->confirmed = k->confirmed;
	d->uac = k->uac;
	d->local = str_dup(k->local);
	rc = d->local ? target_set(d, k->target) : -ENOMEM;
	for (unsigned i = 0; rc == 0 && i < k->n_routes; i++) {
		if (sip_nameaddr_parse(k->route[i], &na) < 0)
			rc = -EBADMSG;
		else if (!(d->route[d->n_routes] = str_dup(k->route[i])))
			rc = -ENOMEM;
		else
			d->n_routes++;
	}
	if (rc < 0) {
		dialog_free(d);
		return rc;
	}
	*ret = d;
	return 0;
}
