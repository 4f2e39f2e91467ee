/* pcscf/sbi.h - requests to network functions of a 5G core: TS 29.500, TS 29.501 §4.4; rows Q10, Q13.
 *
 *   request -> [token, when the core wants one] -> name to address -> HTTP/2 -> [redirect, 401: once more] -> answer
 *
 * One of a worker.  With an SCP everything for the PCF goes through it: to a known PCF by 3gpp-Sbi-Target-apiRoot, else the SCP finds
 * one by the 3gpp-Sbi-Discovery headers (TS 29.500 §6.10). */
#pragma once
#include "common/http2/h2.h"
#include "pcscf/n5_config.h"
#include "pcscf/pcscf.h"

struct sbi_uri {
	bool tls;
	struct str authority, host;	/* host without brackets */
	uint16_t port;
	struct str root;		/* "http://HOST:PORT", no prefix */
	struct str path;		/* prefix or path; may be empty */
};
int sbi_uri_parse(struct str text, struct sbi_uri *ret);	/* 0 or -EBADMSG; slices of text */

enum sbi_service { SBI_PCF, SBI_BSF, SBI_DISCOVERY, SBI_TOKEN };
struct sbi_request {
	enum sbi_service service;
	const char *method;
	struct str root;		/* apiRoot; empty: the SCP finds one */
	struct str path;		/* appended */
	const char *content_type;	/* NULL: no body */
	struct str body;
	uint32_t deadline_ms;		/* of the whole */
};
struct sbi_answer {
	int err;			/* as in h2.h; -EHOSTUNREACH: no address; -EPERM: no token */
	unsigned status;
	struct str body, location;
	struct str root;		/* whom it came from: relative locations are of that */
};
typedef void (*sbi_fn)(void *arg, const struct sbi_answer *a);

struct sbi;
struct sbi *sbi_new(struct pcscf_worker *pw, struct h2_tls *tls);	/* NULL: out of memory; tls borrowed */
void sbi_free(struct sbi *s);		/* what is outstanding ends with -ECANCELED; nothing can be sent from there */
/* One callback, never from inside the call; texts are copied.  false: too many, or out of memory; none follows. */
bool sbi_send(struct sbi *s, const struct sbi_request *r, sbi_fn fn, void *arg);
uint32_t sbi_outstanding(const struct sbi *s);
