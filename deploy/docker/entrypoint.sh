#!/bin/sh
# One image, three daemons: COMPONENT_NAME is pcscf, icscf or scscf.  Reads the variables of docker_open5gs' .env, writes
# $CSCF_DIR/NAME.yaml and becomes the daemon.  A file that is mounted there already is taken as it is.
#
#   entrypoint.sh --print    writes the configuration to standard output and ends
#
# Of docker_open5gs: MCC MNC; PCSCF_IP ICSCF_IP SCSCF_IP DNS_IP; {P,I,S}CSCF_BIND_PORT; PYHSS_IP PYHSS_BIND_PORT, or with
# HSS_CX=open5gs HSS_IP HSS_BIND_PORT; DEPLOY_MODE=4G with PCRF_IP PCRF_BIND_PORT (bearers by Rx),
# DEPLOY_MODE=5G with SCP_IP SCP_BIND_PORT (bearers by N5, our listener for notifications on N5_BIND_PORT, 7777);
# UE_IPV4_IMS UE_IPV4_INTERNET UPF_IP (routes); RTPENGINE_IP RTPENGINE_PORT (2223), where CSCF_MEDIA wants it.
# Of our own: CSCF_WORKERS (1), CSCF_LOG_LEVEL (info), CSCF_REST_TOKEN (made at random and printed in the log when absent),
# CSCF_REST_ADDRESS (127.0.0.1), CSCF_IPSEC (prefer, require, off), CSCF_MEDIA (off; family, nat, always: which calls go through
# rtpengine), CSCF_EXTRA (a file with more YAML that wins).
set -eu

fail() {
	echo "entrypoint: $*" >&2
	exit 78
}

node=${COMPONENT_NAME:-}
: "${MCC:?entrypoint: MCC is not set}" "${MNC:?entrypoint: MNC is not set}"
: "${PCSCF_IP:?entrypoint: PCSCF_IP is not set}" "${ICSCF_IP:?entrypoint: ICSCF_IP is not set}" "${SCSCF_IP:?entrypoint: SCSCF_IP is not set}"
case $MNC in
??) mnc3=0$MNC ;;
???) mnc3=$MNC ;;
*) fail "MNC has two or three digits, not $MNC" ;;
esac
ims=ims.mnc$mnc3.mcc$MCC.3gppnetwork.org
epc=epc.mnc$mnc3.mcc$MCC.3gppnetwork.org
dir=${CSCF_DIR:-/etc/cscf}

case $node in
pcscf) ip=$PCSCF_IP sip=5060 diameter=${PCSCF_BIND_PORT:-3871} ;;
icscf) ip=$ICSCF_IP sip=4060 diameter=${ICSCF_BIND_PORT:-3869} ;;
scscf) ip=$SCSCF_IP sip=6060 diameter=${SCSCF_BIND_PORT:-3870} ;;
*) fail "COMPONENT_NAME is pcscf, icscf or scscf, not '$node'" ;;
esac

common() {
	cat <<END
plmn: {mcc: "$MCC", mnc: "$MNC"}
workers: ${CSCF_WORKERS:-1}
sip:
  listen: ["udp:$ip:$sip", "tcp:$ip:$sip"]
  name: $node.$ims
rest: {listen: "${CSCF_REST_ADDRESS:-127.0.0.1}:8080", token_file: $dir/token}
state: {dir: /var/lib/cscf/$node}
log: {level: ${CSCF_LOG_LEVEL:-info}}
END
	[ -z "${DNS_IP:-}" ] || echo "dns: {servers: [\"$DNS_IP:53\"]}"
}

# The HSS: PyHSS under the IMS realm, or Open5GS' own under the EPC realm.
hss() {
	case ${HSS_CX:-pyhss} in
	pyhss)
		peer=hss.$ims address=${PYHSS_IP:?entrypoint: PYHSS_IP is not set} port=${PYHSS_BIND_PORT:-3875} realm=$ims outstanding=16
		;;
	open5gs)
		peer=hss.$epc address=${HSS_IP:?entrypoint: HSS_IP is not set} port=${HSS_BIND_PORT:-3868} realm=$epc outstanding=64
		;;
	*) fail "HSS_CX is pyhss or open5gs, not '$HSS_CX'" ;;
	esac
	cat <<END
diameter:
  identity: $node.$ims
  listen: "$ip:$diameter"
  destination_realm: $realm
  hss_profile: ${HSS_CX:-pyhss}
  max_outstanding: $outstanding
  peers: [{identity: $peer, realm: $realm, address: "$address", port: $port}]
END
}

# Calls run without bearers of their own when the PCRF refuses or is silent: a lab is to work before it is perfect.
rx() {
	cat <<END
diameter:
  identity: pcscf.$ims
  listen: "$ip:$diameter"
  destination_realm: $epc
  peers: [{identity: pcrf.$epc, realm: $epc, address: "${PCRF_IP:?entrypoint: PCRF_IP is not set}", port: ${PCRF_BIND_PORT:-3873}}]
policy: {mode: rx, on_refused: go_on, on_silence: go_on, rx: {realm: $epc}}
END
}

n5() {
	cat <<END
policy:
  mode: n5
  on_refused: go_on
  on_silence: go_on
  n5: {scp: "http://${SCP_IP:?entrypoint: SCP_IP is not set}:${SCP_BIND_PORT:-7777}", listen: "$ip:${N5_BIND_PORT:-7777}", dnn: ims}
END
}

pcscf() {
	echo "access:"
	echo "  trusted: [\"$ICSCF_IP\", \"$SCSCF_IP\"]"
	case ${CSCF_IPSEC:-prefer} in
	off) ;;
	prefer | require)
		echo "  ipsec: {policy: ${CSCF_IPSEC:-prefer}, algorithms: [hmac-sha-1-96/aes-cbc, hmac-sha-1-96/null], allow_null: true}"
		;;
	*) fail "CSCF_IPSEC is prefer, require or off, not '$CSCF_IPSEC'" ;;
	esac
}

# A lab's relay that is not there is no reason for calls not to be.
media() {
	case ${CSCF_MEDIA:-off} in
	off) ;;
	family | nat | always)
		echo "media:"
		echo "  mode: $CSCF_MEDIA"
		echo "  on_failure: go_on"
		echo "  rtpengine: [{address: \"${RTPENGINE_IP:?entrypoint: RTPENGINE_IP is not set}:${RTPENGINE_PORT:-2223}\"}]"
		;;
	*) fail "CSCF_MEDIA is off, family, nat or always, not '$CSCF_MEDIA'" ;;
	esac
}

config() {
	common
	case $node in
	pcscf)
		pcscf
		media
		case ${DEPLOY_MODE:-} in
		4G) rx ;;
		5G) n5 ;;
		"") ;;
		*) fail "DEPLOY_MODE is 4G or 5G, not '$DEPLOY_MODE'" ;;
		esac
		;;
	icscf)
		hss
		echo "selection: {default_server: \"sip:scscf.$ims:6060\"}"
		;;
	scscf) hss ;;
	esac
}

# Phones sit behind the UPF: the way back to them (docker_open5gs, UE_IPV4_*).
routes() {
	[ -n "${UPF_IP:-}" ] || return 0
	for net in ${UE_IPV4_IMS:-} ${UE_IPV4_INTERNET:-}; do
		ip route replace "$net" via "$UPF_IP" || echo "entrypoint: no route to $net by $UPF_IP" >&2
	done
}

if [ "${1:-}" = --print ]; then
	config
	exit 0
fi
umask 077
mkdir -p "$dir" "/var/lib/cscf/$node"
if [ ! -s "$dir/token" ]; then
	token=${CSCF_REST_TOKEN:-$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')}
	echo "$token" >"$dir/token"
	[ -n "${CSCF_REST_TOKEN:-}" ] || echo "entrypoint: the REST token of this run is $token" >&2
fi
if [ ! -s "$dir/$node.yaml" ] && [ -n "${CSCF_EXTRA:-}" ]; then
	config >"$dir/$node.base.yaml"
	{ echo "include: $node.base.yaml" && cat "$CSCF_EXTRA"; } >"$dir/$node.yaml"
elif [ ! -s "$dir/$node.yaml" ]; then
	config >"$dir/$node.yaml"
fi
[ "$node" != pcscf ] || routes
exec "${node}d" -c "$dir/$node.yaml"
