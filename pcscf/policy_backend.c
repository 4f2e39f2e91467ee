/* pcscf/policy_backend.c - which protocol a phone's bearers are asked about in: one backend for each mode.  Row Q12. */
#include "pcscf/policy.h"

static const struct policy_backend *const backends[POLICY_N_MODES] = { [POLICY_RX] = &rx_backend, [POLICY_N5] = &n5_backend,
									 [POLICY_BSF] = &choose_backend };

const struct policy_backend *policy_backend_by_mode(enum policy_mode m)
{
	return backends[m];
}

/* Of a call of the process before this one. */
const struct policy_backend *policy_backend_kept(const struct pcscf_worker *pw, const struct binding *b, struct str name)
{
	const struct policy_backend *k = policy_backend_of(pw, b);

	if (k != &choose_backend || str_eq_c(name, k->name))
		return k && str_eq_c(name, k->name) ? k : NULL;
	for (int m = 0; m < POLICY_N_MODES; m++)
		if (backends[m] && pw->p->cfg.policy.used[m] && str_eq_c(name, backends[m]->name))
			return backends[m];
	return NULL;
}

const struct policy_backend *policy_backend_of(const struct pcscf_worker *pw, const struct binding *b)
{
	enum policy_mode mode = policy_mode_of(&pw->p->cfg.policy, b);

	if (mode == POLICY_OFF || !(pw->p->cfg.policy.used[mode] || pw->p->test_policy))
		return NULL;
	return pw->p->test_policy ? pw->p->test_policy : backends[mode];
}

int policy_start(struct pcscf_worker *pw)
{
	int rc = 0;

	for (int m = 0; m < POLICY_N_MODES && rc == 0; m++)
		if (backends[m] && backends[m]->start && pw->p->cfg.policy.used[m] && !pw->p->test_policy)
			rc = backends[m]->start(pw);
	return rc;
}

void policy_stop(struct pcscf_worker *pw)
{
	for (int m = 0; m < POLICY_N_MODES; m++)
		if (backends[m] && backends[m]->stop)
			backends[m]->stop(pw);
}

void policy_signalling_by(struct pcscf_worker *pw, struct binding *b, const struct policy_backend *k)
{
	for (int m = 0; m < POLICY_N_MODES; m++)
		if (backends[m] && backends[m] != k && backends[m]->unregistered)
			backends[m]->unregistered(pw, b);
	if (k && k->registered)
		k->registered(pw, b);
}

void policy_registered(struct pcscf_worker *pw, struct binding *b)
{
	const struct policy_backend *k = pw->p->cfg.policy.registration ? policy_backend_of(pw, b) : NULL;

	if (k == &choose_backend)
		k->registered(pw, b);		/* says later which one */
	else
		policy_signalling_by(pw, b, k);
}

/* Every backend: the phone may have had another mode when it registered. */
void policy_unregistered(struct pcscf_worker *pw, const struct binding *b)
{
	for (int m = 0; m < POLICY_N_MODES; m++)
		if (backends[m] && backends[m]->unregistered)
			backends[m]->unregistered(pw, b);
}

int policy_restore(struct pcscf *p, struct store *store)
{
	int rc = 0;

	for (int m = 0; m < POLICY_N_MODES && rc == 0; m++)
		if (backends[m] && backends[m]->restore && p->cfg.policy.used[m])
			rc = backends[m]->restore(p, store);
	return rc;
}

void policy_left_gone(struct pcscf_worker *pw, struct str call_id, uint64_t binding_id)
{
	for (int m = 0; m < POLICY_N_MODES; m++)
		if (backends[m] && backends[m]->left_gone)
			backends[m]->left_gone(pw, call_id, binding_id);
}
