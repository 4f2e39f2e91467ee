/* pcscf/n5_find.c - see n5_find.h.  TS 29.510 §5.3.2.2 (Nnrf_NFDiscovery), TS 29.521 §4.2.4 (Nbsf_Management_Discovery). */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/http/http.h"
#include "common/log/log.h"
#include "common/util/hash.h"
#include "pcscf/n5_find.h"
#include "pcscf/policy.h"

#define FIND_MS 2000u
#define BSF_SILENT_MS 5000u		/* so long a BSF that was out of order is not asked about that address again */
#define DEFAULT_VALID_S 60u
#define MAX_VALID_S 3600u
#define MAX_INSTANCES 64		/* of an answer, that are looked at */
#define NRF_QUERY "/nnrf-disc/v1/nf-instances?target-nf-type=PCF&requester-nf-type=AF&service-names=npcf-policyauthorization"

struct bsf_binding {			/* what the BSF said of an address */
	struct hnode node;
	struct list link;		/* n5_finder.bindings, oldest first */
	struct addr ue;
	uint64_t until_ms;
	int err;			/* as in struct n5_found */
	char root[N5_URI_BYTES];
};
struct n5_finder {
	struct pcscf_worker *pw;
	struct htab by_ue;
	struct list bindings;
	unsigned n_bindings;
	const struct n5_config *cfg;
	struct sbi *sbi;
	struct n5_roots known;		/* what the NRF said */
	uint64_t known_until_ms;
};
struct query {
	struct n5_finder *f;
	struct addr ue;			/* of a BSF's */
	bool anyway;			/* n5_find() */
	n5_found_fn fn;
	void *arg;
};

/* ---- answers ---- */

static const char *text_at(const cJSON *j, const char *name)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(j, name);

	return cJSON_IsString(v) ? v->valuestring : NULL;
}

static double number_at(const cJSON *j, const char *name, double otherwise)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(j, name);

	return cJSON_IsNumber(v) ? v->valuedouble : otherwise;
}

static const char *first_text(const cJSON *list)
{
	const cJSON *v = cJSON_GetArrayItem(list, 0);

	return cJSON_IsString(v) ? v->valuestring : NULL;
}

/* A root of parts that a peer gave: what makes no URI is none. */
static bool make_root(char dst[N5_URI_BYTES], bool tls, const char *host, unsigned port, const char *prefix)
{
	bool v6 = host && strchr(host, ':');
	char at[12] = "";
	struct sbi_uri u;
	int l;

	if (!host)
		return false;
	if (port)
		snprintf(at, sizeof(at), ":%u", port);
	l = snprintf(dst, N5_URI_BYTES, "http%s://%s%s%s%s%s", tls ? "s" : "", v6 ? "[" : "", host, v6 ? "]" : "", at, prefix ? prefix : "");
	return l > 0 && (size_t)l < N5_URI_BYTES && sbi_uri_parse(str_from_c(dst), &u) == 0;
}

static unsigned port_of(const cJSON *end_point)
{
	double p = number_at(end_point, "port", 0);

	return p >= 1 && p <= 65535 ? (unsigned)p : 0;
}

/* TS 29.510 §6.1.6.2.3: the end point's address, else the service's name, else the function's name or address. */
static bool read_service(const cJSON *nf, const cJSON *service, char dst[N5_URI_BYTES])
{
	const cJSON *ep = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(service, "ipEndPoints"), 0);
	const char *scheme = text_at(service, "scheme"), *host = text_at(ep, "ipv4Address"), *name = text_at(service, "serviceName");
	const char *status = text_at(service, "nfServiceStatus");

	if (!name || strcmp(name, "npcf-policyauthorization") != 0 || (status && strcmp(status, "REGISTERED") != 0))
		return false;
	if (!host)
		host = text_at(ep, "ipv6Address");
	if (!host)
		host = text_at(service, "fqdn");
	if (!host)
		host = text_at(nf, "fqdn");
	if (!host)
		host = first_text(cJSON_GetObjectItemCaseSensitive(nf, "ipv4Addresses"));
	if (!host)
		host = first_text(cJSON_GetObjectItemCaseSensitive(nf, "ipv6Addresses"));
	return make_root(dst, scheme && strcmp(scheme, "https") == 0, host, port_of(ep), text_at(service, "apiPrefix"));
}

static bool read_instance(const cJSON *nf, char dst[N5_URI_BYTES])
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(nf, "nfServiceList"), *s;
	const char *status = text_at(nf, "nfStatus");

	if (status && strcmp(status, "REGISTERED") != 0)
		return false;
	if (!list)
		list = cJSON_GetObjectItemCaseSensitive(nf, "nfServices");
	cJSON_ArrayForEach(s, list)
		if (read_service(nf, s, dst))
			return true;
	return false;
}

void n5_read_discovery(const cJSON *j, struct n5_roots *ret)
{
	double valid = number_at(j, "validityPeriod", DEFAULT_VALID_S), priority[N5_MAX_PCFS];
	const cJSON *nf;
	int looked = 0;

	ret->n = 0;
	ret->valid_s = valid < 1 ? 1 : valid > MAX_VALID_S ? MAX_VALID_S : (uint32_t)valid;
	cJSON_ArrayForEach(nf, cJSON_GetObjectItemCaseSensitive(j, "nfInstances")) {
		double p = number_at(nf, "priority", 65535);		/* the lowest number first: §6.1.6.2.2 */
		char root[N5_URI_BYTES];
		unsigned at = ret->n;

		if (ret->n == N5_MAX_PCFS || looked++ == MAX_INSTANCES)
			break;
		if (!read_instance(nf, root))
			continue;
		for (; at > 0 && priority[at - 1] > p; at--) {
			priority[at] = priority[at - 1];
			memcpy(ret->root[at], ret->root[at - 1], N5_URI_BYTES);
		}
		priority[at] = p;
		memcpy(ret->root[at], root, N5_URI_BYTES);
		ret->n++;
	}
}

bool n5_read_binding(const cJSON *j, bool tls, char dst[N5_URI_BYTES])
{
	const cJSON *ep = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(j, "pcfIpEndPoints"), 0);
	const char *host = text_at(ep, "ipv4Address");

	if (!host)
		host = text_at(ep, "ipv6Address");
	if (!host)
		host = text_at(j, "pcfFqdn");
	return make_root(dst, tls, host, port_of(ep), NULL);
}

/* ---- asking ---- */

static void tell(const struct query *q, int err, struct str root)
{
	const struct n5_found f = { err, root };

	q->fn(q->arg, &f);
}

static bool ask_nrf(struct n5_finder *f, n5_found_fn fn, void *arg);

static void on_discovery(void *arg, const struct sbi_answer *a)
{
	struct query q = *(struct query *)arg;
	int err;
	cJSON *j = a->err == 0 && a->status == 200 ? http_json_parse(a->body, &err) : NULL;

	free(arg);
	if (j) {
		n5_read_discovery(j, &q.f->known);
		q.f->known_until_ms = loop_now_ms(q.f->pw->w->loop) + (uint64_t)q.f->known.valid_s * 1000;
	}
	cJSON_Delete(j);
	if (!j)
		log_warn(LOG_SESS, "the NRF does not answer as it should", LOG_U("status", a->status), LOG_C("error", a->err ? strerror(-a->err) : ""));
	if (q.f->known.n)		/* an old list is better than none */
		tell(&q, 0, str_from_c(q.f->known.root[0]));
	else if (q.f->cfg->pcf.l)
		tell(&q, 0, q.f->cfg->pcf);
	else
		tell(&q, -EHOSTUNREACH, STR_NONE);
}

/* ---- the BSF's answers, for a while ---- */

static uint64_t ue_hash(const struct addr *ue)
{
	bool v6 = ue->sa.sa_family == AF_INET6;

	return hash_str(v6 ? str_make((const char *)&ue->in6.sin6_addr, 16) : str_make((const char *)&ue->in4.sin_addr, 4));
}

static bool is_ue(const struct hnode *n, const void *key)
{
	const struct addr *a = key, *b = &container_of(n, struct bsf_binding, node)->ue;

	return a->sa.sa_family == b->sa.sa_family && (a->sa.sa_family == AF_INET6 ? memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, 16) == 0 :
						      a->in4.sin_addr.s_addr == b->in4.sin_addr.s_addr);
}

static struct bsf_binding *binding_find(struct n5_finder *f, const struct addr *ue)
{
	struct hnode *n = htab_find(&f->by_ue, ue_hash(ue), is_ue, ue);

	return n ? container_of(n, struct bsf_binding, node) : NULL;
}

static void binding_drop(struct n5_finder *f, struct bsf_binding *b)
{
	htab_del(&f->by_ue, &b->node);
	list_del(&b->link);
	f->n_bindings--;
	free(b);
}

void n5_find_forget(struct n5_finder *f, const struct addr *ue)
{
	struct bsf_binding *b = binding_find(f, ue);

	if (b)
		binding_drop(f, b);
}

/* All live equally long, but for the silent ones: the oldest is the first to go. */
static void binding_note(struct n5_finder *f, const struct addr *ue, int err, const char *root)
{
	uint64_t life_ms = (uint64_t)f->cfg->bsf_cache_s * 1000;
	struct bsf_binding *b;

	n5_find_forget(f, ue);
	while (f->n_bindings >= N5_MAX_BINDINGS)
		binding_drop(f, list_entry(f->bindings.next, struct bsf_binding, link));
	b = life_ms ? calloc(1, sizeof(*b)) : NULL;
	if (!b)
		return;
	if (err && err != -ENOENT && life_ms > BSF_SILENT_MS)
		life_ms = BSF_SILENT_MS;
	b->ue = *ue;
	b->err = err;
	b->until_ms = loop_now_ms(f->pw->w->loop) + life_ms;
	snprintf(b->root, sizeof(b->root), "%s", root);
	htab_add(&f->by_ue, &b->node, ue_hash(ue));
	list_add_tail(&f->bindings, &b->link);
	f->n_bindings++;
}

static void on_binding(void *arg, const struct sbi_answer *a)
{
	struct query q = *(struct query *)arg;
	int err;
	cJSON *j = a->err == 0 && a->status == 200 ? http_json_parse(a->body, &err) : NULL;
	char root[N5_URI_BYTES] = "";
	bool found = j && n5_read_binding(j, str_istarts(q.f->cfg->bsf, STR("https:")), root);

	free(arg);
	cJSON_Delete(j);
	err = found ? 0 : a->err == 0 && (a->status == 204 || a->status == 404) ? -ENOENT :	/* TS 29.521 §4.2.4.2 */
	      a->err == -ECANCELED ? a->err : -EHOSTUNREACH;
	if (err == -EHOSTUNREACH)
		log_warn(LOG_SESS, "the BSF does not answer as it should", LOG_U("status", a->status), LOG_C("error", a->err ? strerror(-a->err) : ""));
	if (err != -ECANCELED)
		binding_note(q.f, &q.ue, err, found ? root : "");
	tell(&q, err, found ? str_from_c(root) : STR_NONE);
}

static bool ask(struct n5_finder *f, const struct sbi_request *r, const struct addr *ue, sbi_fn on_answer, n5_found_fn fn, void *arg)
{
	struct query *q = calloc(1, sizeof(*q));

	if (!q)
		return false;
	*q = (struct query){ .f = f, .fn = fn, .arg = arg };
	if (ue)
		q->ue = *ue;
	if (sbi_send(f->sbi, r, on_answer, q))
		return true;
	free(q);
	return false;
}

static bool ask_nrf(struct n5_finder *f, n5_found_fn fn, void *arg)
{
	const struct sbi_request r = { .service = SBI_DISCOVERY, .method = "GET", .root = f->cfg->nrf, .path = STR(NRF_QUERY), .deadline_ms = FIND_MS };

	if (f->known.n && f->known_until_ms > loop_now_ms(f->pw->w->loop)) {
		tell(&(struct query){ .f = f, .fn = fn, .arg = arg }, 0, str_from_c(f->known.root[0]));
		return true;
	}
	return ask(f, &r, NULL, on_discovery, fn, arg);
}

bool n5_find_binding(struct n5_finder *f, const struct addr *ue, n5_found_fn fn, void *arg)
{
	struct bsf_binding *known = binding_find(f, ue);
	char host[INET6_ADDRSTRLEN] = "", path[128];
	bool v6 = ue->sa.sa_family == AF_INET6;
	struct sbi_request r = { .service = SBI_BSF, .method = "GET", .root = f->cfg->bsf,
				 .deadline_ms = f->cfg->find_ms < FIND_MS ? f->cfg->find_ms : FIND_MS };

	if (known && known->until_ms > loop_now_ms(f->pw->w->loop)) {
		char root[N5_URI_BYTES];

		memcpy(root, known->root, sizeof(root));	/* fn may forget it */
		tell(&(struct query){ .f = f, .fn = fn, .arg = arg }, known->err, str_from_c(root));
		return true;
	}
	inet_ntop(ue->sa.sa_family, v6 ? (const void *)&ue->in6.sin6_addr : (const void *)&ue->in4.sin_addr, host, sizeof(host));
	snprintf(path, sizeof(path), "/nbsf-management/v1/pcfBindings?%s=%s%s", v6 ? "ipv6Prefix" : "ipv4Addr", host, v6 ? "%2F128" : "");
	r.path = str_from_c(path);
	return ask(f, &r, ue, on_binding, fn, arg);
}

/* A BSF that is out of order, or knows none of who is to be found anyway: the NRF, or who is configured. */
static void on_own_binding(void *arg, const struct n5_found *f)
{
	struct query q = *(struct query *)arg;

	free(arg);
	if (f->err != -EHOSTUNREACH && !(f->err == -ENOENT && q.anyway))
		tell(&q, f->err, f->root);
	else if (!q.f->cfg->nrf.l || !ask_nrf(q.f, q.fn, q.arg))
		tell(&q, q.f->cfg->pcf.l ? 0 : -EHOSTUNREACH, q.f->cfg->pcf);
}

static bool ask_bsf(struct n5_finder *f, const struct addr *ue, bool anyway, n5_found_fn fn, void *arg)
{
	struct query *q = calloc(1, sizeof(*q));

	if (!q)
		return false;
	*q = (struct query){ .f = f, .anyway = anyway, .fn = fn, .arg = arg };
	if (n5_find_binding(f, ue, on_own_binding, q))
		return true;
	free(q);
	return false;
}

bool n5_find(struct n5_finder *f, const struct addr *ue, bool anyway, n5_found_fn fn, void *arg)
{
	if (f->cfg->scp.l) {
		tell(&(struct query){ .f = f, .fn = fn, .arg = arg }, 0, STR_NONE);
		return true;
	}
	if (f->cfg->bsf.l)
		return ask_bsf(f, ue, anyway, fn, arg);
	if (f->cfg->nrf.l)
		return ask_nrf(f, fn, arg);
	tell(&(struct query){ .f = f, .fn = fn, .arg = arg }, 0, f->cfg->pcf);
	return true;
}

bool n5_find_failed(struct n5_finder *f, struct str root)
{
	char first[N5_URI_BYTES];

	if (f->known.n < 2 || !str_eq_c(root, f->known.root[0]))
		return false;
	memcpy(first, f->known.root[0], sizeof(first));
	memmove(f->known.root[0], f->known.root[1], (f->known.n - 1) * sizeof(first));
	memcpy(f->known.root[f->known.n - 1], first, sizeof(first));
	return true;
}

struct n5_finder *n5_finder_new(struct pcscf_worker *pw, struct sbi *sbi)
{
	struct n5_finder *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->pw = pw;
	f->cfg = &pw->p->cfg.policy.n5;
	f->sbi = sbi;
	list_init(&f->bindings);
	if (htab_init(&f->by_ue, 64) < 0) {
		free(f);
		return NULL;
	}
	return f;
}

void n5_finder_free(struct n5_finder *f)
{
	if (!f)
		return;
	while (f->n_bindings)
		binding_drop(f, list_entry(f->bindings.next, struct bsf_binding, link));
	htab_fini(&f->by_ue);
	free(f);
}
