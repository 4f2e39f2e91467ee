/* tests/scscf/reg_rig.h - the registrar on real transactions, with a fake wire, fake time, a HSS that answers as it is told
 * (by real Milenage) and a phone with a USIM. */
#pragma once
#include <errno.h>
#include <stdio.h>
#include "common/daemon/private.h"
#include "scscf/registration.h"
#include "scscf/session.h"
#include "tests/check.h"

#define RIG_MAX_PENDING 64
#define RIG_DOMAIN "ims.mnc001.mcc001.3gppnetwork.org"
#define RIG_IMPI "001010000000001@" RIG_DOMAIN
#define RIG_IMPU "sip:001010000000001@" RIG_DOMAIN
#define RIG_TEL "tel:+491510000001"
#define RIG_XML "<IMSSubscription><PrivateID>" RIG_IMPI "</PrivateID><ServiceProfile>" \
	"<PublicIdentity><BarringIndication>1</BarringIndication><Identity>" RIG_IMPU "</Identity></PublicIdentity>" \
	"<PublicIdentity><Identity>sip:+491510000001@" RIG_DOMAIN "</Identity></PublicIdentity>" \
	"<PublicIdentity><Identity>" RIG_TEL "</Identity></PublicIdentity></ServiceProfile></IMSSubscription>"

struct rig_pending {			/* a Cx request that was not answered yet */
	bool mar;
	cx_maa_fn maa;
	cx_saa_fn saa;
	void *arg;
	uint32_t type, n_items;
	char impu[256];
	uint8_t auts[30];		/* RAND || AUTS */
	size_t auts_l;
};
struct reg_rig {
	struct cfg *config;
	struct stack stack;
	struct worker_full worker;
	struct wheel wheel;
	struct scscf *s;
	struct reg_config *cfg;		/* may be changed by the test */
	struct tx_server *st;		/* of the last request */

	/* the HSS */
	bool hold;			/* answers wait for rig_answer() */
	struct rig_pending pending[RIG_MAX_PENDING];
	unsigned n_pending;
	char cx[1024];			/* what was asked: "MAR MAR+auts SAR1 SAR9 " */
	unsigned n_vital;		/* of these: for an emergency */
	char scheme[64];		/* of the last MAR */
	const char *unknown_scheme;	/* the HSS refuses it */
	const char *giba;		/* address that it has for the phone; NULL: it refuses that scheme */
	const char *hss;		/* Origin-Host of its answers */
	char hosts[512];		/* Destination-Host of each request, "-": none */
	uint32_t features;		/* of its SAAs, 0: it says nothing of them */
	unsigned n_restored;		/* contacts in the last SAR that had any */
	char restored[8][512];		/* "PATH CONTACT CALL-ID CSEQ" */
	const char *digest_qop;		/* that the HSS names; "": none */
	bool no_keys;			/* its vectors have neither CK nor IK */
	struct dia_result maa, saa;
	const char *xml;
	const char *ccf;
	const char *password;		/* SIP Digest */
	enum auth_algorithm digest;
	unsigned max_vectors;
	uint64_t sqn;
	bool zero_res;			/* a RES with 00 octets in it (clients.md 10) */

	/* the last final response */
	unsigned status, n_responses;
	struct sip_msg *m;
};

struct rig_phone {
	const char *impi, *impu, *user, *password;
	uint64_t sqn_ms;
	char call_id[32], nonce[128], realm[128], auth[1024];
	uint32_t cseq, nc;
	const char *integrity;		/* integrity-protected; NULL: not there */
	const char *contact;		/* value of Contact; NULL: the usual one; "": none */
	const char *path_params;	/* of our Path URI; NULL: ";lr" */
	const char *extra;		/* more header lines, with CRLF */
	const char *algorithm;		/* of an answer with AUTS */
	const char *asks;		/* algorithm of a first REGISTER; NULL: none */
	const char *qop;		/* of its answers */
	char ha1[AUTH_HEX_MAX], response[AUTH_HEX_MAX];
	const char *uri;		/* of the Authorization */
	bool without_qop, no_authorization, wrong;
	int expires;			/* -1: no header */
};

void rig_init(struct reg_rig *r);
void rig_fini(struct reg_rig *r);
void rig_run(struct reg_rig *r, uint64_t ms);	/* time passes, the HSS answers unless told to wait */
void rig_serve(struct reg_rig *r);		/* the worker's mailbox, then the main loop's: takes a real millisecond or two */
void rig_answer(struct reg_rig *r);		/* the oldest waiting Cx request */
bool rig_has(const struct reg_rig *r, const char *text);	/* in the last response */
struct registration *rig_registration(struct reg_rig *r);	/* of RIG_IMPI; NULL: none */

void phone_init(struct rig_phone *p);
/* A REGISTER with what p->auth says; the status that came, 0: none yet. */
unsigned phone_send(struct reg_rig *r, struct rig_phone *p);
void phone_begin(struct rig_phone *p);		/* Authorization of a first REGISTER */
/* Authorization that answers the last 401: 0, or -ESTALE when the USIM said AUTS (which is then in it), -EPERM: MAC wrong. */
int phone_solve(struct reg_rig *r, struct rig_phone *p);
unsigned phone_register(struct reg_rig *r, struct rig_phone *p);	/* both REGISTERs; the last status */
