/* pcscf/call_private.h - what call.c and call_stored.c share. */
#pragma once
#include "pcscf/call.h"

/* Of that phone (a reference is taken), with an arena, in no table yet; NULL: out of memory. */
struct call *call_new(struct binding *b);
bool call_insert(struct calls *cs, struct call *c, uint64_t left_ms);	/* false: there are too many; c is gone */
uint64_t call_left_ms(const struct call *c);
void call_forget(const struct call *c);
