/* common/proxy/uac.h - requests of our own, for what a node says by itself (NOTIFY, SUBSCRIBE, a REGISTER to an application
 * server): RFC 3261 §8.1, §18.1.1; RFC 3263 §4.3.
 *
 * The caller writes the request without Via.  This finds the next hop (topmost Route, else Request-URI), puts our Via,
 * sends, takes the next address when one is silent or refuses, and tells the one final result.
 *
 * Use it on the worker that owns the Call-ID, for responses come there: stack_call_id() makes one of this worker's. */
#pragma once
#include "common/proxy/proxy.h"

struct uac;
/* status: that of the final response m, which is borrowed; or with m NULL our own: 408 nobody answered, 503 it could not be
 * sent, or the daemon stops.  Once, never from inside uac_send(); the struct uac is gone then. */
typedef void (*uac_fn)(void *arg, unsigned status, const struct sip_msg *m);

/* text: the complete request without Via, copied; any method but INVITE, ACK and CANCEL.
 * wait_ms: no final response so long after it was sent: 408.  0: timer F alone.
 * NULL: malformed or out of memory, fn is not called. */
struct uac *uac_send(struct proxy_layer *l, struct str text, enum tx_side side, uint32_t wait_ms, uac_fn fn, void *arg);
/* To `flow`, whatever Route and Request-URI say; NULL: as uac_send(). */
struct uac *uac_send_to(struct proxy_layer *l, struct str text, const struct sip_flow *flow, enum tx_side side, uint32_t wait_ms,
			uac_fn fn, void *arg);
/* In fn: the daemon stops, nothing is to be begun any more. */
bool uac_stopping(const struct proxy_layer *l);
void uac_forget(struct uac *u);			/* no callback follows; NULL is fine */
