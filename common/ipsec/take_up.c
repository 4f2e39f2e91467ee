/* common/ipsec/take_up.c - what an earlier process left in the kernel: a set that is whole stays, one with a part missing is made anew, the rest of
 * our range of reqids goes.  Row X4; reliability F2. */
#include <errno.h>
#include <stdlib.h>
#include "common/ipsec/private.h"

union found_row {
	struct xfrm_usersa_info sa;
	struct xfrm_userpolicy_info policy;	/* with the reqid of its template as index */
};
struct found {
	union found_row *row;
	size_t n, room;
	uint32_t first, last;
	bool failed;
};

static void found_add(struct found *f, const void *what, size_t l)
{
	if (f->n == f->room) {
		size_t room = f->room ? f->room * 2 : 64;
		void *more = realloc(f->row, room * sizeof(*f->row));

		if (!more) {
			f->failed = true;
			return;
		}
		f->row = more;
		f->room = room;
	}
	memcpy(&f->row[f->n++], what, l);
}

static int on_sa(const struct nlmsghdr *n, void *arg)
{
	const struct xfrm_usersa_info *s = mnl_nlmsg_get_payload(n);
	struct found *f = arg;

	if (n->nlmsg_type == XFRM_MSG_NEWSA && s->id.proto == IPPROTO_ESP && s->reqid >= f->first && s->reqid <= f->last)
		found_add(f, s, sizeof(*s));
	return MNL_CB_OK;
}

static int on_policy(const struct nlmsghdr *n, void *arg)
{
	const struct xfrm_userpolicy_info *p = mnl_nlmsg_get_payload(n);
	const struct nlattr *a;
	struct found *f = arg;

	mnl_attr_for_each(a, n, sizeof(*p)) {
		const struct xfrm_user_tmpl *t = mnl_attr_get_payload(a);

		if (mnl_attr_get_type(a) == XFRMA_TMPL && mnl_attr_get_payload_len(a) >= sizeof(*t) && t->reqid >= f->first &&
		    t->reqid <= f->last) {
			found_add(f, p, sizeof(*p));
			if (!f->failed)
				f->row[f->n - 1].policy.index = t->reqid;
			break;
		}
	}
	return MNL_CB_OK;
}

static int list(struct xfrm *x, uint16_t type, mnl_cb_t cb, struct found *f)
{
	char buf[NL_BYTES];
	struct nlmsghdr *n = xfrm_begin(buf, type, NLM_F_DUMP);

	mnl_nlmsg_put_extra_header(n, type == XFRM_MSG_GETSA ? sizeof(struct xfrm_usersa_id) : sizeof(struct xfrm_userpolicy_id));
	return xfrm_ask(x, n, cb, f);
}

static uint32_t sa_reqid(const union found_row *r)
{
	return r->sa.reqid;
}

static uint32_t policy_reqid(const union found_row *r)
{
	return r->policy.index;		/* on_policy() puts it there */
}

static int order(uint32_t a, uint32_t b)
{
	return (a > b) - (a < b);
}

static int sas_by_reqid(const void *a, const void *b)
{
	return order(sa_reqid(a), sa_reqid(b));
}

static int policies_by_reqid(const void *a, const void *b)
{
	return order(policy_reqid(a), policy_reqid(b));
}

/* The first of them with that reqid; they are sorted. */
static size_t first_of(const struct found *f, uint32_t (*reqid_of)(const union found_row *r), uint32_t reqid)
{
	size_t low = 0, high = f->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (reqid_of(&f->row[mid]) < reqid)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static size_t find_sa(const struct found *f, const struct half *h)
{
	xfrm_address_t dst = { .a4 = 0 };

	xfrm_put_address(&h->outer_dst, &dst);
	for (size_t i = first_of(f, sa_reqid, h->reqid); i < f->n && sa_reqid(&f->row[i]) == h->reqid; i++) {
		const struct xfrm_usersa_info *s = &f->row[i].sa;

		if (s->id.spi == htonl(h->spi) && s->family == xfrm_family(&h->dst) && xfrm_same_address(&s->id.daddr, &dst, s->family))
			return i;
	}
	return SIZE_MAX;
}

static size_t find_policy(const struct found *f, const struct half *h)
{
	struct xfrm_selector want = { .family = 0 };

	xfrm_put_selector(h, &want);
	for (size_t i = first_of(f, policy_reqid, h->reqid); i < f->n && policy_reqid(&f->row[i]) == h->reqid; i++) {
		const struct xfrm_userpolicy_info *p = &f->row[i].policy;

		if (p->dir == (h->in ? XFRM_POLICY_IN : XFRM_POLICY_OUT) && p->sel.family == want.family && p->sel.sport == want.sport &&
		    p->sel.dport == want.dport && xfrm_same_address(&p->sel.saddr, &want.saddr, want.family) &&
		    xfrm_same_address(&p->sel.daddr, &want.daddr, want.family))
			return i;
	}
	return SIZE_MAX;
}

/* A set that is whole: its parts are marked so that they stay. */
static bool is_whole(const struct ipsec_set *s, const struct found *sas, const struct found *policies, bool *sa_stays, bool *policy_stays)
{
	size_t sa[4], policy[4];
	struct half h[4];

	xfrm_halves(s, h);
	for (int i = 0; i < 4; i++) {
		sa[i] = find_sa(sas, &h[i]);
		policy[i] = find_policy(policies, &h[i]);
		if (sa[i] == SIZE_MAX || policy[i] == SIZE_MAX)
			return false;
	}
	for (int i = 0; i < 4; i++)
		sa_stays[sa[i]] = policy_stays[policy[i]] = true;
	return true;
}

static int take_away(struct xfrm *x, const struct found *sas, const struct found *policies, const bool *sa_stays, const bool *policy_stays,
		     struct ipsec_left *left)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < policies->n; i++) {
		if (policy_stays[i])
			continue;
		rc = xfrm_policy_del(x, &policies->row[i].policy.sel, policies->row[i].policy.dir);
		rc = rc == -ENOENT ? 0 : rc;
		left->taken_away++;
	}
	for (size_t i = 0; rc == 0 && i < sas->n; i++) {
		if (sa_stays[i])
			continue;
		rc = xfrm_sa_del(x, &sas->row[i].sa.id.daddr, sas->row[i].sa.id.spi, sas->row[i].sa.family);
		rc = rc == -ESRCH ? 0 : rc;
		left->taken_away++;
	}
	return rc;
}

static void make_missing(struct xfrm *x, const bool *whole, struct ipsec_left *left)
{
	for (size_t i = 0; i < left->n; i++) {
		if (whole[i])
			left->whole++;
		else if (xfrm_set_add(x, &left->set[i]) == 0)
			left->made++;
		else {
			left->failed++;		/* the others are not to suffer */
			if (left->lost)
				left->lost[i] = true;
		}
	}
}

int xfrm_take_up(struct xfrm *x, uint32_t first, uint32_t last, struct ipsec_left *left)
{
	struct found sas = { .first = first, .last = last }, policies = sas;
	bool *sa_stays = NULL, *policy_stays = NULL, *whole = calloc(left->n + 1, sizeof(*whole));
	int rc = whole ? list(x, XFRM_MSG_GETPOLICY, on_policy, &policies) : -ENOMEM;

	if (rc == 0)
		rc = list(x, XFRM_MSG_GETSA, on_sa, &sas);
	sa_stays = calloc(sas.n + 1, sizeof(*sa_stays));
	policy_stays = calloc(policies.n + 1, sizeof(*policy_stays));
	if (rc == 0 && (sas.failed || policies.failed || !sa_stays || !policy_stays))
		rc = -ENOMEM;
	if (rc == 0 && sas.n)
		qsort(sas.row, sas.n, sizeof(*sas.row), sas_by_reqid);
	if (rc == 0 && policies.n)
		qsort(policies.row, policies.n, sizeof(*policies.row), policies_by_reqid);
	for (size_t i = 0; rc == 0 && i < left->n; i++)
		whole[i] = is_whole(&left->set[i], &sas, &policies, sa_stays, policy_stays);
	if (rc == 0)
		rc = take_away(x, &sas, &policies, sa_stays, policy_stays, left);
	if (rc == 0)
		make_missing(x, whole, left);
	free(sa_stays);
	free(policy_stays);
	free(whole);
	free(sas.row);
	free(policies.row);
	return rc;
}
