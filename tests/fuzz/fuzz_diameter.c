/* tests/fuzz/fuzz_diameter.c - octets of a Diameter peer: defused, through libfdproto's parser with our dictionary, into the structs
 * of cx.h and rx.h.  README.md of common/diameter, traps 1 and 2; TS 29.229 §6.
 *
 * What the library aborts or loses must not reach it; what is read lies in the arena, lists are no longer than their place. */
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include "common/diameter/private.h"
#include "tests/fuzz/fuzz.h"

static void no_log(int level, const char *fmt, va_list ap)
{
	(void)level, (void)fmt, (void)ap;
}

static void open_once(void)
{
	static bool done;

	if (done)
		return;
	done = true;
	fd_log_handler_register(no_log);
	fd_g_debug_lvl = FD_LOG_FATAL;
	MUST(fd_core_initialize() == 0 && dictionary_open(fd_g_config->cnf_dict) == 0);
}

static void check_list(const struct dia_row *rows, const char *out)
{
	for (const struct dia_row *r = rows; r->code; r++) {
		if (r->kind == DIA_K_STRS)
			MUST(((const struct cx_strs *)(const void *)(out + r->off))->n <= CX_MAX_LIST);
		if (r->kind == DIA_K_U32S)
			MUST(((const struct cx_u32s *)(const void *)(out + r->off))->n <= CX_MAX_LIST);
		if (r->kind == DIA_K_ITEMS || r->kind == DIA_K_ITEMS_M)
			MUST(*(const unsigned *)(const void *)(out + r->n_off) <= r->item_max);
	}
}

static void read_as(struct msg *m, const struct dia_row *rows, size_t bytes)
{
	struct arena *a = arena_new(4096);
	struct dia_result r;
	void *out = a ? arena_zalloc(a, bytes) : NULL;

	if (out && codec_read(m, rows, out, a) == 0)
		check_list(rows, out);
	codec_read_result(m, &r);
	arena_unref(a);
}

void fuzz_one(const uint8_t *data, size_t size)
{
	uint8_t *octets = malloc(size ? size : 1), *again = malloc(size ? size : 1);
	struct msg *m = NULL;
	struct msg_hdr *h;

	open_once();
	MUST(octets && again);
	memcpy(octets, data, size);
	codec_defuse(octets, size);
	memcpy(again, octets, size);
	codec_defuse(again, size);
	MUST(memcmp(octets, again, size) == 0);
	free(again);
	/* The connection reads the length first: a buffer is exactly one message. */
	if (size < 20 || ((size_t)octets[1] << 16 | (size_t)octets[2] << 8 | octets[3]) != size ||
	    fd_msg_parse_buffer(&octets, size, &m) != 0) {
		free(octets);
		return;
	}
	if (fd_msg_parse_dict(m, dictionary_get(), NULL) == 0 && fd_msg_hdr(m, &h) == 0)
		for (int c = 0; c < DIA_N_COMMANDS; c++)
			if (dia_commands[c].code == h->msg_code && h->msg_appl == dictionary_application_id(dia_commands[c].application)) {
				bool request = h->msg_flags & CMD_FLAG_REQUEST;

				read_as(m, request ? dia_commands[c].request : dia_commands[c].answer,
					request ? dia_commands[c].request_size : dia_commands[c].answer_size);
			}
	fd_msg_free(m);
}
