/* common/http2/message.c - headers and body of one message, bounded.  RFC 9113 §8.2, §8.3. */
#include <errno.h>
#include "common/http2/private.h"

#define ARENA_BYTES 1024u

int h2_message_init(struct h2_message *m)
{
	memset(m, 0, sizeof(*m));
	m->a = arena_new(ARENA_BYTES);
	buf_init(&m->body, H2_MAX_BODY_BYTES);
	return m->a ? 0 : -ENOMEM;
}

void h2_message_fini(struct h2_message *m)
{
	arena_unref(m->a);
	buf_fini(&m->body);
}

static int take_status(struct h2_message *m, struct str value)
{
	uint32_t n;

	if (value.l != 3 || str_to_u32(value, &n) < 0 || n < 100)
		return -EBADMSG;
	m->status = n;
	return 0;
}

int h2_message_header(struct h2_message *m, struct str name, struct str value)
{
	struct h2_header h;

	m->header_bytes += name.l + value.l;
	if (m->n == H2_MAX_HEADERS || m->header_bytes > H2_MAX_HEADER_BYTES)
		return -EMSGSIZE;
	if (str_eq(name, STR(":status")))
		return take_status(m, value);
	h.name = arena_dup(m->a, name);
	h.value = arena_dup(m->a, value);
	if (!h.name.p || (value.l && !h.value.p))
		return -ENOMEM;
	if (str_eq(name, STR(":method")))
		m->method = h.value;
	else if (str_eq(name, STR(":path")))
		m->path = h.value;
	else
		m->h[m->n++] = h;
	return 0;
}

int h2_message_data(struct h2_message *m, struct str d)
{
	buf_put(&m->body, d);
	return m->body.failed ? -EMSGSIZE : 0;
}

struct str h2_find(const struct h2_header *h, unsigned n, const char *name)
{
	for (unsigned i = 0; i < n; i++)
		if (str_eq_c(h[i].name, name))
			return h[i].value;
	return STR_NONE;
}

static ssize_t read_body(nghttp2_session *ng, int32_t stream, uint8_t *dst, size_t room, uint32_t *flags, nghttp2_data_source *src, void *u)
{
	struct h2_body *b = nghttp2_session_get_stream_user_data(ng, stream);
	size_t n;

	(void)src;
	(void)u;
	if (!b)			/* given up */
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	n = b->s.l - b->off < room ? b->s.l - b->off : room;
	if (n)
		memcpy(dst, b->s.p + b->off, n);
	b->off += n;
	if (b->off == b->s.l)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

const nghttp2_data_provider h2_provider = { .read_callback = read_body };

nghttp2_nv h2_nv(struct str name, struct str value)
{
	return (nghttp2_nv){ (uint8_t *)(uintptr_t)name.p, (uint8_t *)(uintptr_t)(value.l ? value.p : ""), name.l, value.l, NGHTTP2_NV_FLAG_NONE };
}
