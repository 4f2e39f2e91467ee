/* pcscf/stored_sa.c - sets of security associations over a restart.  See stored.h; TS 33.203 §7.3, §7.4; rows X3, H1; reliability F2.
 *
 * The kernel keeps the associations of a process that was killed.  At the next start they are found by their reqids: a set that is whole
 * is left as it is, so that the phone notices nothing; one with parts missing is made anew, its sequence numbers going on where the phone
 * has not been yet; what is ours and belongs to no set is taken away. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/log/log.h"
#include "common/store/fields.h"
#include "common/util/clock.h"
#include "pcscf/stored.h"

enum { CLIENT = 100 };
struct kept {
	struct str impi, key, us, peer;
	uint32_t my_spi_c, my_spi_s, their_spi_c, their_spi_s, reqid, client_others;
	uint16_t my_port_c, my_port_s, their_port_c, their_port_s;
	uint16_t encap_us, encap_peer;
	uint8_t alg, ealg, state, ck[16], ik[16];
	uint64_t made_ms, ends_ms;	/* store time */
	struct sec_list client;
};
static const struct field kept_fields[] = {
	FIELD(1, FIELD_STR, struct kept, impi),
	FIELD(2, FIELD_STR, struct kept, key),
	FIELD(3, FIELD_STR, struct kept, us),
	FIELD(4, FIELD_STR, struct kept, peer),
	FIELD(5, FIELD_U32, struct kept, my_spi_c),
	FIELD(6, FIELD_U32, struct kept, my_spi_s),
	FIELD(7, FIELD_U32, struct kept, their_spi_c),
	FIELD(8, FIELD_U32, struct kept, their_spi_s),
	FIELD(9, FIELD_U32, struct kept, reqid),
	FIELD(10, FIELD_U32, struct kept, client_others),
	FIELD(11, FIELD_U16, struct kept, my_port_c),
	FIELD(12, FIELD_U16, struct kept, my_port_s),
	FIELD(13, FIELD_U16, struct kept, their_port_c),
	FIELD(14, FIELD_U16, struct kept, their_port_s),
	FIELD(15, FIELD_U8, struct kept, alg),
	FIELD(16, FIELD_U8, struct kept, ealg),
	FIELD(17, FIELD_U8, struct kept, state),
	FIELD(18, FIELD_BYTES, struct kept, ck),
	FIELD(19, FIELD_BYTES, struct kept, ik),
	FIELD(20, FIELD_U64, struct kept, made_ms),
	FIELD(21, FIELD_U64, struct kept, ends_ms),
	FIELD(22, FIELD_U16, struct kept, encap_us),
	FIELD(23, FIELD_U16, struct kept, encap_peer),
	{ 0 },
};
static const struct field client_fields[] = {	/* Security-Client as it first came */
	FIELD(1, FIELD_U32, struct sec_agree, alg),
	FIELD(2, FIELD_U32, struct sec_agree, ealg),
	FIELD(3, FIELD_U16, struct sec_agree, port_c),
	FIELD(4, FIELD_U16, struct sec_agree, port_s),
	FIELD(5, FIELD_U32, struct sec_agree, spi_c),
	FIELD(6, FIELD_U32, struct sec_agree, spi_s),
	FIELD(7, FIELD_U16, struct sec_agree, q),
	FIELD(8, FIELD_U32, struct sec_agree, mod),
	{ 0 },
};
_Static_assert(sizeof(enum sec_mod) == sizeof(uint32_t) && sizeof(enum sec_alg) == sizeof(uint32_t) && sizeof(enum sec_ealg) == sizeof(uint32_t), "written as FIELD_U32");

/* Our SPI names a set among those that there are. */
static struct str key_of(const struct sa_set *s, char dst[16])
{
	return str_make(dst, (size_t)snprintf(dst, 16, "%u", s->k.mine.spi_s));
}

/* ---- writing ---- */

void stored_set(struct store_port *port, const struct sa_set *s, enum sa_state state, uint64_t left_ms)
{
	char us[ADDR_STRLEN], peer[ADDR_STRLEN], key[16];
	uint64_t now, age_ms = clock_mono_us() / 1000 - s->made_ms;
	struct buf b, inner;
	struct kept k;

	if (!port)
		return;
	now = store_now_ms(store_of(port));
	k = (struct kept){
		.impi = s->impi, .key = s->key, .us = str_from_c(addr_host(&s->k.us, us)), .peer = str_from_c(addr_host(&s->k.peer, peer)),
		.my_spi_c = s->k.mine.spi_c, .my_spi_s = s->k.mine.spi_s, .my_port_c = s->k.mine.port_c, .my_port_s = s->k.mine.port_s,
		.their_spi_c = s->k.theirs.spi_c, .their_spi_s = s->k.theirs.spi_s, .their_port_c = s->k.theirs.port_c,
		.their_port_s = s->k.theirs.port_s, .alg = (uint8_t)s->k.alg, .ealg = (uint8_t)s->k.ealg, .reqid = s->k.reqid,
		.encap_us = s->k.encap_us, .encap_peer = s->k.encap_peer, .client_others = s->client_others, .state = (uint8_t)state, .made_ms = now > age_ms ? now - age_ms : 0, .ends_ms = now + left_ms,
	};
	memcpy(k.ck, s->k.ck, sizeof(k.ck));
	memcpy(k.ik, s->k.ik, sizeof(k.ik));
	buf_init(&b, STORED_MAX_BYTES);
	buf_init(&inner, STORED_MAX_BYTES);
	fields_write(kept_fields, &k, &b);
	for (unsigned i = 0; i < s->n_client; i++) {
		fields_write(client_fields, &s->client[i], &inner);
		field_write(CLIENT, buf_str(&inner), &b);
		buf_reset(&inner);
	}
	if (b.failed || inner.failed || store_put(port, STORE_SECURITY, key_of(s, key), buf_str(&b), k.ends_ms) < 0)
		log_error(LOG_SEC, "security associations could not be kept", LOG_S("impi", s->impi));
	if (b.p)
		ipsec_wipe(b.p, b.cap);
	ipsec_wipe(&k, sizeof(k));
	buf_fini(&b);
	buf_fini(&inner);
}

void stored_forget_set(struct store_port *port, const struct sa_set *s)
{
	char key[16];

	store_del(port, STORE_SECURITY, key_of(s, key));
}

/* ---- reading ---- */

static int on_client(void *arg, uint8_t number, struct str octets)
{
	struct kept *k = arg;

	if (number != CLIENT)
		return 0;
	if (k->client.n == SECAGREE_MAX)
		return -EBADMSG;
	k->client.entry[k->client.n] = (struct sec_agree){ .port_c = 0 };
	return fields_read(client_fields, octets, &k->client.entry[k->client.n++], NULL, NULL);
}

/* The entry that was chosen: the one with these ports, SPIs, algorithms and mode. */
static bool find_chosen(const struct kept *k, unsigned *ret)
{
	enum sec_mod mod = k->encap_us ? SEC_MOD_UDP_ENC_TUN : SEC_MOD_TRANS;

	for (unsigned i = 0; i < k->client.n; i++) {
		const struct sec_agree *a = &k->client.entry[i];

		*ret = i;
		if (a->alg == k->alg && a->ealg == k->ealg && a->mod == mod && a->spi_c == k->their_spi_c && a->spi_s == k->their_spi_s &&
		    a->port_c == k->their_port_c && a->port_s == k->their_port_s)
			return true;
	}
	return false;
}

static bool is_ours(const struct security_config *c, const struct kept *k)
{
	uint32_t i = k->my_spi_c - c->spi_first;

	return k->my_spi_c >= c->spi_first && i < c->n_spis && i % 2 == 0 && k->my_spi_s == k->my_spi_c + 1 &&
	       k->reqid == c->reqid_first + i && k->my_port_s >= c->port_s && k->my_port_s < c->port_s + c->n_ports &&
	       k->my_port_c >= c->port_c && k->my_port_c < c->port_c + c->n_ports;
}

static struct sa_set *make(const struct security_config *c, const struct kept *k, uint64_t now_ms)
{
	struct sa_wish w = { .impi = k->impi, .key = k->key, .client = &k->client, .encap_us = k->encap_us };
	uint64_t mono = clock_mono_us() / 1000, age_ms = now_ms > k->made_ms ? now_ms - k->made_ms : 0;
	struct sa_set *s;

	if (!is_ours(c, k) || !find_chosen(k, &w.chosen) || addr_parse(k->us, 0, &w.us) < 0 || addr_parse(k->peer, 0, &w.phone) < 0)
		return NULL;
	memcpy(w.ck, k->ck, sizeof(w.ck));
	memcpy(w.ik, k->ik, sizeof(w.ik));
	s = sa_set_new(&w);
	ipsec_wipe(&w, sizeof(w));
	if (!s)
		return NULL;
	s->client_others = k->client_others;
	s->k.mine = (struct ipsec_end){ k->my_spi_c, k->my_spi_s, k->my_port_c, k->my_port_s };
	s->k.reqid = k->reqid;
	s->k.encap_peer = k->encap_peer;
	s->k.lifetime_s = (uint32_t)((k->ends_ms > now_ms ? k->ends_ms - now_ms : 0) / 1000) + SA_KERNEL_GRACE_S;
	s->made_ms = mono > age_ms ? mono - age_ms : 0;
	s->n_server = security_server_list(c, sa_mod(s), &s->k.mine, s->server);
	return s;
}

static int room_for_one(struct stored_sets *all)
{
	size_t room = all->room ? all->room * 2 : 64;
	void *more;

	if (all->n < all->room)
		return 0;
	more = realloc(all->v, room * sizeof(*all->v));
	if (!more)
		return -ENOMEM;
	all->v = more;
	all->room = room;
	return 0;
}

struct reading {
	struct pcscf *p;
	struct store *store;
	uint64_t now_ms;
};

static void on_set(void *arg, const struct store_record *rec)
{
	struct reading *r = arg;
	struct kept k = { .state = 0 };
	struct sa_set *s = NULL;

	if (fields_read(kept_fields, rec->value, &k, on_client, &k) == 0 && k.ends_ms > r->now_ms &&
	    (k.state == SA_PENDING || k.state == SA_LIVE || k.state == SA_OLD))
		s = make(&r->p->cfg.security, &k, r->now_ms);
	if (s && room_for_one(&r->p->stored) == 0) {
		r->p->stored.v[r->p->stored.n++] = (struct stored_set){ .s = s, .state = k.state, .left_ms = k.ends_ms - r->now_ms };
	} else {
		obj_unref(s);
		store_del(store_port(r->store, 0), STORE_SECURITY, rec->key);
	}
	ipsec_wipe(&k, sizeof(k));
}

static int by_spi(const void *a, const void *b)
{
	const struct stored_set *x = a, *y = b;

	return (x->s->k.mine.spi_s > y->s->k.mine.spi_s) - (x->s->k.mine.spi_s < y->s->k.mine.spi_s);
}

int stored_sets_read(struct pcscf *p, struct store *store)
{
	struct reading r = { p, store, store_now_ms(store) };
	int rc = store_scan(store, STORE_SECURITY, on_set, &r);

	if (p->stored.n)
		qsort(p->stored.v, p->stored.n, sizeof(*p->stored.v), by_spi);
	return rc;
}

void stored_sets_free(struct pcscf *p)
{
	for (size_t i = 0; i < p->stored.n; i++)
		obj_unref(p->stored.v[i].s);
	free(p->stored.v);
	p->stored = (struct stored_sets){ NULL, 0, 0 };
}

/* ---- back ---- */

/* A phone sends fewer messages a second than this; sequence numbers of associations made anew begin behind those it has seen. */
#define SEQ_PER_S 4096u

struct ipsec_set *stored_sets_kernel(const struct pcscf *p)
{
	struct ipsec_set *all = calloc(p->stored.n ? p->stored.n : 1, sizeof(*all));
	uint64_t now_s = clock_mono_us() / 1000000;

	for (size_t i = 0; all && i < p->stored.n; i++) {
		uint64_t seq = (now_s - p->stored.v[i].s->made_ms / 1000 + 1) * SEQ_PER_S;

		all[i] = p->stored.v[i].s->k;
		all[i].out_seq = seq > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uint32_t)seq;
	}
	return all;
}

void stored_sets_lost(struct pcscf *p, const bool *lost)
{
	for (size_t i = 0; i < p->stored.n; i++)
		p->stored.v[i].lost = lost[i];
}

void stored_sets_restore(struct pcscf *p)
{
	unsigned n = 0;

	for (size_t i = 0; i < p->stored.n; i++) {
		struct stored_set *t = &p->stored.v[i];
		struct pcscf_worker *pw = pcscf_of(stack_owner(p->stack, t->s->impi));

		if (!t->lost && sa_restore(pw->sets, t->s, t->state, t->left_ms) == 0) {
			n++;
			continue;
		}
		t->lost = true;
		stored_forget_set(pw->w->store, t->s);
		sa_rest(p->sas, t->s);
		log_warn(LOG_SEC, "kept security associations cannot be used", LOG_S("impi", t->s->impi));
	}
	if (n)
		log_info(LOG_SEC, "security associations are back", LOG_U("sets", n));
}

struct sa_set *stored_sets_find(const struct pcscf *p, uint32_t spi_s)
{
	for (size_t low = 0, high = p->stored.n; low < high; ) {
		size_t mid = low + (high - low) / 2;
		uint32_t here = p->stored.v[mid].s->k.mine.spi_s;

		if (here == spi_s)
			return p->stored.v[mid].lost ? NULL : p->stored.v[mid].s;
		if (here < spi_s)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}
