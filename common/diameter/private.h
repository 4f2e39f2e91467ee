/* common/diameter/private.h - what this folder's files share.  The only header that sees freeDiameter. */
#pragma once
#include <freeDiameter/freeDiameter-host.h>
#include <freeDiameter/libfdcore.h>
#include <freeDiameter/libfdproto.h>
#include "common/diameter/tables.h"
#include "common/util/arena.h"

#define CX_APPLICATION 16777216u
#define RX_APPLICATION_ID 16777236u
#define VENDOR_3GPP 10415u
#define VENDOR_ETSI 13019u

/* ---- dictionary.c ---- */
int dictionary_open(struct dictionary *d);			/* once, after fd_core_initialize() */
struct dictionary *dictionary_get(void);
struct dict_object *dictionary_application(enum dia_application a);
uint32_t dictionary_application_id(enum dia_application a);
struct dict_object *dictionary_vendor(void);				/* 10415 */
uint32_t dictionary_vendor_id(enum dia_vendor v);
struct dict_object *dictionary_command(enum dia_command_id c, bool request);
struct dict_object *dictionary_avp(uint32_t code, enum dia_vendor vendor);	/* NULL: not defined */

/* ---- codec.c: rows to AVPs and back ---- */
int codec_add_u32(msg_or_avp *parent, uint32_t code, enum dia_vendor vendor, uint32_t v);
int codec_add_str(msg_or_avp *parent, uint32_t code, enum dia_vendor vendor, struct str v);
/* Cx: Vendor-Specific-Application-Id and Auth-Session-State, TS 29.229 §5.1, §5.2.  Rx: Auth-Application-Id, TS 29.214 §5.6. */
int codec_add_application(struct msg *m, enum dia_application app);
int codec_write(msg_or_avp *parent, const struct dia_row *rows, const void *in);
/* Everything is copied into `a`; lists longer than their place are cut. */
int codec_read(msg_or_avp *parent, const struct dia_row *rows, void *out, struct arena *a);
int codec_write_result(struct msg *m, const struct dia_result *r);
/* Result-Code or Experimental-Result.  0, or -EBADMSG when there is neither. */
int codec_read_result(struct msg *m, struct dia_result *ret);
/* Octets as they came from a peer, before the library parses them: rewrites in place what would make it abort or lose an
 * answer (README.md, traps 1 and 2). */
void codec_defuse(uint8_t *p, size_t n);

/* ---- node.c ---- */
struct dia_node {
	struct dia_config c;
	char identity[256], realm[256], dest_realm[256], dest_host[256];	/* the latter two: of Cx */
	bool running;
};
const struct dia_node *dia_node(void);

/* ---- peers.c; any thread ---- */
int peers_watch(void);			/* hooks; before fd_core_start() */
void peer_answered(const char *identity, uint64_t us, bool error);	/* a request of ours */
void peer_timed_out(const char *identity);
/* It is set aside, or has said nothing since a request of ours went to it half a request's time ago; and another peer is open that speaks. */
bool peer_better_than(struct str identity);

/* ---- server.c ---- */
int server_register(void);		/* dispatch callbacks, before fd_core_start() */

/* ---- request.c ---- */
int request_make(enum dia_command_id cmd, const void *req, struct msg **ret);	/* 0 or -errno */

/* ---- flight.c ---- */
struct mailbox;
struct mailbox *mailbox_new(struct loop *l, struct dia_client *c);	/* NULL: out of memory */
void mailbox_close(struct mailbox *b);		/* nothing is delivered any more */
/* To the library; m is taken over.  The answer, or nothing, comes by client_delivered() on the mailbox's loop.  0 or -errno. */
int flight_start(struct mailbox *box, uint64_t id, enum dia_command_id cmd, struct msg *m, uint32_t timeout_ms);
/* After the library's threads have ended: requests that it still had. */
void flights_end(void);

/* ---- client.c ---- */
struct redirection {
	struct dia_redirect r;
	void *request;			/* a copy, without our own Origin-Host and Destination-Host */
};
/* The peer says that somebody else should be asked.  false: it cannot be followed, and the answer is what it is. */
bool client_redirected(struct dia_client *c, uint64_t id, enum dia_command_id cmd, struct redirection *r);
/* answer: a struct of that command, valid for the call. */
void client_delivered(struct dia_client *c, uint64_t id, enum dia_command_id cmd, const void *answer);
