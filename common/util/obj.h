/* common/util/obj.h - reference-counted objects, safe to share between threads.
 *
 * First member of a struct that outlives the message it came from.  The last obj_unref() calls the
 * destructor, on whatever thread that happens to be. */
#pragma once
#include <stdatomic.h>
#include <stddef.h>

struct obj {
	atomic_uint refs;
	void (*free)(struct obj *);
};

static inline void obj_init(struct obj *o, void (*free_fn)(struct obj *))
{
	atomic_init(&o->refs, 1);
	o->free = free_fn;
}
static inline void *obj_ref(void *p)
{
	struct obj *o = p;

	if (o)
		atomic_fetch_add_explicit(&o->refs, 1, memory_order_relaxed);
	return p;
}
static inline void obj_unref(void *p)
{
	struct obj *o = p;

	if (o && atomic_fetch_sub_explicit(&o->refs, 1, memory_order_acq_rel) == 1)
		o->free(o);
}
