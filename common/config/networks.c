/* common/config/networks.c - see networks.h. */
#include <stdlib.h>
#include "common/config/networks.h"

struct networks {
	size_t n;
	struct {
		struct addr a;
		unsigned bits;
	} net[];
};

struct networks *networks_new(const struct cfg_node *n, const char *path)
{
	size_t len = cfg_list_len(n, path);
	struct networks *ret = calloc(1, sizeof(*ret) + len * sizeof(ret->net[0]));

	for (size_t i = 0; ret && i < len; i++)
		if (addr_prefix_parse(cfg_strs_at(n, path, i), &ret->net[ret->n].a, &ret->net[ret->n].bits) == 0)
			ret->n++;
	return ret;
}

void networks_check(const struct cfg_node *n, const char *path, struct buf *errors)
{
	size_t len = cfg_list_len(n, path);
	struct addr a;
	unsigned bits;

	for (size_t i = 0; i < len; i++)
		if (addr_prefix_parse(cfg_strs_at(n, path, i), &a, &bits) < 0)
			cfg_error(n, path, errors, "%s: \"%.*s\" is not ADDRESS or ADDRESS/BITS", path, STR_ARG(cfg_strs_at(n, path, i)));
}

bool networks_have(const struct networks *n, const struct addr *a)
{
	for (size_t i = 0; i < n->n; i++)
		if (addr_in_prefix(a, &n->net[i].a, n->net[i].bits))
			return true;
	return false;
}

bool networks_none(const struct networks *n)
{
	return n->n == 0;
}
