/* tests/ue/media.c - RTP silence out every 20 ms, RTP counted in.  RFC 3550 §5.1, §11 (even port, RTCP above). */
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "common/util/rand.h"
#include "tests/ue/media.h"

#define PACKET_MS 20
#define FIRST_PORT 30000u
#define N_PAIRS 10000u
#define TRIES 64
#define RTP_HEAD 12
#define READS_PER_TURN 64

static int bound(const struct addr *host, uint16_t port)
{
	struct addr a = *host;
	int fd, rc;

	addr_set_port(&a, port);
	fd = socket(a.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (bind(fd, &a.sa, addr_len(&a)) == 0)
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

static void on_rtp(struct loop_fd *f, uint32_t revents)
{
	struct media *m = container_of(f, struct media, rtp);
	uint8_t p[2048];

	(void)revents;
	for (int i = 0; i < READS_PER_TURN; i++) {
		ssize_t n = recv(f->fd, p, sizeof(p), 0);

		if (n < 0)
			return;
		if (m->session && n >= RTP_HEAD && p[0] >> 6 == 2)
			m->received++;
	}
}

int media_open(struct media *m, struct loop *l, const struct addr *host)
{
	int rc = -EADDRINUSE;

	*m = (struct media){ .loop = l, .rtp = { .fd = -1 }, .rtcp_fd = -1 };
	for (int i = 0; i < TRIES && rc < 0; i++) {
		uint16_t port = (uint16_t)(FIRST_PORT + 2 * rand_below(N_PAIRS));

		rc = m->rtp.fd = bound(host, port);
		if (rc < 0)
			continue;
		rc = m->rtcp_fd = bound(host, port + 1);
		if (rc < 0) {
			close(m->rtp.fd);
			m->rtp.fd = -1;
			continue;
		}
		m->local = *host;
		addr_set_port(&m->local, port);
	}
	if (rc < 0)
		return rc;
	m->rtp.events = EPOLLIN;
	m->rtp.fn = on_rtp;
	m->seq = (uint16_t)rand_u32();
	m->ts = rand_u32();
	m->ssrc = rand_u32();
	return loop_fd_add(l, &m->rtp);
}

void media_close(struct media *m)
{
	timer_stop(&m->tick);
	m->session = NULL;
	if (m->rtp.fd >= 0) {
		loop_fd_del(m->loop, &m->rtp);
		close(m->rtp.fd);
	}
	if (m->rtcp_fd >= 0)
		close(m->rtcp_fd);
	m->rtp.fd = m->rtcp_fd = -1;
}

static void send_one(struct media *m)
{
	const struct session *s = m->session;
	const struct codec *c = s->codec;
	uint8_t p[RTP_HEAD + 256];

	p[0] = 0x80;
	p[1] = s->pt | (m->sent == 0 ? 0x80 : 0);		/* marker: the first of a talk spurt */
	p[2] = (uint8_t)(m->seq >> 8);
	p[3] = (uint8_t)m->seq;
	for (int i = 0; i < 4; i++) {
		p[4 + i] = (uint8_t)(m->ts >> (24 - 8 * i));
		p[8 + i] = (uint8_t)(m->ssrc >> (24 - 8 * i));
	}
	if (c->silence)
		memcpy(p + RTP_HEAD, c->silence, c->silence_bytes);
	else
		memset(p + RTP_HEAD, c->fill, c->silence_bytes);
	m->seq++;
	if (sendto(m->rtp.fd, p, RTP_HEAD + c->silence_bytes, MSG_DONTWAIT, &s->remote.sa, addr_len(&s->remote)) > 0)
		m->sent++;
}

static void on_tick(struct timer *t)
{
	struct media *m = container_of(t, struct media, tick);

	m->ts += m->session->codec ? m->session->codec->rate / (1000 / PACKET_MS) : 0;
	if (session_sends(m->session))
		send_one(m);
	timer_start(loop_wheel(m->loop), t, PACKET_MS);
}

void media_start(struct media *m, const struct session *s)
{
	if (m->session || m->rtp.fd < 0)
		return;
	m->session = s;
	timer_init(&m->tick, on_tick);
	timer_start(loop_wheel(m->loop), &m->tick, 0);
}
