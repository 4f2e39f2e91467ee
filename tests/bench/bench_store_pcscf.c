/* tests/bench/bench_store_pcscf.c - a binding of the P-CSCF, as stored.c puts it. */
#include "pcscf/stored.h"
#include "tests/bench/bench_store.h"

int bench_put(struct store_port *port, unsigned i)
{
	struct binding *b = binding_new(1024);
	struct bench_user u;

	if (!b)
		return -1;
	bench_user(&u, i);
	b->id = i + 1;
	b->key = b->impi = str_from_c(u.impi);
	b->contact = str_from_c(u.contact);
	b->user_agent = STR("bench");
	addr_parse_hostport(str_from_c(u.address), 5060, &b->flow.remote);
	binding_add_identity(b, str_from_c(u.impu));
	binding_add_identity(b, str_from_c(u.tel));
	b->route[b->n_routes++] = STR("<sip:AgAAAMxP73dFrZ5imz7byNY92GYO90Og@127.0.0.30:6060;lr>");
	stored_phone(port, b, BENCH_EXPIRES_MS);
	obj_unref(b);
	return 0;
}
