/* tests/ue/commands.h - splitting of command lines, apart so that it can be tested. */
#pragma once
#include "common/util/str.h"

/* Cuts the next command of a -e list off *rest, trimmed: commands end at a newline, or at a ';' that is followed by a blank
 * or by nothing - URIs have parameters.  false at the end; empty commands are skipped. */
bool command_next(struct str *rest, struct str *ret);
/* Cuts the next word. */
struct str command_word(struct str *rest);
