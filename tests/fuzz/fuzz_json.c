/* tests/fuzz/fuzz_json.c - bodies of the REST interface: octet 0 chooses a route of the lab HSS that takes one, the rest is the body.
 *
 * cJSON parses by recursion: nothing deeper than HTTP_MAX_JSON_DEPTH reaches it.  Every body gets one answer. */
#include <string.h>
#include "common/http/private.h"
#include "tests/fuzz/fuzz.h"
#include "tests/hss/hss.h"

static unsigned depth(const cJSON *j)
{
	unsigned most = 0, d;

	for (const cJSON *c = j ? j->child : NULL; c; c = c->next) {
		d = depth(c);
		most = d > most ? d : most;
	}
	return j && (cJSON_IsObject(j) || cJSON_IsArray(j)) ? most + 1 : 0;
}

static const struct http_route *route(unsigned which)
{
	const struct http_route *takes[8];
	unsigned n = 0;

	for (const struct http_route *r = hss_routes; r->method && n < 8; r++)
		if ((strcmp(r->method, "POST") == 0 || strcmp(r->method, "PUT") == 0) && !strchr(r->path, '{'))
			takes[n++] = r;
	return n ? takes[which % n] : NULL;
}

void fuzz_one(const uint8_t *data, size_t size)
{
	static struct http_audit audit[HTTP_AUDIT_ENTRIES];
	static struct http_server server = { .done = { audit, HTTP_AUDIT_ENTRIES, 0 } };
	static struct http_listener listener = { .s = &server, .trusted = true };
	static char path[] = "/fuzz";
	struct http_req r = { .l = &listener, .method = "POST", .path = path };
	struct hss h = { 0 };

	if (size < 1 || subs_new(&h.subs, STR("home.test")) < 0)
		return;
	list_init(&server.suspended);
	list_init(&r.link);
	list_init(&h.held);
	list_init(&h.pushes);
	r.route = route(data[0]);
	MUST(r.route);
	buf_init(&r.body, HTTP_MAX_BODY_BYTES);
	buf_put(&r.body, str_make((const char *)data + 1, size - 1));
	if (!r.body.failed) {
		r.route->fn(&h, &r);
		MUST(r.answered && r.response && r.status >= 200 && r.status < 600);
		MUST(depth(r.json) <= HTTP_MAX_JSON_DEPTH);
	}
	if (r.response)
		MHD_destroy_response(r.response);
	cJSON_Delete(r.json);
	buf_fini(&r.body);
	subs_free(h.subs);
}
