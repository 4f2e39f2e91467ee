/* common/transport/tls_identity.c - the SIP domains a certificate stands for.  RFC 5922 §7.1 (extraction), §7.2 (comparison). */
#include <openssl/x509v3.h>
#include "common/sip/uri.h"
#include "common/transport/tls_private.h"

static struct str text_of(const ASN1_STRING *s)
{
	return str_make((const char *)ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));
}

/* A name with a NUL inside reads otherwise for C programs. */
static bool clean(struct str s)
{
	return s.l && !memchr(s.p, '\0', s.l);
}

/* "sip:example.com" names a domain; one with a user part names a person (RFC 5922 §7.1, step 1). */
static bool uri_names(struct str text, struct str name, bool *ret_is_sip)
{
	struct sip_uri u;

	if (!clean(text) || sip_uri_parse(text, &u, NULL) < 0 || u.scheme != SIP_SCHEME_SIP)
		return false;
	*ret_is_sip = true;
	return u.user.l == 0 && str_ieq(u.host, name);
}

static bool address_is(const ASN1_OCTET_STRING *ip, const struct addr *a)
{
	struct str s = text_of(ip);

	if (a->sa.sa_family == AF_INET6)
		return s.l == 16 && memcmp(s.p, &a->in6.sin6_addr, 16) == 0;
	return s.l == 4 && memcmp(s.p, &a->in4.sin_addr, 4) == 0;
}

struct seen {
	bool uri, uri_sip, dns, dns_any, ip;
};

static void look(const GENERAL_NAME *g, struct str name, const struct addr *literal, struct seen *s)
{
	switch (g->type) {
	case GEN_URI:
		s->uri |= uri_names(text_of(g->d.uniformResourceIdentifier), name, &s->uri_sip);
		break;
	case GEN_DNS:			/* §7.2: exact, no wildcards */
		s->dns_any = true;
		s->dns |= clean(text_of(g->d.dNSName)) && str_ieq(text_of(g->d.dNSName), name);
		break;
	case GEN_IPADD:
		s->ip |= literal && address_is(g->d.iPAddress, literal);
		break;
	default:
		break;
	}
}

/* §7.1, step 3: the Common Name only when there is no subjectAltName at all. */
static bool common_name_is(const X509 *cert, struct str name)
{
	const X509_NAME *subject = X509_get_subject_name(cert);
	int i = X509_NAME_get_index_by_NID((X509_NAME *)(uintptr_t)subject, NID_commonName, -1);
	struct str cn;

	if (i < 0)
		return false;
	cn = text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, i)));
	return clean(cn) && str_ieq(cn, name);
}

bool tls_cert_names(const X509 *cert, struct str name)
{
	GENERAL_NAMES *all = cert ? X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL) : NULL;
	struct seen s = { 0 };
	struct addr literal;
	bool is_literal = addr_parse(name, 0, &literal) == 0;

	if (!cert)
		return false;
	if (!all)
		return !is_literal && common_name_is(cert, name);
	for (int i = 0; i < sk_GENERAL_NAME_num(all); i++)
		look(sk_GENERAL_NAME_value(all, i), name, is_literal ? &literal : NULL, &s);
	GENERAL_NAMES_free(all);
	if (is_literal)
		return s.ip;
	return s.uri_sip ? s.uri : s.dns;	/* §7.1: SIP URIs, when there are any, count alone */
}
