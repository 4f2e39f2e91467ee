/* common/diameter/request.c - from a request's struct to a message ready for the library.  RFC 6733 §6.1, §8.8;
 * TS 29.229 §6.1, TS 29.214 §5.6. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "common/diameter/doic.h"
#include "common/diameter/private.h"
#include "common/diameter/redirect.h"
#include "common/util/rand.h"

#define SESSION_ID_BYTES 320

/* RFC 6733 §8.8; unique in time and space: our identity, the clock, a random number. */
static int new_session_id(char *dst, size_t size)
{
	return snprintf(dst, size, "%s;%u;%u", dia_node()->identity, (unsigned)time(NULL), rand_u32());
}

void rx_session_id(char dst[RX_SESSION_ID_BYTES], unsigned tail)
{
	size_t l = (size_t)new_session_id(dst, RX_SESSION_ID_BYTES);

	if (l < RX_SESSION_ID_BYTES)
		snprintf(dst + l, RX_SESSION_ID_BYTES - l, ";%u", tail);
}

int rx_session_tail(struct str id, unsigned *ret)
{
	struct str ours = str_from_c(dia_node()->identity);
	ssize_t semi = str_rchr(id, ';');
	uint32_t n;

	if (semi < 0 || !str_istarts(id, ours) || str_to_u32(str_from(id, (size_t)semi + 1), &n) < 0)
		return -EBADMSG;
	*ret = n;
	return 0;
}

static int add_session_id(struct msg *m, struct str given)
{
	char text[SESSION_ID_BYTES];
	union avp_value v;
	struct avp *avp;
	int rc = fd_msg_avp_new(dictionary_avp(263, DIA_BASE), 0, &avp);

	if (rc)
		return -rc;
	if (!given.l)
		given = str_make(text, (size_t)new_session_id(text, sizeof(text)));
	v.os.data = (uint8_t *)(uintptr_t)given.p;
	v.os.len = given.l;
	rc = fd_msg_avp_setvalue(avp, &v);
	if (rc == 0)
		rc = fd_msg_avp_add(m, MSG_BRW_FIRST_CHILD, avp);
	if (rc)
		fd_msg_free(avp);
	return -rc;
}

/* Cx goes where cx_set_destination() said, unless the request names a host; others say it themselves. */
static int add_destination(struct msg *m, enum dia_command_id cmd, const void *req)
{
	bool cx = dia_commands[cmd].application == DIA_CX;
	int rc = 0;

	if (!dia_request_text(cmd, req, 283).l)
		rc = codec_add_str(m, 283, DIA_BASE, str_from_c(cx ? dia_node()->dest_realm : dia_node()->realm));
	if (rc == 0 && cx && dia_node()->dest_host[0] && !dia_request_text(cmd, req, 293).l)
		rc = codec_add_str(m, 293, DIA_BASE, str_from_c(dia_node()->dest_host));
	return rc;
}

int request_make(enum dia_command_id cmd, const void *req, struct msg **ret)
{
	const struct dia_command *c = &dia_commands[cmd];
	struct msg_hdr *h;
	struct msg *m = NULL;
	int rc = -fd_msg_new(dictionary_command(cmd, true), MSGFL_ALLOC_ETEID, &m);

	if (rc == 0)
		rc = -fd_msg_hdr(m, &h);
	if (rc == 0) {
		h->msg_appl = dictionary_application_id(c->application);	/* a base command has none of its own */
		rc = add_session_id(m, dia_request_text(cmd, req, 263));
	}
	if (rc == 0)
		rc = codec_add_application(m, c->application);
	if (rc == 0)
		rc = -fd_msg_add_origin(m, 0);
	if (rc == 0)
		rc = add_destination(m, cmd, req);
	if (rc == 0)
		rc = codec_write(m, c->request, req);
	if (rc == 0 && dia_node()->c.doic && redirect_identity(cmd, req).l)	/* of a CSCF, not of a HSS: RFC 7683 §5.1.1 */
		rc = codec_write(m, doic_request_rows, &(const struct doic_answer){ .features = DOIC_LOSS });
	if (rc < 0 && m) {
		fd_msg_free(m);
		m = NULL;
	}
	*ret = m;
	return rc;
}
