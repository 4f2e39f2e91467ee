/* common/http/etag.c - entity tags and what hangs on them: RFC 9110 §8.8.3, §13.1.1, §13.1.2. */
#include <stdio.h>
#include "common/http/private.h"
#include "common/util/hash.h"

/* Strong, since equal texts only have equal ones (of this process: the hash is seeded). */
void http_etag(struct str text, char dst[HTTP_ETAG_STRLEN])
{
	snprintf(dst, HTTP_ETAG_STRLEN, "\"%016llx\"", (unsigned long long)hash_str(text));
}

bool http_etag_json(const cJSON *json, char dst[HTTP_ETAG_STRLEN])
{
	char *text = cJSON_PrintUnformatted(json);

	if (text)
		http_etag(str_from_c(text), dst);
	cJSON_free(text);
	return text;
}

/* A weak one (W/"...") in a list is never equal to ours: §13.1.1 asks for the strong comparison. */
bool http_etag_listed(struct str list, const char *etag)
{
	struct str one;

	while (list.l) {
		str_cut(list, ',', &one, &list);
		one = str_trim(one);
		if (str_eq_c(one, etag) || str_eq_c(one, "*"))
			return true;
	}
	return false;
}

bool http_may_change(struct http_req *r, const char *etag, bool must)
{
	struct str list = http_header(r, "If-Match");

	if (list.l == 0 && must) {
		http_problem(r, 428, "PRECONDITION_REQUIRED", "a change of this needs If-Match with the ETag that it is based on");
		return false;
	}
	if (list.l == 0 || http_etag_listed(list, etag))
		return true;
	http_problem(r, 412, HTTP_CAUSE_CHANGED, HTTP_DETAIL_CHANGED);
	return false;
}

bool http_may_change_json(struct http_req *r, cJSON *now, bool must)
{
	char etag[HTTP_ETAG_STRLEN] = "";

	http_etag_json(now, etag);
	cJSON_Delete(now);
	return http_may_change(r, etag, must);
}
