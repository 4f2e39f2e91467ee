/* scscf/view.c - the directory of published registrations.  Rows S8, S12, T13.
 *
 * Two shared maps: by the random id of a registration, and by address of record.  Readers take references under a stripe
 * lock; writers are serialised here, so that an address of record shared by private identities of different workers is
 * never rebuilt from an old set. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include "common/util/cmap.h"
#include "scscf/view.h"

struct reg_directory {
	pthread_mutex_t lock;		/* of writers */
	struct cmap *by_id, *by_aor;
};

/* ---- views ---- */

static void view_free(struct obj *o)
{
	struct reg_view *v = (struct reg_view *)o;

	for (unsigned i = 0; i < v->n_contacts; i++)
		obj_unref(v->contacts[i].holder);
	obj_unref(v->profile);
	free(v);
}

static char *put(char **at, const char *text, size_t l)
{
	char *to = *at;

	if (l)
		memcpy(to, text, l);
	to[l] = '\0';
	*at += l + 1;
	return to;
}

static size_t length(const char *text)
{
	return text ? strlen(text) : 0;
}

static const char *keep(char **at, const char *text)
{
	return length(text) ? put(at, text, length(text)) : NULL;
}

struct reg_view *reg_view_new(uint64_t id, struct str impi, struct profile *p, const char *pcfa, unsigned n,
			      const struct reg_contact_view *contacts)
{
	bool own_impi = !p->impi || !str_eq_c(impi, p->impi);		/* mostly the profile has it */
	size_t pointers = 0, text = (own_impi ? impi.l + 1 : 0) + (length(pcfa) ? length(pcfa) + 1 : 0), size;
	struct reg_view *v;
	char **path, *at;

	for (unsigned i = 0; i < n; i++) {
		if (contacts[i].holder)
			continue;
		pointers += contacts[i].n_path;
		text += strlen(contacts[i].uri) + strlen(contacts[i].params) + 2;
		text += length(contacts[i].call_id) + length(contacts[i].display) + 2;
		for (unsigned k = 0; k < contacts[i].n_path; k++)
			text += strlen(contacts[i].path[k]) + 1;
	}
	size = sizeof(*v) + n * sizeof(v->contacts[0]) + pointers * sizeof(char *);
	v = malloc(size + text);
	if (!v)
		return NULL;
	*v = (struct reg_view){ .id = id, .profile = obj_ref(p), .n_contacts = n };
	obj_init(&v->o, view_free);
	v->contacts = (struct reg_contact_view *)(v + 1);
	path = (char **)(v->contacts + n);
	at = (char *)v + size;
	v->impi = own_impi ? put(&at, impi.p, impi.l) : p->impi;
	if (length(pcfa))
		v->pcfa_at = (uint32_t)(put(&at, pcfa, length(pcfa)) - (char *)v);
	for (unsigned i = 0; i < n; i++) {
		struct reg_contact_view *c = &v->contacts[i];

		*c = contacts[i];
		if (obj_ref(c->holder))
			continue;
		c->uri = put(&at, contacts[i].uri, strlen(contacts[i].uri));
		c->params = put(&at, contacts[i].params, strlen(contacts[i].params));
		c->call_id = keep(&at, contacts[i].call_id);
		c->display = keep(&at, contacts[i].display);
		c->path = path;
		for (unsigned k = 0; k < c->n_path; k++)
			*path++ = put(&at, contacts[i].path[k], strlen(contacts[i].path[k]));
	}
	return v;
}

/* ---- address of record -> set of views ---- */

static void set_free(struct obj *o)
{
	struct aor_view *s = (struct aor_view *)o;

	for (unsigned i = 0; i < s->n; i++)
		obj_unref(s->v[i]);
	free(s);
}

static struct str key_of(const uint64_t *id)
{
	return str_make((const char *)id, sizeof(*id));
}

/* The set without `id`, with `v` unless NULL.  *ret NULL: it is empty. */
static int set_change(const struct aor_view *old, uint64_t id, struct reg_view *v, struct aor_view **ret)
{
	unsigned n = old ? old->n : 0;
	struct aor_view *s;

	*ret = NULL;
	if (!v && (n == 0 || (n == 1 && old->v[0]->id == id)))
		return 0;		/* taking the last one out cannot fail */
	s = malloc(sizeof(*s) + (n + 1) * sizeof(s->v[0]));
	if (!s)
		return -ENOMEM;
	obj_init(&s->o, set_free);
	s->n = 0;
	for (unsigned i = 0; i < n; i++)
		if (old->v[i]->id != id)
			s->v[s->n++] = obj_ref(old->v[i]);
	if (v && s->n == REG_MAX_SHARED) {
		obj_unref(s);
		return -ENOSPC;
	}
	if (v)
		s->v[s->n++] = obj_ref(v);
	*ret = s;
	return 0;
}

/* Is it this registration's alone, or nobody's? */
static bool is_alone(const struct aor_view *s, uint64_t id)
{
	return !s || s->n == 0 || (s->n == 1 && s->v[0]->id == id);
}

/* alone: a set of v only, for the identities that nobody else has (nearly all): they share it.  NULL: each gets its own. */
static int aor_change(struct reg_directory *d, const char *aor, uint64_t id, struct reg_view *v, struct aor_view *alone)
{
	struct str key = str_from_c(aor);
	struct aor_view *old = cmap_get(d->by_aor, key), *fresh = NULL;
	int rc = 0;

	if (v && alone && is_alone(old, id))
		fresh = obj_ref(alone);
	else
		rc = set_change(old, id, v, &fresh);
	if (rc == 0 && fresh)
		rc = cmap_put(d->by_aor, key, fresh);
	else if (rc == 0)
		cmap_del(d->by_aor, key);
	obj_unref(fresh);
	obj_unref(old);
	return rc;
}

/* ---- publication ---- */

static void take_out(struct reg_directory *d, const struct reg_view *old, const struct profile *keep)
{
	for (unsigned i = 0; i < old->profile->n_identities; i++) {
		const char *aor = old->profile->identity[i].aor;

		if (!keep || !profile_find(keep, str_from_c(aor)))
			aor_change(d, aor, old->id, NULL, NULL);
	}
}

int reg_directory_publish(struct reg_directory *d, struct reg_view *v)
{
	const struct profile *p = v->profile;
	struct aor_view *alone = NULL;
	struct reg_view *old;
	unsigned done;
	int rc = set_change(NULL, v->id, v, &alone);

	pthread_mutex_lock(&d->lock);
	old = cmap_get(d->by_id, key_of(&v->id));
	for (done = 0; done < p->n_identities && rc == 0; done++)
		rc = aor_change(d, p->identity[done].aor, v->id, v, alone);
	if (rc == 0)
		rc = cmap_put(d->by_id, key_of(&v->id), v);
	if (rc == 0 && old)
		take_out(d, old, p);
	while (rc < 0 && done > 0) {		/* back to what was */
		const char *aor = p->identity[--done].aor;

		aor_change(d, aor, v->id, old && profile_find(old->profile, str_from_c(aor)) ? old : NULL, NULL);
	}
	pthread_mutex_unlock(&d->lock);
	obj_unref(alone);
	obj_unref(old);
	return rc;
}

void reg_directory_withdraw(struct reg_directory *d, uint64_t id)
{
	struct reg_view *old;

	pthread_mutex_lock(&d->lock);
	old = cmap_get(d->by_id, key_of(&id));
	if (old) {
		take_out(d, old, NULL);
		cmap_del(d->by_id, key_of(&id));
	}
	pthread_mutex_unlock(&d->lock);
	obj_unref(old);
}

struct aor_view *reg_directory_aor(struct reg_directory *d, struct str aor)
{
	return cmap_get(d->by_aor, aor);
}

struct reg_view *reg_directory_id(struct reg_directory *d, uint64_t id)
{
	return cmap_get(d->by_id, key_of(&id));
}

size_t reg_directory_count(const struct reg_directory *d)
{
	return cmap_count(d->by_id);
}

struct reg_directory *reg_directory_new(void)
{
	struct reg_directory *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	pthread_mutex_init(&d->lock, NULL);
	d->by_id = cmap_new();
	d->by_aor = cmap_new();
	if (d->by_id && d->by_aor)
		return d;
	reg_directory_free(d);
	return NULL;
}

void reg_directory_free(struct reg_directory *d)
{
	if (!d)
		return;
	cmap_free(d->by_id);
	cmap_free(d->by_aor);
	pthread_mutex_destroy(&d->lock);
	free(d);
}
