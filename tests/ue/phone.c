/* tests/ue/phone.c - one phone as a whole: made from its options, run, taken down. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/util/rand.h"
#include "tests/ue/call.h"
#include "tests/ue/phone.h"

void contact_make(struct ue *u)
{
	struct addr us = *ipsec_us(u);
	char at[ADDR_STRLEN];

	if (u->o.ipsec)			/* TS 24.229 §5.1.1.2.2: the protected server port, from the first REGISTER on */
		addr_set_port(&us, u->sec.port_s);
	snprintf(u->contact, sizeof(u->contact), "sip:%s@%s%s", u->user, addr_fmt(&us, at), net_transport_param(u));
}

/* The Contact and what makes the phone recognisable after a restart: RFC 5626 §4.1, GSMA IMEI URN of RFC 7254. */
static void names_make(struct ue *u)
{
	struct str imsi = str_from_c(u->o.imsi);

	if (imsi.l)
		snprintf(u->user, sizeof(u->user), "%s", u->o.imsi);
	else
		rand_token(u->user, 16);
	if (imsi.l >= 6) {
		snprintf(u->instance, sizeof(u->instance), "urn:gsma:imei:35209900-%s-0", imsi.p + imsi.l - 6);
	} else {
		uint64_t h = 14695981039346656037ull;	/* FNV-1a of the private identity: the same phone, the same name */

		for (const char *c = u->o.impi; *c; c++)
			h = (h ^ (unsigned char)*c) * 1099511628211ull;
		snprintf(u->instance, sizeof(u->instance), "urn:uuid:%08x-%04x-4000-8000-%012llx", (unsigned)(h >> 32),
			 (unsigned)(h >> 16 & 0xffff), (unsigned long long)(h & 0xffffffffffffull));
	}
	contact_make(u);
	snprintf(u->identity, sizeof(u->identity), "%s", u->o.impu);
}

int phone_new(struct ue **ret, const struct ue_options *o)
{
	struct ue *u = calloc(1, sizeof(*u));
	cJSON *e;
	int rc;

	if (!u)
		return -ENOMEM;
	u->o = *o;
	list_init(&u->calls);
	timer_init(&u->reg.refresh, register_timer);
	timer_init(&u->sub.refresh, subscribe_timer);
	if (o->has_k)
		usim_init(&u->usim, o->k, o->opc, o->sqn);
	rc = net_open(u);
	if (rc < 0) {
		net_close(u);
		free(u);
		return rc;
	}
	names_make(u);
	rc = commands_open(u);
	if (rc < 0) {
		phone_free(u);
		return rc;
	}
	e = event_new("ready");
	event_str(e, "local", str_from_c(u->local_text));
	event_str(e, "contact", str_from_c(u->contact));
	event_str(e, "impi", str_from_c(u->o.impi));
	event_str(e, "impu", str_from_c(u->o.impu));
	event_put(u, e, false);
	*ret = u;
	return 0;
}

int phone_run(struct ue *u)
{
	return loop_run(u->loop);
}

void phone_free(struct ue *u)
{
	struct call *c;

	if (!u)
		return;
	commands_close(u);
	while ((c = call_active(u)))
		call_dead(c);
	register_close(u);
	subscribe_close(u);
	net_close(u);
	free(u);
}
