/* scscf/criteria_read.c - initial filter criteria from XML into tables: TS 29.228 annexes B and E; rows T2, T5, D15.
 *
 * One reader goes over the elements; where one shared set is named, a reader of its own goes over that.  What is wrong inside of
 * a criterion makes that criterion "skipped"; an extension that nobody knows is passed over. */
#include <errno.h>
#include <expat.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/sip/uri.h"
#include "scscf/criteria.h"
#include "scscf/pattern.h"

#define MAX_DEPTH 16u
#define MAX_TEXT (16u * 1024)
#define MAX_SKIPPED_TEXT 2048u

struct member {
	uint32_t group;
	uint8_t trigger;
};
struct reader {
	XML_Parser x;
	const struct criteria_sets *sets;
	struct criteria *c;
	unsigned nested;		/* 1: inside of a shared set */
	char path[MAX_DEPTH][32];
	unsigned depth;
	struct buf text;
	int rc;
	unsigned open;			/* InitialFilterCriteria elements around this place; the outermost one counts */
	/* the criterion in hand */
	struct criterion k;
	struct trigger t[CRITERION_MAX_TRIGGERS];
	struct member m[CRITERION_MAX_MEMBERS];
	unsigned n_members, members_before;	/* of the trigger in hand, for when it is none */
	bool in_trigger, has_kind, has_priority;
	char why[192];			/* it cannot be used: the first reason */
};

static void skip(struct reader *r, const char *why, struct str what)
{
	if (!r->why[0])
		snprintf(r->why, sizeof(r->why), "%s%s%.*s", why, what.l ? ": " : "", what.l > 100 ? 100 : (int)what.l,
			 what.l ? what.p : "");
}

static void stop(struct reader *r, int rc)
{
	if (r->rc == 0)
		r->rc = rc;
	XML_StopParser(r->x, XML_FALSE);
}

static bool in(const struct reader *r, unsigned up, const char *name)
{
	return r->depth > up && strcmp(r->path[r->depth - 1 - up], name) == 0;
}

static bool is_true(struct str t)
{
	return str_eq(t, STR("1")) || str_ieq(t, STR("true"));
}

static struct str keep(struct reader *r, struct str t)
{
	struct str s = arena_dup(r->c->arena, t);

	if (!s.p)
		stop(r, -ENOMEM);
	return s;
}

static struct trigger *trigger(struct reader *r)
{
	return &r->t[r->k.n_triggers];
}

/* ---- what a trigger has ---- */

static void set_kind(struct reader *r, enum trigger_kind kind)
{
	if (r->has_kind)
		skip(r, "a trigger has two conditions", STR_NONE);
	r->has_kind = true;
	trigger(r)->kind = kind;
}

static void set_pattern(struct reader *r, struct str t, enum pattern_use use, struct pattern **ret)
{
	const char *why = NULL;
	int rc;

	pattern_free(*ret);
	*ret = NULL;
	rc = pattern_new(t, use, ret, &why);
	if (rc == -ENOMEM)
		stop(r, rc);
	else if (rc < 0)
		skip(r, why, t);
}

static bool is_name(struct str t)
{
	for (size_t i = 0; i < t.l; i++)
		if (!((t.p[i] >= 'a' && t.p[i] <= 'z') || (t.p[i] >= 'A' && t.p[i] <= 'Z') || (t.p[i] >= '0' && t.p[i] <= '9') ||
		      t.p[i] == '-' || t.p[i] == '_'))
			return false;
	return t.l > 0;
}

/* Annex F: the name is an expression, too.  Nearly always it is just a name. */
static void set_header(struct reader *r, struct str t)
{
	struct trigger *s = trigger(r);

	if (is_name(t)) {
		s->id = (uint16_t)sip_hdr_id_from_name(t);
		s->text = keep(r, t);
	} else {
		set_pattern(r, t, PATTERN_NAME, &s->name);
	}
}

static void set_case(struct reader *r, struct str t)
{
	uint32_t n;

	set_kind(r, TRIGGER_CASE);
	if (str_to_u32(t, &n) < 0 || n >= N_SESSION_CASES)
		skip(r, "a SessionCase that there is not", t);
	else
		trigger(r)->number = (uint8_t)n;
}

static void set_method(struct reader *r, struct str t)
{
	struct trigger *s = trigger(r);

	set_kind(r, TRIGGER_METHOD);
	s->id = (uint16_t)sip_method_from_str(t);
	s->text = keep(r, t);
	if (!is_name(t))
		skip(r, "not a method", t);
}

static void add_group(struct reader *r, struct str t)
{
	uint32_t n;

	if (str_to_u32(t, &n) < 0)
		skip(r, "a Group that is no number", t);
	else if (r->n_members == CRITERION_MAX_MEMBERS)
		skip(r, "too many triggers", STR_NONE);
	else
		r->m[r->n_members++] = (struct member){ n, r->k.n_triggers };
}

static void add_registration_type(struct reader *r, struct str t)
{
	uint32_t n;

	if (str_to_u32(t, &n) < 0 || n > 2)
		skip(r, "a RegistrationType that there is not", t);
	else
		trigger(r)->number |= (uint8_t)(1u << n);
}

static void end_of_condition(struct reader *r, struct str t)
{
	struct trigger *s = trigger(r);

	if (in(r, 1, "SIPHeader")) {
		if (in(r, 0, "Header"))
			set_header(r, t);
		else if (in(r, 0, "Content"))
			set_pattern(r, t, PATTERN_ANYWHERE, &s->content);
	} else if (in(r, 1, "SessionDescription")) {
		if (in(r, 0, "Line"))
			set_pattern(r, t, PATTERN_NAME, &s->name);
		else if (in(r, 0, "Content"))
			set_pattern(r, t, PATTERN_ANYWHERE, &s->content);
	} else if (in(r, 0, "ConditionNegated")) {
		s->negated = is_true(t);
	} else if (in(r, 0, "Group") && in(r, 1, "SPT")) {
		add_group(r, t);
	} else if (in(r, 0, "RegistrationType")) {
		add_registration_type(r, t);
	} else if (in(r, 0, "RequestURI") && in(r, 1, "SPT")) {
		set_kind(r, TRIGGER_URI);
		s->text = keep(r, t);
		set_pattern(r, t, PATTERN_ANYWHERE, &s->content);
	} else if (in(r, 0, "Method") && in(r, 1, "SPT")) {
		set_method(r, t);
	} else if (in(r, 0, "SessionCase") && in(r, 1, "SPT")) {
		set_case(r, t);
	} else if (in(r, 0, "SIPHeader")) {
		set_kind(r, TRIGGER_HEADER);
	} else if (in(r, 0, "SessionDescription")) {
		set_kind(r, TRIGGER_SDP);
	}
}

static void trigger_drop(struct trigger *s)
{
	pattern_free(s->name);
	pattern_free(s->content);
	*s = (struct trigger){ 0 };
}

static void trigger_begin(struct reader *r)
{
	r->has_kind = false;
	r->members_before = r->n_members;
	r->in_trigger = r->k.n_triggers < CRITERION_MAX_TRIGGERS;
	if (!r->in_trigger)
		skip(r, "too many triggers", STR_NONE);
}

static void trigger_end(struct reader *r)
{
	struct trigger *s = trigger(r);

	r->in_trigger = false;
	if (!r->has_kind)		/* a condition of a release to come: matching without it would be wrong both ways */
		skip(r, "a trigger with no condition that is known", STR_NONE);
	else if (s->kind == TRIGGER_HEADER && !s->name && s->text.l == 0)
		skip(r, "a SIPHeader without Header", STR_NONE);
	else if (s->kind == TRIGGER_SDP && !s->name)
		skip(r, "a SessionDescription without Line", STR_NONE);
	if (r->n_members == r->members_before)
		add_group(r, STR("0"));		/* the schema wants one; alone it means the same */
	r->k.n_triggers++;
}

/* ---- a criterion ---- */

static void set_priority(struct reader *r, struct str t)
{
	uint32_t n;

	if (str_to_u32(t, &n) < 0 || n > INT32_MAX)
		skip(r, "a Priority that is no number", t);
	else
		r->k.priority = (int32_t)n;
	r->has_priority = true;
}

/* TS 29.228 annex B: a SIP URL.  One without a scheme is meant as one (PyHSS's S-CSCF names are written so, too). */
static void set_server(struct reader *r, struct str t)
{
	struct sip_uri u;

	if (t.l && str_chr(t, ':') < 0)
		t = arena_printf(r->c->arena, "sip:%.*s", STR_ARG(t));
	if (sip_uri_parse(t, &u, NULL) < 0 || u.host.l == 0 || (u.scheme != SIP_SCHEME_SIP && u.scheme != SIP_SCHEME_SIPS)) {
		skip(r, "ServerName is no SIP URI", t);
		return;
	}
	r->k.server = keep(r, t);
	r->k.route = arena_printf(r->c->arena, "<%.*s%s>", STR_ARG(str_head(t, t.l - (u.headers.l ? u.headers.l + 1 : 0))),
				  sip_uri_has_lr(&u) ? "" : ";lr");
}

static void set_part(struct reader *r, struct str t)
{
	if (str_eq(t, STR("0")) || str_eq(t, STR("1")))
		r->k.part = str_eq(t, STR("0")) ? 1 : 2;
	else
		skip(r, "a ProfilePartIndicator that there is not", t);
}

static void end_of_criterion_part(struct reader *r, struct str t)
{
	struct criterion *k = &r->k;

	if (in(r, 0, "Priority") && in(r, 1, "InitialFilterCriteria"))
		set_priority(r, t);
	else if (in(r, 0, "ConditionTypeCNF"))
		k->cnf = is_true(t);
	else if (in(r, 0, "ServerName"))
		set_server(r, t);
	else if (in(r, 0, "DefaultHandling"))
		k->terminate = is_true(t);
	else if (in(r, 0, "ServiceInfo"))
		k->service_info = keep(r, t);
	else if (in(r, 0, "ProfilePartIndicator"))
		set_part(r, t);
	else if (in(r, 0, "IncludeRegisterRequest"))
		k->include_request = !str_eq(t, STR("0")) && !str_ieq(t, STR("false"));
	else if (in(r, 0, "IncludeRegisterResponse"))
		k->include_response = !str_eq(t, STR("0")) && !str_ieq(t, STR("false"));
}

static void criterion_begin(struct reader *r)
{
	r->k = (struct criterion){ .part = 3 };
	r->n_members = 0;
	r->why[0] = '\0';
	r->in_trigger = r->has_priority = false;
}

static int by_group(const void *a, const void *b)
{
	const struct member *x = a, *y = b;

	if (x->group != y->group)
		return x->group < y->group ? -1 : 1;
	return (int)x->trigger - (int)y->trigger;
}

static bool groups_make(struct reader *r)
{
	struct criterion *k = &r->k;

	qsort(r->m, r->n_members, sizeof(r->m[0]), by_group);
	k->trigger = arena_alloc(r->c->arena, k->n_triggers * sizeof(k->trigger[0]));
	k->member = arena_alloc(r->c->arena, r->n_members);
	k->group_end = arena_alloc(r->c->arena, r->n_members);
	if (!k->trigger || !k->member || !k->group_end)
		return false;
	memcpy(k->trigger, r->t, k->n_triggers * sizeof(k->trigger[0]));
	for (unsigned i = 0; i < r->n_members; i++) {
		k->member[i] = r->m[i].trigger;
		if (i + 1 == r->n_members || r->m[i].group != r->m[i + 1].group)
			k->group_end[k->n_groups++] = (uint8_t)(i + 1);
	}
	return true;
}

static void triggers_drop(struct reader *r)
{
	for (unsigned i = 0; i < CRITERION_MAX_TRIGGERS; i++)
		trigger_drop(&r->t[i]);
}

static void note_skipped(struct reader *r)
{
	struct criteria *c = r->c;

	c->n_skipped++;
	if (c->skipped.l < MAX_SKIPPED_TEXT)
		c->skipped = arena_printf(c->arena, "%.*s%spriority %d: %s", STR_ARG(c->skipped), c->skipped.l ? "; " : "",
					  r->k.priority, r->why);
	triggers_drop(r);
}

static void criterion_end(struct reader *r)
{
	struct criteria *c = r->c;

	if (!r->has_priority)
		skip(r, "there is no Priority", STR_NONE);
	if (r->k.server.l == 0)
		skip(r, "there is no ServerName", STR_NONE);
	if (r->k.has_trigger && r->k.n_triggers == 0)
		skip(r, "a TriggerPoint without a trigger", STR_NONE);
	if (c->n == CRITERIA_MAX)
		skip(r, "there are too many", STR_NONE);
	if (r->why[0]) {
		note_skipped(r);
		return;
	}
	if (r->k.n_triggers && !groups_make(r)) {
		triggers_drop(r);
		stop(r, -ENOMEM);
		return;
	}
	memset(r->t, 0, sizeof(r->t));		/* their patterns are the table's now */
	c->v[c->n++] = r->k;
}

/* ---- the reader ---- */

static int read_elements(const struct criteria_sets *s, struct criteria *c, struct str xml, unsigned nested);

static void shared_set(struct reader *r, struct str t)
{
	struct str set = STR_NONE;
	uint32_t id;
	int rc;

	if (r->nested)
		return;
	r->c->uses_sets = true;
	if (str_to_u32(t, &id) == 0)
		set = criteria_sets_find(r->sets, id);
	if (set.l == 0) {
		criterion_begin(r);
		skip(r, "there is no such shared set", t);
		note_skipped(r);
		return;
	}
	rc = read_elements(r->sets, r->c, set, 1);
	if (rc < 0)
		stop(r, rc);
}

static void on_start(void *u, const char *name, const char **attr)
{
	struct reader *r = u;

	(void)attr;
	if (r->depth == MAX_DEPTH) {
		stop(r, -EBADMSG);
		return;
	}
	str_copy(str_from_c(name), r->path[r->depth++], sizeof(r->path[0]));
	buf_reset(&r->text);
	if (in(r, 0, "InitialFilterCriteria")) {
		if (r->open++)
			skip(r, "criteria inside of criteria", STR_NONE);
		else
			criterion_begin(r);
	} else if (r->open && in(r, 0, "TriggerPoint")) {
		r->k.has_trigger = true;
	} else if (r->open && in(r, 0, "SPT") && in(r, 1, "TriggerPoint")) {
		trigger_begin(r);
	}
}

static void on_text(void *u, const char *s, int l)
{
	struct reader *r = u;

	buf_put(&r->text, str_make(s, (size_t)l));
}

static void on_end(void *u, const char *name)
{
	struct reader *r = u;
	struct str t = str_trim(buf_str(&r->text));

	(void)name;
	if (r->text.failed)
		skip(r, "a text is too long", STR_NONE);
	if (in(r, 0, "InitialFilterCriteria")) {
		if (--r->open == 0)
			criterion_end(r);
	} else if (!r->open) {
		if (in(r, 0, "SharedIFCSetID"))
			shared_set(r, t);
	} else if (in(r, 0, "SPT") && in(r, 1, "TriggerPoint")) {
		if (r->in_trigger)
			trigger_end(r);
	} else if (r->in_trigger) {
		end_of_condition(r, t);
	} else {
		end_of_criterion_part(r, t);
	}
	buf_fini(&r->text);
	buf_init(&r->text, MAX_TEXT);
	r->depth--;
}

static int read_elements(const struct criteria_sets *s, struct criteria *c, struct str xml, unsigned nested)
{
	struct reader *r = calloc(1, sizeof(*r));
	enum XML_Status st;
	int rc = -ENOMEM;

	if (!r)
		return rc;
	r->sets = s;
	r->c = c;
	r->nested = nested;
	buf_init(&r->text, MAX_TEXT);
	r->x = XML_ParserCreate("UTF-8");
	if (r->x) {
		XML_SetUserData(r->x, r);
		XML_SetElementHandler(r->x, on_start, on_end);
		XML_SetCharacterDataHandler(r->x, on_text);
		st = XML_Parse(r->x, "<x>", 3, 0);
		if (st == XML_STATUS_OK)
			st = XML_Parse(r->x, xml.p, (int)xml.l, 0);
		if (st == XML_STATUS_OK)
			st = XML_Parse(r->x, "</x>", 4, 1);
		rc = r->rc ? r->rc : st == XML_STATUS_OK ? 0 : -EBADMSG;
		XML_ParserFree(r->x);
	}
	triggers_drop(r);
	buf_fini(&r->text);
	free(r);
	return rc;
}

static int by_priority(const void *a, const void *b)
{
	const struct criterion *x = a, *y = b;

	if (x->priority != y->priority)
		return x->priority < y->priority ? -1 : 1;
	return 0;
}

/* Equal priorities are against annex B; then the order of the profile counts, so the sort must be stable. */
static void sort(struct criteria *c)
{
	for (unsigned i = 1; i < c->n; i++) {
		struct criterion k = c->v[i];
		unsigned at = i;

		for (; at > 0 && by_priority(&c->v[at - 1], &k) > 0; at--)
			c->v[at] = c->v[at - 1];
		c->v[at] = k;
	}
}

int criteria_compile(const struct criteria_sets *s, struct criteria *c)
{
	struct criterion *fit;
	int rc;

	c->v = calloc(CRITERIA_MAX, sizeof(c->v[0]));
	if (!c->v)
		return -ENOMEM;
	rc = read_elements(s, c, c->text, 0);
	sort(c);
	fit = realloc(c->v, (c->n ? c->n : 1) * sizeof(c->v[0]));
	if (fit)
		c->v = fit;
	return rc;
}
