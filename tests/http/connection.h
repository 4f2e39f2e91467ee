/* tests/http/connection.h - a server with routes of the test, and connections to it that last for more than one request. */
#pragma once
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "common/http/http.h"
#include "tests/check.h"

#define TOKEN "secret-token"
#define WITH_TOKEN "Authorization: Bearer " TOKEN "\r\n"
#define SERVE_MS 2000u

static struct loop *l;
static struct http_server *s;
static struct addr to;

static inline void serve(const struct http_route *routes, struct http_config c)
{
	int rc = -1;

	l = loop_new();
	c.nf = "test";
	for (uint16_t port = 28180; port < 28280 && rc < 0; port++) {	/* another run may hold one */
		addr_parse(STR("127.0.103.1"), port, &c.listen);
		rc = http_server_new(&s, l, &c);
	}
	ck_assert_int_eq(rc, 0);
	http_server_routes(s, routes, NULL);
	to = c.listen;
}

static inline void request(int fd, const char *line, const char *headers)
{
	char text[512];
	ssize_t n = snprintf(text, sizeof(text), "%s HTTP/1.1\r\nHost: cscf.example:8080\r\n%s\r\n", line, headers);

	ck_assert_int_eq(write(fd, text, (size_t)n), n);
}

/* What came until now is put behind what `text` holds. */
static inline void hear(int fd, char text[4096])
{
	size_t at = strlen(text);
	ssize_t n;

	while ((n = read(fd, text + at, 4095 - at)) > 0)
		at += (size_t)n;
	text[at] = '\0';
}

/* Serves until `what` came. */
static inline void await(int fd, char text[4096], const char *what)
{
	*text = '\0';
	for (unsigned i = 0; i < SERVE_MS && !strstr(text, what); i++) {
		loop_run_for(l, 1);
		hear(fd, text);
	}
	ck_assert_msg(strstr(text, what) != NULL, "no %s: %s", what, text);
}

static inline int dial(void)
{
	int fd = socket(to.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(connect(fd, &to.sa, addr_len(&to)), 0);
	ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}
