/* scscf/main.c - start and stop of the S-CSCF; what it does is in libscscf.a. */
#include "scscf/keep.h"
#include "scscf/scscf.h"

static const struct role_ops role = {
	.worker_new = scscf_worker_new,
	.worker_free = scscf_worker_free,
	.request = scscf_request,
	.ack = scscf_ack,
	.fe = "s-cscf",
	.uses_diameter = true,
	.routes = scscf_routes, .shapes = scscf_shapes,
	.trust_key = "sessions.trusted_domains",
	.registrations = "cscf_registrations",
	.restore = keep_restore,
};

struct run {
	struct daemon d;
	struct scscf *s;
	struct stack *stack;
};

static void reload(void *u, const struct cfg *c)
{
	struct run *r = u;

	scscf_reload(r->s, c);
}

static void drained(void *arg)
{
	struct run *r = arg;

	daemon_stopped(&r->d);
}

static void drain(void *u)
{
	struct run *r = u;

	stack_drain(r->stack, drained, r);
}

int main(int argc, char **argv)
{
	struct run r = { .d = { .name = "scscf", .schema = scscf_schema(), .check = scscf_check, .needs_diameter = true,
				.reload = reload, .drain = drain } };
	int rc;

	r.d.u = &r;
	rc = daemon_init(&r.d, argc, argv);		/* options, configuration, log; -t and -V end here */
	if (rc != DAEMON_GO)
		return daemon_exit(&r.d, rc);
	rc = scscf_new(&r.s, r.d.config);
	if (rc < 0)
		goto out;
	cx_serve(r.d.loop, &scscf_push_ops, r.s);	/* RTR, PPR */
	rc = stack_start(&r.stack, &r.d, &role, r.s);
	if (rc < 0)
		goto out;
	daemon_ready(&r.d);
	rc = loop_run(r.d.loop);
out:
	stack_free(r.stack);
	scscf_free(r.s);
	return daemon_exit(&r.d, rc);
}
