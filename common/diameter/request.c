/* common/diameter/request.c - from a request's struct to a message ready for the library.  RFC 6733 §6.1, §8.8; TS 29.229 §6.1. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "common/diameter/private.h"
#include "common/util/rand.h"

#define SESSION_ID_BYTES 320

/* RFC 6733 §8.8; unique in time and space: our identity, the clock, a random number. */
static int add_session_id(struct msg *m)
{
	char text[SESSION_ID_BYTES];
	union avp_value v;
	struct avp *avp;
	int rc = fd_msg_avp_new(dictionary_avp(263, true), 0, &avp);

	if (rc)
		return -rc;
	v.os.data = (uint8_t *)text;
	v.os.len = (size_t)snprintf(text, sizeof(text), "%s;%u;%u", dia_node()->identity, (unsigned)time(NULL), rand_u32());
	rc = fd_msg_avp_setvalue(avp, &v);
	if (rc == 0)
		rc = fd_msg_avp_add(m, MSG_BRW_FIRST_CHILD, avp);
	if (rc)
		fd_msg_free(avp);
	return -rc;
}

static bool names_host(const struct cx_command *c, const void *req)
{
	for (const struct cx_row *r = c->request; r->code; r++)
		if (r->code == 293 && r->base)
			return ((const struct str *)(const void *)((const char *)req + r->off))->l != 0;
	return false;
}

int request_make(enum cx_command_id cmd, const void *req, struct msg **ret)
{
	const struct cx_command *c = &cx_commands[cmd];
	struct msg *m = NULL;
	int rc = -fd_msg_new(dictionary_command(cmd, true), MSGFL_ALLOC_ETEID, &m);

	if (rc == 0)
		rc = add_session_id(m);
	if (rc == 0)
		rc = codec_add_application(m);
	if (rc == 0)
		rc = -fd_msg_add_origin(m, 0);
	if (rc == 0)
		rc = codec_add_str(m, 283, true, str_from_c(dia_node()->dest_realm));
	if (rc == 0 && dia_node()->dest_host[0] && !names_host(c, req))
		rc = codec_add_str(m, 293, true, str_from_c(dia_node()->dest_host));
	if (rc == 0)
		rc = codec_write(m, c->request, req);
	if (rc < 0 && m) {
		fd_msg_free(m);
		m = NULL;
	}
	*ret = m;
	return rc;
}
