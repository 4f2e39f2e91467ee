/* icscf/select.h - which S-CSCF: the table of the configuration, its health, and the choice.  TS 24.229 §5.3.1.2, §5.3.1.3;
 * TS 29.228 annex B; rows I3, I4.
 *
 * One table for all workers.  Rows are never taken out, figures are atomic, names that only the HSS mentions are noted
 * behind the configured rows.  A reload makes a new table and takes the figures over; a request holds a reference of the
 * one it began with. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include "common/config/config.h"
#include "common/diameter/cx.h"
#include "common/util/obj.h"

#define SELECT_MAX_SERVERS 64		/* configured ones */
#define SELECT_MAX_KNOWN 128		/* with those the HSS named; more work, but are not watched */
#define SELECT_MAX_ATTEMPTS 8

struct scscf_server {
	char *uri;			/* canonical: scscf_uri() */
	bool configured, is_default;
	unsigned n_caps;
	uint32_t caps[CX_MAX_LIST];
	uint32_t priority, weight;	/* the lower priority first, then by weight */
	_Atomic uint64_t suspect_until_ms;	/* 0: nothing against it */
	_Atomic uint64_t attempts, failures, last_failure_us;
	_Atomic unsigned last_status;	/* of the last failure */
	atomic_bool answered;		/* since the last failure */
};

struct selection {
	struct obj o;
	bool tell_user_database;
	uint32_t max_attempts, server_wait_ms, suspect_s, retry_after_s;
	pthread_mutex_t lock;		/* adding a row */
	atomic_uint n;
	struct scscf_server server[SELECT_MAX_KNOWN];
};

/* From `selection` of the configuration; old: figures are taken over, may be NULL.  NULL when out of memory. */
struct selection *selection_new(const struct cfg *c, struct selection *old);

/* The S-CSCFs that one request has seen. */
struct scscf_tried {
	unsigned n;
	struct str uri[SELECT_MAX_ATTEMPTS];
};
bool scscf_was_tried(const struct scscf_tried *t, struct str uri);

enum scscf_why { SCSCF_NAMED, SCSCF_BY_CAPABILITIES, SCSCF_DEFAULT };
const char *scscf_why_name(enum scscf_why w);

/* The next S-CSCF for these capabilities (NULL: the HSS gave none).  In order: names among the capabilities; rows that have
 * all mandatory ones, most optional ones first; the default when the HSS asks for nothing or no table is configured.  One
 * that failed lately comes behind the healthy ones.
 * uri lives as long as the table, or as caps.  Returns 0; -ENOENT: nobody has what is mandatory; -ENODATA: all were tried. */
int scscf_select(struct selection *s, const struct cx_caps *caps, const struct scscf_tried *tried, uint64_t now_ms,
		 struct str *ret_uri, enum scscf_why *ret_why);

/* Server-Name as HSSs write it (without scheme, in brackets, with ;lr) to "sip:host:port;params", written into dst.
 * 0, -EBADMSG, -ENOSPC. */
#define SCSCF_URI_MAX 512
int scscf_uri(struct str server_name, char dst[SCSCF_URI_MAX], struct str *ret);

/* How it went.  status: 0 it answered; else why another one is tried. */
struct scscf_server *scscf_server_of(struct selection *s, struct str uri);	/* noted when new; NULL: the table is full */
void scscf_report(struct selection *s, struct str uri, unsigned status, uint64_t now_ms);
bool scscf_is_suspect(const struct scscf_server *v, uint64_t now_ms);
