/* pcscf/registration.h - what a REGISTER and its 200 say about a phone: TS 24.229 §5.2.2.  No side effects. */
#pragma once
#include "pcscf/binding.h"

struct registration {			/* read from the REGISTER; texts in its arena */
	struct str impi;		/* of Authorization, else user@host of To (clients.md point 1) */
	struct str key;			/* binding.key; empty: no contact (a query) */
	bool star;			/* Contact: * */
	bool by_instance;		/* the key is that of its instance: whatever its contact is */
	bool zero;			/* asks for the end of its first contact */
	bool outbound;			/* RFC 5626: it keeps this flow, and may have others */
	struct sip_nameaddr contact;	/* the first one */
	unsigned n_contacts;
};

/* 0, -EBADMSG (a broken Contact or Expires), -ENOMEM. */
int registration_read(struct sip_msg *m, struct registration *ret);
/* Seconds that the 200 grants to that contact; 0: it is gone. */
uint32_t registration_granted(const struct registration *reg, const struct sip_msg *answer);
/* The binding that the 200 makes: Service-Route, P-Associated-URI, contact, flow.  0, -ENOMEM, -EBADMSG (no usable identity
 * or Service-Route). */
int registration_binding(const struct registration *reg, const struct sip_msg *m, const struct sip_msg *answer, uint64_t id,
			 enum binding_auth auth, uint32_t expires_s, struct binding **ret);
