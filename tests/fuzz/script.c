/* tests/fuzz/script.c - see script.h. */
#include <string.h>
#include "common/sip/out.h"
#include "tests/fuzz/script.h"

void script_trace(const char *what, struct str line)
{
	static int on = -1;

	if (on < 0)
		on = getenv("FUZZ_TRACE") != NULL;
	if (on)
		fprintf(stderr, "%s %.*s\n", what, STR_ARG(line));
}

void script_sent(struct script *s, const struct sip_flow *to, struct bytes *wire, struct sip_msg *m, void *at)
{
	struct script_sent *last = &s->ring[SCRIPT_RING - 1];

	if (s->n == SCRIPT_RING) {
		bytes_unref(last->wire);
		sip_msg_unref(last->m);
		s->n--;
	}
	script_trace("    sent", str_trim(str_head(m->raw, m->start_len)));
	memmove(s->ring + 1, s->ring, s->n++ * sizeof(*last));
	s->ring[0] = (struct script_sent){ wire, m, *to, at };
}

static const struct script_sent *request_sent(const struct script *s, unsigned back)
{
	for (unsigned i = 0; i < s->n; i++)
		if (s->ring[i].m->request && back-- == 0)
			return &s->ring[i];
	return NULL;
}

/* The values of the newest message that has any. */
static void put_values(const struct script *s, enum sip_hdr_id id, struct buf *out)
{
	for (unsigned i = 0; i < s->n; i++) {
		struct sip_values it = sip_values(s->ring[i].m, id);
		bool some = false;
		struct str v;

		for (; sip_values_next(&it, &v); some = true) {
			if (some)
				buf_puts(out, ", ");
			buf_put(out, v);
		}
		if (some)
			return;
	}
}

static void put_var(struct script *s, char name)
{
	const struct sip_msg *m = s->n ? s->ring[0].m : NULL;

	switch (m ? name : ' ') {
	case 'r': put_values(s, SIP_H_RECORD_ROUTE, &s->text); break;
	case 'p': put_values(s, SIP_H_PATH, &s->text); break;
	case 's': put_values(s, SIP_H_SERVICE_ROUTE, &s->text); break;
	case 'c': put_values(s, SIP_H_CONTACT, &s->text); break;
	case 't': buf_put(&s->text, m->to_tag); break;
	case 'b': buf_put(&s->text, m->via.branch); break;
	case 'i': buf_put(&s->text, m->call_id); break;
	default:
		if (s->ops->var)
			s->ops->var(s, name, &s->text);
	}
}

static struct str expand(struct script *s, struct str in)
{
	buf_reset(&s->text);
	for (size_t i = 0; i < in.l; i++) {
		if (in.p[i] == '$' && i + 1 < in.l && ((in.p[i + 1] | 0x20) >= 'a' && (in.p[i + 1] | 0x20) <= 'z'))
			put_var(s, in.p[++i]);
		else
			buf_putc(&s->text, in.p[i]);
	}
	return s->text.failed ? STR_NONE : buf_str(&s->text);
}

/* Header lines of an answer need CRLF and no empty line: sip_reply_make() takes them as they are. */
static struct str lines_only(struct script *s, struct str in)
{
	static char dst[SCRIPT_TEXT_BYTES];
	struct str text = expand(s, in), line;
	size_t n = 0;

	while (text.l) {
		str_cut(text, '\n', &line, &text);
		while (line.l && line.p[line.l - 1] == '\r')
			line.l--;
		if (line.l == 0 || n + line.l + 2 > sizeof(dst) || memchr(line.p, '\r', line.l))
			continue;
		memcpy(dst + n, line.p, line.l);
		n += line.l;
		dst[n++] = '\r';
		dst[n++] = '\n';
	}
	return str_make(dst, n);
}

static void answer(struct script *s, unsigned back, unsigned status, struct str body)
{
	const struct script_sent *to = request_sent(s, back);
	struct str extra = lines_only(s, body);
	struct bytes *b;

	if (!to || status < 100 || status > 699)
		return;
	b = sip_reply_make(to->m, status, NULL, STR("peer"), extra, STR_NONE, STR_NONE);
	if (b)
		s->ops->answer(s, to, bytes_str(b));
	bytes_unref(b);
}

static uint32_t number(struct str *rest)
{
	struct str w;
	uint32_t n = 0;

	*rest = str_trim(*rest);
	str_cut(*rest, ' ', &w, rest);
	str_to_u32(str_trim(w), &n);
	return n;
}

void script_wait(struct script *s, uint64_t ms)
{
	uint64_t end = s->ops->wheel(s)->now_ms + ms, now;

	while ((now = s->ops->wheel(s)->now_ms) < end) {
		uint64_t next = wheel_next_ms(s->ops->wheel(s), end - now);

		cost_step_begin();
		s->ops->wait(s, next ? next : 1);
		cost_step_end();
		s->ops->after(s);
	}
}

static void step(struct script *s, struct str command, struct str body)
{
	const struct script_ops *o = s->ops;
	struct str word, rest;
	unsigned a, b;

	script_trace("", command);
	str_cut(str_trim(command), ' ', &word, &rest);
	a = number(&rest);
	b = number(&rest);
	if (str_eq_c(word, "wait"))
		script_wait(s, a < 600000 ? a : 600000);
	cost_step_begin();
	if (str_eq_c(word, "in"))
		o->in(s, a, expand(s, body));
	else if (str_eq_c(word, "answer"))
		answer(s, a, b, body);
	else if (str_eq_c(word, "fail") && o->fail && s->n)
		o->fail(s, &s->ring[0]);
	else if (str_eq_c(word, "cx") && o->cx)
		o->cx(s, a);
	else if (str_eq_c(word, "knob") && o->knob)
		o->knob(s, a);
	cost_step_end();
	o->after(s);
}

/* Cuts the text up to the next line that begins with '!'. */
static struct str cut_body(struct str *rest)
{
	struct str all = *rest, line;

	while (rest->l && rest->p[0] != '!')
		str_cut(*rest, '\n', &line, rest);
	return str_head(all, rest->l ? (size_t)(rest->p - all.p) : all.l);
}

void script_run(struct script *s, const struct script_ops *ops, void *u, struct str text)
{
	*s = (struct script){ .ops = ops, .u = u };
	buf_init(&s->text, SCRIPT_TEXT_BYTES);
	cut_body(&text);
	for (unsigned i = 0; text.l && i < SCRIPT_MAX_STEPS; i++) {
		struct str command;

		str_cut(str_from(text, 1), '\n', &command, &text);
		step(s, command, cut_body(&text));
	}
}

void script_end(struct script *s)
{
	for (unsigned i = 0; i < s->n; i++) {
		bytes_unref(s->ring[i].wire);
		sip_msg_unref(s->ring[i].m);
	}
	buf_fini(&s->text);
}
