/* common/diameter/codec.c - rows of cx_tables.c to AVPs and back.  RFC 6733 §4, TS 29.229 §6, TS 29.214 §5. */
#include <errno.h>
#include <string.h>
#include "common/diameter/private.h"

#define AUTH_SESSION_NO_STATE 1u	/* NO_STATE_MAINTAINED: Cx keeps no Diameter sessions, TS 29.229 §5.2 */
#define HEADER_BYTES 20u
#define AVP_RESULT_CODE 268u
#define AVP_EXPERIMENTAL_RESULT 297u
#define AVP_EXPERIMENTAL_RESULT_CODE 298u
#define AVP_VENDOR_ID 266u
#define AVP_AUTH_APPLICATION_ID 258u
#define AVP_SESSION_ID 263u

/* ---- writing ---- */

static int add(msg_or_avp *parent, uint32_t code, enum dia_vendor vendor, union avp_value *v)
{
	struct dict_object *model = dictionary_avp(code, vendor);
	struct avp *avp;
	int rc = model ? fd_msg_avp_new(model, 0, &avp) : ENOENT;

	if (rc)
		return -rc;
	rc = v ? fd_msg_avp_setvalue(avp, v) : 0;
	if (rc == 0)
		rc = fd_msg_avp_add(parent, MSG_BRW_LAST_CHILD, avp);
	if (rc)
		fd_msg_free(avp);
	return -rc;
}

int codec_add_u32(msg_or_avp *parent, uint32_t code, enum dia_vendor vendor, uint32_t n)
{
	union avp_value v = { .u32 = n };

	return add(parent, code, vendor, &v);
}

int codec_add_str(msg_or_avp *parent, uint32_t code, enum dia_vendor vendor, struct str s)
{
	union avp_value v = { .os = { (uint8_t *)(uintptr_t)s.p, s.l } };

	return add(parent, code, vendor, &v);
}

static int add_u64(msg_or_avp *parent, const struct dia_row *r, uint64_t n)
{
	union avp_value v = { .u64 = n };

	return add(parent, r->code, r->vendor, &v);
}

static int new_group(uint32_t code, enum dia_vendor vendor, struct avp **ret)
{
	struct dict_object *model = dictionary_avp(code, vendor);

	return model ? -fd_msg_avp_new(model, 0, ret) : -ENOENT;
}

static int add_group(msg_or_avp *parent, struct avp *group, int rc)
{
	if (rc == 0)
		rc = -fd_msg_avp_add(parent, MSG_BRW_LAST_CHILD, group);
	if (rc < 0)
		fd_msg_free(group);
	return rc;
}

int codec_add_application(struct msg *m, enum dia_application app)
{
	struct avp *group;
	int rc;

	if (app != DIA_CX)
		return codec_add_u32(m, AVP_AUTH_APPLICATION_ID, DIA_BASE, dictionary_application_id(app));
	rc = new_group(260, DIA_BASE, &group);

	if (rc < 0)
		return rc;
	rc = codec_add_u32(group, AVP_VENDOR_ID, DIA_BASE, VENDOR_3GPP);
	if (rc == 0)
		rc = codec_add_u32(group, AVP_AUTH_APPLICATION_ID, DIA_BASE, CX_APPLICATION);
	rc = add_group(m, group, rc);
	return rc < 0 ? rc : codec_add_u32(m, 277, DIA_BASE, AUTH_SESSION_NO_STATE);
}

static int demand(struct avp *group)
{
	struct avp_hdr *h;
	int rc = -fd_msg_avp_hdr(group, &h);

	if (rc == 0)
		h->avp_flags |= AVP_FLAG_MANDATORY;
	return rc;
}

/* A group is written when something is in it, or when its struct says that it is there. */
static int write_group(msg_or_avp *parent, const struct dia_row *r, const char *base, bool there)
{
	struct avp *group;
	msg_or_avp *first = NULL;
	int rc = new_group(r->code, r->vendor, &group);

	if (rc < 0)
		return rc;
	rc = codec_write(group, r->sub, base);
	if (rc == 0 && r->kind == DIA_K_ITEMS_M && *(const bool *)base)
		rc = demand(group);
	if (rc == 0 && !there && (fd_msg_browse(group, MSG_BRW_FIRST_CHILD, &first, NULL) != 0 || !first)) {
		fd_msg_free(group);
		return 0;
	}
	return add_group(parent, group, rc);
}

static int write_item(msg_or_avp *parent, const struct dia_row *r, const void *item)
{
	return r->sub ? write_group(parent, r, item, true) : codec_add_str(parent, r->code, r->vendor, *(const struct str *)item);
}

static int write_row(msg_or_avp *parent, const struct dia_row *r, const char *in)
{
	const void *p = in + r->off;
	const struct cx_strs *strs = p;
	const struct cx_u32s *u32s = p;
	int rc = 0;

	switch (r->kind) {
	case DIA_K_STR:
		return ((const struct str *)p)->l ? codec_add_str(parent, r->code, r->vendor, *(const struct str *)p) : 0;
	case DIA_K_U32:
		return codec_add_u32(parent, r->code, r->vendor, *(const uint32_t *)p);
	case DIA_K_U32_OPT:
		return *(const uint32_t *)p ? codec_add_u32(parent, r->code, r->vendor, *(const uint32_t *)p) : 0;
	case DIA_K_U32_OR_MAX:
		return *(const uint32_t *)p != UINT32_MAX ? codec_add_u32(parent, r->code, r->vendor, *(const uint32_t *)p) : 0;
	case DIA_K_U32_OR_NONE:
		return *(const uint32_t *)p != DIA_NONE ? codec_add_u32(parent, r->code, r->vendor, *(const uint32_t *)p) : 0;
	case DIA_K_U64:
		return add_u64(parent, r, *(const uint64_t *)p);
	case DIA_K_U64_OPT:
		return *(const uint64_t *)p ? add_u64(parent, r, *(const uint64_t *)p) : 0;
	case DIA_K_BOOL:
		return codec_add_u32(parent, r->code, r->vendor, *(const bool *)p);
	case DIA_K_PRESENT:
		return *(const bool *)p ? codec_add_u32(parent, r->code, r->vendor, 0) : 0;
	case DIA_K_STRS:
		for (unsigned i = 0; i < strs->n && rc == 0; i++)
			rc = codec_add_str(parent, r->code, r->vendor, strs->v[i]);
		return rc;
	case DIA_K_U32S:
		for (unsigned i = 0; i < u32s->n && rc == 0; i++)
			rc = codec_add_u32(parent, r->code, r->vendor, u32s->v[i]);
		return rc;
	case DIA_K_GROUP:
		return write_group(parent, r, p, r->n_off && *(const bool *)(in + r->n_off));
	case DIA_K_GROUP_IF:
		return *(const bool *)(in + r->n_off) ? write_group(parent, r, p, true) : 0;
	case DIA_K_ITEMS:
	case DIA_K_ITEMS_M:
		for (unsigned i = 0; i < *(const unsigned *)(in + r->n_off) && i < r->item_max && rc == 0; i++)
			rc = write_item(parent, r, (const char *)p + i * r->item_size);
		return rc;
	}
	return -EINVAL;
}

int codec_write(msg_or_avp *parent, const struct dia_row *rows, const void *in)
{
	int rc = 0;

	for (; rows->code && rc == 0; rows++)
		if (rows->code != AVP_SESSION_ID)	/* the first AVP of a message: request.c */
			rc = write_row(parent, rows, in);
	return rc;
}

int codec_write_result(struct msg *m, const struct dia_result *r)
{
	struct avp *group;
	int rc;

	if (!r->experimental)
		return codec_add_u32(m, AVP_RESULT_CODE, DIA_BASE, r->code);
	rc = new_group(AVP_EXPERIMENTAL_RESULT, DIA_BASE, &group);
	if (rc < 0)
		return rc;
	rc = codec_add_u32(group, AVP_VENDOR_ID, DIA_BASE, VENDOR_3GPP);
	if (rc == 0)
		rc = codec_add_u32(group, AVP_EXPERIMENTAL_RESULT_CODE, DIA_BASE, r->code);
	return add_group(m, group, rc);
}

/* ---- reading ---- */

static int first_child(msg_or_avp *parent, msg_or_avp **ret)
{
	*ret = NULL;
	return fd_msg_browse(parent, MSG_BRW_FIRST_CHILD, ret, NULL) == 0 && *ret ? 0 : -ENOENT;
}

static int next_sibling(msg_or_avp **avp)
{
	msg_or_avp *next = NULL;

	if (fd_msg_browse(*avp, MSG_BRW_NEXT, &next, NULL) != 0)
		next = NULL;
	*avp = next;
	return next ? 0 : -ENOENT;
}

static bool is_row(const struct avp_hdr *h, const struct dia_row *r)
{
	return h->avp_code == r->code && h->avp_vendor == dictionary_vendor_id(r->vendor);
}

static int read_row(msg_or_avp *avp, const struct avp_hdr *h, const struct dia_row *r, char *out, struct arena *a)
{
	void *p = out + r->off;
	struct cx_strs *strs = p;
	struct cx_u32s *u32s = p;
	struct str s = STR_NONE;
	unsigned *n;

	if (r->kind == DIA_K_GROUP || r->kind == DIA_K_GROUP_IF) {
		if (r->n_off)
			*(bool *)(out + r->n_off) = true;
		return codec_read(avp, r->sub, p, a);
	}
	if (r->kind == DIA_K_ITEMS || r->kind == DIA_K_ITEMS_M) {
		n = (unsigned *)(out + r->n_off);
		if (*n == r->item_max)
			return 0;
		p = (char *)p + *n * r->item_size;
		(*n)++;
		if (r->kind == DIA_K_ITEMS_M)
			*(bool *)p = h->avp_flags & AVP_FLAG_MANDATORY;
		if (r->sub)
			return codec_read(avp, r->sub, p, a);
	}
	if (!h->avp_value)		/* the dictionary did not know it */
		return 0;
	if (r->kind == DIA_K_STR || r->kind == DIA_K_STRS || r->kind == DIA_K_ITEMS) {
		s = arena_dup(a, str_make((const char *)h->avp_value->os.data, h->avp_value->os.len));
		if (!s.p)
			return -ENOMEM;
	}
	switch (r->kind) {
	case DIA_K_STR:
	case DIA_K_ITEMS:
		*(struct str *)p = s;
		break;
	case DIA_K_STRS:
		if (strs->n < CX_MAX_LIST)
			strs->v[strs->n++] = s;
		break;
	case DIA_K_U32S:
		if (u32s->n < CX_MAX_LIST)
			u32s->v[u32s->n++] = h->avp_value->u32;
		break;
	case DIA_K_U64:
	case DIA_K_U64_OPT:
		*(uint64_t *)p = h->avp_value->u64;
		break;
	case DIA_K_BOOL:
		*(bool *)p = h->avp_value->u32 != 0;
		break;
	case DIA_K_PRESENT:
		*(bool *)p = true;
		break;
	default:
		*(uint32_t *)p = h->avp_value->u32;
	}
	return 0;
}

static void set_absent(const struct dia_row *rows, char *out)
{
	for (; rows->code; rows++)
		if (rows->kind == DIA_K_U32_OR_MAX || rows->kind == DIA_K_U32_OR_NONE)
			*(uint32_t *)(out + rows->off) = rows->kind == DIA_K_U32_OR_MAX ? UINT32_MAX : DIA_NONE;
}

int codec_read(msg_or_avp *parent, const struct dia_row *rows, void *out, struct arena *a)
{
	msg_or_avp *avp;
	struct avp_hdr *h;
	int rc = 0;

	set_absent(rows, out);
	if (first_child(parent, &avp) < 0)
		return 0;
	do {
		if (fd_msg_avp_hdr(avp, &h) != 0)
			return -EBADMSG;
		for (const struct dia_row *r = rows; r->code; r++) {
			if (!is_row(h, r))
				continue;
			rc = read_row(avp, h, r, out, a);
			break;
		}
	} while (rc == 0 && next_sibling(&avp) == 0);
	return rc;
}

static int read_u32(msg_or_avp *parent, uint32_t code, uint32_t *ret, msg_or_avp **ret_avp)
{
	msg_or_avp *avp;
	struct avp_hdr *h;

	if (first_child(parent, &avp) < 0)
		return -ENOENT;
	do {
		if (fd_msg_avp_hdr(avp, &h) != 0)
			return -EBADMSG;
		if (h->avp_code != code || h->avp_vendor != 0)
			continue;
		if (ret_avp)
			*ret_avp = avp;
		else if (h->avp_value)
			*ret = h->avp_value->u32;
		else
			return -EBADMSG;
		return 0;
	} while (next_sibling(&avp) == 0);
	return -ENOENT;
}

int codec_read_result(struct msg *m, struct dia_result *ret)
{
	msg_or_avp *group;

	*ret = (struct dia_result){ 0 };
	if (read_u32(m, AVP_EXPERIMENTAL_RESULT, NULL, &group) == 0 &&
	    read_u32(group, AVP_EXPERIMENTAL_RESULT_CODE, &ret->code, NULL) == 0) {
		ret->experimental = true;
		/* Codes of the base protocol in the wrong AVP (integration notes of the README): 5012 and such keep their
		 * meaning; those with a Cx meaning cannot be told apart. */
		return 0;
	}
	return read_u32(m, AVP_RESULT_CODE, &ret->code, NULL) == 0 ? 0 : -EBADMSG;
}

/* ---- octets ---- */

static uint32_t get24(const uint8_t *p)
{
	return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

void codec_defuse(uint8_t *p, size_t n)
{
	bool request;

	if (n < HEADER_BYTES)
		return;
	request = p[4] & 0x80;
	for (size_t at = HEADER_BYTES; at + 8 <= n;) {
		uint8_t *avp = p + at;
		uint32_t code = (uint32_t)avp[0] << 24 | get24(avp + 1), len = get24(avp + 5);
		uint32_t head = avp[4] & 0x80 ? 12 : 8;

		if (len < head || len > n - at)
			return;		/* the library closes such a connection by itself */
		if (code == AVP_RESULT_CODE && head == 8 && len != 12) {
			avp[0] = 0;
			memset(avp + 1, 0xff, 3);		/* CODE_NOBODY_USES */
			avp[4] = 0;
		} else if (!request) {
			avp[4] &= (uint8_t)~0x40;		/* M: an AVP nobody knows must not cost us the answer */
		}
		at += (len + 3u) & ~3u;
	}
}
