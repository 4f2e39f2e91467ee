/* common/util/names.h - numbers for host names, so that a plain value can carry one.
 *
 * A table of the NAMES_MAX names used last, shared by all threads.  A number stays good until its name has been pushed out
 * by that many others; then name_text() says so.  Names compare without case. */
#pragma once
#include "common/util/str.h"

#define NAMES_MAX 4096u
#define NAME_BYTES 254u			/* RFC 1035 §2.3.4, and the NUL */

uint32_t name_number(struct str name);		/* 0: empty, or too long for a host name */
bool name_text(uint32_t number, char dst[NAME_BYTES]);	/* lower case; false: 0, or forgotten */
