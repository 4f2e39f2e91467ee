"""rest.py BUILD NET - the REST interface of one daemon as an operator sees it, over TLS and the unix socket.  Rows O1-O3; U7, U14."""

import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import warnings

from cases import Cases, Fail, Skip, check, equal, wait_for
from core import MCC, MNC, SANITIZER, Rest, RestError

TOKENS = {"view": "v" * 32, "operate": "o" * 32, "admin": "a" * 32}
START_S = 15


def certificates(folder):
    """CA, server and client certificates, and a client's of somebody else's CA: files by name."""
    if not shutil.which("openssl"):
        raise Skip("openssl is not installed (package openssl)")

    def run(*argv):
        subprocess.run(["openssl", *argv], cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    for ca in ("ca", "other"):
        run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN={ca}", "-keyout",
            f"{ca}.key", "-out", f"{ca}.pem")
    for name, ca, more in (("server", "ca", "subjectAltName=IP:{ip}"), ("client", "ca", "extendedKeyUsage=clientAuth"),
                           ("stranger", "other", "extendedKeyUsage=clientAuth")):
        with open(os.path.join(folder, "ext"), "w", encoding="ascii") as f:
            f.write(more.format(ip=IP) + "\n")
        run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out",
            f"{name}.csr")
        run("x509", "-req", "-in", f"{name}.csr", "-CA", f"{ca}.pem", "-CAkey", f"{ca}.key", "-CAcreateserial", "-days", "2", "-extfile", "ext",
            "-out", f"{name}.pem")


class Daemon:
    """A pcscfd that has no core behind it."""

    def __init__(self, build, folder, rest):
        self.dir, self.rest = folder, rest
        self.program = os.path.join(os.path.abspath(build), "pcscf", "pcscfd")
        self.conf, self.log = os.path.join(folder, "pcscf.yaml"), os.path.join(folder, "log")
        self.p = None

    def text(self, more=""):
        """Its configuration."""
        return (f'plmn: {{mcc: "{MCC}", mnc: "{MNC}"}}\nsip: {{listen: ["udp:{IP}:5060"]}}\nstate: {{dir: {self.dir}/state}}\n'
                f"rest: {{{self.rest}}}\n{more}")

    def write(self, more=""):
        """Writes it."""
        with open(self.conf, "w", encoding="utf-8") as f:
            f.write(self.text(more))

    def __enter__(self):
        self.write()
        with open(self.log, "ab") as log:
            self.p = subprocess.Popen([self.program, "-c", self.conf], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for(lambda: "ready" in self.said() or self.p.poll() is not None, START_S, "the daemon")
        if self.p.poll() is not None:
            raise SystemExit("not ok - start: " + self.said()[-1000:])
        return self

    def __exit__(self, *_):
        self.p.terminate()
        try:
            self.p.wait(20)
        except subprocess.TimeoutExpired:
            self.p.kill()

    def said(self):
        """Its log."""
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f.read()


class Cased:
    """The cases over TLS."""

    def __init__(self, d):
        self.d, self.root = d, f"https://{IP}:8443"
        self.ca = os.path.join(d.dir, "ca.pem")
        self.local = Rest(f"unix:{d.dir}/sock")

    def who(self, role):
        """The client that has this role's token."""
        return Rest(self.root, TOKENS.get(role), self.ca)

    def status(self, role, method, path, body=None):
        """Status and cause."""
        code, doc = self.who(role).call(method, path, body)
        return code, doc.get("cause", "") if isinstance(doc, dict) else ""

    def roles(self):
        for role, method, path, body, wanted in (
                (None, "GET", "/healthz", None, 200), (None, "GET", "/api/v1/info", None, 401), ("view", "GET", "/api/v1/info", None, 200),
                ("view", "PATCH", "/api/v1/logging", {}, 403), ("operate", "PATCH", "/api/v1/logging", {}, 200),
                ("operate", "POST", "/api/v1/config/reload", None, 403), ("admin", "POST", "/api/v1/config/reload", None, 200),
                ("operate", "GET", "/api/v1/audit", None, 403), ("admin", "GET", "/api/v1/audit", None, 200)):
            equal(self.status(role, method, path, body)[0], wanted, f"{role} {method} {path}")
        equal(self.status("view", "DELETE", "/api/v1/bans/192.0.2.1")[1], "INSUFFICIENT_ROLE", "the cause")

    def unix_socket(self):
        equal(self.local.call("PATCH", "/api/v1/logging", {})[0], 200, "no token over the unix socket")
        equal(oct(os.stat(self.d.dir + "/sock").st_mode & 0o777), "0o660", "its mode")

    def every_operation(self):
        """What the document says is there, needs what it says, and every error is a problem."""
        doc = self.who("view").get("/api/v1/openapi.json")
        equal(doc["openapi"], "3.1.0", "version")
        seen = set()
        for path, item in doc["paths"].items():
            for method, op in item.items():
                check(op["operationId"] not in seen, f"{op['operationId']} twice")
                seen.add(op["operationId"])
                at = re.sub(r"\{\w+\}", "nobody", path) + ("?follow=false" if path.endswith("/events") else "")
                code, answer = self.local.call(method.upper(), at, {} if method in ("post", "patch", "put") else None)
                check(code not in (401, 403, 405, 500), f"{method} {at}: {code}")
                if code >= 400:
                    check(isinstance(answer, dict) and answer.get("cause") and answer["status"] == code, f"{method} {at}: {answer}")
                if op["x-role"] != "open":
                    equal(Rest(self.root, None, self.ca).call(method.upper(), at)[0] in (401, 429), True, f"{method} {at} without a token")
        check(len(seen) > 15, seen)

    def clear_text(self):
        s = socket.create_connection((IP, 8443), 5)
        s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        s.settimeout(5)
        try:
            check(not s.recv(100).startswith(b"HTTP"), "it is answered in clear")
        except OSError:
            pass
        s.close()

    def old_tls(self):
        c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")		# that it is old is the point
            c.maximum_version = ssl.TLSVersion.TLSv1_1
        try:
            with socket.create_connection((IP, 8443), 5) as s, c.wrap_socket(s):
                raise Fail("TLS 1.1 is taken")
        except (ssl.SSLError, OSError):
            pass

    def certificate(self, name):
        """A client that shows this one."""
        path = os.path.join(self.d.dir, name)
        return Rest(self.root, None, self.ca, (path + ".pem", path + ".key"))

    def client_certificates(self):
        equal(self.certificate("client").call("PATCH", "/api/v1/logging", {})[0], 200, "a certificate of ours: operate")
        equal(self.certificate("client").call("POST", "/api/v1/config/reload")[0], 403, "it is no admin")
        try:
            code = self.certificate("stranger").call("GET", "/api/v1/info")[0]
        except RestError:
            code = 401			# refused in the handshake is as good
        equal(code, 401, "a certificate of others")

    def etag(self):
        code, headers, _ = self.who("view").exchange("GET", "/api/v1/info")
        check(code == 200 and headers["ETag"], "no ETag")
        code, again, body = self.who("view").exchange("GET", "/api/v1/info", more={"If-None-Match": headers["ETag"]})
        equal((code, again["ETag"], body), (304, headers["ETag"], ""), "If-None-Match")
        equal(self.who("view").exchange("GET", "/api/v1/info", more={"If-None-Match": '"other"'})[0], 200, "another one")
        check(not [h for h in headers if h.lower().startswith("access-control")], "CORS headers")

    def if_match(self):
        """RFC 9110 §13.1.1: a change that is based on what is not so any more is refused, and changes nothing."""
        op = self.who("operate")
        tag = op.exchange("GET", "/api/v1/logging")[1]["ETag"]
        code, headers, _ = op.exchange("PATCH", "/api/v1/logging", {"categories": {"tp": "debug"}}, {"If-Match": tag})
        check(code == 200 and headers["ETag"] != tag, f"{code} {headers['ETag']}")
        code, _, doc = op.exchange("PATCH", "/api/v1/logging", {"categories": {"tp": "error"}}, {"If-Match": tag})
        equal((code, doc["cause"]), (412, "PRECONDITION_FAILED"), "an old tag")
        code, now, doc = op.exchange("GET", "/api/v1/logging")
        equal((doc["categories"]["tp"], now["ETag"]), ("debug", headers["ETag"]), "unchanged, and the tag that the PATCH said")
        equal(op.exchange("PATCH", "/api/v1/logging", {"categories": {"tp": "info"}}, {"If-Match": now["ETag"]})[0], 200, "the new one")

    def config(self):
        admin = self.who("admin")
        code, _, text = self.who("view").exchange("GET", "/api/v1/config", None, {"Accept": "application/yaml"})
        check(code == 200 and "mcc: " in text and "timers:" in text, text)
        doc = self.who("view").get("/api/v1/config")
        equal((doc["config"]["plmn"]["mcc"], doc["config"]["workers"], doc["source"]), (MCC, 1, self.d.conf), "as JSON")
        equal(admin.call("GET", "/api/v1/config/schema")[1]["type"], "object", "the schema")
        equal(admin.send("POST", "/api/v1/config/validate", self.d.text()), {"valid": True, "findings": []}, "a good one")
        doc = admin.send("POST", "/api/v1/config/validate", self.d.text("workers: many\nlgo: {}\n"))
        equal((doc["valid"], sorted(f["line"] for f in doc["findings"])), (False, [5, 6]), f"a bad one: {doc}")
        check(any("log" in f["message"] for f in doc["findings"]), doc)
        equal(self.status("admin", "POST", "/api/v1/config/validate", "include: /etc/shadow\n")[1], "INCLUDE_REFUSED", "include")
        for no in ("v" * 32, "o" * 32, "a" * 32):
            check(no not in text, "a token is shown")

    def reload(self):
        admin = self.who("admin")
        self.d.write("log: {level: debug}\nworkers: 2\n")
        doc = admin.send("POST", "/api/v1/config/reload")
        equal({c["path"]: (c["from"], c["to"], c["effect"]) for c in doc["changes"]},
              {"log.level": ("info", "debug", "applied"), "workers": (1, 2, "needs-restart")}, "changes")
        equal(admin.get("/api/v1/logging")["categories"]["reg"], "debug", "level")
        self.d.write("log: {level: warn}\nnonsense: 1\n")
        code, doc = admin.call("POST", "/api/v1/config/reload")
        equal((code, doc["cause"], doc["findings"][0]["line"]), (422, "CONFIG_INVALID", 6), f"{doc}")
        equal(admin.get("/api/v1/logging")["categories"]["reg"], "debug", "level after a bad one")
        self.d.write()
        equal(len(admin.send("POST", "/api/v1/config/reload?dryRun=true")["changes"]), 2, "what would change")
        equal(admin.get("/api/v1/logging")["categories"]["reg"], "debug", "nothing did")
        equal(len(admin.send("POST", "/api/v1/config/reload")["changes"]), 2, "back")

    def tokens(self):
        """Read again on reload: an old one ends, a new one begins; a file that is gone locks nobody out."""
        path = os.path.join(self.d.dir, "tokens")
        with open(path, encoding="utf-8") as f:
            old = f.read()
        with open(path, "w", encoding="utf-8") as f:
            f.write(old.replace(TOKENS["view"], "w" * 32))
        equal(self.status("view", "GET", "/api/v1/info")[0], 200, "before the reload")
        before = self.d.said().count("configuration reloaded")
        self.d.p.send_signal(signal.SIGHUP)
        wait_for(lambda: self.d.said().count("configuration reloaded") > before, 5, "the reload")
        equal(Rest(self.root, "w" * 32, self.ca).call("GET", "/api/v1/info")[0], 200, "the new token")
        equal(self.status("view", "GET", "/api/v1/info")[0], 401, "the old one")
        os.unlink(path)
        equal(self.status("admin", "POST", "/api/v1/config/reload")[0], 200, "without the file")
        equal(self.status("operate", "GET", "/api/v1/info")[0], 200, "the tokens stay")
        with open(path, "w", encoding="utf-8") as f:
            f.write(old)
        os.chmod(path, 0o644)
        equal(self.status("admin", "POST", "/api/v1/config/reload")[0], 200, "back")
        equal(self.status("view", "GET", "/api/v1/info")[0], 200, "the old one again")

    def docs(self):
        code, headers, page = self.who(None).exchange("GET", "/api/v1/docs")
        check(code == 200 and headers["Content-Type"].startswith("text/html") and "<script" not in page and "src=" not in page,
              "a page without a script, from nowhere else")
        for path in self.who("view").get("/api/v1/openapi.json")["paths"]:
            check(f">{path}<" in page, f"{path} is not in it")

    def file(self):
        """What the configuration file says."""
        with open(self.d.conf, encoding="utf-8") as f:
            return f.read()

    def patch(self):
        """RFC 7396, into the file, all or nothing."""
        admin = self.who("admin")
        tag = admin.exchange("GET", "/api/v1/config")[1]["ETag"]
        equal(self.status("admin", "PATCH", "/api/v1/config", {"workers": 2}), (428, "PRECONDITION_REQUIRED"), "without If-Match")
        equal(self.status("operate", "PATCH", "/api/v1/config", {"workers": 2}), (403, "INSUFFICIENT_ROLE"), "an operator")
        before = self.file()
        for body, code, cause in ((["x"], 400, "INVALID_PATCH"), ({"wrokers": 2}, 422, "CONFIG_INVALID"), ({"workers": "x"}, 422, "CONFIG_INVALID"),
                                  ({"include": "/etc/shadow"}, 422, "INCLUDE_REFUSED"), ({"user": "nobody"}, 422, "KEY_NOT_BY_REST"),
                                  ({"rest": {"unix_socket": "/tmp/x"}}, 422, "KEY_NOT_BY_REST"),
                                  ({"rest": {"requests_per_s": 1}}, 422, "KEY_NOT_BY_REST"), ({"state": {"dir": None}}, 422, "KEY_NOT_BY_REST")):
            got, _, doc = admin.exchange("PATCH", "/api/v1/config", body, {"If-Match": tag})
            equal((got, doc["cause"]), (code, cause), f"{body}: {doc}")
        equal(self.file(), before, "the file after refusals")
        change = {"log": {"level": "debug"}, "dns": {"next_hops": {"a.example": "127.0.0.1:1"}}, "workers": None}
        _, headers, doc = admin.exchange("PATCH", "/api/v1/config?dryRun=true", change, {"If-Match": tag})
        equal((doc["dryRun"], len(doc["changes"]), self.file(), headers["ETag"]), (True, 2, before, tag), "a dry run")
        code, headers, doc = admin.exchange("PATCH", "/api/v1/config", change, {"If-Match": tag})
        equal((code, {c["path"]: c["effect"] for c in doc["changes"]}), (200, {"log.level": "applied", "dns.next_hops": "needs-restart"}), str(doc))
        equal(admin.get("/api/v1/logging")["categories"]["reg"], "debug", "it took effect")
        check("debug" in self.file() and oct(os.stat(self.d.conf).st_mode & 0o777) == "0o644", "the file")
        equal(admin.exchange("PATCH", "/api/v1/config", {"log": None}, {"If-Match": tag})[0], 412, "an old tag")
        equal(admin.exchange("GET", "/api/v1/config")[1]["ETag"], headers["ETag"], "the new tag")
        self.d.write("workers: 3\n")
        equal(admin.exchange("PATCH", "/api/v1/config", {"log": None}, {"If-Match": headers["ETag"]})[2]["cause"], "FILE_CHANGED", "edited by hand")
        check("workers: 3" in self.file(), "the hand's text was overwritten")

    def revisions(self):
        admin = self.who("admin")
        admin.send("POST", "/api/v1/config/reload")
        rows = admin.items("/api/v1/config/revisions")
        equal([(r["origin"], r["by"]) for r in rows][:2], [("file", "token"), ("api", "token")], f"{rows}")
        equal([int(r["revision"]) for r in rows], list(range(len(rows), 0, -1)), "numbers")
        page = admin.get("/api/v1/config/revisions?limit=1")
        equal((page["items"][0], page["page"]["nextCursor"]), (rows[0], rows[0]["revision"]), "a page")
        path = "/api/v1/config/revisions/" + rows[1]["revision"]
        doc = admin.get(path)
        equal((doc["config"]["log"]["level"], doc["config"]["dns"]["next_hops"]), ("debug", {"a.example": "127.0.0.1:1"}), "read")
        diff = {c["path"]: (c["from"], c["to"]) for c in admin.get(path + "/diff")["changes"]}
        equal(diff, {"workers": (1, 3), "log.level": ("debug", "info"), "dns.next_hops": ({"a.example": "127.0.0.1:1"}, None)}, "against what runs")
        equal(admin.get(path + "/diff?to=" + rows[1]["revision"])["changes"], [], "against itself")
        for name in os.listdir(self.d.dir + "/state"):
            equal(os.stat(f"{self.d.dir}/state/{name}").st_mode & 0o077, 0, f"mode of {name}")
        equal(len(admin.send("POST", path + "/restore?dryRun=true")["changes"]), 3, "what would change")
        doc = admin.send("POST", path + "/restore")
        equal((int(doc["revision"]), len(doc["changes"])), (len(rows) + 1, 3), "restored")
        check("a.example" in self.file(), "the file")
        equal(admin.items("/api/v1/config/revisions")[0]["origin"], "restore", "origin")
        for no in ("0", "99999", "x"):
            equal(self.status("admin", "POST", f"/api/v1/config/revisions/{no}/restore"), (404, "RESOURCE_NOT_FOUND"), no)
        self.d.write()
        admin.send("POST", "/api/v1/config/reload")

    def logging(self):
        op = self.who("operate")
        doc = op.send("PATCH", "/api/v1/logging", {"level": "warn", "categories": {"reg": "debug"}, "revertAfterS": 1})
        equal((doc["categories"]["reg"], doc["categories"]["sip"], doc["reverts"]), ("debug", "warn", True), "levels")
        for body, cause in (({"level": "loud"}, "INVALID_LEVEL"), ({"categories": {"x": "info"}}, "INVALID_CATEGORY"),
                            ({"categories": {"sip": 1}}, "INVALID_LEVEL"), ({"revertAfterS": 0}, "INVALID_TIME")):
            equal(self.status("operate", "PATCH", "/api/v1/logging", body), (422, cause), str(body))
        wait_for(lambda: op.get("/api/v1/logging")["categories"]["sip"] == "info", 5, "the levels to come back")

    def alarms(self):
        ids = [a["alarmId"] for a in self.who("view").items("/api/v1/alarms")]
        check("token-file" in ids, f"a token file that all can read: {ids}")
        check(all(a["perceivedSeverity"] and a["specificProblem"] for a in self.who("view").items("/api/v1/alarms")), "words")

    def acknowledge(self):
        op, path = self.who("operate"), "/api/v1/alarms/token-file"
        equal(self.status("view", "PATCH", path, {"ackState": "acknowledged"})[0], 403, "a viewer")
        doc = op.send("PATCH", path, {"ackState": "acknowledged"})
        equal((doc["ackState"], doc["ackUserId"]), ("acknowledged", "olga"), "acknowledged")
        equal(op.get(path)["alarmRaisedTime"], doc["alarmRaisedTime"], "raised when it was")
        equal(op.send("PATCH", path, {"ackState": "unacknowledged"})["ackState"], "unacknowledged", "taken back")
        equal(self.status("operate", "PATCH", path, {"ackState": "maybe"}), (422, "INVALID_ACK_STATE"), "no state")
        equal(self.status("operate", "PATCH", "/api/v1/alarms/none", {"ackState": "acknowledged"}), (404, "RESOURCE_NOT_FOUND"), "no alarm")

    def events(self):
        """Server-sent events over TLS: live, filtered, replayed, and an end that says why."""
        view, admin = self.who("view"), self.who("admin")
        live, alarms = view.stream("/api/v1/events"), view.stream("/api/v1/events?types=alarm.")
        equal(next(live), ("", "", None), "the greeting")
        equal(next(alarms), ("", "", None), "the greeting")
        self.d.write("log: {level: warn}\n")
        admin.send("POST", "/api/v1/config/reload")
        first, kind, data = next(live)
        equal((kind, data["by"], data["origin"], data["nf"]), ("config.changed", "token", "file", "pcscf"), "it comes at once")
        for state in ("acknowledged", "unacknowledged"):
            admin.send("PATCH", "/api/v1/alarms/token-file", {"ackState": state})
        equal([next(alarms)[2]["ackState"], next(alarms)[2]["ackState"]], ["acknowledged", "unacknowledged"], "only alarms")
        live.close()
        alarms.close()
        self.d.write()
        admin.send("POST", "/api/v1/config/reload")
        rows = [(k, i) for i, k, _ in view.stream("/api/v1/events?follow=false", {"Last-Event-ID": first}) if k]
        equal([k for k, _ in rows], ["alarm.changed", "alarm.changed", "config.changed"], "behind Last-Event-ID")
        equal([int(i) for _, i in rows], list(range(int(first) + 1, int(first) + 4)), "ids")
        rows = [k for _, k, _ in view.stream("/api/v1/events?follow=false&replay=all&types=config.") if k]
        equal(rows, ["config.changed"] * 2, "all that is kept")
        for last, code in (("1", 410), (str(int(first) + 1000), 204), ("x", 400)):
            got, _, doc = view.exchange("GET", "/api/v1/events", None, {"Last-Event-ID": last})
            equal(got, code, f"Last-Event-ID {last}: {doc}")
        equal(self.status(None, "GET", "/api/v1/events")[0], 401, "without a token")

    def audit(self):
        rows = self.who("admin").items("/api/v1/audit")
        check(any(r["who"] == "olga" and r["operation"] == "PATCH /api/v1/logging" and r["outcome"] == 200 for r in rows), rows[:5])
        check(any(r["who"] == "vera" and r["outcome"] == 403 for r in rows), "a refused attempt")
        check(any(r["who"] == "client" for r in rows), "a certificate's name")
        check(any(r["who"].startswith("uid ") for r in rows), "the unix socket")
        page = self.who("admin").get("/api/v1/audit?limit=1")
        check(page["page"]["nextCursor"] and page["items"][0]["at"] >= rows[-1]["at"], page)
        check("audit" in self.d.said() and not any(t in self.d.said() for t in TOKENS.values()), "the log")

    def guessing(self):
        """Somebody who guesses tokens hears 429 after a while, for a right one too; a second without a guess, and it is looked at again."""
        codes = [Rest(self.root, f"guess {n}", self.ca).call("GET", "/api/v1/info")[0] for n in range(30)]
        check(codes[-1] == 429 and set(codes) <= {401, 429}, codes)
        equal(self.status("view", "GET", "/api/v1/info")[0], 429, "a right token among the wrong ones")
        equal(Rest(self.root, None, self.ca).call("GET", "/healthz")[0], 200, "what is open")
        wait_for(lambda: self.status("view", "GET", "/api/v1/info")[0] == 200, 5, "a right token when nobody guesses")

    def rows(self):
        """In order; who guesses comes last."""
        return [("roles (O3)", self.roles), ("unix socket", self.unix_socket), ("clear text on the TLS port", self.clear_text),
                ("TLS 1.1", self.old_tls), ("client certificates", self.client_certificates), ("ETag, no CORS", self.etag), ("If-Match", self.if_match),
                ("configuration: read, schema, validate", self.config), ("reload: all or nothing", self.reload),
                ("tokens are read again", self.tokens),
                ("documentation for people (U7)", self.docs), ("merge patch (RFC 7396)", self.patch), ("revisions: list, read, diff, restore", self.revisions),
                ("log levels, and back", self.logging), ("alarms", self.alarms), ("alarms are acknowledged", self.acknowledge),
                ("events (SSE)", self.events), ("audit log", self.audit),
                ("every operation of the document (U7)", self.every_operation), ("guessing", self.guessing)]


def limited(build, folder):
    """Requests per second of one address."""
    with Daemon(build, folder, f'listen: "{IP}:8080", token: {TOKENS["admin"]}, requests_per_s: 5'):
        rest = Rest(f"http://{IP}:8080", TOKENS["admin"])
        codes = [rest.call("GET", "/healthz")[0] for _ in range(40)]
        check(codes[:5] == [200] * 5 and 429 in codes, codes)


def main():
    """The script."""
    cases, folder = Cases(), tempfile.mkdtemp(prefix="cscf-test-")
    try:
        certificates(folder)
        tokens = os.path.join(folder, "tokens")
        with open(tokens, "w", encoding="utf-8") as f:
            f.write(f"# who may what\n{TOKENS['view']} view vera\n{TOKENS['operate']}\toperate olga\n\n{TOKENS['admin']}\n")
        os.chmod(tokens, 0o644)
        with Daemon(sys.argv[1], folder, f'listen: "{IP}:8443", token_file: {tokens}, unix_socket: {folder}/sock, tls: {{cert_file: '
                    f"{folder}/server.pem, key_file: {folder}/server.key, client_ca_file: {folder}/ca.pem, client_role: operate}}") as d:
            for case in Cased(d).rows():
                cases.run(*case)
        other = os.path.join(folder, "limited")
        os.mkdir(other)
        cases.run("limit of requests", limited, sys.argv[1], other)
        cases.run("no sanitizer report", lambda: check(not SANITIZER.search(d.said()), d.said()[-3000:]))
    except Skip as e:
        print(f"skipped: {e}")
        sys.exit(77)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    cases.end()


IP = f"{sys.argv[2]}.10"
main()
