/* common/sip/seal.h - a text that only this node can read, inside of a URI parameter: what is hidden from a phone and comes back with its
 * requests.  AES-128-GCM with a random nonce, in base64url; the key comes from the token key (token.h).  It opens beside `with` alone, what it
 * was sealed beside: a token of one dialog does not carry what was sealed for another. */
#pragma once
#include "common/sip/token.h"
#include "common/util/arena.h"

#define SEAL_MAX_BYTES 4096u		/* of the plain text */

struct str sip_seal(const struct token_key *k, struct str with, struct str plain, struct arena *a);	/* empty: too long, or out of memory */
int sip_unseal(const struct token_key *k, struct str with, struct str text, struct arena *a, struct str *ret);	/* 0, -EBADMSG, -EPERM (forged), -ENOMEM */
