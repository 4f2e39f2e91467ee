/* tests/ue/phone.h - one phone as a whole. */
#pragma once
#include "tests/ue/ue.h"

int phone_new(struct ue **ret, const struct ue_options *o);	/* opens its sockets, event `ready`; 0 or -errno */
int phone_run(struct ue *u);					/* until `quit`: the exit status */
void phone_free(struct ue *u);
