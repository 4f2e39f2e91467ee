/* tests/ue/main.c - imsue, the simulated phone: start and stop; what it does is in libue.a.  README.md. */
#include <stdio.h>
#include <string.h>
#include <errno.h>
#include "common/log/log.h"
#include "tests/ue/phone.h"

#define EXIT_USAGE 64			/* EX_USAGE of sysexits.h */

int main(int argc, char **argv)
{
	struct ue_options o;
	char why[512] = "";
	struct ue *u;
	int rc = options_read(&o, argc, argv, why, sizeof(why));

	if (rc == -ECANCELED)
		return 0;
	if (rc < 0) {
		fprintf(stderr, "imsue: %s\nimsue --help tells the options\n", why);
		return EXIT_USAGE;
	}
	log_open("imsue", LOG_TEXT, LOG_ERROR);
	rc = phone_new(&u, &o);
	if (rc < 0) {
		fprintf(stderr, "imsue: cannot start: %s\n", strerror(-rc));
		return 1;
	}
	rc = phone_run(u);
	phone_free(u);
	return rc;
}
