/* common/sip/values.c - looking into a parsed message: headers by id, lists, numbers.  RFC 3261 §7.3.1. */
#include <errno.h>
#include "common/sip/private.h"

const struct sip_hdr *sip_msg_hdr(const struct sip_msg *m, enum sip_hdr_id id)
{
	return !sip_msg_wake(m) || m->first[id] == SIP_NO_HDR ? NULL : &m->hdrs[m->first[id]];
}

const struct sip_hdr *sip_msg_hdr_next(const struct sip_msg *m, const struct sip_hdr *h)
{
	return h->next == SIP_NO_HDR ? NULL : &m->hdrs[h->next];
}

const struct sip_hdr *sip_msg_hdr_by_name(const struct sip_msg *m, const char *name)
{
	struct str want = str_from_c(name);
	enum sip_hdr_id id = sip_hdr_id_from_name(want);
	const struct sip_hdr *h = sip_msg_hdr(m, id);

	if (id == SIP_H_OTHER)
		while (h && !str_ieq(sip_msg_hdr_name(m, h), want))
			h = sip_msg_hdr_next(m, h);
	return h;
}

struct sip_values sip_values(const struct sip_msg *m, enum sip_hdr_id id)
{
	const struct sip_hdr *h = sip_msg_hdr(m, id);

	return (struct sip_values){ .m = m, .h = h, .rest = h ? sip_msg_hdr_value(m, h) : STR_NONE };
}

bool sip_values_next(struct sip_values *v, struct str *ret)
{
	while (v->h) {
		if (sip_list_next(&v->rest, ret))
			return true;
		v->h = sip_msg_hdr_next(v->m, v->h);
		v->rest = v->h ? sip_msg_hdr_value(v->m, v->h) : STR_NONE;
	}
	return false;
}

unsigned sip_values_count(const struct sip_msg *m, enum sip_hdr_id id)
{
	struct sip_values v = sip_values(m, id);
	struct str one;
	unsigned n = 0;

	while (sip_values_next(&v, &one))
		n++;
	return n;
}

bool sip_msg_has_token(const struct sip_msg *m, enum sip_hdr_id id, const char *token)
{
	struct sip_values v = sip_values(m, id);
	struct str one, want = str_from_c(token);

	while (sip_values_next(&v, &one))
		if (str_ieq(one, want))
			return true;
	return false;
}

int sip_msg_u32(const struct sip_msg *m, enum sip_hdr_id id, uint32_t *ret)
{
	const struct sip_hdr *h = sip_msg_hdr(m, id);
	struct str v;
	size_t i = 0;

	if (!h)
		return -ENOENT;
	v = sip_msg_hdr_value(m, h);
	/* A parameter, a comment (Retry-After: RFC 3261 §20.33) or blanks may follow. */
	while (i < v.l && v.p[i] != ';' && v.p[i] != '(' && v.p[i] != ' ' && v.p[i] != '\t')
		i++;
	for (size_t k = i; k < v.l && v.p[k] != ';' && v.p[k] != '('; k++)
		if (v.p[k] != ' ' && v.p[k] != '\t')
			return -EBADMSG;
	return str_to_u32(str_head(v, i), ret) < 0 ? -EBADMSG : 0;
}
