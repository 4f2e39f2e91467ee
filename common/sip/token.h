/* common/sip/token.h - the opaque user part of our Path, Service-Route and Record-Route URIs.
 *
 * Says what a request that comes back belongs to; authenticated (SipHash-2-4-128 truncated to 96 bits,
 * keyed with a key of state.dir), holds no identity.  A token that does not verify is refused. */
#pragma once
#include "common/util/str.h"

enum token_kind {
	TOKEN_PATH = 1,			/* P-CSCF Path: requests toward that binding */
	TOKEN_SERVICE_ROUTE,		/* S-CSCF: originating requests of that registration */
	TOKEN_RECORD_ROUTE,		/* in-dialog requests */
	TOKEN_ODI,			/* S-CSCF: original dialog identifier of an AS chain, TS 24.229 §5.4.3.2 */
};

struct token {
	uint8_t kind;
	uint8_t flags;			/* the daemon's own: direction, position */
	uint16_t aux;			/* e.g. AS chain position */
	uint64_t id;			/* of the registration, binding or dialog: random, says nothing outside */
};

#define TOKEN_STRLEN 40			/* 12 + 12 octets in base64url and the NUL, with room */
struct token_key {
	uint8_t k[16];
};
/* Reads the key file (mode 0600) or makes one.  0 or -errno. */
int token_key_load(struct token_key *k, const char *path);
void token_make(const struct token_key *k, const struct token *t, char dst[TOKEN_STRLEN]);
int token_read(const struct token_key *k, struct str text, struct token *ret);	/* 0, -EBADMSG, -EPERM (forged) */
/* The same for one dialog: it verifies with this Call-ID and this tag alone, of the end that sent the first request. */
void token_make_for(const struct token_key *k, const struct token *t, struct str call_id, struct str tag, char dst[TOKEN_STRLEN]);
int token_read_for(const struct token_key *k, struct str text, struct str call_id, struct str tag, struct token *ret);
