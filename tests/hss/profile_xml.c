/* tests/hss/profile_xml.c - the User-Data of a subscriber: TS 29.228 annex E, elements in the order of its schema. */
#include "tests/hss/hss.h"

static void text(struct buf *out, const char *s)
{
	for (; *s; s++) {
		switch (*s) {
		case '&': buf_puts(out, "&amp;"); break;
		case '<': buf_puts(out, "&lt;"); break;
		case '>': buf_puts(out, "&gt;"); break;
		case '"': buf_puts(out, "&quot;"); break;
		default: buf_putc(out, *s);
		}
	}
}

/* IdentityType of annex B. */
enum { IMPU = 0, DISTINCT_PSI = 1, WILDCARDED_PSI = 2, WILDCARDED_IMPU = 4 };

static int type_of(const struct sub *b, const struct sub_impu *id)
{
	if (b->psi)
		return id->wild ? WILDCARDED_PSI : DISTINCT_PSI;
	return id->wild ? WILDCARDED_IMPU : IMPU;
}

static void wildcard(struct buf *out, const char *element, const struct sub_impu *id)
{
	buf_printf(out, "<%s>", element);
	text(out, id->uri);
	buf_printf(out, "</%s>", element);
}

/* Release 5 knows Identity and BarringIndication; what came later nests Extension in Extension. */
static void identity(struct buf *out, const struct sub *b, const struct sub_impu *id)
{
	int type = type_of(b, id);

	buf_puts(out, "<PublicIdentity>");
	buf_printf(out, "<BarringIndication>%d</BarringIndication><Identity>", id->barred);
	text(out, id->uri);
	buf_printf(out, "</Identity><Extension><IdentityType>%d</IdentityType>", type);
	if (type == WILDCARDED_PSI)
		wildcard(out, "WildcardedPSI", id);
	if (b->display_name || id->alias_group || type == WILDCARDED_IMPU) {
		buf_puts(out, "<Extension>");
		if (b->display_name) {
			buf_puts(out, "<DisplayName>");
			text(out, b->display_name);
			buf_puts(out, "</DisplayName>");
		}
		if (id->alias_group)
			buf_printf(out, "<AliasIdentityGroupID>%u</AliasIdentityGroupID>", id->alias_group);
		if (type == WILDCARDED_IMPU) {
			buf_puts(out, "<Extension>");
			wildcard(out, "WildcardedIMPU", id);
			buf_puts(out, "</Extension>");
		}
		buf_puts(out, "</Extension>");
	}
	buf_puts(out, "</Extension></PublicIdentity>");
}

void profile_xml(const struct sub *b, struct buf *out)
{
	buf_puts(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?><IMSSubscription><PrivateID>");
	text(out, b->impi);
	buf_puts(out, "</PrivateID><ServiceProfile>");
	for (unsigned i = 0; i < b->n_impus; i++)
		identity(out, b, &b->impu[i]);
	if (b->ifc)
		buf_puts(out, b->ifc);
	buf_puts(out, "</ServiceProfile></IMSSubscription>");
}
