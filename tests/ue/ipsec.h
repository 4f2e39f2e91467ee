/* tests/ue/ipsec.h - the phone's end of IPsec: RFC 3329, TS 33.203 §7; TS 24.229 §5.1.1. */
#pragma once
#include "common/ipsec/ipsec.h"

#define UE_PORTS 4u			/* protected client ports, used in turn */
#define UE_PAIRS 12u

enum ue_attack {			/* what --attack makes the phone do wrong */
	ATTACK_NONE, ATTACK_VERIFY_ALG, ATTACK_VERIFY_EALG, ATTACK_VERIFY_SPI_C, ATTACK_VERIFY_SPI_S, ATTACK_VERIFY_PORT_C,
	ATTACK_VERIFY_PORT_S, ATTACK_VERIFY_Q, ATTACK_VERIFY_SHORT, ATTACK_VERIFY_MISSING, ATTACK_CLIENT_SPI, ATTACK_CLIENT_PORT,
	ATTACK_CLIENT_SHORT, ATTACK_CLEAR_ANSWER, ATTACK_CLEAR_REQUESTS, ATTACK_CLEAR_PRACK, ATTACK_WRONG_SPI, ATTACK_N
};

struct ue_ipsec {
	struct xfrm *x;			/* NULL: no IPsec */
	uint16_t port_s, port_c[UE_PORTS];
	unsigned turn;
	struct sec_agree offer[2 * UE_PAIRS];	/* of the registration in progress; each once more with --nat */
	unsigned n_offer;
	bool offered;
	char *verify;			/* Security-Server as it came */
	struct sec_list server;
	struct ipsec_set pending, live, old;	/* peer unset: none */
	struct timer forget;
	/* behind a NAT: nat.c */
	struct addr public;		/* our address as the network sees it; unset: there is no NAT, or none is known yet */
	int encap;			/* the socket that ESP within UDP goes through; -1: none */
	struct timer keep;
	uint8_t ck[16], ik[16];
};
