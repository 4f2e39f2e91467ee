/* common/sip/oc.c - see oc.h.  RFC 7339 §4.1 to §4.4, §5.1 to §5.4. */
#include <errno.h>
#include "common/sip/lines.h"
#include "common/sip/oc.h"

static bool lists_loss(struct str algos)
{
	struct str rest = sip_unquote(algos), one;

	while (sip_list_next(&rest, &one))
		if (str_ieq(one, STR("loss")))
			return true;
	return false;
}

bool sip_oc_asked(const struct sip_via *v)
{
	struct str value, algos;

	return sip_param_get(v->params, "oc", &value) && sip_param_get(v->params, "oc-algo", &algos) && lists_loss(algos);
}

/* "1282321615.782": the fraction may have any length. */
static int seq_read(struct str s, uint64_t *ret)
{
	struct str whole, fraction;
	uint64_t n, ms = 0;

	str_cut(s, '.', &whole, &fraction);
	if (str_to_u64(whole, &n) < 0 || n > UINT64_MAX / 1000 - 1)
		return -EBADMSG;
	for (size_t i = 0; i < 3; i++) {
		char c = i < fraction.l ? fraction.p[i] : '0';

		if (c < '0' || c > '9')
			return -EBADMSG;
		ms = 10 * ms + (uint64_t)(c - '0');
	}
	*ret = n * 1000 + ms;
	return 0;
}

int sip_oc_read(const struct sip_via *v, struct sip_oc *ret)
{
	struct sip_oc oc = { .validity_ms = SIP_OC_VALIDITY_MS };
	struct str value;
	uint32_t n;

	if (!sip_param_get(v->params, "oc", &value) || !value.l)
		return -ENOENT;
	if (str_to_u32(value, &n) < 0 || n > 100)
		return -EBADMSG;
	oc.percent = n;
	if (sip_param_get(v->params, "oc-algo", &value) && !lists_loss(value))
		return -EBADMSG;		/* the number means something else */
	if (sip_param_get(v->params, "oc-validity", &value) && str_to_u32(value, &oc.validity_ms) < 0)
		return -EBADMSG;
	if (oc.validity_ms > SIP_OC_VALIDITY_MAX_MS)
		oc.validity_ms = SIP_OC_VALIDITY_MAX_MS;
	if (sip_param_get(v->params, "oc-seq", &value) && seq_read(value, &oc.seq) < 0)
		return -EBADMSG;
	*ret = oc;
	return 0;
}

static void put_via(struct buf *b, struct str via, const struct sip_oc *oc)
{
	struct str head, rest, name, value;
	bool more = str_cut(via, ';', &head, &rest);

	buf_put(b, str_trim(head));
	while (more && sip_param_next(&rest, &name, &value)) {
		if (str_ieq(name, STR("oc")) || str_istarts(name, STR("oc-")))
			continue;
		buf_putc(b, ';');
		buf_put(b, name);
		if (value.l) {
			buf_putc(b, '=');
			buf_put(b, value);
		}
	}
	buf_printf(b, ";oc=%u;oc-algo=\"loss\";oc-validity=%u;oc-seq=%llu.%03u", oc->percent, oc->validity_ms,
		   (unsigned long long)(oc->seq / 1000), (unsigned)(oc->seq % 1000));
}

struct bytes *sip_oc_stamp(struct str wire, const struct sip_oc *oc)
{
	struct str name, value, top;
	struct sip_lines lines;
	struct sip_line line;
	enum sip_hdr_id id;
	size_t value_at;
	struct buf b;

	sip_lines_init(&lines, wire);
	while (sip_lines_next(&lines, &line) && line.text.l) {
		if (!sip_line_split(line.text, &name, &value, &id) || id != SIP_H_VIA || !sip_list_next(&value, &top))
			continue;
		value_at = (size_t)(top.p - wire.p);
		buf_init(&b, SIP_MSG_MAX_BYTES);
		buf_put(&b, str_head(wire, value_at));
		put_via(&b, top, oc);
		buf_put(&b, str_from(wire, value_at + top.l));
		return buf_take(&b);
	}
	return NULL;
}
