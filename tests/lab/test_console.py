#!/usr/bin/env python3
"""tests/lab/test_console.py - the console without a browser: it asks for what is served, takes nothing from elsewhere, and its ladder is
the one of cscfctl.  Row O9.  In a browser: tests/integration/console.sh."""

import json
import os
import re
import shutil
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.realpath(__file__))
TOP = os.path.join(HERE, "..", "..")
CONSOLE = os.path.join(TOP, "deploy", "console")
sys.path.insert(0, os.path.join(TOP, "deploy", "cscfctl"))

import ctlladder		# noqa: E402


def routes():
    """Paths of all route tables, {x} as one word."""
    found = set()
    for folder in ("common", "pcscf", "icscf", "scscf"):
        for where, _, names in os.walk(os.path.join(TOP, folder)):
            for name in names:
                if name.endswith(".c"):
                    with open(os.path.join(where, name), encoding="utf-8") as f:
                        found |= {re.sub(r"\{\w+\}", "*", p) for p in re.findall(r'\{ "[A-Z]+", "(/[^"]+)",\s+HTTP_', f.read())}
    return found


def event(us, kind, peer, text, **more):
    """What a daemon recorded."""
    return {"wallUs": us, "kind": kind, "peer": peer, "text": text, "callId": "c1", "icid": "", **more}


class Console(unittest.TestCase):
    """Its files."""

    def setUp(self):
        self.files = {}
        for name in os.listdir(CONSOLE):
            with open(os.path.join(CONSOLE, name), encoding="utf-8") as f:
                self.files[name] = f.read()
        self.page = "".join(self.files.values())

    def test_it_asks_for_what_is_there(self):
        paths = {p.split("?")[0] for p in re.findall(r'"(/(?:api|readyz|metrics)[^"]*)"', self.page)}
        self.assertGreater(len(paths), 8)
        for p in paths:
            self.assertIn(p + "*" if p.endswith("/") else p, routes())
        for name in re.findall(r'"(cscf_\w+)"', self.files["charts.js"]):
            self.assertEqual(subprocess.run(["grep", "-rqF", f'"{name}"', "common", "pcscf", "icscf", "scscf"], cwd=TOP, check=False).returncode, 0, name)

    def test_nothing_from_elsewhere_nothing_as_markup(self):
        code = re.sub(r"(?m)(^|\s)// .*$", "", self.page).replace("http://www.w3.org/2000/svg", "")
        self.assertEqual(re.findall(r"https?://|//[a-z]+\.", code), [])
        for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "localStorage", "style="):
            self.assertNotIn(word, code)
        for name in re.findall(r'"/console/([\w.]+)"', self.files["index.html"]) + re.findall(r'from "\./([\w.]+)"', self.page):
            self.assertIn(name, self.files)


@unittest.skipUnless(shutil.which("node"), "node is not installed (package nodejs)")
class Modules(unittest.TestCase):
    """Its pure parts, in node."""

    LISTENERS = {"pcscf": ["udp:10.0.0.1:5060"], "icscf": ["udp:10.0.0.2:4060"], "scscf": ["udp:10.0.0.2:6060", "tcp:[fd00::3]:6060"]}

    def node(self, **given):
        """What the modules make of it."""
        given = {"events": {}, "listeners": self.LISTENERS, "key": "c1", "metrics": [], **given}
        p = subprocess.run(["node", "--no-warnings", os.path.join(HERE, "console.mjs"), os.path.realpath(CONSOLE)], input=json.dumps(given), stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True, check=False, timeout=60)
        self.assertEqual(p.returncode, 0, p.stdout)
        return json.loads(p.stdout)

    def test_the_ladder_is_that_of_cscfctl(self):
        invite, ok = "INVITE sip:b@x", "200 OK (INVITE)"
        events = {
            "pcscf": {"c1": [event(1000, "sipIn", "udp:192.0.2.1:5060", invite, icid="i1"), event(1200, "sipOut", "udp:10.0.0.2:6060", invite, icid="i1"),
                             event(1300, "note", "pcscf", "sent on"), event(9000, "sipOut", "udp:192.0.2.2:5060", "BYE sip:b@x"),
                             event(9100, "diameterOut", "pcrf", "STR"), event(9200, "diameterIn", "pcrf", "STA: 2001, fine")]},
            "scscf": {"c1": [event(1150, "sipIn", "udp:10.0.0.1:5060", invite, icid="i2"), event(1160, "sipOut", "udp:198.51.100.9:5070", invite),
                             event(1170, "sipIn", "tcp:[fd00::9]:6060", ok), event(1180, "sipOut", "udp:10.0.0.1:5060", ok)],
                      "i2": [event(1175, "diameterOut", "hss", "LIR", callId=""), event(1176, "sipIn", "udp:10.0.0.1:5060", "OPTIONS sip:x", callId="c2")]},
            "icscf": {"i1": [event(1190, "note", "icscf", "refused", callId="")]},
        }
        got = self.node(events=events)
        rows, order = ctlladder.ladder(lambda node, key: [dict(e) for e in events.get(node, {}).get(key, [])], self.LISTENERS, "c1")
        self.assertGreater(len(rows), 8)
        self.assertEqual([tuple(r) for r in got["rows"]], rows)
        self.assertEqual(got["lanes"], order)

    def test_load(self):
        text = 'cscf_sip_requests_total{{method="INVITE",direction="in"}} {}\ncscf_sip_requests_total{{method="INVITE",direction="out"}} 7\n# HELP x\ncscf_dialogs {}\n'
        got = self.node(metrics=[[0, text.format(10, 3)], [2, text.format(30, 4)], [4, text.format(6, 1)]])
        self.assertEqual(got["lines"], [[10, 3], [3, 4, 1], [0, 0]])		# the second rate after a restart


if __name__ == "__main__":
    unittest.main()
