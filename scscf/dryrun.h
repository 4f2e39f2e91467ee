/* scscf/dryrun.h - what the filter criteria of a user would do with a request: for people who write them (row D15).  Nothing is sent.
 *
 * Main thread: profiles are immutable, matching has its own memory in each thread. */
#pragma once
#include <cjson/cJSON.h>
#include "common/http/http.h"
#include "scscf/criteria.h"

/* "originating-registered" (or "originating"), "terminating-registered", ...  0 or -EINVAL. */
int dryrun_case(const char *name, enum session_case *ret);
/* The request of a body: {"message": TEXT} or {"request": {"method", "requestUri", "headers": {NAME: VALUE}, "sdp"}}.
 * 0; -EBADMSG with *reterr, a static text; -ENOMEM. */
int dryrun_message(const cJSON *body, struct sip_msg **ret, const char **reterr);
/* {"chain": [{"priority", "applicationServer", "matched", "triggers": [...]}], "invoked": [SERVER]}.  c NULL: nothing. */
cJSON *dryrun_json(const struct criteria *c, const struct criteria_query *q);
cJSON *dryrun_criterion_json(const struct criterion *k);	/* as it is, without a request */
void dryrun_route(void *u, struct http_req *r);		/* POST /api/v1/profiles/{impu}/ifc/dry-run */

struct ask;
struct scscf;
struct worker;
/* dryrun_number.c: POST /api/v1/routing/dry-run.  a->key: the question, {"number" or "requestUri", "originating", "bypassCache"}. */
void dryrun_number(void *u, struct http_req *r);
void dryrun_number_here(struct worker *w, struct ask *a);
/* dryrun_cx.c: POST /api/v1/cx/explain.  a->key: {"ask": "sar" or "mar", "impi", "impu", "scheme", "useVector"}. */
void dryrun_cx(void *u, struct http_req *r);
void dryrun_cx_here(struct worker *w, struct ask *a);
const char *dryrun_cx_wrong(const struct scscf *s, const cJSON *doc);	/* NULL, or what is wrong with the question */
