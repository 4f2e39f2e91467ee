/* tests/bench/bench_store.h - what bench_store.c wants of a daemon, and the users that are put. */
#pragma once
#include "common/store/store.h"

#define BENCH_EXPIRES_MS 3600000u
struct bench_user {
	char impi[80], impu[80], number[80], tel[32], contact[80], address[32], path[160], call_id[48];
};
void bench_user(struct bench_user *u, unsigned i);
/* Puts what the daemon keeps of user i, as it does it: bench_store_scscf.c, bench_store_pcscf.c.  0 or -errno. */
int bench_put(struct store_port *port, unsigned i);
