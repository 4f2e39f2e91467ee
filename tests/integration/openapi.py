"""openapi.py BUILD NET - the API document of each daemon by two linters, and each operation, role and error shape that it names.  Rows U7, S15."""

import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

from cases import Cases, Skip, check, equal, wait_for
from core import MCC, MNC, SANITIZER, Rest, sanitized
from schema import Document

NODES = ("pcscf", "icscf", "scscf")
TOKENS = {"view": "v" * 32, "operate": "o" * 32, "admin": "a" * 32}
RANK = ["open", "view", "operate", "admin"]
SHAPE = {"type", "title", "status", "detail", "cause", "instance"}
LINT_S = 300
# What these do would be in the way of the next case.
APART = {("PATCH", "/api/v1/overload")}


class Daemon:
    """One daemon without a core."""

    def __init__(self, build, folder, node, ip):
        self.node, self.dir, self.ip = node, os.path.join(folder, node), ip
        os.mkdir(self.dir)
        self.log = os.path.join(self.dir, "log")
        conf = os.path.join(self.dir, "conf.yaml")
        with open(os.path.join(self.dir, "tokens"), "w", encoding="utf-8") as f:
            f.writelines(f"{t} {r} {r}\n" for r, t in TOKENS.items())
        os.chmod(os.path.join(self.dir, "tokens"), 0o600)
        with open(conf, "w", encoding="utf-8") as f:
            f.write(f'plmn: {{mcc: "{MCC}", mnc: "{MNC}"}}\nsip: {{listen: ["udp:{ip}:5060"]}}\nstate: {{dir: {self.dir}/state}}\n'
                    f'rest: {{listen: "{ip}:8080", token_file: {self.dir}/tokens, unix_socket: {self.dir}/sock, requests_per_s: 0}}\n')
            if node != "pcscf":
                f.write(f'diameter: {{identity: {node}.example, realm: example, listen: "{ip}:3868", '
                        f'peers: [{{identity: hss.example, address: {ip}, port: 9}}]}}\n')
        with open(self.log, "ab") as log:
            self.p = subprocess.Popen([os.path.join(os.path.abspath(build), node, node + "d"), "-c", conf], stdin=subprocess.DEVNULL,
                                      stdout=log, stderr=log)

    def said(self):
        """Its log."""
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f.read()

    def started(self):
        """Waits for it."""
        wait_for(lambda: " ready" in self.said() or self.p.poll() is not None, 20, f"{self.node} to start")
        check(self.p.poll() is None, self.said()[-1000:])

    def stop(self):
        """Ends it in order."""
        self.p.terminate()
        try:
            return self.p.wait(20)
        except subprocess.TimeoutExpired:
            self.p.kill()
            return -1

    def rest(self, role=None):
        """A client that has this role's token."""
        return Rest(f"http://{self.ip}:8080", TOKENS.get(role))

    def document(self):
        """What it serves."""
        return self.rest().get("/api/v1/openapi.json")


def operations(doc):
    """(method, path, path with something in its place, operation)."""
    for path, item in doc["paths"].items():
        for method, op in item.items():
            at = re.sub(r"\{\w+\}", "nobody", path) + ("?follow=false" if path.endswith("/events") else "")
            yield method.upper(), path, at, op


def shapes(d):
    """Each operation says what it answers, each with a body what it takes; examples are as their schemas say."""
    doc = Document(d.document())
    for what, op in doc.operations().items():
        good = {c: r for c, r in op["responses"].items() if c.startswith("2")}
        check(good and "2XX" not in good, f"{what}: no shape in shapes.c")
        for code, r in good.items():
            check(code == "204" or r.get("content"), f"{what}: {code} has no content")
            check(all(m.get("schema") for m in r.get("content", {}).values()), f"{what}: {code}: its shape is not in the notation")
        check(all(m.get("schema") for m in op.get("requestBody", {}).get("content", {}).values()), f"{what}: the body's shape is not in the notation")
    for name, schema in doc.doc["components"]["schemas"].items():
        check(schema.get("type") == "object", f"{name}: its shape is not in the notation")
        for example in schema.get("examples", []):
            equal(doc.mistakes(schema, example), [], f"the example of {name}")
    text = json.dumps(doc.doc)
    for ref in set(re.findall(r"#/components/schemas/(\w+)", text)):
        check(ref in doc.doc["components"]["schemas"], f"{ref} is referred to, and not there")


def lint(d, tool, build):
    """No error, no warning."""
    if sanitized(build):
        raise Skip("the document is that of the plain build")
    npm = os.environ.get("CSCF_NPM", "")
    program = os.path.join(npm, "node_modules", ".bin", tool)
    if not os.path.exists(program):
        raise Skip(f"not in {npm or 'CSCF_NPM'} (tests/npm/install)")
    path = os.path.join(d.dir, "openapi.json")
    with open(path, "w", encoding="utf-8") as f:
        json.dump(d.document(), f)
    rules = os.path.join(d.dir, "rules.yaml")
    with open(rules, "w", encoding="utf-8") as f:
        f.write('extends: ["spectral:oas"]\n' if tool == "spectral" else "extends: [recommended-strict]\n")
    argv = [program, "lint", path, "-r", rules, "--fail-severity=hint"] if tool == "spectral" else [program, "lint", "--config", rules, path]
    env = {**os.environ, "REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true", "NO_COLOR": "1"}
    p = subprocess.run(argv, cwd=d.dir, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=LINT_S, check=False)
    equal(p.returncode, 0, p.stdout[-2000:])


def problem(code, headers, doc, what):
    """RFC 9457, with what programs look at."""
    check(headers["Content-Type"] == "application/problem+json", f"{what}: {headers['Content-Type']}")
    check(isinstance(doc, dict) and SHAPE <= set(doc) and doc["status"] == code and re.fullmatch(r"[A-Z][A-Z0-9_]+", doc["cause"]), f"{what}: {doc}")


class Strangers:
    """Requests without a token, from ever new addresses: one that has tried some is not listened to for a while."""

    def __init__(self, d):
        self.d, self.n = d, 0

    def ask(self, method, at, body, token=None):
        """Status, headers, JSON."""
        self.n += 1
        return self.one(self.d, f"{sys.argv[2]}.{100 + (self.n - 1) // 8}", method, at, body, token)

    @staticmethod
    def one(d, source, method, at, body, token):
        """The same from an address."""
        c = http.client.HTTPConnection(d.ip, 8080, timeout=10, source_address=(source, 0))
        try:
            c.request(method, at, body=None if body is None else json.dumps(body), headers={"Authorization": f"Bearer {token}"} if token else {})
            r = c.getresponse()
            text = r.read()
        finally:
            c.close()
        return r.status, r.headers, json.loads(text) if r.status >= 400 else None


def who_may(op):
    """Of no token, a bad one, and each role's: the code that x-role promises; None: whatever the operation says itself."""
    need = RANK.index(op["x-role"])
    return {"none": 401 if need else None, "bad": 401 if need else None, **{r: 403 if RANK.index(r) < need else None for r in TOKENS}}


def every_role(d):
    """S15: each operation of x-role x (no token, a bad one, view, operate, admin); every error has the shape.  Returns how many codes."""
    seen, strangers, n = set(), Strangers(d), 0
    for method, path, at, op in operations(d.document()):
        for who, wanted in who_may(op).items():
            if wanted is None and (method, path) in APART:
                continue
            body = {} if method in ("POST", "PATCH", "PUT") else None
            if who in TOKENS:
                code, headers, doc = d.rest(who).exchange(method, at, body)
            else:
                code, headers, doc = strangers.ask(method, at, body, "b" * 32 if who == "bad" else None)
            what = f"{who}: {method} {at}"
            if wanted:
                equal(code, wanted, what)
            else:
                check(code not in (401, 403, 405, 500), f"{what}: {code} {doc}")
            if code >= 400 and at != "/readyz":
                problem(code, headers, doc, what)
                seen.add(code)
            n += 1
    check({400, 401, 403, 404, 422} <= seen, f"errors that were seen: {seen}")
    return n


def guessing(d):
    """S15: who guesses is locked out, and delays nobody else who has a right token; a second later he is looked at again."""
    codes = [Strangers.one(d, f"{sys.argv[2]}.99", "GET", "/api/v1/info", None, f"guess {i}")[0] for i in range(40)]
    check(set(codes) == {401, 429} and codes[-1] == 429 and codes.index(429) >= 5, codes)
    began = time.monotonic()
    for _ in range(20):
        equal(d.rest("view").call("GET", "/api/v1/info")[0], 200, "a right token from elsewhere")
        equal(Strangers.one(d, f"{sys.argv[2]}.99", "GET", "/api/v1/info", None, "guess")[0], 429, "the next guess")
    equal(Rest(f"unix:{d.dir}/sock").call("GET", "/api/v1/info")[0], 200, "the unix socket")
    check(time.monotonic() - began < 5, f"{time.monotonic() - began:.1f} s for 41 requests")
    wait_for(lambda: Strangers.one(d, f"{sys.argv[2]}.99", "GET", "/api/v1/info", None, TOKENS["view"])[0] == 200, 10, "to be looked at again")


def other_errors(d):
    """What no single operation is about."""
    admin = d.rest("admin")
    rows = [("PUT", "/api/v1/info", None, {}, 405), ("GET", "/api/v1/nothing", None, {}, 404), ("PATCH", "/api/v1/logging", "{", {}, 400),
            ("PATCH", "/api/v1/logging", "[" * 100, {}, 400), ("PATCH", "/api/v1/logging", "x" * 300000, {}, 413),
            ("PATCH", "/api/v1/logging", {}, {"If-Match": '"x"'}, 412), ("PATCH", "/api/v1/config", {}, {}, 428),
            ("GET", "/api/v1/flows?limit=0", None, {}, 400), ("GET", "/api/v1/flows?cursor=x", None, {}, 400),
            ("POST", "/api/v1/traces", {"match": {}, "hep": True}, {}, 409), ("GET", "/api/v1/events", None, {"Last-Event-ID": "1"}, 410)]
    for method, path, body, more, wanted in rows:
        code, headers, doc = admin.exchange(method, path, body, more)
        equal(code, wanted, f"{method} {path}: {doc}")
        problem(code, headers, doc, f"{method} {path}")
    code, headers, doc = d.rest().exchange("GET", "/api/v1/info")
    equal((code, headers["WWW-Authenticate"]), (401, "Bearer"), "without a token")
    problem(code, headers, doc, "without a token")


def main():
    """The script."""
    cases, folder = Cases(), tempfile.mkdtemp(prefix="cscf-openapi-")
    daemons, codes = [], []
    try:
        for i, node in enumerate(NODES):
            daemons.append(Daemon(sys.argv[1], folder, node, f"{sys.argv[2]}.{10 + i}"))
        for d in daemons:
            d.started()
        for d in daemons:
            cases.run(f"S15 {d.node}: every operation, every role, every error a problem", lambda d=d: codes.append(every_role(d)))
            cases.run(f"S15 {d.node}: guessing", guessing, d)
            cases.run(f"{d.node}: errors of no operation", other_errors, d)
            cases.run(f"{d.node}: every operation has a shape, every example fits", shapes, d)
            for tool in ("redocly", "spectral"):
                cases.run(f"{d.node}: {tool} finds nothing", lint, d, tool, sys.argv[1])
    finally:
        ended = [d.stop() for d in daemons]
        said = "".join(d.said() for d in daemons)
        shutil.rmtree(folder, ignore_errors=True)
    print(f"   {sum(codes)} codes of operations x (none, bad, view, operate, admin)")
    cases.run("they end in order", equal, ended, [0] * len(NODES), "exit status")
    cases.run("no sanitizer report", lambda: check(not SANITIZER.search(said), said[-3000:]))
    cases.end()


main()
