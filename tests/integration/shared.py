"""shared.py BUILD NET WORKERS - two S-CSCFs that share registrations by Redis: rows H1, H6; reliability F1, F15.

A and B have one name, as DNS has it, one key of tokens and one redis-server.  This script is the phones and the P-CSCF before them, so that it
says which of the two serves: who registered through one is served by the other; one is killed, the other carries on; the server is killed
and comes back empty; both change one registration at once; what runs out is ended once.  All of it over TLS with certificates on both
sides; CSCF_REDIS=clear: in clear.
"""

import os
import re
import signal
import socket
import ssl
import subprocess
import sys

from cases import Cases, check, equal, wait_for
from core import Core, Sub, settle, start_time
from phone import Dialog, Phone

REDIS = "/usr/bin/redis-check-rdb"		# of redis-tools, which starts no service; it is what it is called as
ALICE, BOB, CAROL, DAVE, EVE, FRANK = (Sub(n, password="shared") for n in range(1, 7))
PASSWORD = "between-us"
TAKEOVER_S = 10		# SHARE_TAKEOVER_MS


class Certs:
    """An authority, a certificate for the server and one for its clients, in a folder."""

    NAME = "redis.example"

    def __init__(self, folder):
        self.dir = folder
        self.run("redis-ca", "basicConstraints=critical,CA:TRUE")
        for name in (self.NAME, "redis-client"):
            self.run(name, f"subjectAltName=DNS:{name}", "-CA", self.path("redis-ca"), "-CAkey", self.path("redis-ca", "key"), "-addext",
                     "basicConstraints=critical,CA:FALSE")

    def path(self, name, ext="pem"):
        """Where it is."""
        return os.path.join(self.dir, f"{name}.{ext}")

    def run(self, name, extension, *more):
        """openssl req: a key and a certificate."""
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                        f"/CN={name}", "-keyout", self.path(name, "key"), "-out", self.path(name), "-addext", extension, *more],
                       stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)

    def setting(self):
        """state.redis.tls."""
        return (f", tls: {{ca_file: {self.path('redis-ca')}, cert_file: {self.path('redis-client')}, key_file: {self.path('redis-client', 'key')}, "
                f"server_name: {self.NAME}}}")

    def options(self):
        """The server's."""
        return ["--port", "0", "--tls-port", "6379", "--tls-cert-file", self.path(self.NAME), "--tls-key-file", self.path(self.NAME, "key"),
                "--tls-ca-cert-file", self.path("redis-ca"), "--tls-auth-clients", "yes"]

    def wrap(self, s):
        """This script's own connection."""
        c = ssl.create_default_context(cafile=self.path("redis-ca"))
        c.load_cert_chain(self.path("redis-client"), self.path("redis-client", "key"))
        return c.wrap_socket(s, server_hostname=self.NAME)


class Server:
    """A redis-server of this script, at one address; what it has is gone when it is killed.  certs None: in clear."""

    def __init__(self, ip, folder, certs):
        self.ip, self.folder, self.certs, self.p = ip, folder, certs, None

    def start(self):
        """Until it answers."""
        how = self.certs.options() if self.certs else ["--port", "6379"]
        self.p = subprocess.Popen(["redis-server", "--bind", self.ip, *how, "--save", "", "--requirepass", PASSWORD, "--dir", self.folder],
                                  executable=REDIS, stdout=subprocess.DEVNULL)
        wait_for(lambda: self.ask("PING") == "+PONG", 10, "redis-server")

    def ask(self, *words):
        """One line of its answer to a command; empty when there is none."""
        try:
            with socket.create_connection((self.ip, 6379), 2) as plain, (self.certs.wrap(plain) if self.certs else plain) as s:
                s.sendall(f"AUTH {PASSWORD}\r\n{' '.join(words)}\r\n".encode())
                f = s.makefile("r", encoding="utf-8")
                f.readline()
                return f.readline().strip()
        except OSError:
            return ""

    def signal(self, n):
        """STOP, CONT."""
        self.p.send_signal(n)

    def kill(self):
        """kill -9."""
        if self.p:
            self.p.kill()
            self.p.wait()


class User(Phone):
    """A phone that answers whoever asked."""

    peer = None

    def read(self, seconds):
        self.sock.settimeout(max(seconds, 0.001))
        try:
            data, self.peer = self.sock.recvfrom(65536)
        except (socket.timeout, BlockingIOError):
            return False
        self._take(data)
        return True

    def reply(self, req, status, reason="x", headers=None, body="", tag=None):
        before, self.proxy = self.proxy, self.peer
        try:
            return super().reply(req, status, reason, headers, body, tag)
        finally:
            self.proxy = before


class Pair:
    """The cases, in their order."""

    def __init__(self, core, server, b_config):
        self.core, self.server = core, server
        self.addresses = {"scscf": (core.ip(30), 6060), "scscf-b": (core.ip(31), 6060)}
        core.doc["configs"]["scscf-b"], core.doc["logs"]["scscf-b"] = b_config, core.doc["logs"]["scscf"].replace("scscf.log", "scscf-b.log")
        core.doc["rest"]["scscf-b"] = core.doc["rest"]["scscf"].replace(".30:", ".31:")
        core.doc["pids"]["scscf-b"] = core.doc["started"]["scscf-b"] = 0
        core.start_node("scscf-b")
        core.wait_ready("scscf-b")
        core.wait_ready("scscf")
        self.phones = {s: User(core, s, core.ip(10 + 90 + n), port=0) for n, s in enumerate((ALICE, BOB, CAROL, DAVE, EVE, FRANK))}
        self.routes, self.call = {}, None

    def close(self):
        """The phones go."""
        for p in self.phones.values():
            p.close()

    # ---- what a P-CSCF does ----

    def register(self, sub, node, expires=600, phone=None):
        """At one of them; the 200."""
        p = phone or self.phones[sub]
        p.proxy = self.addresses[node]
        path = f"<sip:path@{p.ip}:{p.port};lr>"
        r = p.register(expires, {"Path": path, "Require": "path"})
        equal(r.status, 200, f"REGISTER of {sub.imsi} at {node}")
        if expires:
            self.routes[sub] = r.get("Service-Route")
        return r

    def contacts(self, node, sub):
        """How many it lists."""
        return [c for r in self.core.registered(node, sub) for c in r["contacts"]]

    def knows(self, node, sub, n=1, seconds=5):
        """Until it does."""
        wait_for(lambda: len(self.contacts(node, sub)) == n, seconds, f"{n} contacts of {sub.imsi} at {node}")

    def message(self, node, sender, to):
        """MESSAGE to a user, through one of them."""
        a, b = self.phones[sender], self.phones[to]
        a.proxy = self.addresses[node]
        req = a.start("MESSAGE", self.core.number(to), {"P-Asserted-Identity": f"<{a.impu}>", "Contact": None}, "hello")
        seen = b.incoming("MESSAGE")
        b.reply(seen, 200, "OK")
        equal(a.final(req).status, 200, f"MESSAGE through {node}")

    def dial(self, node, caller, callee):
        """A call of a registered user, by the Service-Route that the registration gave."""
        a, b = self.phones[caller], self.phones[callee]
        a.proxy = self.addresses[node]
        inv = a.invite(self.core.number(callee), {"Route": self.routes[caller], "P-Asserted-Identity": f"<{a.impu}>"})
        seen = b.incoming("INVITE")
        b.reply(seen, 180, "Ringing")
        ok = b.reply(seen, 200, "OK", body=b.sdp())
        r = a.final(inv)
        equal(r.status, 200, f"the call through {node}")
        da = Dialog(a, inv, r, True)
        da.ack(inv)
        b.incoming("ACK")
        return da, Dialog(b, seen, ok, False)

    def within(self, node, end, method):
        """A request in the dialog, through one of them; a 2xx to INVITE hears its ACK."""
        da, db = self.call if end == 0 else self.call[::-1]
        da.phone.proxy = self.addresses[node]
        req = da.start(method, body=da.phone.sdp() if method == "INVITE" else "")
        seen = db.phone.incoming(method)
        db.phone.reply(seen, 200, "OK", body=db.phone.sdp() if method == "INVITE" else "")
        equal(da.phone.final(req).status, 200, f"{method} in the dialog through {node}")
        if method == "INVITE":
            da.ack(req)
            db.phone.incoming("ACK")

    def alarm(self, node):
        """The one of the shared store."""
        return [a for a in self.core.rest(node).items("/api/v1/alarms") if a["alarmId"] == "state"]

    def figure(self, node, name):
        """Of /metrics, 0 when it is not there."""
        m = re.search(rf"^{re.escape(name)} (\d+)$", self.core.rest(node).get("/metrics"), re.M)
        return int(m.group(1)) if m else 0

    # ---- cases ----

    def either(self):
        """Registered at A, known at B."""
        self.register(ALICE, "scscf")
        self.register(BOB, "scscf")
        self.knows("scscf-b", ALICE)
        self.knows("scscf-b", BOB)
        self.message("scscf-b", CAROL, BOB)
        self.register(CAROL, "scscf-b")
        self.knows("scscf", CAROL)
        self.message("scscf", ALICE, CAROL)

    def certificates(self):
        """What the shared store is reached with is listed, with its end."""
        uses = {c["use"] for c in self.core.rest("scscf").items("/api/v1/tls/certificates")}
        equal(uses, {"state.redis.tls.cert_file", "state.redis.tls.ca_file"} if self.server.certs else set(), "certificates")

    def calls(self):
        """By a Service-Route of A, through B; changed through A."""
        self.call = self.dial("scscf-b", ALICE, BOB)
        self.within("scscf", 0, "INVITE")
        self.within("scscf-b", 1, "INVITE")

    def refresh(self):
        """A refresh at B of what A wrote is a refresh: one contact, one registration, the same Service-Route token."""
        before = self.routes[BOB]
        self.register(BOB, "scscf-b")
        equal(self.routes[BOB].split("@")[0], before.split("@")[0], "the token of its Service-Route")
        equal([len(self.contacts(n, BOB)) for n in self.addresses], [1, 1], "contacts")

    def server_away(self):
        """F15: nobody notices but the operator; what happened meanwhile is told afterwards, to a server that has lost everything."""
        self.server.kill()
        for n in self.addresses:
            wait_for(lambda n=n: self.alarm(n), 5, f"the alarm of {n}")
        self.register(DAVE, "scscf", 600)
        self.message("scscf-b", CAROL, BOB)
        self.within("scscf-b", 0, "INVITE")
        equal(self.contacts("scscf-b", DAVE), [], "what B can know of dave")
        self.server.start()
        self.knows("scscf-b", DAVE, seconds=10)
        for n in self.addresses:
            wait_for(lambda n=n: not self.alarm(n), 10, f"the end of the alarm of {n}")
        wait_for(lambda: int(self.server.ask("DBSIZE")[1:]) >= 4, 10, "the records of before, written anew, by")

    def both_at_once(self):
        """Two phones of one user, at two instances that do not hear of each other: none of them is lost."""
        with User(self.core, FRANK, self.core.ip(120), port=0) as other:
            self.server.signal(signal.SIGSTOP)
            try:
                self.register(FRANK, "scscf")
                self.register(FRANK, "scscf-b", phone=other)
            finally:
                self.server.signal(signal.SIGCONT)
            for n in self.addresses:
                self.knows(n, FRANK, 2, 15)
        check(self.figure("scscf", 'cscf_store_shared_total{what="conflict",table="registration"}')
              + self.figure("scscf-b", 'cscf_store_shared_total{what="conflict",table="registration"}') >= 1, "nobody met a conflict")

    def killed(self):
        """A is killed: B has it all."""
        self.core.stop_node("scscf", signal.SIGKILL)
        self.within("scscf-b", 1, "INVITE")
        self.within("scscf-b", 0, "BYE")
        self.message("scscf-b", CAROL, BOB)
        self.call = self.dial("scscf-b", ALICE, BOB)
        self.within("scscf-b", 1, "BYE")
        self.register(ALICE, "scscf-b")
        equal(len(self.contacts("scscf-b", ALICE)), 1, "contacts after the refresh")
        self.register(ALICE, "scscf-b", 0)
        equal(self.contacts("scscf-b", ALICE), [], "contacts after she has left")

    def back(self):
        """A comes back: what ended meanwhile has ended there, too."""
        self.core.start_node("scscf")
        self.core.wait_ready("scscf")
        equal(self.contacts("scscf", ALICE), [], "she does not come back")
        for s in (BOB, CAROL, DAVE):
            self.knows("scscf", s)
        self.knows("scscf", FRANK, 2)
        self.message("scscf", CAROL, BOB)

    def expires(self):
        """What runs out is ended by who wrote it, once."""
        name = 'cscf_registrar_outcomes_total{kind="network",cause="expired"}'
        before = [self.figure(n, name) for n in self.addresses]
        self.register(EVE, "scscf", 5)		# longer than a busy machine takes to tell the other
        self.knows("scscf-b", EVE)
        for n in self.addresses:
            self.knows(n, EVE, 0, 10)
        equal([self.figure(n, name) - f for n, f in zip(self.addresses, before)], [1, 0], "registrations ended for their time")

    def takes_over(self):
        """Nobody is there who wrote it: another ends it, a while later."""
        name = 'cscf_registrar_outcomes_total{kind="network",cause="expired"}'
        before = self.figure("scscf-b", name)
        self.register(EVE, "scscf", 5)
        self.knows("scscf-b", EVE)
        self.core.stop_node("scscf", signal.SIGKILL)
        self.knows("scscf-b", EVE, 0, 2 * TAKEOVER_S + 10)
        equal(self.figure("scscf-b", name) - before, 1, "registrations ended for their time")
        self.core.start_node("scscf")
        self.core.wait_ready("scscf")
        settle(1)
        equal(self.contacts("scscf", EVE), [], "and it does not come back")

    def rows(self):
        """What runs."""
        return [("a user of one is served by the other", self.either), ("O1 certificates of Redis", self.certificates), ("a call by either", self.calls), ("a refresh at the other", self.refresh),
                ("F15 Redis is killed and comes back empty", self.server_away), ("both change a registration at once", self.both_at_once),
                ("F1 one is killed, the other carries on", self.killed), ("F1 it comes back, and nothing that ended does", self.back),
                ("one of them ends what runs out", self.expires), ("the other does when that one is gone", self.takes_over)]


def second_config(core):
    """A's configuration with B's addresses, identity and folder: the path of it."""
    path, port = core.doc["configs"]["scscf"], int(core.doc["diameter"]["scscf"].rpartition(":")[2])
    changes = ((".30:", ".31:"), (f":{port}", f":{port + 40}"), ("/state/scscf", "/state/scscf-b"), ("instance: a", "instance: b"),
               ("identity: scscf.", "identity: scscf-b."), ("scscf.lab.yaml", "scscf-b.lab.yaml"))
    for name in ("scscf.lab.yaml", "scscf.yaml"):
        with open(os.path.join(os.path.dirname(path), name), encoding="utf-8") as f:
            text = f.read()
        for old, new in changes:
            text = text.replace(old, new)
        with open(os.path.join(os.path.dirname(path), name.replace("scscf", "scscf-b")), "w", encoding="utf-8") as f:
            f.write(text)
    return path.replace("scscf.yaml", "scscf-b.yaml")


def two_addresses(core):
    """DNS has both for the name that they share."""
    with open(core.doc["configs"]["dns"], "a", encoding="utf-8") as f:
        f.write(f"host-record=scscf.{core.domain},{core.ip(31)},60\n")
    core.stop_node("dns", signal.SIGTERM)
    with open(core.doc["logs"]["dns"], "ab") as log:
        p = subprocess.Popen(["dnsmasq", "--keep-in-foreground", "--conf-file=" + core.doc["configs"]["dns"]], stdin=subprocess.DEVNULL,
                             stdout=log, stderr=log, start_new_session=True)
    core.own.append(p)
    core.doc["pids"]["dns"], core.doc["started"]["dns"] = p.pid, start_time(p.pid)


def main():
    """The script."""
    build, net, workers = os.path.abspath(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    if not os.access(REDIS, os.X_OK):
        print("redis-server is not installed (package redis-tools)")
        sys.exit(77)
    with open(build + "/Makefile", encoding="utf-8") as f:
        if not re.search(r"^HIREDIS_LIBS = .+", f.read(), re.M):
            print("this build is without hiredis (libhiredis-dev)")
            sys.exit(77)
    cases = Cases()
    core = Core(build, net, [ALICE, BOB, CAROL, DAVE, EVE, FRANK], workers)
    certs = None if os.environ.get("CSCF_REDIS") == "clear" else Certs(core.dir)
    key, server = core.dir + "/shared.key", Server(f"{net}.50", core.dir, certs)
    with open(key, "wb") as f:
        f.write(os.urandom(16))
    os.chmod(key, 0o600)
    state = (f"state: {{backend: redis, token_key_file: \"{key}\", redis: {{servers: [\"{net}.50:6379\"], password: {PASSWORD}, instance: a, "
             f"timeout_ms: 500{certs.setting() if certs else ''}}}}}\nregistrar: {{min_expires_s: 1}}\n")
    wait = "sip: {next_hop_wait_ms: 300}\n"		# until the other address of a name is tried
    # The lab HSS tells S-CSCFs apart by their Diameter identity; these two are one, by its name.
    core.extra = {"scscf": state + wait, "icscf": wait, "hss": "hss: {rtr_on_new_server: false}\n"}
    server.start()
    script = None
    try:
        with core:
            two_addresses(core)
            script = Pair(core, server, second_config(core))
            for name, fn, *args in script.rows():
                cases.run(name, fn, *args)
    finally:
        server.kill()
        if script:
            script.close()
    core.finish(cases)
    cases.end()


main()
