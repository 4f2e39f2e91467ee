/* common/transport/private.h - what the files of common/transport share: workers, listeners, connections, posts. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include "common/log/log.h"
#include "common/transport/stream.h"
#include "common/transport/tls.h"
#include "common/transport/transport.h"
#include "common/util/hash.h"

#define TP_MAX_LISTENERS 64		/* per worker */
#define TP_MAX_BOX 16384		/* messages and sends that wait for one worker; more are dropped and counted */
#define TP_UDP_BATCH 32			/* datagrams per recvmmsg */
#define TP_DGRAM_BYTES 65536
#define TP_READS_PER_TURN 4		/* per connection: others have their turn too */
#define TP_ACCEPTS_PER_TURN 64
#define TP_ACCEPT_PAUSE_MS 1000		/* out of descriptors: no spinning on accept */
#define TP_LINGER_MS 2000		/* to send the answer to what broke the framing */

struct listener {
	struct loop_fd f;		/* f.fd < 0: closed by transport_stop_listening(), still an address of ours */
	struct transport *t;
	enum sip_proto proto;
	struct addr a;
	bool source;			/* only a port to connect from; f.fd < 0 */
	uint32_t overflows;		/* UDP: SO_RXQ_OVFL as last told */
};

/* Work that one worker leaves for another. */
struct job {
	struct job *next;
	enum { JOB_INPUT, JOB_SEND, JOB_FAILED, JOB_UNREACHABLE } kind;
	struct sip_flow flow;		/* INPUT: from; SEND, UNREACHABLE: to */
	struct arena *arena;		/* INPUT, UNREACHABLE: the job lives in it */
	struct str raw;
	uint64_t recv_us;
	struct bytes *wire;		/* SEND */
	uint64_t origin;
	uint16_t asker;			/* SEND: whose origin it is */
	int err;			/* FAILED, UNREACHABLE */
};

/* Jobs for one worker: a stack that producers push to and the consumer takes whole.  It belongs to the group, so a late
 * post finds it even when the transport has gone. */
struct box {
	_Alignas(64) _Atomic(struct job *) head;
	atomic_uint n;
	atomic_bool posted;		/* box_run() is in the loop's mailbox */
	_Atomic(struct transport *) t;
};

struct local {
	enum sip_proto proto;
	struct addr a;
};

struct transport_group {
	unsigned n_workers;
	uint64_t seed;			/* of who owns a Call-ID */
	pthread_mutex_t lock;		/* of adding to local[], and of tls */
	struct tls_context *tls;	/* for new connections; NULL: no TLS */
	atomic_uint n_local;
	struct local local[TP_MAX_LISTENERS];
	struct box box[];
};

struct conn_slot {
	struct conn *c;
	uint32_t gen;
};

struct transport {
	struct transport_group *group;
	uint16_t worker;
	struct loop *loop;
	struct transport_limits lim;
	const struct transport_ops *ops;
	void *u;
	bool (*filter)(void *u, const struct sip_flow *from, struct str raw);
	struct listener *listener[TP_MAX_LISTENERS];
	unsigned n_listeners;
	struct timer accept_timer;
	struct conn_slot *slot;
	uint32_t n_slots, *free_slot, n_free;
	struct htab by_remote, by_alias;
	struct udp_batch *batch;
	struct transport_stats stats;
	struct job *doing;		/* taken from the box, not yet run */
};

/* How octets get in and out of a connection. */
struct conn_io {
	ssize_t (*read)(struct conn *c, char *dst, size_t n);			/* octets, 0 at the end, -errno */
	ssize_t (*write)(struct conn *c, const char *src, size_t n);
	int (*open)(struct conn *c);		/* before anything else; 0 or -errno.  NULL: nothing to do */
	int (*handshake)(struct conn *c);	/* 0: done; -EAGAIN; or -errno, logged.  NULL: none */
	void (*close)(struct conn *c);		/* before the descriptor is closed.  NULL: nothing to do */
};

struct out {
	struct out *next;
	struct bytes *wire;
	size_t sent;
	uint64_t origin;
	uint16_t asker;
};

struct conn {
	struct hnode by_remote;
	bool in_by_remote;
	struct hnode by_alias;
	struct addr alias;		/* where who opened it listens: RFC 5923 */
	bool in_by_alias, alias_asked;	/* alias_asked: its first request was looked at, or none counts */
	struct loop_fd f;
	struct transport *t;
	const struct conn_io *io;
	struct sip_flow flow;		/* with our slot and generation */
	bool accepted, connecting, handshaking;
	bool sourced;			/* from a port that was asked for: serves only who asks for it too */
	struct tls_context *tls;	/* TLS: the context it began with, and its state */
	struct ssl_st *ssl;
	bool ssl_wants_write;		/* whatever it was asked for */
	bool closing;			/* no more input; gone when the queue is empty or the timer fires */
	int failed;			/* 0, or why it will be closed from its timer */
	struct timer timer;
	struct stream in;
	struct out *out_first, **out_last;
	uint32_t queued_bytes;
	uint64_t waiting_us;		/* clock_mono_us(): since when what we read now may have been there */
	bool behind;			/* was not read empty the last time */
	uint64_t born_ms, active_ms, partial_ms;	/* partial_ms: since when half a message waits; 0: none */
};

/* group.c */
void box_open(struct transport *t);
void box_close(struct transport *t);
int box_post(struct transport_group *g, uint16_t worker, struct job *j);	/* takes over j unless it fails */
void job_free(struct job *j);
bool group_knows(const struct transport_group *g, enum sip_proto proto, const struct addr *a);	/* exact */
int group_add(struct transport_group *g, enum sip_proto proto, const struct addr *a);
struct tls_context *group_tls(struct transport_group *g);	/* a reference, or NULL */

/* input.c */
/* One whole message: handed to the worker that owns its Call-ID, parsed there.  raw is copied.  -EACCES: filtered out. */
int input_message(struct transport *t, const struct sip_flow *from, struct str raw, uint64_t recv_us);
/* What arrived by a job: owns the arena. */
void input_parse(struct transport *t, const struct sip_flow *from, struct arena *a, struct str raw, uint64_t recv_us);
/* What cannot be a message: told with the given status, and with as much of the message as can be read. */
int input_bad(struct transport *t, const struct sip_flow *from, struct str raw, unsigned status, const char *why);

/* transport.c */
struct listener *listener_for(struct transport *t, enum sip_proto proto, const struct addr *local, int family);
int socket_open(enum sip_proto proto, const struct addr *a, bool share);	/* bound; descriptor or -errno */
void tell_error(struct transport *t, uint16_t asker, uint64_t origin, int err);

/* udp.c */
int udp_open(struct listener *ls);
int udp_send(struct transport *t, const struct sip_flow *to, struct bytes *wire);

/* unreachable.c */
void unreachable_ask(int fd);		/* to be told */
void unreachable_read(struct listener *ls);

/* tcp.c */
int tcp_open(struct listener *ls);
void tcp_stop(struct listener *ls);
int tcp_connect(struct transport *t, const struct sip_flow *to, struct conn **ret);
void tcp_accept_again(struct timer *tm);

/* conn.c */
/* 0, or -errno: then fd stays the caller's. */
int conn_new(struct transport *t, int fd, const struct sip_flow *flow, bool connecting, struct conn **ret);
struct conn *conn_find(struct transport *t, uint32_t id, uint32_t gen);
struct conn *conn_to(struct transport *t, const struct sip_flow *to);
int conn_send(struct conn *c, struct bytes *wire, uint64_t origin, uint16_t asker);
void conn_free(struct conn *c, int err, bool tell);
void conn_fail(struct conn *c, int err);	/* its timer reports it and frees it: callers may still look at it */
int stream_send(struct transport *t, const struct sip_flow *to, struct bytes *wire, uint64_t origin, uint16_t asker);
extern const struct conn_io conn_io_tcp;

/* alias.c */
void alias_learn(struct conn *c, struct str raw);	/* of the first request of an accepted connection */
void alias_forget(struct conn *c);
struct conn *alias_to(struct transport *t, const struct sip_flow *to);

/* tls.c */
bool tls_peer_verified(const struct conn *c);		/* it showed a certificate, and we trust it */
bool tls_peer_serves(const struct conn *c, const struct sip_flow *to);	/* which stands for where `to` goes: its domain, else its address */
extern const struct conn_io conn_io_tls;
bool tls_peer_is(const struct conn *c, uint32_t name);	/* its certificate, or what we dialled it for, stands for that name */
