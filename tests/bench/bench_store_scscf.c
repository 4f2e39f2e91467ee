/* tests/bench/bench_store_scscf.c - a registration of the S-CSCF, as keep.c puts it. */
#include <stdlib.h>
#include "scscf/keep.h"
#include "tests/bench/bench_store.h"

int bench_put(struct store_port *port, unsigned i)
{
	uint64_t now = store_now_ms(store_of(port));
	struct keep_record *k = malloc(sizeof(*k));
	struct bench_user u;
	struct buf b;
	int rc;

	if (!k)
		return -1;
	bench_user(&u, i);
	*k = (struct keep_record){ .id = i + 1, .registered_wall_us = 1, .profile_impi = str_from_c(u.impi), .n_contacts = 1, .n_identities = 3,
				   .n_services = 1 };
	k->contact[0] = (struct keep_contact){ .uri = str_from_c(u.contact), .params = STR("+g.3gpp.smsip;+g.3gpp.icsi-ref=\"urn%3Aurn-7\""),
		.call_id = str_from_c(u.call_id), .impu = str_from_c(u.impu), .cseq = 2, .q = 1000, .n_path = 1,
		.path = { str_from_c(u.path) }, .expires_ms = now + BENCH_EXPIRES_MS };
	k->identity[0] = (struct keep_identity){ .uri = str_from_c(u.impu) };
	k->identity[1] = (struct keep_identity){ .uri = str_from_c(u.number) };
	k->identity[2] = (struct keep_identity){ .uri = str_from_c(u.tel) };
	buf_init(&b, KEEP_MAX_BYTES);
	keep_record_write(k, &b);
	rc = b.failed ? -1 : store_put(port, STORE_REGISTRATION, str_from_c(u.impi), buf_str(&b), now + BENCH_EXPIRES_MS);
	buf_fini(&b);
	free(k);
	return rc;
}
