"""Addresses, ports and names of one lab: everything that follows from the net and the PLMN."""

import ipaddress
import re

DIAMETER_NODES = ("hss", "icscf", "scscf", "pcrf")
HOSTS = {"pcscf": 10, "icscf": 20, "scscf": 30, "hss": 40, "pcrf": 45, "pcf": 46, "dns": 53, "as": 60}
SIP_PORTS = {"pcscf": 5060, "icscf": 4060, "scscf": 6060}
REST_PORT = 8080
SBI_PORT = 7777
DNS_PORT = 53
FIRST_PHONE_HOST = 101
DEFAULT_NET = "127.0.77"


class LabError(Exception):
    """Something that the user must be told in words; not a fault of this program."""


def check_net(text):
    """The first three octets of the lab's addresses; only loopback, so that nothing leaves the machine."""
    m = re.fullmatch(r"127\.(\d{1,3})\.(\d{1,3})", text)
    if not m or any(int(o) > 255 for o in m.groups()):
        raise LabError(f"--net {text}: give the first three octets of a loopback net, for example {DEFAULT_NET}")
    return ".".join(str(int(o)) for o in text.split("."))


def check_ip6(text):
    """A prefix for the SIP side, "fd00:77::"; only unique local ones, which are no use outside."""
    try:
        prefix = ipaddress.IPv6Address(text)
    except ValueError:
        prefix = None
    if prefix is None or prefix not in ipaddress.IPv6Network("fd00::/8") or int(prefix) & 0xffff:
        raise LabError(f"--ip6 {text}: give a unique local prefix whose last 16 bits are free, for example fd00:77::")
    return str(prefix)


def diameter_base(net):
    """First of the lab's four Diameter ports.

    A Diameter node of another make on this machine may bind every address: the well-known port for the default net, else one
    that the net says, below the ephemeral ports of Linux.
    """
    if net == DEFAULT_NET:
        return 3868
    _, b, c = (int(o) for o in net.split("."))
    return 20000 + 4 * ((b * 256 + c) % 3000)


def parse_hss(text):
    """IDENTITY@ADDR:PORT of a HSS that is not ours; IPv6 in brackets."""
    m = re.fullmatch(r"([A-Za-z0-9.-]+)@(\[[0-9a-fA-F:]+\]|[^:@]+):(\d{1,5})", text)
    if not m or not 0 < int(m.group(3)) < 65536:
        raise LabError(f"--hss {text}: must read IDENTITY@ADDRESS:PORT, for example hss.example.org@192.0.2.7:3868")
    return {"identity": m.group(1), "address": m.group(2).strip("[]"), "port": int(m.group(3))}


class LabNet:
    """One lab's addresses.  `hss` is a foreign HSS from parse_hss(), or None for the lab's own.

    `policy` is "rx" for a lab with a PCRF, "n5" for one with a PCF, which the P-CSCF asks about bearers.
    With `ip6`, a prefix, SIP is IPv6: the I- and the S-CSCF have nothing else, the P-CSCF serves phones of both families.
    REST, Diameter and DNS stay where they are.
    """

    def __init__(self, net=DEFAULT_NET, mcc="001", mnc="01", hss=None, ip6=None, policy="off"):
        self.net = check_net(net)
        self.ip6 = check_ip6(ip6) if ip6 else None
        self.mcc, self.mnc = mcc, mnc
        self.domain = f"ims.mnc{mnc.zfill(3)}.mcc{mcc}.3gppnetwork.org"
        base = diameter_base(self.net)
        self.diameter_port = {node: base + i for i, node in enumerate(DIAMETER_NODES)}
        self.own_hss = hss is None
        self.policy = policy
        self.hss = hss or {"identity": self.name("hss"), "address": self.ip("hss"), "port": self.diameter_port["hss"]}

    def ip(self, node):
        """Address of a node of the lab."""
        return f"{self.net}.{HOSTS[node]}"

    def sip6_ip(self, host):
        """IPv6 address of a host: its number reads as in the net."""
        return f"{ipaddress.IPv6Address(int(ipaddress.IPv6Address(self.ip6)) + int(str(host), 16))}"

    def sip_ips(self, node):
        """Addresses where a CSCF takes SIP, the one it is known by first."""
        if not self.ip6:
            return [self.ip(node)]
        return [f"[{self.sip6_ip(HOSTS[node])}]"] + ([self.ip(node)] if node == "pcscf" else [])

    def phone_ip(self, index):
        """Address of the index-th simulated phone."""
        return self.sip6_ip(FIRST_PHONE_HOST + index) if self.ip6 else f"{self.net}.{FIRST_PHONE_HOST + index}"

    def name(self, node):
        """DNS name of a node."""
        return f"{node}.{self.domain}"

    def sip(self, node):
        """ADDRESS:PORT where a CSCF takes SIP."""
        return f"{self.sip_ips(node)[0]}:{SIP_PORTS[node]}"

    def rest(self, node):
        """Root of a daemon's REST interface."""
        return f"http://{self.ip(node)}:{REST_PORT}"

    def daemons(self):
        """The daemons in the order in which they start."""
        return self.peers() + ["scscf", "icscf", "pcscf"]

    def peers(self):
        """The lab's own HSS and policy server, which the CSCFs connect to."""
        return (["hss"] if self.own_hss else []) + {"rx": ["pcrf"], "n5": ["pcf"], "bsf": ["pcrf", "pcf"]}.get(self.policy, [])

    def diameter_nodes(self):
        """The nodes of the lab with a Diameter port."""
        return ["icscf", "scscf"] + [p for p in self.peers() if p in DIAMETER_NODES]

    def sbi_nodes(self):
        """The nodes of the lab with an HTTP/2 port for functions of a 5G core."""
        return ["pcscf", "pcf"] if self.policy in ("n5", "bsf") else []

    def lanes(self):
        """Which node an address belongs to, for ladders: "127.0.77.10" -> "pcscf"."""
        lanes = {self.ip(node): node for node in HOSTS}
        if self.ip6:
            lanes.update({self.sip6_ip(HOSTS[node]): node for node in SIP_PORTS})
        return lanes
