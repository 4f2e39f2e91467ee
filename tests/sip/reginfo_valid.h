/* tests/sip/reginfo_valid.h - a reg event document against the schema in tests/sip/reginfo (RFC 3680 §5, RFC 5628 §5), by xmllint. */
#pragma once
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "common/util/str.h"
#include "tests/check.h"

/* Where xmllint is missing there is nobody to ask. */
static inline bool reginfo_can_validate(void)
{
	return access("/usr/bin/xmllint", X_OK) == 0;
}

static inline bool reginfo_is_valid(struct str xml)
{
	char file[] = "/tmp/reginfo.XXXXXX", command[512];
	int fd = mkstemp(file), rc;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, xml.p, xml.l), (ssize_t)xml.l);
	close(fd);
	snprintf(command, sizeof(command), "/usr/bin/xmllint --nonet --noout --schema " REGINFO_DIR "/reginfo.xsd %s 2>/dev/null", file);
	rc = system(command);
	unlink(file);
	return rc == 0;
}

static inline void reginfo_validate(struct str xml)
{
	if (reginfo_can_validate())
		ck_assert_msg(reginfo_is_valid(xml), "not valid: %.*s", STR_ARG(xml));
}
