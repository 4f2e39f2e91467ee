"""dropin.py BUILD - deploy/docker in the places of docker_open5gs' CSCFs, deploy/systemd: rows Y4, S18, F26.  In a network namespace of its own."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap

from cases import Cases, Fail, Skip, check, equal, wait_for
from core import K, OPC, SANITIZER, TOP, Rest

# docker_open5gs' .env as it is delivered.
ENV = {"MCC": "001", "MNC": "01", "DNS_IP": "172.22.0.15", "PYHSS_IP": "172.22.0.18", "PYHSS_BIND_PORT": "3875", "HSS_IP": "172.22.0.3",
       "HSS_BIND_PORT": "3868", "ICSCF_IP": "172.22.0.19", "ICSCF_BIND_PORT": "3869", "SCSCF_IP": "172.22.0.20", "SCSCF_BIND_PORT": "3870",
       "PCSCF_IP": "172.22.0.21", "PCSCF_BIND_PORT": "3871", "RTPENGINE_IP": "172.22.0.16", "PCRF_IP": "172.22.0.4", "PCRF_BIND_PORT": "3873",
       "SCP_IP": "172.22.0.35", "UPF_IP": "172.22.0.8",
       "UE_IPV4_INTERNET": "192.168.100.0/24", "UE_IPV4_IMS": "192.168.101.0/24", "MYSQL_IP": "172.22.0.17"}
IMS = "ims.mnc001.mcc001.3gppnetwork.org"
PHONES = ("192.168.101.2", "192.168.101.3")
NODES = {"icscf": "172.22.0.19", "scscf": "172.22.0.20", "pcscf": "172.22.0.21"}
ENTRY = os.path.join(TOP, "deploy", "docker", "entrypoint.sh")
UNITS = {"pcscf": 2.0, "icscf": 1.5, "scscf": 1.5}		# the exposure of `systemd-analyze security` at most
# The zone of its BIND: NAPTR and SRV at the apex and no address there, SRV and A for each host, nothing of IPv6.
ZONE = (f"port=53\nlisten-address=172.22.0.15\nbind-interfaces\nno-resolv\nno-hosts\nuser=root\nlog-facility=-\nlocal=/{IMS}/\n"
        f"naptr-record={IMS},10,50,s,SIP+D2T,,_sip._tcp.{IMS}\nnaptr-record={IMS},10,50,s,SIP+D2U,,_sip._udp.{IMS}\n"
        + "".join(f"srv-host=_sip._{t}.{IMS},icscf.{IMS},4060,0,100\n" for t in ("udp", "tcp"))
        + "".join(f"srv-host=_sip._{t}.{n}.{IMS},{n}.{IMS},{p},0,100\n" for t in ("udp", "tcp") for n, p in (("pcscf", 5060), ("scscf", 6060)))
        + "".join(f"host-record={n}.{IMS},{a}\n" for n, a in NODES.items()) + f"host-record=hss.{IMS},172.22.0.18\n")


class DropIn:
    """The core in a folder."""

    def __init__(self, build):
        self.build, self.dir = os.path.abspath(build), tempfile.mkdtemp(prefix="cscf-test-")
        self.processes, self.logs = [], []

    def write(self, name, text):
        """A file of this run."""
        path = os.path.join(self.dir, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def start(self, name, argv, env=None):
        """A process with its log."""
        self.logs.append(os.path.join(self.dir, name + ".log"))
        with open(self.logs[-1], "wb") as log:
            self.processes.append(subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env))

    def env(self, node, **more):
        """What the container of that node sees."""
        path = ":".join(os.path.join(self.build, n) for n in NODES) + ":" + os.environ["PATH"]
        return {**ENV, "PATH": path, "COMPONENT_NAME": node, "CSCF_DIR": os.path.join(self.dir, node), "CSCF_REST_TOKEN": "a-test-token",
                "CSCF_REST_ADDRESS": NODES.get(node, ""), "CSCF_IPSEC": "off", **more}

    def printed(self, node, **more):
        """(exit status, output) of the entry point with --print."""
        p = subprocess.run([ENTRY, "--print"], env=self.env(node, **more), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        return p.returncode, p.stdout

    # ---- cases ----

    def units(self, node):
        """S18: the unit is one that systemd takes, and shows little."""
        if not shutil.which("systemd-analyze"):
            raise Skip("systemd-analyze is not installed (package systemd)")
        with open(os.path.join(TOP, "deploy", "systemd", node + ".service.in"), encoding="utf-8") as f:
            text = f.read()
        text = text.replace("@sbindir@", os.path.join(self.build, node)).replace("@sysconfdir@", self.dir)
        path = self.write(node + ".service", text.replace("Documentation=man:", "# man "))
        p = subprocess.run(["systemd-analyze", "verify", "--man=no", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        own = [line for line in p.stdout.splitlines() if node + ".service" in line]
        equal(own, [], "systemd-analyze verify")
        p = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", path], stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True, check=False)
        m = re.search(r"exposure level for \S+: ([0-9.]+)", p.stdout)
        check(m, p.stdout[-500:])
        check(float(m.group(1)) <= UNITS[node], f"exposure {m.group(1)}, {UNITS[node]} at most")

    def entry(self):
        """Every combination of variables gives a configuration that -t takes; wrong ones are named, with status 78."""
        for node in NODES:
            for more in ({}, {"HSS_CX": "open5gs"}, {"DEPLOY_MODE": "4G"}, {"DEPLOY_MODE": "5G"}, {"CSCF_IPSEC": "require"}, {"CSCF_MEDIA": "nat", "DEPLOY_MODE": "4G"}, {"CSCF_IPSEC": "prefer", "MNC": "070", "MCC": "901"}):
                os.makedirs(os.path.join(self.dir, node), exist_ok=True)
                self.write(os.path.join(node, "token"), "a-test-token\n")
                status, out = self.printed(node, **more)
                equal(status, 0, out)
                path = self.write(f"{node}.print.yaml", out)
                p = subprocess.run([os.path.join(self.build, node, node + "d"), "-t", "-c", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   text=True, check=False)
                equal(p.returncode, 0, f"{node} {more}: {p.stdout}")
                os.unlink(os.path.join(self.dir, node, "token"))
        for node, more in (("hss", {}), ("pcscf", {"MNC": "1"}), ("pcscf", {"CSCF_IPSEC": "perhaps"}), ("scscf", {"HSS_CX": "other"}), ("pcscf", {"CSCF_MEDIA": "sometimes"})):
            status, out = self.printed(node, **more)
            check(status == 78 and "entrypoint: " in out, f"{node} {more}: {status} {out}")
        status, out = self.printed("icscf", PCSCF_IP="")
        check(status != 0 and "PCSCF_IP is not set" in out, f"no PCSCF_IP: {status} {out}")

    def pages(self):
        """The YAML of deploy/open5gs/*.md, over what the entry point writes for that node, is a configuration that -t takes."""
        seen = 0
        for page, node, before in (("volte", "pcscf", ""), ("vonr", "pcscf", ""), ("pyhss", "scscf", ""), ("phone", "pcscf", ""), ("vowifi", "pcscf", "volte")):
            text = (self.blocks(before) if before else "") + self.blocks(page)
            check(text, f"{page}.md has no configuration")
            os.makedirs(os.path.join(self.dir, node), exist_ok=True)
            token = self.write(os.path.join(node, "token"), "a-test-token\n")
            base = self.write(f"{page}.base.yaml", self.printed(node)[1])
            parts = ""
            for n, part in enumerate(re.split(r"(?m)^(?=\S)", text)):
                if part.strip():		# a file for each first-level key: two pages may both speak of one
                    parts = self.write(f"{page}.{n}.yaml", f"include: {os.path.basename(parts or base)}\n{part}")
            p = subprocess.run([os.path.join(self.build, node, node + "d"), "-t", "-c", parts], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True, check=False)
            equal(p.returncode, 0, f"{page}.md: {p.stdout}")
            os.unlink(token)
            seen += 1
        equal(seen, 5, "pages")

    def blocks(self, page):
        """The YAML blocks of a page: indented, beginning with a first-level key."""
        with open(os.path.join(TOP, "deploy", "open5gs", page + ".md"), encoding="utf-8") as f:
            found = re.findall(r"(?m)(?:^ {4,}\S.*\n)+", f.read())
        found = [textwrap.dedent(b) for b in found]
        return "".join(b for b in found if re.match(r"(access|policy|media|diameter|selection):\n", b))

    def up(self):
        """DNS, a HSS in PyHSS' place, the three containers' processes; ready with the HSS."""
        for host in [*NODES.values(), "172.22.0.15", "172.22.0.18", *PHONES]:
            subprocess.run(["ip", "addr", "add", host + "/32", "dev", "lo"], check=True)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        subs = self.write("subscribers.yaml", "".join(f'- {{imsi: "00101000000000{n}", msisdn: "4915200000{n}", k: "{K}", opc: "{OPC}", amf: "8000"}}\n'
                                                      for n in (1, 2)))
        hss = self.write("hss.yaml", f'plmn: {{mcc: "001", mnc: "01"}}\ndiameter: {{identity: hss.{IMS}, listen: "172.22.0.18:3875"}}\n'
                         f'rest: {{listen: "172.22.0.18:8080", token: a-test-token}}\nstate: {{dir: {self.dir}/hss}}\nsubscribers_file: {subs}\n')
        self.start("dns", ["dnsmasq", "-k", "-C", self.write("dnsmasq.conf", ZONE)])
        self.start("hss", [os.path.join(self.build, "tests/hss/labhssd"), "-c", hss])
        for node in NODES:
            extra = self.write(node + ".extra.yaml", f"state: {{dir: {self.dir}/state.{node}}}\n")
            self.start(node, [ENTRY], self.env(node, CSCF_EXTRA=extra))
        for node, ip in NODES.items():
            wait_for(lambda i=ip: self.ready(i), 20, f"{node} ready")

    def ready(self, ip):
        """/readyz says yes."""
        try:
            return Rest(f"http://{ip}:8080", "a-test-token").ready()[0]
        except OSError:
            return False

    def phone(self, n, commands):
        """A phone on the IMS APN; its events."""
        argv = [os.path.join(self.build, "tests/ue/imsue"), "--pcscf", "udp:172.22.0.21:5060", "--bind", PHONES[n - 1], "--mcc", "001", "--mnc", "01",
                "--imsi", f"00101000000000{n}", "--msisdn", f"4915200000{n}", "--k", K, "--opc", OPC, "--amf", "8000", "-e", commands]
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def call(self):
        """Both register at the address that the SMF gave them, one sends a text and calls the other."""
        b = self.phone(2, "register; wait message-received 20; wait ended 20; deregister")
        wait_for(lambda: self.count("scscf") == 1, 15, "the registration of B")
        a = self.phone(1, "register; message +49152000002 hello; call +49152000002; wait answered 15; pause 0.3; hangup; deregister")
        for name, p in (("A", a), ("B", b)):
            try:
                out, _ = p.communicate(timeout=60)
            except subprocess.TimeoutExpired:
                p.kill()
                raise Fail(f"phone {name} did not end: {p.communicate()[0][-1500:]}") from None
            equal(p.returncode, 0, f"phone {name}: {out[-1500:]}")
        wait_for(lambda: self.count("scscf") == 0, 5, "the end of all registrations")

    def count(self, node):
        """Registrations that are listed."""
        doc = Rest(f"http://{NODES[node]}:8080", "a-test-token").items("/api/v1/registrations")
        return len([r for r in doc if r.get("state") != "unregistered"])

    def image(self):
        """The image's packages are those whose libraries the daemons are linked with: no one is missing, none is for nothing."""
        needed = set()
        for node in NODES:
            out = subprocess.run(["readelf", "-d", os.path.join(self.build, node, node + "d")], stdout=subprocess.PIPE, text=True, check=True).stdout
            needed |= set(re.findall(r"\(NEEDED\).*\[(.+)\]", out))
        packages = set()
        for soname in needed - {"libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2", "libgcc_s.so.1"}:
            out = subprocess.run(["dpkg", "-S", "*/" + soname], stdout=subprocess.PIPE, text=True, check=True).stdout
            packages.add(out.split(":")[0])
        with open(os.path.join(TOP, "deploy", "docker", "Dockerfile"), encoding="utf-8") as f:
            runtime = f.read().split("FROM debian:12-slim\nRUN", 1)[1].split("rm -rf", 1)[0]
        check({"python3", "ca-certificates"} <= set(runtime.split()), "cscfctl needs the whole of Python, and whom to trust")
        equal(sorted(p for p in re.findall(r"\blib[a-z0-9.+-]+", runtime)), sorted(packages), "packages of the image")

    def stop(self):
        """SIGTERM, as `docker stop` does it: status 0, nothing bad in the logs."""
        for p in reversed(self.processes):
            p.send_signal(signal.SIGTERM)
        for p in self.processes[1:]:
            equal(p.wait(20), 0, "exit status")
        for path in self.logs[1:]:
            with open(path, encoding="utf-8", errors="replace") as f:
                text = f.read()
            check(not SANITIZER.search(text) and not re.search(r"^\S+ E ", text, re.M), text[-1500:])

    def end(self):
        """Whatever is left."""
        for p in self.processes:
            if p.poll() is None:
                p.kill()
            p.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


def main():
    """The script."""
    cases, d = Cases(), DropIn(sys.argv[1])
    try:
        for node in NODES:
            cases.run(f"S18 {node}.service", d.units, node)
        cases.run("Y4 the packages of the image", d.image)
        cases.run("Y4 the entry point's configurations", d.entry)
        cases.run("Y4 the pages' configurations", d.pages)
        if cases.run("Y4 the three containers come up by docker_open5gs' .env", d.up):
            cases.run("Y4 registration, message and call as in that network", d.call)
        cases.run("they stop as `docker stop` asks", d.stop)
    finally:
        d.end()
    cases.end()


main()
