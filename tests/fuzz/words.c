/* tests/fuzz/words.c - header lines and names for mutate.c: what phones and cores send, and what has hurt SIP stacks before. */
#include "common/sip/hdr.h"
#include "tests/fuzz/mutate.h"

const char *const mutate_lines[] = {
	"Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKa;rport\r\n", "Via: SIP/2.0/TCP [2001:db8::1];branch=z9hG4bKb\r\n",
	"v: SIP/2.0/UDP h;branch=z9hG4bK1, SIP/2.0/UDP i;received=10.0.0.2\r\n", "Via: SIP/3.0/WS x\r\n",
	"From: \"A \\\"B\" <sip:a@home>;tag=1\r\n", "To: <tel:+4930111;phone-context=home>\r\n", "t: sip:b@home;tag=2\r\n",
	"Call-ID: x@y\r\n", "CSeq: 4294967295 INVITE\r\n", "CSeq: 1 REGISTER\r\n", "CSeq: 2 BYE\r\n", "Max-Forwards: 0\r\n", "Max-Forwards: 70\r\n",
	"Route: <sip:self;lr>, <sip:n1;lr>\r\n", "Route: <sip:home>\r\n", "Record-Route: <sip:n1;lr>\r\n", "Path: <sip:t@p;lr>\r\n",
	"Service-Route: <sip:orig@s;lr>\r\n", "Contact: *\r\n", "Contact: <sip:a@10.9.0.1>;expires=0\r\n",
	"m: <sip:a@10.9.0.1:5060;transport=tcp>;reg-id=1;+sip.instance=\"<urn:uuid:1>\";q=0.7;+g.3gpp.smsip\r\n", "Expires: 0\r\n",
	"Expires: 4294967296\r\n", "Require: path, sec-agree\r\n", "Require: 100rel,precondition\r\n", "Proxy-Require: sec-agree\r\n",
	"Supported: path, outbound, timer, gruu\r\n", "k: 100rel\r\n", "Content-Length: 0\r\n", "l: 99999\r\n", "Content-Length: 4\r\nContent-Length: 5\r\n",
	"Content-Type: application/sdp\r\n", "c: multipart/mixed;boundary=\"b\"\r\n", "Session-Expires: 90;refresher=uac\r\n", "Min-SE: 1\r\n",
	"Authorization: Digest username=\"a@home\",realm=\"home\",nonce=\"\",uri=\"sip:home\",response=\"\"\r\n",
	"Authorization: Digest username=\"a\", realm=\"home\", nonce=\"bm9uY2U=\", algorithm=AKAv1-MD5, qop=auth, nc=00000001, "
	"cnonce=\"x\", uri=\"sip:home\", response=\"0123456789abcdef0123456789abcdef\", integrity-protected=\"yes\"\r\n",
	"Authorization: Digest auts=\"AAAAAAAAAAAAAAAAAAA=\"\r\n",
	"WWW-Authenticate: Digest realm=\"home\", nonce=\"x\", algorithm=AKAv1-MD5, qop=\"auth\", ck=\"00\", ik=\"11\"\r\n",
	"P-Asserted-Identity: <sip:a@home>, <tel:+4930>\r\n", "P-Preferred-Identity: \"x\" <sip:b@home>\r\n",
	"P-Access-Network-Info: 3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=1;network-provided\r\n", "P-Visited-Network-ID: \"home\"\r\n",
	"P-Charging-Vector: icid-value=\"i\";icid-generated-at=x;orig-ioi=home\r\n", "P-Charging-Function-Addresses: ccf=x\r\n",
	"P-Served-User: <sip:a@home>;sescase=orig;regstate=reg\r\n", "P-Associated-URI: <sip:a@home>\r\n", "Privacy: id;header;user\r\n",
	"P-Called-Party-ID: <sip:a@home>\r\n", "Security-Client: ipsec-3gpp;alg=hmac-sha-1-96;spi-c=1;spi-s=2;port-c=3;port-s=4\r\n",
	"Security-Verify: ipsec-3gpp;q=0.1\r\n", "Reason: SIP;cause=200\r\n", "RSeq: 1\r\n", "RAck: 1 1 INVITE\r\n", "Event: reg\r\n",
	"Subscription-State: active;expires=600\r\n", "Refer-To: <sip:c@home?Replaces=x%3Bto-tag%3D1>\r\n", "Replaces: x;to-tag=1;from-tag=2\r\n",
	"Request-Disposition: no-fork\r\n", "Accept-Contact: *;+g.3gpp.icsi-ref=\"urn%3Aurn-7%3A3gpp-service.ims.icsi.mmtel\"\r\n",
	"Resource-Priority: ets.0\r\n", "Max-Breadth: 1\r\n", "History-Info: <sip:a@home>;index=1\r\n", "Warning: 399 x \"y\"\r\n",
	"Timestamp: 1.5\r\n", "Retry-After: 0 (x);duration=1\r\n", ": x\r\n", "X\r\n", "X-Long: a\r\n b\r\n\tc\r\n", "\r\n",
	"INVITE sip:bob@home SIP/2.0\r\n", "REGISTER sip:home SIP/2.0\r\n", "ACK sip:bob@home SIP/2.0\r\n", "CANCEL sip:bob@home SIP/2.0\r\n",
	"BYE sip:bob@10.9.0.2 SIP/2.0\r\n", "MESSAGE tel:+4930222 SIP/2.0\r\n", "OPTIONS sip:pcscf.home SIP/2.0\r\n", "PRACK urn:x SIP/2.0\r\n",
	"SIP/2.0 100 Trying\r\n", "SIP/2.0 183 x\r\n", "SIP/2.0 200 OK\r\n", "SIP/2.0 302 Moved\r\n", "SIP/2.0 401 x\r\n", "SIP/2.0 699 x\r\n",
	/* commands of the stateful targets: script.h */
	"!in 0\r\n", "!in 1\r\n", "!in 2\r\n", "!in 3\r\n", "!answer 0 100\r\n", "!answer 0 180\r\n", "!answer 0 200\r\n", "!answer 0 486\r\n",
	"!answer 1 200\r\n", "!answer 2 401\r\n", "!wait 500\r\n", "!wait 32000\r\n", "!wait 200000\r\n", "!fail\r\n", "!cx 2001\r\n", "!cx 5001\r\n",
	"!cx 0\r\n", "!knob 1\r\n", "!knob 255\r\n",
};
const unsigned mutate_n_lines = sizeof(mutate_lines) / sizeof(mutate_lines[0]);

#define X(id, name, compact) name,
const char *const mutate_names[] = { SIP_HDR_TABLE(X) "v", "f", "t", "i", "m", "l", "c", "k", "x", "Diversion", "Identity", "X-", "P-X", "" };
#undef X
const unsigned mutate_n_names = sizeof(mutate_names) / sizeof(mutate_names[0]);
