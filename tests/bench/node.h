/* tests/bench/node.h - the least that forwards: transactions and a proxy that sends every request to one next hop.
 * What goes out is handed to `send`, what comes in is given to tx_input(). */
#pragma once
#include "common/proxy/proxy.h"

struct node {
	struct tx_layer *tx;
	struct proxy_layer *proxy;
	struct sip_flow next;			/* where requests go */
	struct addr own;
	int (*send)(void *u, const struct sip_flow *to, struct bytes *wire, struct tx_handle origin);
	void *u;
};

int node_init(struct node *n, struct wheel *w);		/* next, own, send and u are set */
void node_fini(struct node *n);
/* The message in the file `path`, with a NUL behind.  Returns its length; 0: there is none. */
size_t node_read(const char *path, char *dst, size_t size);
void node_number(char *text, unsigned i);	/* makes it the i-th transaction of the i-th call */
