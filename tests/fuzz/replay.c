/* tests/fuzz/replay.c - runs a fuzz target over its seeds, for `make check` without libFuzzer.
 *
 *   replay_NAME [FILE or DIRECTORY...]	without arguments: $srcdir/tests/fuzz/seeds/NAME */
#include <dirent.h>
#include <string.h>
#include <sys/stat.h>
#include "tests/fuzz/fuzz.h"

#define SEED_MAX_BYTES (1u << 20)

static int run_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *all = NULL, *data;
	size_t n;

	if (!f) {
		perror(path);
		return -1;
	}
	all = malloc(SEED_MAX_BYTES);
	n = all ? fread(all, 1, SEED_MAX_BYTES, f) : 0;
	fclose(f);
	data = malloc(n ? n : 1);			/* of the exact size: a read past the end shows */
	if (!all || !data) {
		free(all);
		free(data);
		return -1;
	}
	memcpy(data, all, n);
	free(all);
	LLVMFuzzerTestOneInput(data, n);
	free(data);
	return 1;
}

static int run_path(const char *path)
{
	struct dirent *e;
	struct stat st;
	char sub[1024];
	int n = 0, one;
	DIR *d;

	if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
		return run_file(path);
	d = opendir(path);
	if (!d) {
		perror(path);
		return -1;
	}
	while (n >= 0 && (e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(sub, sizeof(sub), "%s/%s", path, e->d_name);
		one = run_file(sub);
		n = one < 0 ? -1 : n + one;
	}
	closedir(d);
	return n;
}

int main(int argc, char **argv)
{
	const char *top = getenv("srcdir"), *name = strstr(argv[0], "replay_");
	char dir[1024];
	int n = 0, one;

	for (int i = 1; i < argc && n >= 0; i++) {
		one = run_path(argv[i]);
		n = one < 0 ? -1 : n + one;
	}
	if (argc == 1 && name) {
		snprintf(dir, sizeof(dir), "%s/tests/fuzz/seeds/%s", top ? top : ".", name + strlen("replay_"));
		n = run_path(dir);
	}
	printf("%d inputs, the dearest %llu us and %llu octets of heap\n", n, (unsigned long long)cost_worst.cpu_us,
	       (unsigned long long)cost_worst.heap_bytes);
	return n > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
