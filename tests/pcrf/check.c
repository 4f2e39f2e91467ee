/* tests/pcrf/check.c - is that AAR what TS 29.214 asks of an AF, and what the PCRFs of the field can read? */
#include <stdio.h>
#include <stdlib.h>
#include "tests/pcrf/pcrf.h"

struct check {
	pcrf_wrong_fn wrong;
	void *arg;
};

static void must(const struct check *c, bool good, const char *what)
{
	if (!good)
		c->wrong(c->arg, what);
}

static bool word(struct str *rest, const char *want)
{
	struct str w;

	str_cut(*rest, ' ', &w, rest);
	return !want ? w.l > 0 : str_eq_c(w, want);
}

/* "permit out 17 from 10.0.0.9 4000 to 10.0.0.1 5000", an end may be "any". */
static bool is_end(struct str *rest)
{
	struct str w, port;
	uint32_t n;

	str_cut(*rest, ' ', &w, rest);
	if (str_eq_c(w, "any"))
		return true;
	str_cut(*rest, ' ', &port, rest);
	return w.l && str_to_u32(port, &n) == 0 && n > 0 && n < 65536;
}

bool pcrf_is_rule(struct str rule, bool *ret_out)
{
	struct str rest = rule, direction, protocol;
	uint32_t n;

	if (!word(&rest, "permit"))
		return false;
	str_cut(rest, ' ', &direction, &rest);
	*ret_out = str_eq_c(direction, "out");
	str_cut(rest, ' ', &protocol, &rest);
	if ((!*ret_out && !str_eq_c(direction, "in")) || str_to_u32(protocol, &n) < 0 || n > 255)
		return false;
	return word(&rest, "from") && is_end(&rest) && word(&rest, "to") && is_end(&rest) && !rest.l;
}

static void check_sub(const struct check *c, const struct rx_media *m, unsigned i)
{
	const struct rx_sub *s = &m->sub[i];
	bool in = false, out = false, is_out;

	must(c, s->number > 0, "§5.3.9: a Flow-Number is above 0");
	must(c, i == 0 || s->number != m->sub[0].number, "§5.3.9: two flows with one number");
	must(c, i == 0 || s->usage == RX_RTCP, "§5.3.12: the second flow of a component is RTCP and says so");
	for (unsigned f = 0; f < s->n_flows; f++) {
		if (!pcrf_is_rule(s->flow[f].v, &is_out)) {
			c->wrong(c->arg, "§5.3.8: a Flow-Description is no IPFilterRule of the form that is read");
			continue;
		}
		in = in || !is_out;
		out = out || is_out;
	}
	must(c, in && out, "§5.3.17: a flow has a rule for each direction");
}

static bool has_codec(const struct rx_media *m, const char *head)
{
	for (unsigned i = 0; i < m->n_codecs; i++)
		if (str_starts(m->codec[i].v, str_from_c(head)))
			return true;
	return false;
}

/* §4.4.5: component 0, flows that say what they are. */
static void check_signalling(const struct check *c, const struct rx_media *m)
{
	bool out;

	must(c, m->type == RX_CONTROL, "signalling whose Media-Type is not CONTROL");
	must(c, m->n_subs > 0, "§4.4.5: signalling without flows");
	for (unsigned i = 0; i < m->n_subs; i++) {
		must(c, m->sub[i].usage == RX_AF_SIGNALLING && m->sub[i].protocol == 1, "§4.4.5: a flow that is not AF signalling, SIP");
		for (unsigned f = 0; f < m->sub[i].n_flows; f++)
			must(c, pcrf_is_rule(m->sub[i].flow[f].v, &out), "§5.3.8: a Flow-Description is no IPFilterRule of the form that is read");
	}
}

static void check_media(const struct check *c, const struct pcrf_session *s, const struct rx_aar *r, const struct rx_media *m)
{
	const struct pcrf_media *before = s ? media_find(s, m->number) : NULL;
	struct pcrf_media now;

	if (m->number == 0) {
		check_signalling(c, m);
		return;
	}
	must(c, m->number > 0, "§5.3.17: a component has the number of its m= line");
	must(c, m->type != RX_NO_TYPE, "§5.3.19: Media-Type is missing, which some read as AUDIO");
	must(c, m->status != RX_ABSENT, "§5.3.11: Flow-Status is missing");
	if (m->status == RX_REMOVED) {
		must(c, before != NULL, "§4.4.2: a component is removed that was never there");
		return;
	}
	must(c, m->n_subs > 0, "§5.3.17: a component without flows");
	for (unsigned i = 0; i < m->n_subs; i++)
		check_sub(c, m, i);
	must(c, has_codec(m, "uplink\n") && has_codec(m, "downlink\n"), "§5.3.7: Codec-Data of a direction is missing");
	media_take(&now, m);
	must(c, !before || s->several || r->forking == 1 || !media_same(before, &now), "§4.4.2: told again what is known");
}

static bool has_action(const struct rx_aar *r, uint32_t action)
{
	for (unsigned i = 0; i < r->actions.n; i++)
		if (r->actions.v[i] == action)
			return true;
	return false;
}

static void check_address(const struct check *c, const struct rx_aar *r)
{
	must(c, (r->framed_ip.l == 0) != (r->framed_ip6.l == 0), "§4.4.1: one address of the UE");
	must(c, r->framed_ip.l == 0 || r->framed_ip.l == 4, "RFC 4005 §6.11.1: Framed-IP-Address has four octets");
	must(c, r->framed_ip6.l == 0 || (r->framed_ip6.l == 18 && r->framed_ip6.p[0] == 0 && (uint8_t)r->framed_ip6.p[1] == 128),
	     "Framed-IPv6-Prefix has 18 octets with length 128");
}

void pcrf_check_aar(const struct pcrf_session *s, const struct rx_aar *r, pcrf_wrong_fn wrong, void *arg)
{
	const struct check c = { wrong, arg };
	char own[300];

	snprintf(own, sizeof(own), "%.*s;", STR_ARG(r->origin_host));
	must(&c, str_istarts(r->session_id, str_from_c(own)), "RFC 6733 §8.8: the Session-Id begins with the Origin-Host");
	must(&c, r->n_ids > 0 && str_chr(r->id[0].data, '@') > 0, "the first Subscription-Id is a SIP URI");
	must(&c, r->af_application.l > 0, "§4.4.1: AF-Application-Identifier is missing");
	must(&c, r->n_media > 0, "§4.4.1: no Media-Component-Description");
	must(&c, r->request_type == (s ? 1u : 0u), "§5.3.24: Rx-Request-Type does not fit");
	check_address(&c, r);
	if (!s) {
		must(&c, r->af_charging.l > 0 || r->media[0].number == 0, "§4.4.1: AF-Charging-Identifier is missing");
		must(&c, has_action(r, RX_LOSS_OF_BEARER) && has_action(r, RX_RELEASE_OF_BEARER), "§4.4.1: no interest in the bearer");
	}
	for (unsigned i = 0; i < r->n_media; i++) {
		check_media(&c, s, r, &r->media[i]);
		for (unsigned k = 0; k < i; k++)
			must(&c, r->media[k].number != r->media[i].number, "§5.3.16: a component stands twice");
	}
}
