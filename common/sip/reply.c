/* common/sip/reply.c - messages we make ourselves: responses (RFC 3261 §8.2.6, §18.2.1; RFC 3581 §4), the ACK of a
 * failed INVITE (§17.1.1.3) and CANCEL (§9.1). */
#include <stdlib.h>
#include "common/sip/lines.h"
#include "common/sip/out_private.h"

#define MAX_FORWARDS_START 70u		/* RFC 3261 §8.1.1.6 */

static void put_clean(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.l;) {
		size_t n = i;

		while (n < s.l && s.p[n] != '\r' && s.p[n] != '\n')
			n++;
		buf_put(b, str_make(s.p + i, n - i));
		if (n < s.l)
			buf_putc(b, ' ');
		i = n + 1;
	}
}

static void put_line(struct buf *b, enum sip_hdr_id id, struct str value)
{
	buf_put(b, sip_hdr_name(id));
	buf_puts(b, ": ");
	put_clean(b, value);
	buf_puts(b, "\r\n");
}

struct str sip_via_fixed(const struct sip_msg *m, struct str value, bool vouch, struct arena *a)
{
	const struct sip_via *v = &m->via;
	struct str rest, head, name, val, host;
	struct addr sent_by;
	char text[ADDR_STRLEN], digits[SIP_DECIMAL_MAX], *to;
	bool same, cut, rport_done = false;
	size_t n, room;

	if (!addr_is_set(&m->flow.remote))
		return value;
	same = addr_parse(v->host, 0, &sent_by) == 0 && addr_host_eq(&sent_by, &m->flow.remote);
	if (same && !v->has_rport && v->received.l == 0 && !vouch)
		return value;
	addr_host(&m->flow.remote, text);
	host = str_from_c(text);
	if (host.l && host.p[0] == '[')			/* received = IPv6address, without brackets: §25.1 */
		host = str_make(host.p + 1, host.l - 2);
	room = value.l + host.l + 32;
	to = arena_alloc(a, room);
	if (!to)
		return STR_NONE;
	cut = str_cut(value, ';', &head, &rest);
	memcpy(to, head.p, head.l);
	n = head.l;
	while (cut && sip_param_next(&rest, &name, &val)) {
		bool rport = str_ieq(name, STR("rport"));

		if (str_ieq(name, STR("received")) || (rport && rport_done))
			continue;			/* theirs proves nothing */
		if (rport) {
			val = sip_decimal(addr_port(&m->flow.remote), digits);
			rport_done = true;
		}
		to[n++] = ';';
		memcpy(to + n, name.p, name.l);
		n += name.l;
		if (val.l) {
			to[n++] = '=';
			memcpy(to + n, val.p, val.l);
			n += val.l;
		}
	}
	if (!same || v->has_rport || vouch) {
		memcpy(to + n, ";received=", 10);
		memcpy(to + n + 10, host.p, host.l);
		n += 10 + host.l;
	}
	return str_make(to, n);
}

static void put_vias(struct buf *b, const struct sip_msg *req)
{
	for (const struct sip_hdr *h = sip_msg_hdr(req, SIP_H_VIA), *first = h; h; h = sip_msg_hdr_next(req, h)) {
		struct str rest = sip_msg_hdr_value(req, h), top, fixed;

		if (h != first || !sip_list_next(&rest, &top)) {
			put_line(b, SIP_H_VIA, sip_msg_hdr_value(req, h));
			continue;
		}
		fixed = sip_via_fixed(req, top, false, req->arena);
		if (!fixed.p)
			b->failed = true;
		buf_puts(b, "Via: ");
		buf_put(b, fixed);
		rest = str_trim(rest);
		if (rest.l) {
			buf_puts(b, ", ");
			buf_put(b, rest);
		}
		buf_puts(b, "\r\n");
	}
}

static void put_first(struct buf *b, const struct sip_msg *m, enum sip_hdr_id id)
{
	const struct sip_hdr *h = sip_msg_hdr(m, id);

	if (h)
		put_line(b, id, sip_msg_hdr_value(m, h));
}

struct bytes *sip_reply_make(const struct sip_msg *req, unsigned status, const char *reason, struct str to_tag,
			     struct str extra, struct str content_type, struct str body)
{
	const struct sip_hdr *to;
	struct buf b;

	if (!sip_msg_wake(req))
		return NULL;
	to = sip_msg_hdr(req, SIP_H_TO);
	buf_init(&b, SIP_MSG_MAX_BYTES);
	buf_puts(&b, "SIP/2.0 ");
	buf_putu(&b, status);
	buf_putc(&b, ' ');
	put_clean(&b, str_from_c(reason ? reason : sip_reason_phrase(status)));
	buf_puts(&b, "\r\n");
	put_vias(&b, req);
	put_first(&b, req, SIP_H_FROM);
	if (to) {
		buf_puts(&b, "To: ");
		buf_put(&b, sip_msg_hdr_value(req, to));
		if (to_tag.l && status > 100 && req->to_tag.l == 0) {
			buf_puts(&b, ";tag=");
			put_clean(&b, to_tag);
		}
		buf_puts(&b, "\r\n");
	}
	put_first(&b, req, SIP_H_CALL_ID);
	put_first(&b, req, SIP_H_CSEQ);
	if (status == 100)
		put_first(&b, req, SIP_H_TIMESTAMP);
	buf_put(&b, extra);
	if (content_type.l)
		put_line(&b, SIP_H_CONTENT_TYPE, content_type);
	buf_puts(&b, "Content-Length: ");
	buf_putu(&b, body.l);
	buf_puts(&b, "\r\n\r\n");
	buf_put(&b, body);
	return buf_take(&b);
}

/* A request in the INVITE's transaction: same Request-URI, top Via, From, Call-ID, CSeq number and Routes. */
static struct bytes *sibling(struct str invite_wire, const char *method, const struct sip_msg *response, struct str reason)
{
	struct sip_msg *invite;
	struct sip_parse_error err;
	struct bytes *ret = NULL;
	struct sip_values vias;
	struct str top;
	struct buf b;

	if (sip_msg_parse_copy(invite_wire, NULL, &invite, &err) < 0) {
		sip_msg_unref(invite);
		return NULL;
	}
	buf_init(&b, SIP_MSG_MAX_BYTES);
	buf_puts(&b, method);
	buf_putc(&b, ' ');
	buf_put(&b, invite->ruri_text);
	buf_puts(&b, " SIP/2.0\r\n");
	vias = sip_values(invite, SIP_H_VIA);
	if (sip_values_next(&vias, &top))
		put_line(&b, SIP_H_VIA, top);
	buf_puts(&b, "Max-Forwards: ");
	buf_putu(&b, MAX_FORWARDS_START);
	buf_puts(&b, "\r\n");
	for (const struct sip_hdr *h = sip_msg_hdr(invite, SIP_H_ROUTE); h; h = sip_msg_hdr_next(invite, h))
		put_line(&b, SIP_H_ROUTE, sip_msg_hdr_value(invite, h));
	put_first(&b, invite, SIP_H_FROM);
	put_first(&b, response && sip_msg_hdr(response, SIP_H_TO) ? response : invite, SIP_H_TO);
	put_first(&b, invite, SIP_H_CALL_ID);
	buf_puts(&b, "CSeq: ");
	buf_putu(&b, invite->cseq);
	buf_putc(&b, ' ');
	buf_puts(&b, method);
	buf_puts(&b, "\r\n");
	if (reason.l)
		put_line(&b, SIP_H_REASON, reason);
	buf_puts(&b, "Content-Length: 0\r\n\r\n");
	ret = buf_take(&b);
	sip_msg_unref(invite);
	return ret;
}

struct bytes *sip_ack_make(struct str invite_wire, const struct sip_msg *response)
{
	return sibling(invite_wire, "ACK", response, STR_NONE);
}

struct bytes *sip_cancel_make(struct str invite_wire, struct str reason)
{
	return sibling(invite_wire, "CANCEL", NULL, reason);
}

struct bytes *sip_invite_shrink(struct str invite_wire)
{
	return sibling(invite_wire, "INVITE", NULL, STR_NONE);
}
