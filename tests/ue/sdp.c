/* tests/ue/sdp.c - offers and answers of one audio stream.  RFC 3264 §5, §6; RFC 3312 §5; TS 24.229 §6.1.2, §6.1.3. */
#include <errno.h>
#include "common/util/rand.h"
#include "tests/ue/sdp.h"

#define DTMF_WB_PT 100			/* telephone-event at the clock of AMR-WB, and at 8000 */
#define DTMF_PT 101

/* AMR of RFC 4867 §4.3: CMR 15, one NO_DATA frame, bandwidth-efficient. */
static const struct codec codecs[] = {
	{ "AMR-WB", 16000, 96, "mode-change-capability=2;max-red=0", "\xf7\xc0", 2, 0 },
	{ "AMR", 8000, 97, "mode-change-capability=2;max-red=0", "\xf7\xc0", 2, 0 },
	{ "PCMA", 8000, 8, NULL, NULL, 160, 0xd5 },
	{ "PCMU", 8000, 0, NULL, NULL, 160, 0xff },
};
#define N_CODECS (sizeof(codecs) / sizeof(codecs[0]))

static const char *const dir_names[] = { "sendrecv", "sendonly", "recvonly", "inactive" };

const char *session_dir_name(enum sdp_dir d)
{
	return dir_names[d];
}

static bool dir_sends(enum sdp_dir d)
{
	return d == SDP_SENDRECV || d == SDP_SENDONLY;
}

static bool dir_receives(enum sdp_dir d)
{
	return d == SDP_SENDRECV || d == SDP_RECVONLY;
}

/* What we do when they declare `theirs`: RFC 3264 §6.1. */
static enum sdp_dir dir_meet(enum sdp_dir ours, enum sdp_dir theirs)
{
	bool send = dir_sends(ours) && dir_receives(theirs), receive = dir_receives(ours) && dir_sends(theirs);

	return send ? (receive ? SDP_SENDRECV : SDP_SENDONLY) : receive ? SDP_RECVONLY : SDP_INACTIVE;
}

void session_init(struct session *s, const struct addr *local, bool precond)
{
	*s = (struct session){ .local = *local, .precond = precond, .want = SDP_SENDRECV, .dir = SDP_SENDRECV };
	s->id = rand_u32();
}

bool session_sends(const struct session *s)
{
	return s->agreed && addr_is_set(&s->remote) && dir_sends(s->dir);
}

bool session_precond_met(const struct session *s)
{
	return !s->precond || (s->local_ready && s->remote_ready);
}

/* ---- writing ---- */

static void put_head(struct session *s, struct buf *b)
{
	char host[ADDR_STRLEN];
	struct str h = str_from_c(addr_host(&s->local, host));
	const char *type = s->local.sa.sa_family == AF_INET6 ? "IP6" : "IP4";

	if (h.l && h.p[0] == '[')
		h = str_make(h.p + 1, h.l - 2);
	buf_printf(b, "v=0\r\no=- %llu %u IN %s %.*s\r\ns=-\r\nc=IN %s %.*s\r\nt=0 0\r\n", (unsigned long long)s->id,
		   ++s->version, type, STR_ARG(h), type, STR_ARG(h));
}

static void put_map(struct buf *b, unsigned pt, const char *name, uint32_t rate, const char *fmtp)
{
	buf_printf(b, "a=rtpmap:%u %s/%u\r\n", pt, name, rate);
	if (fmtp)
		buf_printf(b, "a=fmtp:%u %s\r\n", pt, fmtp);
}

/* Segmented status: what we reserve ourselves is mandatory.  The far segment becomes so once we know that there is one. */
static void put_precond(const struct session *s, struct buf *b, bool answer)
{
	const char *far = s->agreed || answer ? "mandatory" : "optional";

	if (!s->precond)
		return;
	buf_printf(b, "a=curr:qos local %s\r\na=curr:qos remote %s\r\n", s->local_ready ? "sendrecv" : "none",
		   s->remote_ready ? "sendrecv" : "none");
	buf_printf(b, "a=des:qos mandatory local sendrecv\r\na=des:qos %s remote sendrecv\r\n", far);
	if (answer && !s->remote_ready)
		buf_puts(b, "a=conf:qos remote sendrecv\r\n");		/* RFC 3312 §7: tell us by UPDATE */
}

static void put_audio(const struct session *s, struct buf *b, enum sdp_dir dir, bool answer)
{
	buf_printf(b, "m=audio %u RTP/AVP", addr_port(&s->local));
	if (s->codec) {
		buf_printf(b, " %u", s->pt);
		if (s->dtmf_pt)
			buf_printf(b, " %u", s->dtmf_pt);
		buf_puts(b, "\r\n");
		put_map(b, s->pt, s->codec->name, s->codec->rate, s->codec->fmtp);
		if (s->dtmf_pt)
			put_map(b, s->dtmf_pt, "telephone-event", s->codec->rate, "0-15");
	} else {
		for (size_t i = 0; i < N_CODECS; i++)
			buf_printf(b, " %u", codecs[i].pt);
		buf_printf(b, " %u %u\r\n", DTMF_WB_PT, DTMF_PT);
		for (size_t i = 0; i < N_CODECS; i++)
			put_map(b, codecs[i].pt, codecs[i].name, codecs[i].rate, codecs[i].fmtp);
		put_map(b, DTMF_WB_PT, "telephone-event", 16000, "0-15");
		put_map(b, DTMF_PT, "telephone-event", 8000, "0-15");
	}
	buf_printf(b, "a=ptime:20\r\na=maxptime:240\r\na=%s\r\n", dir_names[dir]);
	put_precond(s, b, answer);
}

void session_offer(struct session *s, struct buf *b)
{
	put_head(s, b);
	put_audio(s, b, s->want, false);
}

/* ---- reading ---- */

/* name/rate of a payload type; the static ones of RFC 3551 need no a=rtpmap. */
static bool format_is(const struct sdp_media *m, struct str format, const char *name, uint32_t rate)
{
	struct str value, pt, rest, nm, clock, more;
	size_t pos = 0;
	uint32_t n;

	while (sdp_attr_next(m->text, "rtpmap", &pos, &value)) {
		str_cut(value, ' ', &pt, &rest);
		if (!str_eq(pt, format))
			continue;
		str_cut(str_trim(rest), '/', &nm, &rest);
		str_cut(rest, '/', &clock, &more);
		return str_ieq_c(nm, name) && str_to_u32(clock, &n) == 0 && n == rate;
	}
	for (size_t i = 0; i < N_CODECS; i++)
		if (codecs[i].pt < 96 && !strcmp(codecs[i].name, name))
			return str_to_u32(format, &n) == 0 && n == codecs[i].pt;
	return false;
}

static bool find_format(const struct sdp_media *m, const char *name, uint32_t rate, uint8_t *ret_pt)
{
	struct str rest = m->formats, f;
	uint32_t n;

	while (rest.l) {
		str_cut(rest, ' ', &f, &rest);
		if (f.l && format_is(m, f, name, rate) && str_to_u32(f, &n) == 0 && n < 128) {
			*ret_pt = (uint8_t)n;
			return true;
		}
	}
	return false;
}

/* The first of their formats that we speak. */
static bool choose_codec(struct session *s, const struct sdp_media *m)
{
	struct str rest = m->formats, f;
	uint32_t n;

	while (rest.l) {
		str_cut(rest, ' ', &f, &rest);
		for (size_t i = 0; i < N_CODECS; i++) {
			if (!f.l || !format_is(m, f, codecs[i].name, codecs[i].rate) || str_to_u32(f, &n) < 0 || n > 127)
				continue;
			s->codec = &codecs[i];
			s->pt = (uint8_t)n;
			if (!find_format(m, "telephone-event", codecs[i].rate, &s->dtmf_pt))
				s->dtmf_pt = 0;
			return true;
		}
	}
	return false;
}

static bool is_audio(const struct sdp_media *m)
{
	return str_eq(m->type, STR("audio")) && str_starts(m->proto, STR("RTP/AVP")) && m->port;
}

static void take_remote(struct session *s, const struct sdp_media *m)
{
	bool on_hold = str_eq(m->conn, STR("0.0.0.0"));		/* RFC 3264 §8.4, the old form of hold */

	memset(&s->remote, 0, sizeof(s->remote));
	if (!on_hold)
		(void)addr_parse(m->conn, (uint16_t)m->port, &s->remote);
	s->dir = dir_meet(s->want, on_hold ? SDP_INACTIVE : m->dir);
	if (!m->des_local.l && !m->des_remote.l && !m->curr_local.l) {
		s->precond = false;
		return;
	}
	s->remote_ready = str_eq(m->curr_local, STR("sendrecv"));
	s->precond = true;
}

bool session_offers_precond(struct str text)
{
	struct sdp sdp;

	if (sdp_parse(text, &sdp, NULL) < 0)
		return false;
	for (unsigned i = 0; i < sdp.n_media; i++)
		if (is_audio(&sdp.media[i]))
			return sdp.media[i].des_local.l || sdp.media[i].des_remote.l;
	return false;
}

int session_answer(struct session *s, struct str offer, struct buf *b)
{
	struct session next = *s;
	const struct sdp_media *audio = NULL;
	struct sdp sdp;

	if (sdp_parse(offer, &sdp, NULL) < 0)
		return -EBADMSG;
	for (unsigned i = 0; i < sdp.n_media && !audio; i++)
		if (is_audio(&sdp.media[i]) && choose_codec(&next, &sdp.media[i]))
			audio = &sdp.media[i];
	if (!audio)
		return -ENOTSUP;
	take_remote(&next, audio);
	if (!s->precond)
		next.precond = false;			/* not one of ours: then nobody uses them */
	next.agreed = true;
	*s = next;
	put_head(s, b);
	for (unsigned i = 0; i < sdp.n_media; i++) {
		const struct sdp_media *m = &sdp.media[i];

		if (m == audio)
			put_audio(s, b, s->dir, true);
		else
			buf_printf(b, "m=%.*s 0 %.*s %.*s\r\n", STR_ARG(m->type), STR_ARG(m->proto), STR_ARG(m->formats));
	}
	return 0;
}

int session_take_answer(struct session *s, struct str answer)
{
	struct session next = *s;
	struct sdp sdp;

	if (sdp_parse(answer, &sdp, NULL) < 0 || sdp.n_media == 0)
		return -EBADMSG;
	if (!is_audio(&sdp.media[0]) || !choose_codec(&next, &sdp.media[0]))
		return -ENOTSUP;
	take_remote(&next, &sdp.media[0]);
	if (!s->precond)
		next.precond = false;
	next.agreed = true;
	*s = next;
	return 0;
}
