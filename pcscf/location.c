/* pcscf/location.c - 3GPP-User-Location-Info as a value of P-Access-Network-Info: TS 29.061 §16.4.7.2, TS 29.274 §8.21,
 * TS 24.229 §7.2A.4; row Q9. */
#include <stdio.h>
#include "pcscf/policy.h"

enum { ULI_CGI = 0, ULI_SAI = 1, ULI_ECGI = 129, ULI_TAI_ECGI = 130, ULI_NCGI = 135, ULI_5G_TAI_NCGI = 137 };
#define PLMN_OCTETS 3u

/* Two octets and a half of digits: MCC 2 1, MNC 3 MCC 3, MNC 2 1; MNC 3 is 15 with two digits. */
static void plmn(const uint8_t *p, char dst[8])
{
	static const char digit[] = "0123456789abcdef";
	const uint8_t n[] = { p[0] & 15u, p[0] >> 4, p[1] & 15u, p[2] & 15u, p[2] >> 4, p[1] >> 4 };
	size_t l = 0;

	for (size_t i = 0; i < sizeof(n) && n[i] < 10; i++)
		dst[l++] = digit[n[i]];
	dst[l] = '\0';
}

static unsigned u16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static unsigned u28(const uint8_t *p)
{
	return (p[0] & 15u) << 24 | (unsigned)p[1] << 16 | u16(p + 2);
}

static unsigned long long u36(const uint8_t *p)
{
	return (unsigned long long)(p[0] & 15u) << 32 | (unsigned long long)u16(p + 1) << 16 | u16(p + 3);
}

struct str rx_location(struct str info, char dst[POLICY_LOCATION_BYTES])
{
	const uint8_t *p = (const uint8_t *)info.p + 1;
	size_t n = info.l ? info.l - 1 : 0;
	char net[8] = "", *at = dst;
	size_t room = POLICY_LOCATION_BYTES;
	int type = info.l ? (uint8_t)info.p[0] : -1, l = 0;

	if (n >= PLMN_OCTETS)
		plmn(p, net);
	if (type == ULI_CGI && n >= 7)
		l = snprintf(at, room, "3GPP-GERAN;cgi-3gpp=%s%04x%04x;network-provided", net, u16(p + 3), u16(p + 5));
	else if (type == ULI_SAI && n >= 7)
		l = snprintf(at, room, "3GPP-UTRAN;utran-sai-3gpp=%s%04x%04x;network-provided", net, u16(p + 3), u16(p + 5));
	else if (type == ULI_ECGI && n >= 7)
		l = snprintf(at, room, "3GPP-E-UTRAN;utran-cell-id-3gpp=%s%07x;network-provided", net, u28(p + 3));
	else if (type == ULI_TAI_ECGI && n >= 12)
		l = snprintf(at, room, "3GPP-E-UTRAN;utran-cell-id-3gpp=%s%04x%07x;network-provided", net, u16(p + 3), u28(p + 8));
	else if (type == ULI_NCGI && n >= 8)
		l = snprintf(at, room, "3GPP-NR;utran-cell-id-3gpp=%s%09llx;network-provided", net, u36(p + 3));
	else if (type == ULI_5G_TAI_NCGI && n >= 14)
		l = snprintf(at, room, "3GPP-NR;utran-cell-id-3gpp=%s%02x%04x%09llx;network-provided", net, p[3], u16(p + 4), u36(p + 9));
	return str_make(dst, (size_t)l);
}
