/* common/sip/media.c - see media.h. */
#include <arpa/inet.h>
#include <stdio.h>
#include "common/sip/media.h"
#include "common/util/hash.h"

#define MEDIA_MAX_FORMATS 32u	/* of an m= line, that are looked at for their rate */
#define PACKETS_PER_S 50u		/* 20 ms of speech in each: TS 26.114 §7.4.2 */
#define RTP_UDP_BYTES 20u
#define IP4_BYTES 20u
#define IP6_BYTES 40u

/* Bit rates of codecs when no b= tells, payload only, highest mode: TS 26.114 annex K. */
static const struct {
	const char *name;
	uint32_t bps;
} codecs[] = {
	{ "AMR", 12800 }, { "AMR-WB", 24800 }, { "EVS", 25200 }, { "PCMU", 64000 }, { "PCMA", 64000 }, { "G722", 64000 },
	{ "G729", 8000 }, { "GSM", 13200 }, { "iLBC", 15200 }, { "opus", 64000 }, { "speex", 24600 },
};

static const struct {
	const char *sdp, *name;
} types[] = {
	[MEDIA_AUDIO] = { "audio", "AUDIO" }, [MEDIA_VIDEO] = { "video", "VIDEO" }, [MEDIA_DATA] = { "data", "DATA" },
	[MEDIA_APPLICATION] = { "application", "APPLICATION" }, [MEDIA_CONTROL] = { "control", "CONTROL" },
	[MEDIA_TEXT] = { "text", "TEXT" }, [MEDIA_MESSAGE] = { "message", "MESSAGE" }, [MEDIA_OTHER] = { "", "OTHER" },
};

const char *media_type_name(enum media_type t)
{
	return types[t].name;
}

const char *media_way_name(enum media_way w)
{
	static const char *const names[] = { "ENABLED-UPLINK", "ENABLED-DOWNLINK", "ENABLED", "DISABLED", "REMOVED" };

	return names[w];
}

static enum media_type type_of(struct str name)
{
	int t = MEDIA_AUDIO;

	while (t < MEDIA_OTHER && !str_ieq_c(name, types[t].sdp))
		t++;
	return (enum media_type)t;
}

/* ---- addresses ---- */

/* false: that side cannot be sent anything now.  0.0.0.0 holds a line the way RFC 2543 did; a host name is not looked up. */
static bool end_of(const struct sdp_media *m, uint32_t port, struct addr *ret)
{
	struct addr a;

	*ret = (struct addr){ 0 };
	if (addr_parse(m->conn, (uint16_t)port, &a) < 0)
		return true;
	if (addr_is_any(&a))
		return false;
	*ret = a;
	return true;
}

/* ---- directions ---- */

static bool sends(enum sdp_dir d)
{
	return d == SDP_SENDRECV || d == SDP_SENDONLY;
}

static bool receives(enum sdp_dir d)
{
	return d == SDP_SENDRECV || d == SDP_RECVONLY;
}

static enum media_way way_of(bool up, bool down)
{
	return up ? down ? MEDIA_BOTH : MEDIA_UPLINK : down ? MEDIA_DOWNLINK : MEDIA_NEITHER;
}

/* ---- bit rates ---- */

/* The largest of those that are left after the answer; each costs a look through the media block, so the first ones only. */
static uint32_t codec_bps(const struct sdp_media *answer)
{
	uint32_t most = MEDIA_ABSENT, head = (RTP_UDP_BYTES + (answer->conn_ip6 ? IP6_BYTES : IP4_BYTES)) * 8 * PACKETS_PER_S;
	struct str rest = answer->formats, format, name, clock;

	for (unsigned n = 0; rest.l && n < MEDIA_MAX_FORMATS; n++) {
		str_cut(rest, ' ', &format, &rest);
		str_cut(sdp_codec(answer->text, format), '/', &name, &clock);
		for (size_t i = 0; i < sizeof(codecs) / sizeof(codecs[0]); i++)
			if (str_ieq_c(name, codecs[i].name) && (most == MEDIA_ABSENT || codecs[i].bps + head > most))
				most = codecs[i].bps + head;
	}
	return most;
}

/* b=AS is what its writer wants to receive: RFC 4566 §5.8, TS 29.213 table 6.2.2. */
static uint32_t rate(const struct sdp_media *receiver, const struct sdp_media *answer)
{
	if (receiver->as_kbps == UINT32_MAX)
		return codec_bps(answer);
	return receiver->as_kbps > UINT32_MAX / 1000 - 1 ? MEDIA_ABSENT - 1 : receiver->as_kbps * 1000;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
	if (a == MEDIA_ABSENT || b == MEDIA_ABSENT)
		return a == MEDIA_ABSENT ? b : a;
	return a > b ? a : b;
}

/* ---- one line ---- */

static void derive(const struct sdp_media *ue, const struct sdp_media *remote, bool ue_offered, struct media_component *c)
{
	bool rtp = str_ifind(ue->proto, STR("RTP/")) >= 0, ue_there, remote_there;
	uint8_t protocol = str_istarts(ue->proto, STR("TCP")) ? 6 : 17;

	c->type = type_of(ue->type);
	c->flow[0].protocol = c->flow[1].protocol = protocol;
	ue_there = end_of(ue, ue->port, &c->flow[0].ue);
	remote_there = end_of(remote, remote->port, &c->flow[0].remote);
	c->way = way_of(sends(ue->dir) && receives(remote->dir) && remote_there, sends(remote->dir) && receives(ue->dir) && ue_there);
	c->ul_bps = rate(remote, ue_offered ? remote : ue);
	c->dl_bps = rate(ue, ue_offered ? remote : ue);
	c->rs_bps = larger(ue->rs_bps, remote->rs_bps);
	c->rr_bps = larger(ue->rr_bps, remote->rr_bps);
	c->n_flows = 1;
	/* RFC 3556: both zero is no RTCP at all; RFC 5761: on the port of RTP only when both sides want it. */
	if (rtp && !(ue->rtcp_mux && remote->rtcp_mux) && !(c->rs_bps == 0 && c->rr_bps == 0)) {
		c->n_flows = 2;
		c->flow[1].rtcp = true;
		end_of(ue, ue->rtcp_port, &c->flow[1].ue);
		end_of(remote, remote->rtcp_port, &c->flow[1].remote);
	}
	c->ue_text = ue->text;
	c->remote_text = remote->text;
	c->ue_offered = ue_offered;
	c->texts = hash_seeded(remote->formats, hash_seeded(ue->formats, 0));	/* the same in the next process, which may compare */
}

void media_derive(const struct sdp *ue, const struct sdp *remote, bool ue_offered, struct media_set *ret)
{
	unsigned n = ue->n_media < remote->n_media ? ue->n_media : remote->n_media;

	memset(ret, 0, sizeof(*ret));
	for (unsigned i = 0; i < n; i++) {
		if (ue->media[i].port == 0 || remote->media[i].port == 0)
			continue;
		ret->c[ret->n].number = i + 1;
		derive(&ue->media[i], &remote->media[i], ue_offered, &ret->c[ret->n++]);
	}
}

/* ---- changes ---- */

static bool flow_eq(const struct media_flow *a, const struct media_flow *b)
{
	return a->protocol == b->protocol && a->rtcp == b->rtcp && addr_is_set(&a->ue) == addr_is_set(&b->ue) &&
	       addr_is_set(&a->remote) == addr_is_set(&b->remote) && (!addr_is_set(&a->ue) || addr_eq(&a->ue, &b->ue)) &&
	       (!addr_is_set(&a->remote) || addr_eq(&a->remote, &b->remote));
}

static bool component_eq(const struct media_component *a, const struct media_component *b)
{
	bool same = a->type == b->type && a->way == b->way && a->ul_bps == b->ul_bps && a->dl_bps == b->dl_bps &&
		    a->rs_bps == b->rs_bps && a->rr_bps == b->rr_bps && a->n_flows == b->n_flows && a->texts == b->texts;

	for (unsigned i = 0; i < a->n_flows && same; i++)
		same = flow_eq(&a->flow[i], &b->flow[i]);
	return same;
}

static const struct media_component *find(const struct media_set *s, uint32_t number)
{
	for (unsigned i = 0; i < s->n; i++)
		if (s->c[i].number == number)
			return &s->c[i];
	return NULL;
}

unsigned media_diff(const struct media_set *had, const struct media_set *now, struct media_set *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (unsigned i = 0; i < now->n; i++) {
		const struct media_component *before = find(had, now->c[i].number);

		if (!before || !component_eq(before, &now->c[i]))
			ret->c[ret->n++] = now->c[i];
	}
	for (unsigned i = 0; i < had->n && ret->n < SDP_MAX_MEDIA; i++) {
		if (find(now, had->c[i].number))
			continue;
		ret->c[ret->n] = (struct media_component){ .number = had->c[i].number, .type = had->c[i].type, .way = MEDIA_REMOVED,
							   .ul_bps = MEDIA_ABSENT, .dl_bps = MEDIA_ABSENT, .rs_bps = MEDIA_ABSENT,
							   .rr_bps = MEDIA_ABSENT };
		ret->n++;
	}
	return ret->n;
}

void media_forget_texts(struct media_set *s)
{
	for (unsigned i = 0; i < s->n; i++)
		s->c[i].ue_text = s->c[i].remote_text = STR_NONE;
}

/* ---- rules ---- */

/* " 10.0.0.1 5000", or " any" */
static void rule_end(const struct addr *a, char dst[80])
{
	char host[INET6_ADDRSTRLEN] = "any";

	if (!addr_is_set(a)) {
		snprintf(dst, 80, "any");
		return;
	}
	if (a->sa.sa_family == AF_INET6)
		inet_ntop(AF_INET6, &a->in6.sin6_addr, host, sizeof(host));
	else
		inet_ntop(AF_INET, &a->in4.sin_addr, host, sizeof(host));
	snprintf(dst, 80, "%s %u", host, addr_port(a));
}

const char *media_rule(const struct media_flow *f, bool to_ue, char dst[MEDIA_RULE_STRLEN])
{
	char from[80], to[80];

	rule_end(to_ue ? &f->remote : &f->ue, from);
	rule_end(to_ue ? &f->ue : &f->remote, to);
	snprintf(dst, MEDIA_RULE_STRLEN, "permit %s %u from %s to %s", to_ue ? "out" : "in", f->protocol, from, to);
	return dst;
}
