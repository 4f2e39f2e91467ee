/* tests/pcf/pcf.h - the lab PCF: keeps application sessions, checks what it is told against TS 29.514, misbehaves to order.  It plays NRF,
 * BSF, SCP and token server beside it, at the same address.
 *
 * One loop, no locks.  check.c judges a request, session.c keeps what it said, n5.c answers, core.c is the other functions, rest.c
 * the control interface. */
#pragma once
#include "common/http/http.h"
#include "common/http2/h2.h"
#include "common/util/list.h"
#include "tests/pcrf/history.h"

#define PCF_MAX_RULES 16u
#define PCF_TOKEN "lab-token"

struct pcf_session {
	struct list link;
	unsigned number;		/* its name, also in its URI */
	cJSON *req;			/* ascReqData as it came to be */
	bool several;			/* early dialogs with different answers */
	unsigned requests;
};
enum pcf_command { PCF_CREATE, PCF_UPDATE, PCF_DELETE, PCF_DISCOVERY, PCF_BINDING, PCF_OAUTH, PCF_N_COMMANDS };
struct pcf_rule {			/* the first that fits counts */
	enum pcf_command command;
	enum { PCF_WELL, PCF_SILENT, PCF_RESET, PCF_REFUSE_STREAM, PCF_GOAWAY, PCF_HANG_UP } how;
	uint32_t delay_ms, count, status;	/* status 0: the right one */
	char cause[64], location[256];	/* of a refusal; of a redirect */
	bool place;			/* ueLoc in the 201 */
	bool made;			/* with `how`: the session is made all the same */
};
struct pcf {
	struct loop *loop;
	struct h2_server *server;
	struct h2_client *client;
	struct h2_tls *server_tls, *client_tls;	/* NULL: clear text */
	struct http_server *http;
	char root[128];			/* "http://127.0.77.46:7777" */
	bool oauth2;			/* PCF and BSF want a token */
	bool scp;			/* requests for the PCF must come as to an SCP */
	struct list sessions, held;
	unsigned last_number, ended, tokens, revoked;	/* tokens given; up to which they are worth nothing */
	struct timer hang_up;
	struct pcf_rule rule[PCF_MAX_RULES];
	unsigned n_rules;
	struct history history;
};

/* ---- check.c ---- */
typedef void (*pcf_wrong_fn)(void *arg, const char *what);	/* a text with the clause */
void pcf_check_create(const cJSON *body, pcf_wrong_fn wrong, void *arg);
void pcf_check_update(const struct pcf_session *s, const cJSON *body, pcf_wrong_fn wrong, void *arg);
const char *pcf_text(const cJSON *o, const char *name);		/* "" when it is none */

/* ---- session.c ---- */
struct pcf_session *pcf_session_by_number(struct pcf *p, unsigned number);
struct pcf_session *pcf_session_new(struct pcf *p, const cJSON *body);	/* NULL: out of memory */
void pcf_session_take(struct pcf_session *s, const cJSON *body);	/* RFC 7396 */
void pcf_session_free(struct pcf_session *s);
cJSON *pcf_session_show(const struct pcf_session *s);

/* ---- n5.c ---- */
void pcf_request(void *u, struct h2_req *r);
void pcf_close(struct pcf *p);
struct pcf_rule *pcf_match(struct pcf *p, enum pcf_command cmd);	/* counts down */
/* As the rule says (NULL: well), now or later.  json is taken over; NULL: no body.  location empty: none. */
void pcf_answer(struct pcf *p, struct h2_req *r, const struct pcf_rule *rule, unsigned session, unsigned status, const char *location, cJSON *json);
cJSON *pcf_place(void);

/* ---- core.c ---- */
bool pcf_core_request(struct pcf *p, struct h2_req *r);			/* false: not for one of these functions */
void pcf_wrong(struct pcf *p, unsigned session, const char *what);

extern const struct http_route pcf_routes[];	/* rest.c; u is struct pcf */
