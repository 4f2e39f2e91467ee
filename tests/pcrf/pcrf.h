/* tests/pcrf/pcrf.h - the lab PCRF: keeps Rx sessions, checks what it is told against TS 29.214, misbehaves to order.
 *
 * One loop, no locks.  check.c judges an AAR, session.c keeps what it said, history.c all that was said, rx.c answers, rest.c is the control interface. */
#pragma once
#include "common/diameter/rx.h"
#include "common/http/http.h"
#include "common/util/addr.h"
#include "common/util/hash.h"
#include "common/util/list.h"
#include "tests/pcrf/history.h"

#define PCRF_MAX_RULES 16u

struct pcrf_media {			/* what a component came to */
	uint32_t number, type, status, ul_bps, dl_bps;
	unsigned n_flows;
	char flow[RX_MAX_SUBS * RX_MAX_FLOWS][192];
	uint64_t texts;			/* of Codec-Data and the rest, to find what was told twice */
};
struct pcrf_session {
	struct list link;
	unsigned number;		/* its name for REST */
	char id[RX_SESSION_ID_BYTES], host[256], realm[256], address[ADDR_STRLEN], subscription[256], icid[128], application[128], service_urn[64];
	bool coming;			/* its AAR is still being looked at: an STR does not find it */
	bool several;			/* early dialogs with different answers */
	unsigned aars;
	unsigned n_media;
	struct pcrf_media media[RX_MAX_MEDIA];
};
enum pcrf_command { PCRF_AAR, PCRF_STR, PCRF_N_COMMANDS };
struct pcrf_rule {			/* the first that fits counts */
	enum pcrf_command command;
	bool silent;
	bool slow;			/* delay_ms is how long it takes, not only the answer's */
	uint32_t delay_ms, count;
	struct dia_result result;	/* code 0: the right one */
	char user_location[64];		/* hexadecimal, into the AAA */
};
struct pcrf {
	struct loop *loop;
	struct dia_client *client;
	struct http_server *http;
	struct list sessions, held;
	unsigned last_number, ended;
	struct pcrf_rule rule[PCRF_MAX_RULES];
	unsigned n_rules;
	struct history history;
};

/* ---- check.c ---- */
typedef void (*pcrf_wrong_fn)(void *arg, const char *what);	/* a text with the clause */
/* s: the session as it stands; NULL: the AAR begins one. */
void pcrf_check_aar(const struct pcrf_session *s, const struct rx_aar *r, pcrf_wrong_fn wrong, void *arg);

bool pcrf_is_rule(struct str rule, bool *ret_out);	/* an IPFilterRule of the form that is read; is it "out"? */

/* ---- session.c ---- */
struct pcrf_session *session_find(struct pcrf *p, struct str id);
struct pcrf_session *session_by_number(struct pcrf *p, unsigned number);
struct pcrf_session *session_new(struct pcrf *p, const struct rx_aar *r);	/* NULL: out of memory */
void session_take(struct pcrf_session *s, const struct rx_aar *r);
void session_free(struct pcrf_session *s);
void media_take(struct pcrf_media *m, const struct rx_media *r);
bool media_same(const struct pcrf_media *a, const struct pcrf_media *b);
const struct pcrf_media *media_find(const struct pcrf_session *s, uint32_t number);

/* ---- rx.c ---- */
void pcrf_rx_open(struct pcrf *p);		/* before dia_start() */
void pcrf_rx_close(struct pcrf *p);

extern const struct http_route pcrf_routes[];	/* rest.c; u is struct pcrf */
