/* tests/ue/commands.c - what can be commanded: one row per command.  queue.c runs them. */
#include <errno.h>
#include "tests/ue/call.h"
#include "tests/ue/commands.h"

static int cmd_register(struct ue *u, struct str args)
{
	(void)args;
	return register_start(u, false);
}

static int cmd_deregister(struct ue *u, struct str args)
{
	(void)args;
	return register_start(u, true);
}

static int cmd_subscribe(struct ue *u, struct str args)
{
	(void)args;
	return subscribe_send(u, false);
}

static int cmd_unsubscribe(struct ue *u, struct str args)
{
	(void)args;
	return subscribe_send(u, true);
}

static int cmd_call(struct ue *u, struct str args)
{
	char target[UE_TEXT];
	int rc = target_make(u, command_word(&args), target);

	if (rc == 0 && call_active(u))
		rc = -EBUSY;
	return rc ? rc : call_start(u, str_from_c(target));
}

static int cmd_answer(struct ue *u, struct str args)
{
	struct call *c = call_active(u);

	if (!c || c->out || (args.l && !str_eq_c(args, c->id)))
		return -ENOENT;
	return call_answer(c);
}

static int cmd_reject(struct ue *u, struct str args)
{
	struct call *c = call_active(u);
	uint32_t status = 486;

	if (!c || c->out || c->state > CALL_RINGING)
		return -ENOENT;
	if (args.l && (str_to_u32(args, &status) < 0 || status < 300 || status > 699))
		return -EINVAL;
	call_reject(c, status);
	return 0;
}

static int cmd_hold(struct ue *u, struct str args)
{
	struct call *c = call_active(u);
	(void)args;

	return c ? call_hold(c, true) : -ENOENT;
}

static int cmd_resume(struct ue *u, struct str args)
{
	struct call *c = call_active(u);
	(void)args;

	return c ? call_hold(c, false) : -ENOENT;
}

static int cmd_hangup(struct ue *u, struct str args)
{
	struct call *c = call_active(u);
	(void)args;

	if (!c)
		return -ENOENT;
	if (c->state == CALL_CALLING || c->state == CALL_EARLY)
		call_cancel_now(c);
	else if (c->state == CALL_INCOMING || c->state == CALL_RINGING)
		call_reject(c, 603);
	else if (c->state == CALL_ANSWERED)
		return -EBUSY;			/* RFC 3261 §15: not before the ACK */
	else
		call_bye(c, c->at, STR_NONE);
	return 0;
}

static int cmd_cancel(struct ue *u, struct str args)
{
	struct call *c = call_active(u);
	(void)args;

	if (!c || !c->out || c->state > CALL_EARLY)
		return -ENOENT;
	call_cancel_now(c);
	return 0;
}

static int cmd_info(struct ue *u, struct str args)
{
	struct call *c = call_active(u);
	(void)args;

	return c ? call_info(c) : -ENOENT;
}

static int cmd_message(struct ue *u, struct str args)
{
	struct str to = command_word(&args);
	char target[UE_TEXT];
	int rc = target_make(u, to, target);

	return rc ? rc : message_send(u, str_from_c(target), args);
}

static int cmd_options(struct ue *u, struct str args)
{
	char target[UE_TEXT];
	int rc = target_make(u, command_word(&args), target);

	return rc ? rc : options_send(u, str_from_c(target));
}

static int cmd_raw(struct ue *u, struct str args)
{
	return raw_send(u, args);
}

static int cmd_disconnect(struct ue *u, struct str args)
{
	(void)args;
	net_disconnect(u);
	event_put(u, event_new("disconnected"), false);
	return 0;
}

static const struct command commands[] = {
	{ "register", "", cmd_register, { "registered", "registration-failed" } },
	{ "reregister", "", cmd_register, { "registered", "registration-failed" } },
	{ "deregister", "", cmd_deregister, { "deregistered", "registration-failed" } },
	{ "subscribe", "", cmd_subscribe, { "subscribed", "subscription-failed" } },
	{ "unsubscribe", "", cmd_unsubscribe, { "subscribed", "subscription-failed" } },
	{ "call", "URI|NUMBER", cmd_call, { NULL } },
	{ "answer", "[CALL-ID]", cmd_answer, { "answered", "ended" } },
	{ "reject", "[CODE]", cmd_reject, { NULL } },
	{ "hold", "", cmd_hold, { "held", "error", "ended" } },
	{ "resume", "", cmd_resume, { "resumed", "error", "ended" } },
	{ "hangup", "", cmd_hangup, { "ended", "call-failed" } },
	{ "cancel", "", cmd_cancel, { "ended", "call-failed" } },
	{ "info", "", cmd_info, { "response", "error" } },
	{ "message", "URI|NUMBER TEXT", cmd_message, { "message-sent" } },
	{ "options", "URI|NUMBER", cmd_options, { "response" } },
	{ "raw", "FILE", cmd_raw, { NULL } },
	{ "disconnect", "", cmd_disconnect, { NULL } },
	{ "wait", "EVENT [SECONDS]", queue_wait, { NULL } },
	{ "pause", "SECONDS", queue_pause, { NULL } },
	{ "quit", "", queue_quit, { NULL } },
};
#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

const struct command *command_find(struct str name)
{
	for (size_t i = 0; i < N_COMMANDS; i++)
		if (str_eq_c(name, commands[i].name))
			return &commands[i];
	return NULL;
}
