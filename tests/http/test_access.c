/* tests/http/test_access.c - what is kept of who may not. */
#include "tests/http/connection.h"

static void change(void *u, struct http_req *r)
{
	(void)u;
	http_reply(r, 204, NULL, STR_NONE);
}

static const struct http_route routes[] = {
	{ "POST", "/things", HTTP_OPERATE, change, "Changes something." },
	{ "DELETE", "/things", HTTP_ADMIN, change, "Deletes it." },
	{ NULL, NULL, HTTP_OPEN, NULL, NULL },
};

static const struct http_token tokens[] = { { "view-token", HTTP_VIEW, "vera" } };

/* Neither a stranger nor who may only look pushes out of the audit log what was done. */
static const char *const flood[] = { "", "Authorization: Bearer view-token\r\n" };
START_TEST(test_audit_flood)
{
	char text[4096];
	int fd;

	serve(routes, (struct http_config){ .token = TOKEN, .tokens = tokens, .n_tokens = 1 });
	http_server_routes(s, http_audit_routes, s);
	fd = dial();
	request(fd, "POST /things", WITH_TOKEN);
	await(fd, text, " 204 ");
	for (unsigned i = 0; i < HTTP_AUDIT_ENTRIES; i++) {
		request(fd, "DELETE /things", flood[_i]);
		await(fd, text, "\"detail\"");
	}
	request(fd, "GET /api/v1/audit?limit=2", WITH_TOKEN);	/* newest first, of both kinds */
	await(fd, text, "\"nextCursor\":\"1000\"");
	ck_assert_ptr_null(strstr(text, "POST /things"));
	request(fd, "GET /api/v1/audit?limit=2&cursor=1000", WITH_TOKEN);
	await(fd, text, "\"nextCursor\":\"998\"");
	request(fd, "GET /api/v1/audit?limit=2&cursor=903", WITH_TOKEN);
	await(fd, text, "\"nextCursor\":null");
	ck_assert_ptr_nonnull(strstr(text, "DELETE /things"));
	ck_assert_ptr_nonnull(strstr(text, "POST /things\",\"outcome\":204"));
	close(fd);
	http_server_free(s);
	loop_free(l);
}
END_TEST

TEST_MAIN("access", TEST_ROWS(test_audit_flood, flood))
