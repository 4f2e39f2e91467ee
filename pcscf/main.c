/* pcscf/main.c - start and stop of the P-CSCF; what it does is in libpcscf.a. */
#include "pcscf/pcscf.h"
#include "pcscf/policy.h"

struct program {
	struct daemon d;
	struct pcscf p;
};

static void on_drained(void *arg)
{
	daemon_stopped(arg);
}

static void on_drain(void *u)
{
	struct program *g = u;

	stack_drain(g->p.stack, on_drained, &g->d);
}

int main(int argc, char **argv)
{
	static struct program g = {
		.d = { .name = "pcscf", .schema = pcscf_schema, .check = pcscf_config_check, .doctor = pcscf_doctor, .drain = on_drain, .u = &g },
	};
	int rc = daemon_init(&g.d, argc, argv);

	if (rc != DAEMON_GO)
		return daemon_exit(&g.d, rc);
	rc = pcscf_init(&g.p);
	rx_start(&g.p);
	if (rc == 0)
		rc = stack_start(&g.p.stack, &g.d, &pcscf_ops, &g.p);
	if (rc == 0) {
		daemon_ready(&g.d);
		rc = loop_run(g.d.loop);
	}
	stack_free(g.p.stack);
	pcscf_fini(&g.p);
	return daemon_exit(&g.d, rc);
}
