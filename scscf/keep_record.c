/* scscf/keep_record.c - a registration as a record.  Numbers are on disk: new members get new ones. */
#include <errno.h>
#include "common/store/fields.h"
#include "scscf/keep.h"

static const struct field record_fields[] = {
	FIELD(1, FIELD_U64, struct keep_record, id),
	FIELD(2, FIELD_U64, struct keep_record, registered_wall_us),
	FIELD(3, FIELD_STR, struct keep_record, pcfa),
	FIELD(4, FIELD_STR, struct keep_record, profile_impi),
	FIELD(5, FIELD_STR, struct keep_record, thirdparty_call_id),
	FIELD(6, FIELD_U32, struct keep_record, thirdparty_cseq),
	FIELD(7, FIELD_U8, struct keep_record, emergency),
	{ 0 },
};
enum { CONTACT = 100, IDENTITY, SERVICE, PATH };	/* nested */

static const struct field contact_fields[] = {
	FIELD(1, FIELD_STR, struct keep_contact, uri),
	FIELD(2, FIELD_STR, struct keep_contact, params),
	FIELD(3, FIELD_STR, struct keep_contact, instance),
	FIELD(4, FIELD_STR, struct keep_contact, call_id),
	FIELD(5, FIELD_STR, struct keep_contact, display),
	FIELD(6, FIELD_STR, struct keep_contact, impu),
	FIELD(7, FIELD_U32, struct keep_contact, cseq),
	FIELD(8, FIELD_U32, struct keep_contact, reg_id),
	FIELD(9, FIELD_U16, struct keep_contact, q),
	FIELD(10, FIELD_U8, struct keep_contact, event),
	FIELD(11, FIELD_U64, struct keep_contact, expires_ms),
	FIELD(12, FIELD_U8, struct keep_contact, gruu),
	FIELD(14, FIELD_U8, struct keep_contact, abroad),	/* 13 was its opposite; records of before have neither */
	{ 0 },
};

static const struct field identity_fields[] = {
	FIELD(1, FIELD_STR, struct keep_identity, uri),
	FIELD(2, FIELD_STR, struct keep_identity, aor),		/* left out when it is the same text */
	FIELD(3, FIELD_STR, struct keep_identity, display),
	FIELD(4, FIELD_STR, struct keep_identity, alias_group),
	FIELD(5, FIELD_U8, struct keep_identity, barred),
	FIELD(6, FIELD_U8, struct keep_identity, type),
	FIELD(7, FIELD_U8, struct keep_identity, service),
	{ 0 },
};

/* ---- writing ---- */

static void nest(uint8_t number, struct buf *inner, struct buf *out)
{
	field_write(number, buf_str(inner), out);
	out->failed = out->failed || inner->failed;
	buf_reset(inner);
}

void keep_record_write(const struct keep_record *k, struct buf *out)
{
	struct buf inner;

	buf_init(&inner, KEEP_MAX_BYTES);
	fields_write(record_fields, k, out);
	for (unsigned i = 0; i < k->n_contacts; i++) {
		fields_write(contact_fields, &k->contact[i], &inner);
		for (unsigned p = 0; p < k->contact[i].n_path; p++)
			field_write(PATH, k->contact[i].path[p], &inner);
		nest(CONTACT, &inner, out);
	}
	for (unsigned i = 0; i < k->n_identities; i++) {
		fields_write(identity_fields, &k->identity[i], &inner);
		nest(IDENTITY, &inner, out);
	}
	for (unsigned i = 0; i < k->n_services; i++)
		field_write(SERVICE, k->criteria[i], out);
	buf_fini(&inner);
}

/* ---- reading ---- */

static int on_path(void *arg, uint8_t number, struct str octets)
{
	struct keep_contact *c = arg;

	if (number == PATH && c->n_path == REG_MAX_PATH)
		return -EBADMSG;
	if (number == PATH)
		c->path[c->n_path++] = octets;
	return 0;
}

static int on_part(void *arg, uint8_t number, struct str octets)
{
	struct keep_record *k = arg;
	struct keep_contact *c;

	switch (number) {
	case CONTACT:
		if (k->n_contacts == REG_MAX_CONTACTS)
			return -EBADMSG;
		c = &k->contact[k->n_contacts++];
		*c = (struct keep_contact){ .n_path = 0 };
		return fields_read(contact_fields, octets, c, on_path, c);
	case IDENTITY:
		if (k->n_identities == PROFILE_MAX_IDENTITIES)
			return -EBADMSG;
		k->identity[k->n_identities] = (struct keep_identity){ .barred = 0 };
		return fields_read(identity_fields, octets, &k->identity[k->n_identities++], NULL, NULL);
	case SERVICE:
		if (k->n_services == PROFILE_MAX_SERVICES)
			return -EBADMSG;
		k->criteria[k->n_services++] = octets;
		return 0;
	}
	return 0;
}

/* What the rest of the code takes for granted. */
static bool is_sound(struct keep_record *k)
{
	struct sip_uri u;

	for (unsigned i = 0; i < k->n_identities; i++) {
		if (!k->identity[i].aor.l)
			k->identity[i].aor = k->identity[i].uri;
		if (!k->identity[i].uri.l || k->identity[i].service >= k->n_services)
			return false;
	}
	for (unsigned i = 0; i < k->n_contacts; i++)
		if (sip_uri_parse(k->contact[i].uri, &u, NULL) < 0)
			return false;
	return k->id && k->n_identities;
}

int keep_record_read(struct str text, struct keep_record *ret)
{
	int rc;

	ret->id = ret->registered_wall_us = 0;
	ret->pcfa = ret->profile_impi = ret->thirdparty_call_id = STR_NONE;
	ret->thirdparty_cseq = ret->emergency = 0;
	ret->n_contacts = ret->n_identities = ret->n_services = 0;
	rc = fields_read(record_fields, text, ret, on_part, ret);
	if (rc == 0 && !is_sound(ret))
		rc = -EBADMSG;
	return rc;
}
