/* tests/icscf/fixture.h - the I-CSCF's handlers on real transactions and a real proxy (tests/proxy/rig.h), with a HSS that
 * answers when the test says so.  Home domain "home", this node "self". */
#pragma once
#include "icscf/icscf.h"
#include "tests/proxy/rig.h"

#define HSS_MAX 16

struct hss_request {
	uint64_t id;
	bool lir, open;
	char impi[128], impu[128], visited[128];
	uint32_t type, flags;
	bool originating;
	uint32_t priority;
	void (*fn)(void);
	void *arg;
};

struct fixture {
	struct rig r;
	struct worker w;
	struct icscf *i;
	struct icscf_worker iw;
	struct cfg *cfg;
	struct hss_request hss[HSS_MAX];
	unsigned n_hss;
	bool hss_full;				/* requests cannot even be made */
};

void fixture_init(struct fixture *f, const char *yaml);	/* yaml: beside plmn, sip and so on; may be "" */
void fixture_fini(struct fixture *f);
/* REGISTER of sip:alice@home; extra: header lines ("X: y\n"). */
void fixture_register(struct fixture *f, const char *extra);
struct hss_request *fixture_asked(struct fixture *f, unsigned i);	/* the i-th Cx request; fails when there is none */
void fixture_uaa(struct fixture *f, unsigned i, const struct cx_uaa *a);
void fixture_lia(struct fixture *f, unsigned i, const struct cx_lia *a);
struct str fixture_up_header(struct fixture *f, enum sip_hdr_id id);	/* of the last response that went upstream */
