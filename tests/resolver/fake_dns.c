/* tests/resolver/fake_dns.c - questions in, rows out.  RFC 1035 §4, RFC 2782, RFC 3403 §4.1. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "tests/check.h"
#include "tests/resolver/fake_dns.h"

struct packet {
	uint8_t b[4096];
	size_t l;
};

static void put16(struct packet *p, unsigned v)
{
	p->b[p->l++] = (uint8_t)(v >> 8);
	p->b[p->l++] = (uint8_t)v;
}

static void put_text(struct packet *p, const char *s)		/* <character-string> */
{
	size_t n = strlen(s);

	p->b[p->l++] = (uint8_t)n;
	memcpy(p->b + p->l, s, n);
	p->l += n;
}

static void put_name(struct packet *p, const char *name)
{
	char label[64];

	while (*name) {
		size_t n = strcspn(name, ".");

		snprintf(label, sizeof(label), "%.*s", (int)n, name);
		put_text(p, label);
		name += n + (name[n] == '.');
	}
	p->b[p->l++] = 0;
}

static void put_data(struct packet *p, const struct fake_dns_row *r)
{
	char flag[8], service[32], target[128];
	unsigned a, b, port;
	struct in_addr in;

	switch (r->type) {
	case 1:
		ck_assert_int_eq(inet_pton(AF_INET, r->data, &in), 1);
		memcpy(p->b + p->l, &in, 4);
		p->l += 4;
		break;
	case 33:
		ck_assert_int_eq(sscanf(r->data, "%u %u %u %127s", &a, &b, &port, target), 4);
		put16(p, a);
		put16(p, b);
		put16(p, port);
		put_name(p, target);
		break;
	default:
		ck_assert_int_eq(sscanf(r->data, "%u %u %7s %31s %127s", &a, &b, flag, service, target), 5);
		put16(p, a);
		put16(p, b);
		put_text(p, strcmp(flag, "-") ? flag : "");			/* "-": empty */
		put_text(p, strcmp(service, "-") ? service : "");
		put_text(p, target[0] == '!' ? target : "");		/* an expression instead of a name */
		put_name(p, target[0] == '!' ? "" : target);
	}
}

static void put_row(struct packet *p, const struct fake_dns_row *r)
{
	size_t len_at;

	put16(p, 0xc00c);			/* the name of the question */
	put16(p, r->type);
	put16(p, 1);
	put16(p, r->ttl_s >> 16);
	put16(p, r->ttl_s & 0xffff);
	len_at = p->l;
	put16(p, 0);
	put_data(p, r);
	p->b[len_at] = (uint8_t)((p->l - len_at - 2) >> 8);
	p->b[len_at + 1] = (uint8_t)(p->l - len_at - 2);
}

/* Name of the question; returns the offset behind it. */
static size_t question(const uint8_t *q, size_t n, char name[256])
{
	size_t at = 12, l = 0;

	while (at < n && q[at]) {
		ck_assert_uint_le(at + 1 + q[at], n);
		memcpy(name + l, q + at + 1, q[at]);
		l += q[at];
		name[l++] = '.';
		at += 1u + q[at];
	}
	name[l ? l - 1 : 0] = '\0';
	return at + 1;
}

static void answer(struct fake_dns *d, const uint8_t *q, size_t n, struct packet *p)
{
	char name[256];
	size_t end = question(q, n, name);
	unsigned type = (unsigned)q[end] << 8 | q[end + 1], count = 0;

	memcpy(p->b, q, end + 4);
	p->l = end + 4;
	p->b[2] = 0x85;				/* response, authoritative, recursion desired */
	p->b[3] = d->mode == FAKE_DNS_SERVFAIL ? 0x82 : 0x80;
	for (size_t i = 0; i < d->n_rows && d->mode != FAKE_DNS_SERVFAIL; i++) {
		if (strcasecmp(d->rows[i].name, name) != 0 || d->rows[i].type != type)
			continue;
		put_row(p, &d->rows[i]);
		count++;
	}
	memset(p->b + 6, 0, 6);
	p->b[7] = (uint8_t)count;
	if (d->mode == FAKE_DNS_GARBAGE)
		p->l = end + 4 + (p->l - end - 4) / 2;		/* cut in the middle of its records */
}

static void on_question(struct loop_fd *f, uint32_t ev)
{
	struct fake_dns *d = container_of(f, struct fake_dns, f);
	struct sockaddr_in from;
	socklen_t fl = sizeof(from);
	struct packet p;
	uint8_t q[512];
	ssize_t n = recvfrom(f->fd, q, sizeof(q), 0, (struct sockaddr *)&from, &fl);

	(void)ev;
	if (n < 17)
		return;
	d->asked++;
	if (d->mode == FAKE_DNS_SILENT)
		return;
	answer(d, q, (size_t)n, &p);
	sendto(f->fd, p.b, p.l, 0, (struct sockaddr *)&from, fl);
}

void fake_dns_open(struct fake_dns *d, struct loop *l, const struct fake_dns_row *rows, size_t n)
{
	socklen_t al = sizeof(d->a.in4);

	*d = (struct fake_dns){ .l = l, .rows = rows, .n_rows = n };
	ck_assert_int_eq(addr_parse(STR("127.0.0.1"), 0, &d->a), 0);
	d->f = (struct loop_fd){ .fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), .events = EPOLLIN,
				 .fn = on_question };
	ck_assert_int_ge(d->f.fd, 0);
	ck_assert_int_eq(bind(d->f.fd, &d->a.sa, al), 0);
	ck_assert_int_eq(getsockname(d->f.fd, &d->a.sa, &al), 0);
	ck_assert_int_eq(loop_fd_add(l, &d->f), 0);
}

void fake_dns_close(struct fake_dns *d)
{
	loop_fd_del(d->l, &d->f);
	close(d->f.fd);
}
