/* common/config/networks.h - a list of networks in the configuration: "ADDRESS" or "ADDRESS/BITS" each. */
#pragma once
#include "common/config/config.h"
#include "common/util/addr.h"

struct networks;

/* Of the string list at `path`; what is no network was told by networks_check().  free() it.  NULL: out of memory. */
struct networks *networks_new(const struct cfg_node *n, const char *path);
/* One line per entry that is no network. */
void networks_check(const struct cfg_node *n, const char *path, struct buf *errors);
bool networks_have(const struct networks *n, const struct addr *a);		/* a's port does not matter */
bool networks_none(const struct networks *n);					/* the list is empty */
