/* scscf/limits.c - how many sessions a user may have at a time: row T18.
 *
 * Each session of a user holds a place for as long as its dialog is watched (dialog_table_attach); the last one that goes takes the
 * user's count along.  Two workers that begin at the same moment may let one more in: that is not worth a lock. */
#include <stdlib.h>
#include "common/log/log.h"
#include "scscf/session.h"

struct count {				/* of one registration; in scscf.session_counts while somebody has a place */
	struct obj o;
	uint64_t id;
	atomic_uint n;
};
struct place {
	struct obj o;
	struct scscf *s;
	struct count *c;		/* a reference */
};

static void count_free(struct obj *o)
{
	free(o);
}

static struct str key_of(const struct count *c)
{
	return str_make((const char *)&c->id, sizeof(c->id));
}

static void place_free(struct obj *o)
{
	struct place *p = (struct place *)o;

	if (atomic_fetch_sub(&p->c->n, 1) == 1)
		cmap_del_if(p->s->session_counts, key_of(p->c), p->c);
	obj_unref(p->c);
	free(p);
}

static struct count *count_get(struct scscf *s, uint64_t id)
{
	struct count *c = cmap_get(s->session_counts, str_make((const char *)&id, sizeof(id)));

	if (c)
		return c;
	c = malloc(sizeof(*c));
	if (!c)
		return NULL;
	obj_init(&c->o, count_free);
	c->id = id;
	atomic_init(&c->n, 0);
	cmap_put(s->session_counts, key_of(c), c);
	return c;
}

/* Takes over the reference of c. */
static struct place *place_new(struct scscf *s, struct count *c)
{
	struct place *p = malloc(sizeof(*p));

	if (!p) {
		obj_unref(c);
		return NULL;
	}
	obj_init(&p->o, place_free);
	p->s = s;
	p->c = c;
	atomic_fetch_add(&c->n, 1);
	return p;
}

bool limits_take(struct scscf_worker *sw, struct session_in *in, uint64_t id, enum session_side side)
{
	uint32_t max = sw->s->sessions ? sw->s->sessions->max_per_user : 0;
	struct count *c;
	struct place *p;
	bool free_place;

	if (max == 0 || in->m->method != SIP_INVITE || !(c = count_get(sw->s, id)))
		return true;
	p = place_new(sw->s, c);		/* without memory nobody is counted */
	free_place = !p || atomic_load(&c->n) <= max;
	if (p && free_place)
		dialog_table_attach(sw->w->dialogs, in->m, side == SIDE_TERMINATING, &p->o);
	obj_unref(p);
	if (!free_place)
		session_refuse(in, side == SIDE_TERMINATING ? 486 : 403, "the user has as many sessions as are allowed", STR_NONE);
	return free_place;
}
