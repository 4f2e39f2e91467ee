/* tests/transaction/world.h - a transaction layer with fake time, a fake network, and a user that takes notes. */
#pragma once
#include <errno.h>
#include "common/transaction/private.h"
#include "tests/check.h"

#define WORLD_MAX_SENT 128
#define WORLD_REFUSED 0xff		/* in rows of cells: the table must refuse */
#define WORLD_BRANCH "z9hG4bKworld1"
#define WORLD_PEER "127.0.0.9"		/* port 40000: the sent-by says 5080 */

struct world_sent {
	uint64_t at_ms;			/* since world_init() */
	char text[1500];
	struct sip_flow to;
	struct tx_handle origin;
};

struct world {
	struct wheel wheel;
	struct tx_layer *l;
	enum sip_proto proto;
	enum tx_side side;
	struct world_sent sent[WORLD_MAX_SENT];
	unsigned n_sent, n_request, n_ack, n_cancel, n_stray, n_response, n_failed, n_gone, n_seen_in, n_seen_out;
	unsigned last_status;
	int last_err, send_rc;
	uint64_t failed_at_ms, gone_at_ms;
	struct tx_server *st;		/* of the last request; NULL when gone */
	struct tx_client *ct;
	const char *above;		/* header lines above the Via of a client's request; may be NULL */
	/* what the user does inside a callback; may be NULL */
	void (*in_request)(struct world *w, struct tx_server *st);
	void (*in_response)(struct world *w, struct tx_client *ct);
	void (*in_gone)(struct world *w);
};

struct world_cell {			/* one cell of a table: event in state, what follows */
	uint8_t state, event, next;
	int sent, up, failed;
};

void world_init(struct world *w, enum sip_proto proto, enum tx_side side);
void world_fini(struct world *w);
void world_advance(struct world *w, uint64_t ms);
uint64_t world_now(const struct world *w);
/* Input: a request from WORLD_PEER; to_tag and extra may be NULL. */
void world_request_full(struct world *w, const char *method, const char *branch, const char *to_tag, const char *via_params);
void world_request(struct world *w, const char *method);
void world_response(struct world *w, unsigned status, const char *method);
struct sip_msg *world_parse(struct world *w, const char *text);
struct tx_client *world_client(struct world *w, const char *method);
void world_answer(struct world *w, unsigned status);
const char *world_last(const struct world *w);
/* Sends so far that start with `head` must have left exactly at these times (ended by UINT64_MAX). */
void world_expect_times(const struct world *w, const char *head, const uint64_t *at_ms);
unsigned world_count(const struct world *w, const char *head);
/* Dispatches the row's event to t (in the row's state) and checks what the row says. */
void world_check_cell(struct world *w, struct tx *t, const struct world_cell *row, void *arg);
