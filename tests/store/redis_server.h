/* tests/store/redis_server.h - redis-server and redis-sentinel as children of a test, each with a folder and a port of its own. */
#pragma once
#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include "tests/store/records.h"

#define SERVER "/usr/bin/redis-check-rdb"	/* of redis-tools; as what it is called it is */

struct server {
	pid_t pid;
	unsigned port;
	char dir[128], address[32];
};

static inline unsigned free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t l = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert(fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 && getsockname(fd, (struct sockaddr *)&a, &l) == 0);
	close(fd);
	return ntohs(a.sin_port) > 55000 ? free_port() : ntohs(a.sin_port);	/* a node of a Cluster takes the port 10000 above, too */
}

static inline bool server_listens(const struct server *s)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)s->port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	bool yes = connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0;

	close(fd);
	return yes;
}

/* Anew, or again in the folder and at the port that it had; returns when it listens.  conf: of its configuration file; when the port there is
 * "0" it says tls-port itself. */
static inline void server_start(struct server *s, const char *as, const char *conf)
{
	bool tls = strstr(conf, "tls-port") != NULL;
	char path[160];
	FILE *f;

	if (!s->port)
		s->port = free_port();
	if (!*s->dir) {
		new_dir();
		snprintf(s->dir, sizeof(s->dir), "%s", dir);
		snprintf(s->address, sizeof(s->address), "127.0.0.1:%u", s->port);
	}
	snprintf(path, sizeof(path), "%s/conf", s->dir);
	f = fopen(path, "w");
	ck_assert(f && fprintf(f, "port %u\nbind 127.0.0.1\ndir %s\n%s", tls ? 0 : s->port, s->dir, conf) > 0 && fclose(f) == 0);
	s->pid = fork();
	if (s->pid == 0) {
		if (!freopen("/dev/null", "w", stdout))
			_exit(1);
		execl(SERVER, as, path, (char *)NULL);
		_exit(127);
	}
	for (unsigned i = 0; i < 1000 && !server_listens(s); i++)
		usleep(10000);
	ck_assert_msg(server_listens(s), "no server at port %u", s->port);
}

static inline void server_kill(struct server *s)
{
	if (s->pid) {
		kill(s->pid, SIGKILL);
		waitpid(s->pid, NULL, 0);
	}
	s->pid = 0;
}

/* With its folder. */
static inline void server_stop(struct server *s)
{
	server_kill(s);
	if (*s->dir) {
		snprintf(dir, sizeof(dir), "%s", s->dir);
		remove_dir();
	}
	*s->dir = '\0';
}
