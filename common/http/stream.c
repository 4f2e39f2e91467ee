/* common/http/stream.c - answers without an end: the connection sleeps until there is something to say.
 *
 * libmicrohttpd asks for octets when the client can take some.  When there are none the connection is suspended and costs nothing;
 * http_stream_wake() has it ask again.  A client that went away is noticed by the next write, so somebody must say something now
 * and then. */
#include <stdlib.h>
#include "common/http/private.h"

#define STREAM_BLOCK_BYTES 8192u
#define STREAM_MAX_BYTES (256u * 1024)	/* of one call of more() */

struct http_stream {
	struct list link;		/* in http_server.streams */
	struct http_req *r;
	const struct http_stream_ops *ops;
	void *u;
	struct buf out;
	size_t sent;			/* of out */
	bool asleep, ending;
};

static void refill(struct http_stream *st)
{
	buf_reset(&st->out);
	st->sent = 0;
	if (!st->ending && !st->ops->more(st->u, &st->out))
		st->ending = true;
}

static ssize_t on_room(void *u, uint64_t pos, char *dst, size_t max)
{
	struct http_stream *st = u;
	size_t n;

	(void)pos;
	if (st->sent == st->out.l)
		refill(st);
	n = st->out.l - st->sent;
	if (n == 0 && st->ending)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (n == 0) {
		st->asleep = true;
		MHD_suspend_connection(st->r->c);
		return 0;
	}
	n = n < max ? n : max;
	memcpy(dst, st->out.p + st->sent, n);
	st->sent += n;
	return (ssize_t)n;
}

struct http_stream *http_stream(struct http_req *r, const char *content_type, const struct http_stream_ops *ops, void *u)
{
	struct http_stream *st = calloc(1, sizeof(*st));
	struct MHD_Response *resp = st ? MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK_BYTES, on_room, st, NULL) : NULL;

	if (!resp) {
		free(st);
		http_problem(r, 500, "OUT_OF_MEMORY", "the stream cannot be opened");
		return NULL;
	}
	MHD_add_response_header(resp, "Content-Type", content_type);
	buf_init(&st->out, STREAM_MAX_BYTES);
	st->r = r;
	st->ops = ops;
	st->u = u;
	list_add_tail(&r->l->s->streams, &st->link);
	r->stream = st;
	http_answer(r, 200, resp);
	return st;
}

void http_stream_wake(struct http_stream *st)
{
	if (!st->asleep)
		return;
	st->asleep = false;
	MHD_resume_connection(st->r->c);
	http_server_run_soon(st->r->l->s);
}

void stream_free(struct http_stream *st)
{
	if (!st)
		return;
	list_del(&st->link);
	st->ops->closed(st->u);
	buf_fini(&st->out);
	free(st);
}

void streams_end(struct http_server *s)
{
	struct list *pos;

	list_for_each(pos, &s->streams) {
		struct http_stream *st = list_entry(pos, struct http_stream, link);

		st->ending = true;
		http_stream_wake(st);
	}
}
