/* common/util/cmap.h - shared directory: key -> immutable, reference-counted snapshot.
 *
 * The owner worker publishes; every worker looks up.  A stripe lock is held only for the pointer
 * fetch and the reference, never across a call out.  Values start with struct obj. */
#pragma once
#include "common/util/obj.h"
#include "common/util/str.h"

struct cmap;

struct cmap *cmap_new(void);
void cmap_free(struct cmap *m);				/* drops its references */
/* Copies the key, takes a reference of its own, replaces what was there.  0 or -ENOMEM. */
int cmap_put(struct cmap *m, struct str key, void *obj);
void *cmap_get(struct cmap *m, struct str key);		/* a new reference, or NULL */
bool cmap_del(struct cmap *m, struct str key);
/* Deletes only while the value is still `obj`: a newer publication stays. */
bool cmap_del_if(struct cmap *m, struct str key, const void *obj);
size_t cmap_count(const struct cmap *m);
