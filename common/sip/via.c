/* common/sip/via.c - Via and CSeq values: RFC 3261 §20.42, §20.16, §25.1; rport: RFC 3581. */
#include <errno.h>
#include "common/sip/lines.h"
#include "common/sip/private.h"

#define CSEQ_MAX 0x7fffffffu		/* RFC 3261 §8.1.1.5: less than 2**31 */

static bool name_and_version(struct str *rest)
{
	struct str part[2];

	for (int k = 0; k < 2; k++) {
		if (!str_cut(*rest, '/', &part[k], rest))
			return false;
		part[k] = str_trim(part[k]);
	}
	return str_ieq(part[0], STR("SIP")) && sip_is_token(part[1]);
}

/* sent-protocol = name SLASH version SLASH transport; blanks may stand around each SLASH. */
static bool sent_protocol(struct str *rest, struct sip_via *v)
{
	size_t i;

	if (rest->l > 8 && memcmp(rest->p, "SIP/2.0/", 8) == 0)		/* nearly always */
		*rest = str_from(*rest, 8);
	else if (!name_and_version(rest))
		return false;
	*rest = str_trim(*rest);
	for (i = 0; i < rest->l && !sip_is_blank(rest->p[i]); i++)
		;
	v->proto_text = str_head(*rest, i);
	if (!sip_is_token(v->proto_text))
		return false;
	v->proto_ok = sip_proto_from_name(v->proto_text, &v->proto) == 0;
	*rest = str_trim(str_from(*rest, i));
	return true;
}

static bool sent_by(struct str s, struct sip_via *v)
{
	struct str port = STR_NONE, tail;
	struct addr a;
	uint32_t n;
	ssize_t i;

	s = str_trim(s);
	if (s.l && s.p[0] == '[') {
		i = str_chr(s, ']');
		if (i < 0)
			return false;
		v->host = str_head(s, (size_t)i + 1);
		tail = str_trim(str_from(s, (size_t)i + 1));
		if (addr_parse(v->host, 0, &a) < 0 || (tail.l && tail.p[0] != ':'))
			return false;
		if (tail.l == 0)
			return true;
		port = str_from(tail, 1);
	} else {
		bool have_port = str_cut(s, ':', &v->host, &port);

		v->host = str_trim(v->host);
		if (v->host.l == 0 || !scan_all(&sip_host_chars, v->host))
			return false;
		if (!have_port)
			return true;
	}
	if (str_to_u32(str_trim(port), &n) < 0 || n == 0 || n > 65535)
		return false;
	v->port = (uint16_t)n;
	return true;
}

int sip_via_parse_lenient(struct str value, struct sip_via *ret, bool *ret_clean)
{
	struct sip_via v = { 0 };
	struct str rest = str_trim(value), by, name, val;
	bool more;
	uint32_t n;

	*ret_clean = true;
	if (!sent_protocol(&rest, &v))
		return -EBADMSG;
	more = str_cut(rest, ';', &by, &rest);
	if (!sent_by(by, &v))
		return -EBADMSG;
	v.params = rest = str_trim(rest);
	/* Empty parameters (";;") are outside the grammar. */
	if (more && rest.l == 0)
		*ret_clean = false;
	while (rest.l) {
		const char *at = rest.p;

		if (!sip_param_next(&rest, &name, &val)) {
			*ret_clean = false;
			break;
		}
		if (memchr(at, ';', (size_t)(name.p - at)))
			*ret_clean = false;
		if (!sip_is_token(name)) {
			*ret_clean = false;
		} else if (name.l == 6 && str_ieq(name, STR("branch"))) {
			v.branch = val;
			*ret_clean &= val.l == 0 || sip_is_token(val);
		} else if (name.l == 8 && str_ieq(name, STR("received"))) {
			v.received = val;
		} else if (name.l == 5 && str_ieq(name, STR("rport"))) {
			v.has_rport = true;
			if (val.l && (str_to_u32(val, &n) < 0 || n > 65535))
				*ret_clean = false;
			else
				v.rport = val.l ? (uint16_t)n : 0;
		}
	}
	if (v.params.l && (v.params.p[v.params.l - 1] == ';' || !sip_quotes_closed(v.params)))
		*ret_clean = false;
	*ret = v;
	return 0;
}

int sip_via_parse(struct str value, struct sip_via *ret)
{
	struct sip_via v;
	bool clean;

	if (sip_via_parse_lenient(value, &v, &clean) < 0 || !clean)
		return -EBADMSG;
	*ret = v;
	return 0;
}

int sip_cseq_parse(struct str value, uint32_t *ret_n, struct str *ret_method)
{
	size_t i = 0;
	struct str method;
	uint32_t n;
	int rc;

	value = str_trim(value);
	while (i < value.l && value.p[i] >= '0' && value.p[i] <= '9')
		i++;
	if (i == 0 || i == value.l || !sip_is_blank(value.p[i]))
		return -EBADMSG;
	method = str_trim(str_from(value, i));
	if (!sip_is_token(method))
		return -EBADMSG;
	rc = str_to_u32(str_head(value, i), &n);
	if (rc < 0 || n > CSEQ_MAX)
		return -ERANGE;
	*ret_n = n;
	*ret_method = method;
	return 0;
}
