/* tests/fuzz/fuzz_config.c - any text as a configuration: it is read or refused, and what is read has a stable normal form. */
#include "common/config/config.h"
#include "tests/fuzz/fuzz.h"

/* A file is the operator's own: its tree may take memory in proportion, 100 octets for each value of one octet. */
const struct fuzz_limits fuzz_budget = { .cpu_us = GUARD_CPU_US, .heap_bytes = 4u << 20 };

static const struct cfg_row *const schemas[] = { cfg_common_schema, NULL };

static void read_back(const struct buf *first)
{
	struct buf errors, second;
	struct cfg *c = NULL;

	buf_init(&errors, 1u << 20);
	buf_init(&second, 8u << 20);
	MUST(cfg_load_text(buf_str(first), "normal.yaml", schemas, &c, &errors) == 0);
	cfg_write_normal(c, &second);
	MUST(str_eq(buf_str(first), buf_str(&second)));
	cfg_unref(c);
	buf_fini(&errors);
	buf_fini(&second);
}

void fuzz_one(const uint8_t *data, size_t size)
{
	struct str text = { (const char *)data, size };
	struct buf errors, normal;
	struct cfg *c = NULL;
	int rc;

	if (size > 65536 || str_find(text, STR("include")) >= 0)	/* no files from here */
		return;
	buf_init(&errors, 1u << 20);
	buf_init(&normal, 8u << 20);
	rc = cfg_load_text(text, "fuzz.yaml", schemas, &c, &errors);
	MUST((rc == 0) == (errors.l == 0));		/* refused with a reason, or taken without one */
	if (rc == 0) {
		cfg_write_normal(c, &normal);
		MUST(!normal.failed);
		read_back(&normal);
		cfg_unref(c);
	}
	buf_fini(&errors);
	buf_fini(&normal);
}
