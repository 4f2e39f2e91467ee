/* scscf/keep_subs.c - subscriptions to registration state as records.  See keep.h; RFC 6665 §4.2. */
#include <errno.h>
#include <stdlib.h>
#include "common/log/log.h"
#include "common/store/dialog_fields.h"
#include "common/store/fields.h"
#include "scscf/keep.h"
#include "scscf/subscription.h"

struct kept {
	struct str aor, event, subscriber, dialog;
	uint32_t version;
	uint8_t service;
	uint64_t expires_ms;		/* store time */
};
static const struct field kept_fields[] = {
	FIELD(1, FIELD_STR, struct kept, aor),
	FIELD(2, FIELD_STR, struct kept, event),
	FIELD(3, FIELD_STR, struct kept, subscriber),
	FIELD(4, FIELD_STR, struct kept, dialog),
	FIELD(5, FIELD_U32, struct kept, version),
	FIELD(6, FIELD_U64, struct kept, expires_ms),
	FIELD(7, FIELD_U8, struct kept, service),
	{ 0 },
};

/* Call-ID and our tag: unique. */
static void put_key(const struct subscription *s, struct buf *b)
{
	buf_init(b, STORE_MAX_KEY);
	buf_put(b, dialog_call_id(s->d));
	buf_putc(b, ' ');
	buf_put(b, dialog_local_tag(s->d));
}

void keep_subscription(const struct subscription *s)
{
	struct worker *w = subscription_worker(s);
	uint64_t now = w->wheel->now_ms;
	struct kept k = { .aor = subscription_aor(s), .event = str_from_c(s->event), .subscriber = str_from_c(s->subscriber),
			  .version = s->version, .service = s->service };
	struct buf key, dialog, b;

	if (!w->store || s->ended)
		return;
	k.expires_ms = store_now_ms(store_of(w->store)) + (s->expires_ms > now ? s->expires_ms - now : 0);
	put_key(s, &key);
	buf_init(&dialog, SIP_MSG_MAX_BYTES * 2);
	buf_init(&b, SIP_MSG_MAX_BYTES * 3);
	dialog_fields_write(s->d, &dialog);
	k.dialog = buf_str(&dialog);
	fields_write(kept_fields, &k, &b);
	if (key.failed || dialog.failed || b.failed || store_put(w->store, STORE_SUBSCRIPTION, buf_str(&key), buf_str(&b), k.expires_ms) < 0)
		log_warn(LOG_REG, "a subscription could not be kept", LOG_S("impu", k.aor));
	buf_fini(&key);
	buf_fini(&dialog);
	buf_fini(&b);
}

void keep_forget_subscription(const struct subscription *s)
{
	struct worker *w = subscription_worker(s);
	struct buf key;

	if (!w->store)
		return;
	put_key(s, &key);
	if (!key.failed)
		store_del(w->store, STORE_SUBSCRIPTION, buf_str(&key));
	buf_fini(&key);
}

/* One that ended meanwhile is put back as well: it ends with a NOTIFY, at once. */
void keep_restore_subscription(struct scscf *s, const struct store_record *r)
{
	struct kept k = { .version = 0 };
	struct subscription *sub = NULL;
	struct dialog *d = NULL;
	struct worker *w;
	uint64_t now;
	int rc = fields_read(kept_fields, r->value, &k, NULL, NULL);

	if (rc == 0)
		rc = dialog_fields_read(k.dialog, &d);
	if (rc == 0) {
		w = stack_worker_of_call(s->stack, dialog_call_id(d));
		now = store_now_ms(store_of(w->store));
		sub = subscription_restore(scscf_of(w)->subscriptions, d, k.aor, k.event, k.subscriber, k.version,
					   k.expires_ms > now ? k.expires_ms - now : 0);
		if (sub)
			sub->service = k.service;
		else
			dialog_free(d);
	}
	if (!sub) {
		log_warn(LOG_REG, "a kept subscription cannot be used", LOG_S("impu", k.aor));
		store_del(store_port(store_of(stack_worker(s->stack, 0)->store), 0), STORE_SUBSCRIPTION, r->key);
	}
}
