/* common/resolver/dns.c - questions by c-ares, nested in the loop; raw answers to records.  RFC 1035, 2782, 3403. */
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include "common/metrics/metrics.h"
#include "common/resolver/private.h"

struct dns_fd {
	struct loop_fd f;
	struct list link;
	struct resolver *r;
};

static void on_socket(void *data, ares_socket_t fd, int readable, int writable);

/* c-ares tells of a socket once: what found no memory then must be asked for, or that server is deaf for good. */
static void watch_again(struct resolver *r)
{
	ares_socket_t fd[ARES_GETSOCK_MAXNUM];
	int bits = ares_getsock(r->channel, fd, ARES_GETSOCK_MAXNUM);

	r->unwatched = false;
	for (int i = 0; i < ARES_GETSOCK_MAXNUM; i++)
		if (ARES_GETSOCK_READABLE(bits, i) || ARES_GETSOCK_WRITABLE(bits, i))
			on_socket(r, fd[i], ARES_GETSOCK_READABLE(bits, i) != 0, ARES_GETSOCK_WRITABLE(bits, i) != 0);
}

static void arm(struct resolver *r)
{
	struct timeval tv, *t;

	if (r->unwatched)
		watch_again(r);
	t = ares_timeout(r->channel, NULL, &tv);
	if (t)
		timer_start(loop_wheel(r->loop), &r->timer, (uint64_t)t->tv_sec * 1000 + (uint64_t)t->tv_usec / 1000 + 1);
	else
		timer_stop(&r->timer);
}

static void on_timer(struct timer *t)
{
	struct resolver *r = container_of(t, struct resolver, timer);

	ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	arm(r);
}

static void on_ready(struct loop_fd *f, uint32_t ev)
{
	struct resolver *r = container_of(f, struct dns_fd, f)->r;
	int fd = f->fd;

	ares_process_fd(r->channel, ev & (EPOLLIN | EPOLLERR | EPOLLHUP) ? fd : ARES_SOCKET_BAD,
			ev & EPOLLOUT ? fd : ARES_SOCKET_BAD);
	arm(r);
}

static void on_socket(void *data, ares_socket_t fd, int readable, int writable)
{
	struct resolver *r = data;
	uint32_t events = (readable ? EPOLLIN : 0) | (writable ? EPOLLOUT : 0);
	struct dns_fd *d = NULL;
	struct list *p;

	list_for_each(p, &r->fds)
		if (list_entry(p, struct dns_fd, link)->f.fd == fd)
			d = list_entry(p, struct dns_fd, link);
	if (d && events) {
		loop_fd_mod(r->loop, &d->f, events);
	} else if (d) {
		loop_fd_del(r->loop, &d->f);
		list_del(&d->link);
		free(d);
	} else if (events) {
		d = calloc(1, sizeof(*d));
		if (d) {
			d->r = r;
			d->f = (struct loop_fd){ .fd = fd, .events = events, .fn = on_ready };
		}
		if (d && loop_fd_add(r->loop, &d->f) == 0) {
			list_add_tail(&r->fds, &d->link);
			return;
		}
		free(d);
		r->unwatched = true;
	}
}

int dns_open(struct resolver *r)
{
	struct ares_options o = { .flags = ARES_FLAG_NOSEARCH, .timeout = (int)r->c.timeout_ms, .tries = (int)r->c.tries,
				  .sock_state_cb = on_socket, .sock_state_cb_data = r };
	char csv[8 * (ADDR_STRLEN + 1)] = "", text[ADDR_STRLEN];
	size_t l = 0;

	timer_init(&r->timer, on_timer);
	if (r->c.n_servers == 0)
		return 0;
	if (ares_init_options(&r->channel, &o, ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB))
		return -ENOMEM;
	r->has_channel = true;
	for (size_t i = 0; i < r->c.n_servers && i < 8; i++)
		l += (size_t)snprintf(csv + l, sizeof(csv) - l, "%s%s", i ? "," : "", addr_fmt(&r->c.servers[i], text));
	return ares_set_servers_ports_csv(r->channel, csv) == ARES_SUCCESS ? 0 : -EINVAL;
}

void dns_close(struct resolver *r)
{
	timer_stop(&r->timer);
	if (r->has_channel)
		ares_destroy(r->channel);
	r->has_channel = false;
}

/* ---- answers ---- */

static bool skip_name(const uint8_t *p, size_t n, size_t *at)
{
	while (*at < n) {
		uint8_t l = p[*at];

		if ((l & 0xc0) == 0xc0) {
			*at += 2;
			return *at <= n;
		}
		*at += 1u + l;
		if (l == 0)
			return true;
		if (l & 0xc0)
			return false;
	}
	return false;
}

int dns_min_ttl(const uint8_t *p, size_t n, uint32_t *ret)
{
	size_t at = 12;
	unsigned questions, answers;
	uint32_t least = UINT32_MAX;

	if (n < 12)
		return -EBADMSG;
	questions = (unsigned)p[4] << 8 | p[5];
	answers = (unsigned)p[6] << 8 | p[7];
	for (unsigned i = 0; i < questions; i++) {
		if (!skip_name(p, n, &at) || n - at < 4)
			return -EBADMSG;
		at += 4;
	}
	for (unsigned i = 0; i < answers; i++) {
		uint32_t ttl;
		size_t len;

		if (!skip_name(p, n, &at) || n - at < 10)
			return -EBADMSG;
		ttl = (uint32_t)p[at + 4] << 24 | (uint32_t)p[at + 5] << 16 | (uint32_t)p[at + 6] << 8 | p[at + 7];
		len = (size_t)p[at + 8] << 8 | p[at + 9];
		at += 10;
		if (n - at < len)
			return -EBADMSG;
		at += len;
		if (ttl & 0x80000000u)
			ttl = 0;			/* RFC 2181 §8 */
		if (ttl < least)
			least = ttl;
	}
	if (answers == 0)
		return -ENOENT;
	*ret = least;
	return 0;
}

static unsigned read_srv(const uint8_t *p, int n, struct rec *rec)
{
	struct ares_srv_reply *list = NULL;
	unsigned k = 0;

	if (ares_parse_srv_reply(p, n, &list) != ARES_SUCCESS)
		return 0;
	for (struct ares_srv_reply *s = list; s && k < DNS_MAX_RECS; s = s->next) {
		rec[k] = (struct rec){ .prio = s->priority, .weight = s->weight, .port = s->port };
		if (s->host[0] && str_copy(str_from_c(s->host), rec[k].name, DNS_NAME_MAX))	/* "." is: no service */
			k++;
	}
	ares_free_data(list);
	return k;
}

static unsigned read_naptr(const uint8_t *p, int n, struct rec *rec)
{
	struct ares_naptr_reply *list = NULL;
	unsigned k = 0;

	if (ares_parse_naptr_reply(p, n, &list) != ARES_SUCCESS)
		return 0;
	for (struct ares_naptr_reply *s = list; s && k < DNS_MAX_RECS; s = s->next) {
		rec[k] = (struct rec){ .prio = s->order, .weight = s->preference, .flag = (char)s->flags[0] };
		if (str_copy(str_from_c((const char *)s->service), rec[k].service, sizeof(rec[k].service)) &&
		    str_copy(str_from_c(s->regexp && s->regexp[0] ? (const char *)s->regexp : s->replacement), rec[k].name, DNS_NAME_MAX))
			k++;
	}
	ares_free_data(list);
	return k;
}

static unsigned read_hosts(const uint8_t *p, int n, int type, struct rec *rec)
{
	struct hostent *h = NULL;
	unsigned k = 0;

	if ((type == DNS_A ? ares_parse_a_reply(p, n, &h, NULL, NULL) : ares_parse_aaaa_reply(p, n, &h, NULL, NULL)))
		return 0;
	for (char **a = h->h_addr_list; *a && k < DNS_MAX_RECS; a++, k++) {
		rec[k] = (struct rec){ 0 };
		rec[k].a.sa.sa_family = type == DNS_A ? AF_INET : AF_INET6;
		if (type == DNS_A)
			memcpy(&rec[k].a.in4.sin_addr, *a, 4);
		else
			memcpy(&rec[k].a.in6.sin6_addr, *a, 16);
	}
	ares_free_hostent(h);
	return k;
}

unsigned dns_read(uint16_t type, const uint8_t *p, int n, struct rec rec[DNS_MAX_RECS])
{
	if (type == DNS_SRV)
		return read_srv(p, n, rec);
	if (type == DNS_NAPTR)
		return read_naptr(p, n, rec);
	return read_hosts(p, n, type, rec);
}

static METRIC_DEF(m_queries, "cscf_dns_queries_total", METRIC_COUNTER, "DNS queries by type and what came; cached answers are not counted.", "type",
		  "result");

static void count(int type, int status, unsigned records)
{
	const char *result = status == ARES_SUCCESS ? records ? "answer" : "nothing" : status == ARES_ENODATA || status == ARES_EBADNAME ? "nothing" :
			     status == ARES_ENOTFOUND ? "no_such_name" : status == ARES_ETIMEOUT ? "timeout" : "error";

	metric_add(&m_queries, type == DNS_SRV ? "SRV" : type == DNS_NAPTR ? "NAPTR" : type == DNS_AAAA ? "AAAA" : "A", result, 1);
}

static void on_answer(void *arg, int status, int timeouts, unsigned char *p, int n)
{
	struct answer *a = arg;
	struct rec rec[DNS_MAX_RECS];
	uint32_t ttl = a->r->c.negative_ttl_s;
	unsigned k = 0;
	int err = 0;

	(void)timeouts;
	if (status == ARES_SUCCESS && n > 0) {
		k = dns_read(a->type, p, n, rec);
		if (k && dns_min_ttl(p, (size_t)n, &ttl) < 0)
			ttl = 0;
	} else if (status == ARES_ETIMEOUT) {
		err = -ETIMEDOUT;
	} else if (status != ARES_ENODATA && status != ARES_ENOTFOUND && status != ARES_EBADNAME) {
		err = -ECONNREFUSED;
	}
	count(a->type, status, k);
	cache_done(a, err, rec, k, ttl);
}

void dns_ask(struct answer *a)
{
	if (!a->r->has_channel) {
		cache_done(a, 0, NULL, 0, 0);
		return;
	}
	ares_query(a->r->channel, a->name, C_IN, a->type, on_answer, a);
	arm(a->r);
}
