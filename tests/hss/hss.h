/* tests/hss/hss.h - the lab HSS: who asks what, and what is answered.  TS 29.228 §6.1 to §6.3, TS 29.229.
 *
 * One loop, no locks.  cx.c takes requests from the Diameter node and applies the misbehaviour that a test ordered
 * (behave.h); uar.c lir.c mar.c sar.c are the procedures, free of Diameter; push.c sends RTR and PPR. */
#pragma once
#include "common/diameter/cx.h"
#include "common/http/http.h"
#include "common/util/list.h"
#include "tests/hss/behave.h"
#include "tests/hss/subscribers.h"

struct state;

struct hss_settings {
	bool zero_in_res;		/* RAND whose RES has a zero octet are used */
	bool keep_server_name;		/* de-registration that asks for it keeps the S-CSCF (else 2004 and it is gone) */
	bool restoration;		/* keeps and gives SCSCF-Restoration-Info: TS 23.380 */
	bool shared_state;		/* other processes write to state.dir too */
	bool rtr_on_new_server;		/* RTR NEW_SERVER_ASSIGNED to the S-CSCF that lost the user */
	unsigned max_vectors;
	char primary_ccf[256], secondary_ccf[256], primary_ecf[256], secondary_ecf[256];	/* Charging-Information; "": none */
};

struct hss_totals {			/* how many are in which state */
	uint64_t registered, unregistered, auth_pending;
};

struct hss {
	struct loop *loop;
	struct subs *subs;
	struct state *state;		/* NULL: nothing outlives the process */
	struct dia_client *client;	/* for RTR and PPR; NULL in unit tests */
	struct http_server *http;
	struct hss_settings set;
	struct behave behave;
	struct hss_count count[HSS_N_COMMANDS];
	uint64_t retransmitted;		/* requests with the T flag */
	struct list held;		/* answers that a delay keeps back */
	unsigned n_held;
	struct list pushes;		/* RTR and PPR without an answer yet */
};

/* Stores what has changed of `b`.  0, or -errno with the reason logged: then nothing may be answered that promises it. */
int hss_store(struct hss *h, struct sub *b);
/* What another process stored of it since, when state is shared.  b may be NULL. */
void hss_refresh(struct hss *h, struct sub *b);
void hss_totals(const struct hss *h, struct hss_totals *ret);

/* Result helpers. */
static inline struct dia_result res_base(uint32_t code)
{
	return (struct dia_result){ 0, code, false };
}
static inline struct dia_result res_exp(uint32_t code)
{
	return (struct dia_result){ 0, code, true };
}
#define DIA_INVALID_AVP_VALUE 5004	/* RFC 6733 §7.1.5 */
#define DIA_AVP_OCCURS_TOO_MANY_TIMES 5009

/* Both identities known and of one subscriber?  0 and *ret, or the result to answer with (5001, 5002, 5005). */
bool hss_identify(struct hss *h, struct str impi, struct str impu, struct sub **ret, const struct sub_impu **ret_impu,
		  struct dia_result *ret_result);

/* The S-CSCF of this set or of another one of the same user: there is one for a subscription (TS 29.228 §6.1.1.1).  NULL: none. */
const char *hss_server_name(const struct hss *h, const struct sub *b);

/* The procedures.  Text in answers is borrowed from the subscriber, the request or the work area. */
void hss_uar(struct hss *h, const struct cx_uar *r, struct cx_uaa *a);
void hss_lir(struct hss *h, const struct cx_lir *r, struct cx_lia *a);
struct mar_work {
	struct aka_vector v[CX_MAX_VECTORS];
	char rand_autn[CX_MAX_VECTORS][32], ha1[AUTH_HEX_MAX], framed[16];
};
void hss_mar(struct hss *h, const struct cx_mar *r, struct cx_maa *a, struct mar_work *w);
/* xml: gets the User-Data.  *ret_moved_from: the Diameter identity of the S-CSCF that lost the user, or NULL. */
void hss_sar(struct hss *h, const struct cx_sar *r, struct cx_saa *a, struct buf *xml, const char **ret_moved_from);

void hss_caps(const struct sub *b, bool *has, struct cx_caps *ret);
void hss_charging(const struct hss *h, struct str *pccf, struct str *sccf, struct str *pecf, struct str *secf);

/* User-Data: TS 29.228 annexes B and E. */
void profile_xml(const struct sub *b, struct buf *out);

/* cx.c */
void hss_cx_open(struct hss *h);			/* before dia_start() */
void hss_cx_close(struct hss *h);			/* what is held back is not answered; before dia_stop() */

/* push.c */
struct push_order {
	uint32_t reason_code;
	struct str reason_info;
	struct cx_strs impus;
	const char *host;		/* NULL: the S-CSCF that is assigned */
};
struct push_result {
	struct dia_result result;
	const struct cx_rta *rta;	/* NULL: of a PPR, or none came */
};
typedef void (*push_fn)(void *arg, const struct push_result *r);
/* 0: fn is called once; -ENOTCONN: no S-CSCF is assigned; -EMSGSIZE: does not fit a Diameter message; -ENOMEM. */
int push_rtr(struct hss *h, struct sub *b, const struct push_order *o, push_fn fn, void *arg);
/* user_data empty: the profile as it is. */
int push_ppr(struct hss *h, struct sub *b, struct str user_data, push_fn fn, void *arg);
/* The end, after the client is freed (which tells nobody): whoever waits hears -ECONNRESET. */
void push_close(struct hss *h);

/* rest.c */
extern const struct http_route hss_routes[];
