/* icscf/main.c - start and stop of the I-CSCF; what it does is in libicscf.a. */
#include "common/daemon/daemon.h"
#include "common/daemon/stack.h"
#include "icscf/icscf.h"

struct program {
	struct daemon d;
	struct icscf *i;
	struct stack *stack;
};

static void on_reload(void *u, const struct cfg *c)
{
	struct program *p = u;

	icscf_reload(p->i, c);
}

static void on_drained(void *u)
{
	struct program *p = u;

	daemon_stopped(&p->d);
}

static void on_drain(void *u)
{
	struct program *p = u;

	stack_drain(p->stack, on_drained, p);
}

int main(int argc, char **argv)
{
	struct program p = { .d = { .name = "icscf", .schema = icscf_schema, .check = icscf_config_check, .needs_diameter = true,
				    .reload = on_reload, .drain = on_drain, .u = &p } };
	int rc = daemon_init(&p.d, argc, argv);		/* options, configuration, log; -t and -V end here */

	if (rc != DAEMON_GO)
		return daemon_exit(&p.d, rc);
	rc = icscf_new(&p.i, p.d.config);
	if (rc == 0)
		rc = stack_start(&p.stack, &p.d, &icscf_ops, p.i);
	if (rc == 0) {
		daemon_ready(&p.d);
		rc = loop_run(p.d.loop);		/* SIGHUP reloads, SIGTERM drains and returns */
	}
	stack_free(p.stack);
	icscf_free(p.i);
	return daemon_exit(&p.d, rc);
}
