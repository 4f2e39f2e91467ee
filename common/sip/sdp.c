/* common/sip/sdp.c - session descriptions: RFC 4566 §5, RFC 3605 (rtcp), RFC 3556 (RS, RR), RFC 3312 (preconditions). */
#include <errno.h>
#include "common/sip/sdp.h"

struct reader {
	struct sdp *s;
	struct sdp_media *m;		/* NULL: still in the session part */
	enum sdp_dir session_dir;
	uint32_t session_rs, session_rr;
};

static const struct {
	const char *name;
	enum sdp_dir dir;
} dirs[] = { { "sendrecv", SDP_SENDRECV }, { "sendonly", SDP_SENDONLY }, { "recvonly", SDP_RECVONLY }, { "inactive", SDP_INACTIVE } };

/* Cuts the next word. */
static struct str word(struct str *rest)
{
	struct str w;

	str_cut(*rest, ' ', &w, rest);
	return w;
}

/* c=IN IP4 10.0.0.1[/ttl] */
static int read_conn(struct reader *r, struct str v)
{
	struct str net = word(&v), type = word(&v), addr, ttl;
	bool ip6 = str_eq(type, STR("IP6"));

	str_cut(word(&v), '/', &addr, &ttl);
	if (!str_eq(net, STR("IN")) || (!ip6 && !str_eq(type, STR("IP4"))) || addr.l == 0)
		return -EBADMSG;
	if (r->m) {
		r->m->conn = addr;
		r->m->conn_ip6 = ip6;
	} else {
		r->s->session_conn = addr;
		r->s->session_conn_ip6 = ip6;
	}
	return 0;
}

/* b=AS:49; unknown modifiers are fine, a line without a colon is not (CVE class of REG-12). */
static int read_bandwidth(struct reader *r, struct str v)
{
	struct str kind, value;
	uint32_t n;

	if (!str_cut(v, ':', &kind, &value) || str_to_u32(value, &n) < 0)
		return -EBADMSG;
	if (str_eq(kind, STR("AS")))
		*(r->m ? &r->m->as_kbps : &r->s->as_kbps) = n;
	else if (str_eq(kind, STR("RS")))
		*(r->m ? &r->m->rs_bps : &r->session_rs) = n;
	else if (str_eq(kind, STR("RR")))
		*(r->m ? &r->m->rr_bps : &r->session_rr) = n;
	return 0;
}

/* "qos local sendrecv" or "qos mandatory local sendrecv" */
static void read_precondition(struct sdp_media *m, struct str v, bool curr)
{
	struct str rest = v, type = word(&rest), strength = STR_NONE, status, all;

	if (!str_eq(type, STR("qos")))
		return;
	all = rest;
	if (!curr)
		strength = word(&rest);
	status = word(&rest);
	if (str_eq(status, STR("local")) || str_eq(status, STR("e2e")))
		*(curr ? &m->curr_local : &m->des_local) = curr ? rest : all;
	else if (str_eq(status, STR("remote")))
		*(curr ? &m->curr_remote : &m->des_remote) = curr ? rest : all;
	(void)strength;
}

static int read_attribute(struct reader *r, struct str v)
{
	struct str name, value;
	uint32_t n;

	str_cut(v, ':', &name, &value);
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		if (str_eq_c(name, dirs[i].name))
			*(r->m ? &r->m->dir : &r->session_dir) = dirs[i].dir;
	if (!r->m)
		return 0;
	if (str_eq(name, STR("rtcp-mux"))) {
		r->m->rtcp_mux = true;
	} else if (str_eq(name, STR("rtcp"))) {
		if (str_to_u32(word(&value), &n) < 0 || n > 65535)
			return -EBADMSG;
		r->m->rtcp_port = n;
	} else if (str_eq(name, STR("curr"))) {
		read_precondition(r->m, value, true);
	} else if (str_eq(name, STR("des"))) {
		read_precondition(r->m, value, false);
	}
	return 0;
}

/* m=audio 49170[/2] RTP/AVP 0 8 */
static int read_media(struct reader *r, struct str v, struct str line)
{
	struct str port, count;
	struct sdp_media *m;

	if (r->s->n_media == SDP_MAX_MEDIA)
		return -ENOSPC;
	m = &r->s->media[r->s->n_media];
	*m = (struct sdp_media){ .n_ports = 1, .as_kbps = UINT32_MAX, .rs_bps = r->session_rs, .rr_bps = r->session_rr,
				 .dir = r->session_dir, .conn = r->s->session_conn, .conn_ip6 = r->s->session_conn_ip6 };
	m->type = word(&v);
	str_cut(word(&v), '/', &port, &count);
	m->proto = word(&v);
	m->formats = v;
	m->text = line;
	if (m->type.l == 0 || m->proto.l == 0 || m->formats.l == 0 || str_to_u32(port, &m->port) < 0 || m->port > 65535 ||
	    (count.l && (str_to_u32(count, &m->n_ports) < 0 || m->n_ports == 0 || m->n_ports > 32767)))
		return -EBADMSG;
	m->rtcp_port = m->port && m->port < 65535 ? m->port + 1 : 0;
	r->s->n_media++;
	r->m = m;
	return 0;
}

static int read_line(struct reader *r, struct str line)
{
	struct str v;

	if (line.l < 2 || line.p[1] != '=' || line.p[0] < 'a' || line.p[0] > 'z')
		return -EBADMSG;
	v = str_from(line, 2);
	switch (line.p[0]) {
	case 'o':
		r->s->origin = v;
		return 0;
	case 'c':
		return read_conn(r, v);
	case 'b':
		return read_bandwidth(r, v);
	case 'a':
		return read_attribute(r, v);
	case 'm':
		return read_media(r, v, line);
	default:
		return 0;
	}
}

int sdp_parse(struct str body, struct sdp *ret, size_t *reterr_off)
{
	struct reader r = { .s = ret, .session_rs = UINT32_MAX, .session_rr = UINT32_MAX };
	struct str rest = body, line;
	bool first = true;
	int rc = 0;

	*ret = (struct sdp){ .as_kbps = UINT32_MAX };
	if (body.l > SDP_MAX_BYTES)
		return -ENOSPC;
	while (rc == 0 && rest.l) {
		str_cut(rest, '\n', &line, &rest);
		if (line.l && line.p[line.l - 1] == '\r')
			line.l--;
		if (line.l == 0 && rest.l == 0)
			break;
		rc = first && !str_eq(line, STR("v=0")) ? -EBADMSG : read_line(&r, line);
		first = false;
		if (r.m && rc == 0)
			r.m->text.l = (size_t)(line.p + line.l - r.m->text.p);
	}
	if (rc == 0 && first) {
		line = body;
		rc = -EBADMSG;
	}
	if (rc < 0 && reterr_off)
		*reterr_off = line.l ? (size_t)(line.p - body.p) : 0;
	return rc;
}

bool sdp_attr_next(struct str block, const char *name, size_t *pos, struct str *ret_value)
{
	struct str rest, line, n;

	if (*pos >= block.l)
		return false;
	rest = str_from(block, *pos);
	while (rest.l) {
		str_cut(rest, '\n', &line, &rest);
		*pos = rest.l ? (size_t)(rest.p - block.p) : block.l;
		line = str_trim(line);
		if (!str_starts(line, STR("a=")))
			continue;
		str_cut(str_from(line, 2), ':', &n, ret_value);
		if (str_eq_c(n, name))
			return true;
	}
	return false;
}

struct str sdp_codec(struct str block, struct str format)
{
	static const struct {
		const char *format, *codec;
	} fixed[] = { { "0", "PCMU/8000" }, { "3", "GSM/8000" }, { "4", "G723/8000" }, { "8", "PCMA/8000" }, { "9", "G722/8000" },
		      { "13", "CN/8000" }, { "18", "G729/8000" }, { "34", "H263/90000" } };
	struct str v, type, codec;
	size_t pos = 0;

	while (sdp_attr_next(block, "rtpmap", &pos, &v)) {
		str_cut(v, ' ', &type, &codec);
		if (str_eq(type, format))
			return codec;
	}
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		if (str_eq_c(format, fixed[i].format))
			return str_from_c(fixed[i].codec);
	return STR_NONE;
}
