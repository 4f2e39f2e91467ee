/* scscf/criteria_sets.c - shared sets of filter criteria (SharedIFCSetID, TS 29.228 annexes B and E) from sessions.shared_ifc_file; row T5.
 *
 *	<SharedIFCSets>
 *	  <SharedIFCSet><SetID>1</SetID><InitialFilterCriteria>...</InitialFilterCriteria>...</SharedIFCSet>
 *	</SharedIFCSets>                                                                                               */
#include <errno.h>
#include <expat.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/util/arena.h"
#include "scscf/criteria.h"

#define MAX_DEPTH 24u

struct reader {
	XML_Parser x;
	struct criteria_store *s;
	struct buf set, id;
	unsigned depth, set_depth, ifc_depth;
	bool in_id;
	int rc;
	const char *why;
};

static void stop(struct reader *r, int rc, const char *why)
{
	if (r->rc == 0) {
		r->rc = rc;
		r->why = why;
	}
	XML_StopParser(r->x, XML_FALSE);
}

static const char *local_name(const char *name)
{
	const char *colon = strrchr(name, ':');

	return colon ? colon + 1 : name;
}

static void on_start(void *u, const char *full, const char **attr)
{
	const char *name = local_name(full);
	struct reader *r = u;

	(void)attr;
	if (++r->depth > MAX_DEPTH) {
		stop(r, -EBADMSG, "elements are nested too deep");
		return;
	}
	if (strcmp(name, "SharedIFCSet") == 0 && !r->set_depth) {
		r->set_depth = r->depth;
		buf_reset(&r->set);
		buf_reset(&r->id);
	} else if (strcmp(name, "InitialFilterCriteria") == 0 && r->set_depth && !r->ifc_depth) {
		r->ifc_depth = r->depth;
	} else if (strcmp(name, "SetID") == 0 && !r->ifc_depth) {
		r->in_id = true;
	}
	if (r->ifc_depth)
		criteria_xml_start(&r->set, name);
}

static void on_text(void *u, const char *s, int l)
{
	struct reader *r = u;

	if (r->ifc_depth)
		criteria_xml_text(&r->set, s, (size_t)l);
	else if (r->in_id)
		buf_put(&r->id, str_make(s, (size_t)l));
}

static void end_set(struct reader *r)
{
	uint32_t id;
	int rc = -EBADMSG;

	r->set_depth = 0;
	if (r->set.failed || r->id.failed)
		rc = -EFBIG;
	else if (str_to_u32(str_trim(buf_str(&r->id)), &id) == 0)
		rc = criteria_store_add(r->s, id, buf_str(&r->set));
	if (rc < 0)
		stop(r, rc, rc == -EBADMSG ? "a set needs a SetID that is a number" : rc == -EEXIST ? "two sets have the same SetID" :
		     rc == -EFBIG ? "there is too much of it" : "out of memory");
}

static void on_end(void *u, const char *full)
{
	struct reader *r = u;

	if (r->ifc_depth) {
		criteria_xml_end(&r->set, local_name(full));
		if (r->depth == r->ifc_depth)
			r->ifc_depth = 0;
	} else if (r->in_id) {
		r->in_id = false;
	} else if (r->depth == r->set_depth) {
		end_set(r);
	}
	r->depth--;
}

static void on_doctype(void *u, const char *name, const char *sysid, const char *pubid, int internal)
{
	(void)name, (void)sysid, (void)pubid, (void)internal;
	stop(u, -EBADMSG, "a DOCTYPE is not accepted");
}

int criteria_store_load_text(struct criteria_store *s, struct str xml, char reterr[160])
{
	struct reader r = { .s = s, .x = XML_ParserCreate(NULL) };
	enum XML_Status st;

	reterr[0] = '\0';
	if (!r.x)
		return -ENOMEM;
	buf_init(&r.set, CRITERIA_MAX_BYTES);
	buf_init(&r.id, 64);
	XML_SetUserData(r.x, &r);
	XML_SetElementHandler(r.x, on_start, on_end);
	XML_SetCharacterDataHandler(r.x, on_text);
	XML_SetStartDoctypeDeclHandler(r.x, on_doctype);
	st = XML_Parse(r.x, xml.l ? xml.p : "", (int)xml.l, 1);
	if (st != XML_STATUS_OK && r.rc == 0) {
		r.rc = -EBADMSG;
		r.why = XML_ErrorString(XML_GetErrorCode(r.x));
	}
	if (r.rc < 0)
		snprintf(reterr, 160, "line %lu: %s", (unsigned long)XML_GetCurrentLineNumber(r.x), r.why);
	XML_ParserFree(r.x);
	buf_fini(&r.set);
	buf_fini(&r.id);
	return r.rc;
}

int criteria_store_load(struct criteria_store *s, const char *file, char reterr[160])
{
	char *text = malloc(CRITERIA_MAX_BYTES + 1);
	FILE *f = fopen(file, "re");
	size_t n = 0;
	int rc = f && text ? 0 : f ? -ENOMEM : -errno;

	if (rc == 0) {
		n = fread(text, 1, CRITERIA_MAX_BYTES + 1, f);
		rc = ferror(f) ? -EIO : n > CRITERIA_MAX_BYTES ? -EFBIG : 0;
	}
	if (f)
		fclose(f);
	if (rc < 0)
		snprintf(reterr, 160, "%s", strerror(-rc));
	else
		rc = criteria_store_load_text(s, str_make(text, n), reterr);
	free(text);
	return rc;
}
