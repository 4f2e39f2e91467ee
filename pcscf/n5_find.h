/* pcscf/n5_find.h - which PCF serves a phone: as configured, by the NRF's list, or by the BSF's binding.  Rows Q12, Q13. */
#pragma once
#include "pcscf/sbi.h"

#define N5_MAX_PCFS 8u			/* of one discovery */
#define N5_MAX_BINDINGS 8192u		/* of phones, that a worker remembers; the oldest makes room */

struct n5_found {
	int err;			/* 0; -ENOENT: the core knows no session of that address; -EHOSTUNREACH: nobody could be asked, or none is there;
					 * -ECANCELED: the daemon stops */
	struct str root;		/* apiRoot; empty with an SCP, which finds one */
};
typedef void (*n5_found_fn)(void *arg, const struct n5_found *f);

struct n5_finder;			/* of a worker */
struct n5_finder *n5_finder_new(struct pcscf_worker *pw, struct sbi *sbi);	/* NULL: out of memory */
void n5_finder_free(struct n5_finder *f);	/* no callback follows */
/* One callback, maybe from inside the call.  false: none follows.  anyway: where the BSF knows no PCF the NRF or the configuration is asked, as
 * where it is silent (policy.bsf.none: n5); else that is -ENOENT. */
bool n5_find(struct n5_finder *f, const struct addr *ue, bool anyway, n5_found_fn fn, void *arg);
/* What the BSF says of that address, now or policy.n5.bsf_cache_s ago: err -ENOENT: it knows no PCF; -EHOSTUNREACH: it does not say. */
bool n5_find_binding(struct n5_finder *f, const struct addr *ue, n5_found_fn fn, void *arg);
void n5_find_forget(struct n5_finder *f, const struct addr *ue);	/* it was wrong: the BSF is asked anew */
bool n5_find_failed(struct n5_finder *f, struct str root);	/* it could not be reached; true: another one comes next */

/* Pure; the roots that a discovery's answer names, best first: TS 29.510 §6.2.6. */
struct n5_roots {
	unsigned n;
	char root[N5_MAX_PCFS][N5_URI_BYTES];
	uint32_t valid_s;
};
void n5_read_discovery(const cJSON *j, struct n5_roots *ret);
bool n5_read_binding(const cJSON *j, bool tls, char dst[N5_URI_BYTES]);	/* PcfBinding: TS 29.521 §5.6.2.2 */
