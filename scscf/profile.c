/* scscf/profile.c - Cx User-Data into a struct profile.  TS 29.228 annex E; expat, no DOM. */
#include <errno.h>
#include <expat.h>
#include <stdio.h>
#include <stdlib.h>
#include "scscf/profile.h"

#define TEXT_MAX 1024u

struct reader {
	XML_Parser x;
	struct profile *p;
	struct profile_identity hand, *id;	/* the PublicIdentity in hand; id NULL: none */
	char *wildcard;			/* of it; NULL: none */
	unsigned room;			/* identities there is memory for */
	struct str xml;
	char path[PROFILE_MAX_DEPTH][40];
	unsigned depth;
	char text[TEXT_MAX];
	size_t text_l;
	struct criteria_store *store;
	struct buf ifc;			/* canonical filter criteria of the service in hand */
	unsigned ifc_depth;		/* of the InitialFilterCriteria that we are inside of; 0: none */
	int rc;
	char why[128];
};

static void stop(struct reader *r, int rc, const char *why)
{
	if (r->rc == 0) {
		r->rc = rc;
		snprintf(r->why, sizeof(r->why), "%s", why);
	}
	XML_StopParser(r->x, XML_FALSE);
}

static const char *local_name(const char *name)
{
	const char *colon = strrchr(name, ':');

	return colon ? colon + 1 : name;
}

static bool in(const struct reader *r, unsigned up, const char *name)
{
	return r->depth > up && strcmp(r->path[r->depth - 1 - up], name) == 0;
}

static void identity_clear(struct profile_identity *id)
{
	if (id->aor != id->uri)
		free(id->aor);
	free(id->uri);
	free(id->display);
	free(id->alias_group);
	*id = (struct profile_identity){ 0 };
}

static void begin_service(struct reader *r)
{
	struct criteria **more = realloc(r->p->criteria, (r->p->n_services + 1) * sizeof(*more));

	if (!more) {
		stop(r, -ENOMEM, "out of memory");
		return;
	}
	r->p->criteria = more;
	r->p->criteria[r->p->n_services++] = NULL;
	buf_reset(&r->ifc);
}

static void on_start(void *u, const char *full, const char **attr)
{
	struct reader *r = u;
	const char *name = local_name(full);

	(void)attr;
	if (r->depth == PROFILE_MAX_DEPTH) {
		stop(r, -EFBIG, "elements are nested too deep");
		return;
	}
	if (r->depth == 0 && strcmp(name, "IMSSubscription") != 0) {
		stop(r, -EBADMSG, "the root element is not IMSSubscription");
		return;
	}
	str_copy(str_from_c(name), r->path[r->depth], sizeof(r->path[0]));
	r->depth++;
	r->text_l = 0;
	if (in(r, 0, "ServiceProfile") && in(r, 1, "IMSSubscription")) {
		if (r->p->n_services == PROFILE_MAX_SERVICES) {
			stop(r, -EFBIG, "too many ServiceProfile elements");
			return;
		}
		begin_service(r);
	} else if (in(r, 0, "PublicIdentity") && in(r, 1, "ServiceProfile")) {
		if (r->p->n_identities == PROFILE_MAX_IDENTITIES) {
			stop(r, -EFBIG, "too many public identities");
			return;
		}
		identity_clear(&r->hand);
		r->id = &r->hand;
		r->id->service = (uint8_t)(r->p->n_services - 1);
	} else if (in(r, 0, "InitialFilterCriteria") && in(r, 1, "ServiceProfile")) {
		r->ifc_depth = r->depth;
	}
	if (r->ifc_depth)
		criteria_xml_start(&r->ifc, name);
}

static void on_text(void *u, const char *s, int l)
{
	struct reader *r = u;
	size_t n = (size_t)l, room = sizeof(r->text) - r->text_l;

	if (r->ifc_depth) {
		criteria_xml_text(&r->ifc, s, n);
		return;
	}
	if (n > room) {			/* no identity is that long, see on_end */
		r->text_l = sizeof(r->text);
		return;
	}
	memcpy(r->text + r->text_l, s, n);
	r->text_l += n;
}

static void replace(struct reader *r, char **dst, struct str s)
{
	free(*dst);
	*dst = s.l ? str_dup(s) : NULL;
	if (s.l && !*dst)
		stop(r, -ENOMEM, "out of memory");
}

/* What stands in a PublicIdentity: Identity, BarringIndication, and the extensions of later releases, which nest
 * Extension in Extension. */
static void identity_member(struct reader *r, struct str t)
{
	uint32_t n;

	if (in(r, 0, "Identity") && in(r, 1, "PublicIdentity"))
		replace(r, &r->id->uri, t);
	else if (in(r, 0, "BarringIndication"))
		r->id->barred = str_eq(t, STR("1")) || str_ieq(t, STR("true"));
	else if (in(r, 0, "IdentityType") && str_to_u32(t, &n) == 0 && n < 256)
		r->id->type = (uint8_t)n;
	/* TS 29.228 annex B: the identity itself is any one that fits, in whatever order they come (end_identity). */
	else if (in(r, 0, "WildcardedPSI") || in(r, 0, "WildcardedIMPU"))
		replace(r, &r->wildcard, t);
	else if (in(r, 0, "DisplayName"))
		replace(r, &r->id->display, t);
	else if (in(r, 0, "AliasIdentityGroupID"))
		replace(r, &r->id->alias_group, t);
}

static void keep_identity(struct reader *r)
{
	unsigned room = r->room ? r->room * 2 : 4;
	struct profile_identity *more;

	if (r->p->n_identities == r->room) {
		more = realloc(r->p->identity, room * sizeof(*more));
		if (!more) {
			stop(r, -ENOMEM, "out of memory");
			return;
		}
		r->p->identity = more;
		r->room = room;
	}
	r->p->identity[r->p->n_identities++] = r->hand;
	r->hand = (struct profile_identity){ 0 };
}

/* A wildcarded identity is found by its text, as Cx and P-Profile-Key (RFC 5002) have it: its expression may be no URI. */
static void end_wildcard(struct reader *r)
{
	replace(r, &r->id->uri, str_from_c(r->wildcard));
	replace(r, &r->wildcard, STR_NONE);
	if (r->id->uri && !profile_find(r->p, str_from_c(r->id->uri))) {
		r->id->aor = r->id->uri;
		keep_identity(r);
	}
	identity_clear(&r->hand);
	r->id = NULL;
}

/* Keeps the identity when it can be used; a bad one is left out, not the whole profile (row D15). */
static void end_identity(struct reader *r)
{
	struct sip_uri u;
	char text[512];
	struct str aor;

	if (r->wildcard && (r->id->type == PROFILE_WILDCARDED_PSI || r->id->type == PROFILE_WILDCARDED_IMPU)) {
		end_wildcard(r);
		return;
	}
	replace(r, &r->wildcard, STR_NONE);
	if (r->id->uri && sip_uri_parse(str_from_c(r->id->uri), &u, NULL) == 0 &&
	    sip_uri_aor(&u, text, sizeof(text), &aor) == 0 && !profile_find(r->p, aor)) {
		if (str_eq_c(aor, r->id->uri))		/* mostly: one text is enough */
			r->id->aor = r->id->uri;
		else
			replace(r, &r->id->aor, aor);
		if (r->id->aor)
			keep_identity(r);
	}
	identity_clear(&r->hand);
	r->id = NULL;
}

/* TS 29.228 annex B: sets that the S-CSCF knows by their number (feature SiFC). */
static void shared_set(struct reader *r, struct str t)
{
	criteria_xml_start(&r->ifc, "SharedIFCSetID");
	criteria_xml_text(&r->ifc, t.p, t.l);
	criteria_xml_end(&r->ifc, "SharedIFCSetID");
}

static void end_service(struct reader *r)
{
	int rc = 0;

	if (r->ifc.failed)
		rc = -EFBIG;
	else if (r->ifc.l)
		rc = criteria_get(r->store, buf_str(&r->ifc), &r->p->criteria[r->p->n_services - 1]);
	if (rc < 0)
		stop(r, rc, rc == -ENOMEM ? "out of memory" : "the filter criteria cannot be read");
}

static void on_end(void *u, const char *full)
{
	struct reader *r = u;
	struct str t = str_trim(str_make(r->text, r->text_l < sizeof(r->text) ? r->text_l : 0));

	if (r->ifc_depth) {
		criteria_xml_end(&r->ifc, local_name(full));
		if (r->depth == r->ifc_depth)
			r->ifc_depth = 0;
	} else if (in(r, 0, "PrivateID") && in(r, 1, "IMSSubscription"))
		replace(r, &r->p->impi, t);
	else if (in(r, 0, "PublicIdentity") && r->id)
		end_identity(r);
	else if (in(r, 0, "SharedIFCSetID") && r->p->n_services)
		shared_set(r, t);
	else if (in(r, 0, "ServiceProfile") && in(r, 1, "IMSSubscription"))
		end_service(r);
	else if (r->id)
		identity_member(r, t);
	r->text_l = 0;
	r->depth--;
}

static void on_doctype(void *u, const char *name, const char *sysid, const char *pubid, int internal)
{
	(void)name, (void)sysid, (void)pubid, (void)internal;
	stop(u, -EBADMSG, "a DOCTYPE is not accepted");
}

static void profile_free(struct obj *o)
{
	struct profile *p = (struct profile *)o;

	for (unsigned i = 0; !p->packed && i < p->n_identities; i++)
		identity_clear(&p->identity[i]);
	for (unsigned i = 0; i < p->n_services; i++)
		obj_unref(p->criteria[i]);
	free(p->identity);
	free(p->criteria);
	if (!p->packed)
		free(p->impi);
	free(p);
}

static int run(struct reader *r)
{
	enum XML_Status st;

	XML_SetUserData(r->x, r);
	XML_SetElementHandler(r->x, on_start, on_end);
	XML_SetCharacterDataHandler(r->x, on_text);
	XML_SetStartDoctypeDeclHandler(r->x, on_doctype);
	st = XML_Parse(r->x, r->xml.p, (int)r->xml.l, 1);
	if (r->rc < 0)
		return r->rc;
	if (st != XML_STATUS_OK) {
		snprintf(r->why, sizeof(r->why), "%s", XML_ErrorString(XML_GetErrorCode(r->x)));
		return -EBADMSG;
	}
	if (r->p->n_identities == 0) {
		snprintf(r->why, sizeof(r->why), "there is no usable public identity");
		return -EBADMSG;
	}
	return 0;
}

static char *put(char **at, const char *text)
{
	size_t l = text ? strlen(text) + 1 : 0;

	if (!text)
		return NULL;
	*at += l;
	return memcpy(*at - l, text, l);
}

static size_t room_for(const char *text)
{
	return text ? strlen(text) + 1 : 0;
}

void profile_pack(struct profile *p)
{
	size_t size = p->n_identities * sizeof(*p->identity), text = room_for(p->impi);
	struct profile_identity *all;
	char *at, *impi = p->impi;

	for (unsigned i = 0; i < p->n_identities; i++) {
		const struct profile_identity *id = &p->identity[i];

		text += room_for(id->uri) + (id->aor == id->uri ? 0 : room_for(id->aor)) + room_for(id->display) + room_for(id->alias_group);
	}
	all = malloc(size + text);
	if (!all)
		return;
	at = (char *)all + size;
	for (unsigned i = 0; i < p->n_identities; i++) {
		struct profile_identity *id = &p->identity[i];

		all[i] = *id;
		all[i].uri = put(&at, id->uri);
		all[i].aor = id->aor == id->uri ? all[i].uri : put(&at, id->aor);
		all[i].display = put(&at, id->display);
		all[i].alias_group = put(&at, id->alias_group);
		identity_clear(id);
	}
	p->impi = put(&at, impi);
	free(impi);
	free(p->identity);
	p->identity = all;
	p->packed = true;
}

struct criteria *profile_criteria(const struct profile *p, unsigned service)
{
	return p && service < p->n_services ? criteria_current(p->criteria[service]) : NULL;
}

int profile_parse(struct str xml, struct criteria_store *store, struct profile **ret, char reterr[160])
{
	struct reader r = { .xml = str_trim(xml), .store = store };
	int rc;

	if (reterr)
		reterr[0] = '\0';
	if (xml.l > PROFILE_MAX_BYTES) {
		if (reterr)
			snprintf(reterr, 160, "User-Data has more than %u octets", PROFILE_MAX_BYTES);
		return -EFBIG;
	}
	r.p = calloc(1, sizeof(*r.p));
	r.x = XML_ParserCreate(NULL);
	if (!r.p || !r.x) {
		if (r.x)
			XML_ParserFree(r.x);
		free(r.p);
		return -ENOMEM;
	}
	obj_init(&r.p->o, profile_free);
	buf_init(&r.ifc, CRITERIA_MAX_BYTES);
	rc = run(&r);
	buf_fini(&r.ifc);
	if (rc < 0) {
		if (reterr)
			snprintf(reterr, 160, "line %lu: %s", (unsigned long)XML_GetCurrentLineNumber(r.x), r.why);
		obj_unref(r.p);
	} else {
		*ret = r.p;
		profile_pack(r.p);
	}
	identity_clear(&r.hand);
	free(r.wildcard);
	XML_ParserFree(r.x);
	return rc;
}

struct profile *profile_new(struct str impi, unsigned n_identities, unsigned n_services)
{
	struct profile *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	obj_init(&p->o, profile_free);
	p->impi = impi.l ? str_dup(impi) : NULL;
	p->identity = calloc(n_identities ? n_identities : 1, sizeof(*p->identity));
	p->criteria = calloc(n_services ? n_services : 1, sizeof(*p->criteria));
	if ((impi.l && !p->impi) || !p->identity || !p->criteria) {
		obj_unref(p);
		return NULL;
	}
	p->n_identities = n_identities;
	p->n_services = n_services;
	return p;
}

const struct profile_identity *profile_default(const struct profile *p)
{
	for (unsigned i = 0; i < p->n_identities; i++)
		if (!p->identity[i].barred)
			return &p->identity[i];
	return NULL;
}

const struct profile_identity *profile_find(const struct profile *p, struct str aor)
{
	for (unsigned i = 0; i < p->n_identities; i++)
		if (str_eq_c(aor, p->identity[i].aor))
			return &p->identity[i];
	return NULL;
}

static bool is_tel(const struct profile_identity *id)
{
	return strncmp(id->aor, "tel:", 4) == 0;
}

const struct profile_identity *profile_other_form(const struct profile *p, const struct profile_identity *id)
{
	const struct profile_identity *same_service = NULL;

	for (unsigned i = 0; i < p->n_identities; i++) {
		const struct profile_identity *o = &p->identity[i];

		if (o == id || o->barred || is_tel(o) == is_tel(id) || o->service != id->service)
			continue;
		if (id->alias_group && o->alias_group && strcmp(id->alias_group, o->alias_group) == 0)
			return o;
		if (!same_service)
			same_service = o;
	}
	return same_service;
}

static void put_identity(struct buf *out, const struct profile_identity *id)
{
	if (out->l)
		buf_puts(out, ", ");
	if (id->display) {
		buf_putc(out, '"');
		for (const char *c = id->display; *c; c++) {
			if (*c == '"' || *c == '\\')
				buf_putc(out, '\\');
			if ((unsigned char)*c >= ' ')		/* SEC-04: no CR or LF out of XML into a header */
				buf_putc(out, *c);
		}
		buf_puts(out, "\" ");
	}
	buf_putc(out, '<');
	buf_puts(out, id->uri);
	buf_putc(out, '>');
}

bool profile_has_number(const struct profile *p)
{
	for (unsigned i = 0; i < p->n_identities; i++)
		if (!p->identity[i].barred && (strncmp(p->identity[i].aor, "tel:", 4) == 0 || strncmp(p->identity[i].aor, "sip:+", 5) == 0))
			return true;
	return false;
}

void profile_associated_uri(const struct profile *p, struct buf *out)
{
	const struct profile_identity *first = profile_default(p);

	if (!first)
		return;
	put_identity(out, first);
	for (unsigned i = 0; i < p->n_identities; i++)
		if (&p->identity[i] != first && !p->identity[i].barred)
			put_identity(out, &p->identity[i]);
}
