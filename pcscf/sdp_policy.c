/* pcscf/sdp_policy.c - see sdp_policy.h. */
#include "common/sip/body.h"
#include "common/sip/media.h"
#include "pcscf/sdp_policy.h"

#define WARN_TYPE 304u			/* media type not available */
#define WARN_FORMAT 305u		/* incompatible media format */
#define WARN_MISC 399u
#define WARN_BANDWIDTH 370u		/* insufficient bandwidth */

/* They carry no media of their own, whatever is allowed. */
static const char *const helpers[] = { "telephone-event", "CN", "red", "rtx", "ulpfec", "flexfec" };

static int type_named(struct str name)
{
	for (int t = MEDIA_AUDIO; t <= MEDIA_OTHER; t++)
		if (str_ieq_c(name, media_type_name((enum media_type)t)))
			return t;
	return -1;
}

void sdp_policy_check_config(const struct cfg_node *r, struct buf *errors)
{
	for (size_t i = 0; i < cfg_list_len(r, "access.media.types"); i++)
		if (type_named(cfg_strs_at(r, "access.media.types", i)) < 0)
			cfg_error(r, "access.media.types", errors, "access.media.types: %.*s is no type of media",
				  STR_ARG(cfg_strs_at(r, "access.media.types", i)));
	for (size_t i = 0; i < cfg_list_len(r, "access.media.codecs"); i++)
		if (str_chr(cfg_strs_at(r, "access.media.codecs", i), '/') <= 0)
			cfg_error(r, "access.media.codecs", errors, "access.media.codecs: %.*s is not NAME/CLOCK (\"AMR-WB/16000\")",
				  STR_ARG(cfg_strs_at(r, "access.media.codecs", i)));
	if (cfg_list_len(r, "access.media.codecs") > SDP_POLICY_MAX_CODECS)
		cfg_error(r, "access.media.codecs", errors, "access.media.codecs: more than %u entries", SDP_POLICY_MAX_CODECS);
}

void sdp_policy_read(struct sdp_policy *p, const struct cfg_node *r)
{
	for (size_t i = 0; i < cfg_list_len(r, "access.media.types"); i++) {
		int t = type_named(cfg_strs_at(r, "access.media.types", i));

		p->types |= t < 0 ? 0 : 1u << t;
	}
	for (size_t i = 0; i < cfg_list_len(r, "access.media.codecs") && p->n_codecs < SDP_POLICY_MAX_CODECS; i++)
		p->codec[p->n_codecs++] = cfg_strs_at(r, "access.media.codecs", i);
	p->max_kbps = (uint32_t)cfg_int(r, "access.media.max_kbps");
}

/* Name and clock; a number of channels does not matter. */
static bool is_allowed(const struct sdp_policy *p, struct str codec)
{
	struct str name, clock, rest;

	str_cut(codec, '/', &name, &rest);
	str_cut(rest, '/', &clock, &rest);
	for (size_t i = 0; i < sizeof(helpers) / sizeof(helpers[0]); i++)
		if (str_ieq_c(name, helpers[i]))
			return true;
	for (unsigned i = 0; i < p->n_codecs; i++) {
		struct str want, want_clock;

		str_cut(p->codec[i], '/', &want, &want_clock);
		if (str_ieq(name, want) && str_eq(clock, want_clock))
			return true;
	}
	return false;
}

static bool fault(struct sdp_fault *reterr, unsigned warning, const char *why)
{
	*reterr = (struct sdp_fault){ warning, why };
	return false;
}

static bool has_only_allowed(const struct sdp_policy *p, const struct sdp_media *m, struct sdp_fault *reterr)
{
	struct str rest = m->formats, format;
	unsigned n = 0;

	if (!p->n_codecs || str_ifind(m->proto, STR("RTP/")) < 0)
		return true;
	while (rest.l) {
		str_cut(rest, ' ', &format, &rest);
		if (!format.l)
			continue;
		if (++n > SDP_POLICY_MAX_FORMATS)
			return fault(reterr, WARN_MISC, "too many media formats");
		if (!is_allowed(p, sdp_codec(m->text, format)))
			return fault(reterr, WARN_FORMAT, "codec not allowed");
	}
	return true;
}

bool sdp_policy_allows(const struct sdp_policy *p, struct str text, struct sdp_fault *reterr)
{
	struct sdp s;

	if ((!p->types && !p->n_codecs && !p->max_kbps) || !text.l)
		return true;
	if (sdp_parse(text, &s, NULL) < 0)		/* what cannot be judged would be a way past all limits */
		return fault(reterr, WARN_MISC, "session description cannot be read");
	for (unsigned i = 0; i < s.n_media; i++) {
		const struct sdp_media *m = &s.media[i];
		int t = type_named(m->type);

		if (m->port == 0)
			continue;
		if (p->types && !(p->types & 1u << (t < 0 ? (int)MEDIA_OTHER : t)))
			return fault(reterr, WARN_TYPE, "media type not allowed");
		if (!has_only_allowed(p, m, reterr))
			return false;
		if (p->max_kbps && m->as_kbps != UINT32_MAX && m->as_kbps > p->max_kbps)
			return fault(reterr, WARN_BANDWIDTH, "too much bandwidth");
	}
	return true;
}

struct str sdp_policy_body(const struct sdp_policy *p, struct arena *a)
{
	static const char *const names[] = { "audio", "video", "data", "application", "control", "text", "message", "image" };
	struct arena_text t = arena_text(a);

	arena_text_put(&t, STR("v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n"));
	for (int k = MEDIA_AUDIO; k <= MEDIA_OTHER; k++) {
		if (p->types ? !(p->types & 1u << k) : k > MEDIA_VIDEO)
			continue;
		arena_text_put(&t, arena_printf(a, "m=%s 0 RTP/AVP", names[k]));
		for (unsigned i = 0; i < (p->n_codecs ? p->n_codecs : 1); i++)
			arena_text_put(&t, arena_printf(a, " %u", 96 + i));
		arena_text_put(&t, STR("\r\n"));
		if (p->max_kbps)
			arena_text_put(&t, arena_printf(a, "b=AS:%u\r\n", p->max_kbps));
		for (unsigned i = 0; i < p->n_codecs; i++)
			arena_text_put(&t, arena_printf(a, "a=rtpmap:%u %.*s\r\n", 96 + i, STR_ARG(p->codec[i])));
	}
	return arena_text_str(&t);
}

struct str sdp_of_message(const struct sip_msg *m)
{
	struct body_part p;

	return m->body.l && body_find(m, "application/sdp", &p) ? p.text : STR_NONE;
}

/* A replaced body keeps its Content-Type. */
struct str sdp_of_plan(const struct sip_out *o)
{
	struct body_part all, p;

	if (!o->body_set)
		return sdp_of_message(o->m);
	body_of(o->m, &all);
	all.text = o->body;
	return all.text.l && body_find_in(&all, "application/sdp", &p) ? p.text : STR_NONE;
}
