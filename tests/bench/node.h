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
	struct bytes *last;			/* of node_ringing_init(): the INVITE that went on */
};

int node_init(struct node *n, struct wheel *w);		/* next, own, send and u are set */
void node_fini(struct node *n);
/* The message in the file `path`, with a NUL behind.  Returns its length; 0: there is none. */
size_t node_read(const char *path, char *dst, size_t size);
void node_number(char *text, unsigned i);	/* makes it the i-th transaction of the i-th call */

/* Calls that ring: a node whose next hop is nowhere; a message comes in from upstream; the last INVITE that went on is answered 180. */
int node_ringing_init(struct node *n, struct wheel *w);
struct sip_msg *node_parsed(struct str raw);	/* as the transport does it; ends the program when it cannot be */
void node_input(struct node *n, struct str raw);
void node_ring(struct node *n);
