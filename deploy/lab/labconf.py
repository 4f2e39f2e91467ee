"""Configuration files of a lab: one per daemon, each with the shared part included, and the DNS zone."""

import os
import secrets

from labnet import DNS_PORT, REST_PORT, SBI_PORT, SIP_PORTS

CONSOLE = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", "console"))


class LabDir:
    """Where the files of one lab are."""

    def __init__(self, path):
        self.path = os.path.abspath(path)

    def conf(self, name):
        """A configuration file."""
        return os.path.join(self.path, "conf", name)

    def log(self, node):
        """The log of a process."""
        return os.path.join(self.path, "log", f"{node}.log")

    def state(self, node):
        """The state directory of a daemon."""
        return os.path.join(self.path, "state", node)

    @property
    def token_file(self):
        """The bearer token of every REST interface of the lab."""
        return os.path.join(self.path, "token")

    @property
    def lab_json(self):
        """What runs, where, as which process."""
        return os.path.join(self.path, "lab.json")


def write_private(path, text):
    """A file that only its owner reads."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as f:
        f.write(text)


def common_part(net, workers, with_dns):
    """What the three CSCFs share: PLMN, workers, names."""
    if with_dns:
        dns = f'dns:\n  servers: ["{net.ip("dns")}:{DNS_PORT}"]\n'
    else:
        hops = {net.domain: f"udp:{net.sip('icscf')}"}
        hops.update({net.name(n): f"udp:{net.sip(n)}" for n in SIP_PORTS})
        dns = "dns:\n  next_hops:\n" + "".join(f'    {name}: "{hop}"\n' for name, hop in hops.items())
    return (f'plmn: {{mcc: "{net.mcc}", mnc: "{net.mnc}"}}\n'
            f"workers: {workers}\n"
            f"{dns}"
            "log: {level: info}\n")


def cscf_part(net, labdir, node):
    """What only one CSCF has; the shared part is included."""
    listen = ", ".join(f'"{proto}:{ip}:{SIP_PORTS[node]}"' for ip in net.sip_ips(node) for proto in ("udp", "tcp"))
    others = ", ".join(f'"http://{net.ip(n)}:{REST_PORT}"' for n in SIP_PORTS if n != node)
    text = ("include: common.yaml\n"
            f'sip:\n  listen: [{listen}]\n  name: {net.name(node)}\n'
            f'rest: {{listen: "{net.ip(node)}:{REST_PORT}", token_file: {labdir.token_file}, console_dir: {CONSOLE}, neighbours: [{others}]}}\n'
            f"state: {{dir: {labdir.state(node)}}}\n")
    if node == "pcscf":
        trusted = ", ".join(f'"{ip.strip("[]")}"' for n in ("icscf", "scscf") for ip in net.sip_ips(n))
        return text + f"access: {{trusted: [{trusted}]}}\n" + policy_part(net)
    text += (f'diameter:\n  identity: {net.name(node)}\n  listen: "{net.ip(node)}:{net.diameter_port[node]}"\n'
             f'  peers: [{{identity: {net.hss["identity"]}, address: "{net.hss["address"]}", port: {net.hss["port"]}}}]\n')
    if node == "icscf":
        text += f'selection: {{default_server: "sip:{net.name("scscf")}:{SIP_PORTS["scscf"]}"}}\n'
    return text


def policy_part(net):
    """Whom the P-CSCF asks about bearers."""
    if net.policy == "off":
        return ""
    n5 = f'  n5: {{{"bsf" if net.policy == "bsf" else "pcf"}: "http://{net.ip("pcf")}:{SBI_PORT}", listen: "{net.ip("pcscf")}:{SBI_PORT}", dnn: ims}}\n'
    if net.policy == "n5":
        return "policy:\n  mode: n5\n" + n5
    return (f'diameter:\n  identity: {net.name("pcscf")}\n'
            f'  peers: [{{identity: {net.name("pcrf")}, address: "{net.ip("pcrf")}", port: {net.diameter_port["pcrf"]}}}]\n'
            f"policy:\n  mode: {net.policy}\n" + (n5 if net.policy == "bsf" else ""))


def pcrf_part(net, labdir):
    """The lab PCRF."""
    return (f'plmn: {{mcc: "{net.mcc}", mnc: "{net.mnc}"}}\n'
            f'diameter: {{identity: {net.name("pcrf")}, listen: "{net.ip("pcrf")}:{net.diameter_port["pcrf"]}"}}\n'
            f'rest: {{listen: "{net.ip("pcrf")}:{REST_PORT}", token_file: {labdir.token_file}}}\n')


def pcf_part(net, labdir):
    """The lab PCF, with NRF, BSF, SCP and token server at the same address."""
    return (f'plmn: {{mcc: "{net.mcc}", mnc: "{net.mnc}"}}\n'
            f'sbi: {{listen: "{net.ip("pcf")}:{SBI_PORT}"}}\n'
            f'rest: {{listen: "{net.ip("pcf")}:{REST_PORT}", token_file: {labdir.token_file}}}\n')


def hss_part(net, labdir, subscribers):
    """The lab HSS."""
    return (f'plmn: {{mcc: "{net.mcc}", mnc: "{net.mnc}"}}\n'
            f'diameter: {{identity: {net.name("hss")}, listen: "{net.ip("hss")}:{net.diameter_port["hss"]}"}}\n'
            f'rest: {{listen: "{net.ip("hss")}:{REST_PORT}", token_file: {labdir.token_file}}}\n'
            f"state: {{dir: {labdir.state('hss')}}}\n"
            f"subscribers_file: {subscribers}\n")


def dnsmasq_part(net):
    """The zone of an IMS domain: NAPTR and SRV at the apex lead to the I-CSCF (RFC 3263 §4, TS 23.228 §5.1.2)."""
    text = (f"port={DNS_PORT}\nlisten-address={net.ip('dns')}\nbind-interfaces\n"
            "no-resolv\nno-hosts\nno-poll\nuser=root\ngroup=root\nlog-facility=-\n"
            f"local=/{net.domain}/\n"
            f"naptr-record={net.domain},10,50,s,SIP+D2U,,_sip._udp.{net.domain}\n"
            f"naptr-record={net.domain},20,50,s,SIP+D2T,,_sip._tcp.{net.domain}\n")
    for proto in ("udp", "tcp"):
        text += f"srv-host=_sip._{proto}.{net.domain},{net.name('icscf')},{SIP_PORTS['icscf']},0,100\n"
        for node, port in SIP_PORTS.items():
            text += f"srv-host=_sip._{proto}.{net.name(node)},{net.name(node)},{port},0,100\n"
    for node in ("pcscf", "icscf", "scscf", "hss", "as"):
        addresses = net.sip_ips(node) if node in SIP_PORTS else [net.ip(node)]
        text += f"host-record={net.name(node)},{','.join(a.strip('[]') for a in sorted(addresses))},60\n"
    return text


def write_all(net, labdir, subscribers, workers, with_dns, extra=None):
    """Every file of the lab except lab.json.  Returns {node: configuration file}.

    `extra` is {node: YAML}: what it says wins over what the lab would write, which is included under it.
    """
    for sub in ("conf", "log", "state"):
        os.makedirs(os.path.join(labdir.path, sub), mode=0o700, exist_ok=True)
    write_private(labdir.token_file, secrets.token_hex(24) + "\n")
    write_private(labdir.conf("common.yaml"), common_part(net, workers, with_dns))
    configs = {node: labdir.conf(f"{node}.yaml") for node in SIP_PORTS}
    for node, path in configs.items():
        write_private(path, cscf_part(net, labdir, node))
    if net.own_hss:
        configs["hss"] = labdir.conf("hss.yaml")
        write_private(configs["hss"], hss_part(net, labdir, subscribers))
    if "pcrf" in net.peers():
        configs["pcrf"] = labdir.conf("pcrf.yaml")
        write_private(configs["pcrf"], pcrf_part(net, labdir))
    if "pcf" in net.peers():
        configs["pcf"] = labdir.conf("pcf.yaml")
        write_private(configs["pcf"], pcf_part(net, labdir))
    for node, text in (extra or {}).items():
        base = labdir.conf(f"{node}.lab.yaml")
        os.rename(configs[node], base)
        write_private(configs[node], f"include: {os.path.basename(base)}\n{text}")
    if with_dns:
        configs["dns"] = labdir.conf("dnsmasq.conf")
        write_private(configs["dns"], dnsmasq_part(net))
    return configs
