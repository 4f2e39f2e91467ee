/* common/transaction/unreachable.c - a datagram of ours that somebody says did not arrive: RFC 3261 §18.4, RFC 3263 §4.3.
 *
 * Anybody can send an ICMP error.  It counts when what it quotes is what a waiting transaction sent, to that address: nobody who has
 * not seen it knows the branch, which is random, nor the rest.  And it counts where there is another address to go to: else the next
 * hop may be one that starts again, and copies reach it when it has. */
#include "common/transaction/private.h"

/* The branch of our own Via, the first in what we write; a header may stand above it.  STR_NONE when the quote ends before it. */
static struct str quoted_branch(struct str quoted)
{
	struct str line, rest, value;
	ssize_t at;
	size_t n = 0;

	for (rest = quoted; !str_starts(rest, STR("Via:"));)
		if (!str_cut(rest, '\n', &line, &rest))
			return STR_NONE;
	at = str_find(rest, STR(";branch="));
	if (at < 0)
		return STR_NONE;
	value = str_from(rest, (size_t)at + 8);
	while (n < value.l && value.p[n] != ';' && value.p[n] != ',' && value.p[n] != '\r' && value.p[n] != '\n')
		n++;
	return n < value.l ? str_head(value, n) : STR_NONE;
}

static bool is_what_was_sent(const struct tx *t, const struct addr *to, struct str quoted)
{
	return t->wire && !t->reliable && t->wire->l >= quoted.l && memcmp(t->wire->p, quoted.p, quoted.l) == 0 &&
	       addr_eq(&t->flow.remote, to);
}

/* Once somebody has answered, what was sent has arrived: the error is of a copy, or forged. */
static bool is_answered(const struct tx_client *ct)
{
	return ct->t.state != (ct->t.fsm == &ict_fsm ? (unsigned)ICT_CALLING : (unsigned)NICT_TRYING);
}

bool tx_unreachable(struct tx_layer *l, const struct addr *to, struct str quoted, int err)
{
	struct str branch = quoted_branch(quoted), method, rest;
	struct tx_client *ct;

	if (!branch.l || !str_cut(quoted, ' ', &method, &rest))
		return false;
	ct = tx_client_find(l, branch, sip_method_from_str(method));
	if (!ct || ct->t.dead || is_answered(ct) || !ct->has_other || !is_what_was_sent(&ct->t, to, quoted))
		return false;
	ct->t.err = err;
	(void)tx_event(&ct->t, ct->t.error_event, NULL);
	return ct->t.dead;
}
