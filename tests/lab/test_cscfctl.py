#!/usr/bin/env python3
"""tests/lab/test_cscfctl.py - the parts of deploy/cscfctl that need no running core: row U12, U6."""

import argparse
import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
TOP = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..")
CTL = os.path.join(TOP, "deploy", "cscfctl")
sys.path.insert(0, CTL)

import ctlcomplete		# noqa: E402
import ctlladder		# noqa: E402
import ctlmain			# noqa: E402
import ctlnodes			# noqa: E402
import ctlshow			# noqa: E402
from ctlrest import RestError	# noqa: E402
from ctlverbs import exit_of	# noqa: E402


def run(*argv):
    """(status, stdout, stderr) of the program."""
    p = subprocess.run([os.path.join(CTL, "cscfctl"), *argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
                       env={k: v for k, v in os.environ.items() if not k.startswith("CSCFCTL")})
    return p.returncode, p.stdout, p.stderr


def documented():
    """[(file, command)]: what the pages tell people to type, in blocks and in code spans."""
    found = []
    for where in ("", "pcscf", "icscf", "scscf", "common", "deploy", "deploy/open5gs"):
        path = os.path.join(TOP, where, "README.md")
        pages = [path] + [os.path.join(TOP, where, f) for f in sorted(os.listdir(os.path.join(TOP, where))) if f.endswith(".md") and f != "README.md"]
        for page in pages:
            with open(page, encoding="utf-8") as f:
                text = f.read()
            for code in re.findall(r"`([^`\n]+)`", text) + re.findall(r"(?m)^(?: {4}|\t)(.*)$", text):
                for part in re.split(r";|&&|\|", code.split("  #")[0]):
                    if part.strip().startswith("cscfctl ") and re.match(r"cscfctl [-a-z]", part.strip()):
                        found.append((os.path.relpath(page, TOP), part.strip()))
    return found


class Pages(unittest.TestCase):
    """Goal U10: what the pages tell people to type is what the program takes."""

    def test_commands(self):
        """Each is parsed; words in capitals stand for what people put in, brackets for what they may leave out."""
        commands = documented()
        self.assertGreater(len(commands), 15)
        for page, command in commands:
            words = re.sub(r"[\[\]]", "", command).split()[1:]
            with self.subTest(page=page, command=command), contextlib.redirect_stderr(io.StringIO()) as err:
                if len(words) == 1:			# a verb that is spoken of
                    self.assertIn(words[0], ctlmain.VERBS)
                    continue
                try:
                    ctlmain.parser().parse_args(words)
                except SystemExit:
                    self.fail(err.getvalue())


class CommandLine(unittest.TestCase):
    """Verbs, exit status, where the daemons are."""

    def test_exit_status(self):
        for status, wanted in ((0, 3), (404, 4), (401, 5), (403, 5), (409, 1), (500, 1)):
            self.assertEqual(exit_of(RestError(status, "")), wanted, status)

    def test_nobody_is_there(self):
        with tempfile.TemporaryDirectory() as path:
            status, _, err = run("--url", f"pcscf=unix:{path}/none.sock", "dialogs")
            self.assertEqual(status, 3)
            self.assertIn("none.sock", err)

    def test_wrong_usage(self):
        for argv in (["nonsense"], ["status", "--node", "hss", "--url", "pcscf=unix:/x"], ["--url", "hss=http://x", "status"],
                     ["--watch", "0", "--url", "pcscf=unix:/x", "status"], ["registrations", "delete", "--url", "pcscf=unix:/x"]):
            self.assertEqual(run(*argv)[0], 2, argv)

    def test_the_file_that_says_where(self):
        with tempfile.TemporaryDirectory() as path:
            token, conf = os.path.join(path, "token"), os.path.join(path, "conf")
            with open(token, "w", encoding="utf-8") as f:
                f.write("abc\nsecond line\n")
            for doc, good in (({"pcscf": {"url": "http://h", "token_file": token}}, True), ({"hss": {"url": "http://h"}}, False),
                              ({"pcscf": {"url": 1}}, False), ({"pcscf": {"url": "u", "tokn": "x"}}, False), ({}, False), ([], False)):
                with open(conf, "w", encoding="utf-8") as f:
                    json.dump(doc, f)
                if good:
                    self.assertEqual(ctlnodes.from_file(conf)["pcscf"].token, "abc")
                else:
                    self.assertRaises(ctlnodes.UsageError, ctlnodes.from_file, conf)

    def test_every_verb_is_in_the_man_page(self):
        with open(os.path.join(CTL, "cscfctl.1"), encoding="utf-8") as f:
            page = f.read()
        for verb, (_, _, arguments) in ctlmain.VERBS.items():
            self.assertRegex(page, rf'(?m)^\.BI? "?{re.escape(verb)}\b', verb)
            for name, options in arguments:
                for word in [name] if name.startswith("--") else options.get("choices", ()):
                    self.assertIn(word.replace("-", "\\-"), page, f"{verb} {word}")
        for option in ctlmain.parser()._option_string_actions:		# pylint: disable=protected-access
            self.assertIn(option.replace("-", "\\-"), page, option)


class Completion(unittest.TestCase):
    """What the shells are told."""

    def test_rows(self):
        rows = (([""], "status"), (["reg"], "registrations"), (["registrations", ""], "delete"), (["--node", ""], "scscf"),
                (["--json", "pee"], "peers"), (["status", "--no"], "--node"), (["--url", "p"], "pcscf="), (["completion", "b"], "bash"))
        for words, wanted in rows:
            self.assertIn(wanted, [c for c in ctlcomplete.candidates(ctlmain.parser(), words) if c.startswith(words[-1])], words)

    def test_nothing_behind_the_last(self):
        self.assertEqual(ctlcomplete.candidates(ctlmain.parser(), ["status", ""]), [])
        self.assertEqual(ctlcomplete.candidates(ctlmain.parser(), ["nonsense", ""]), [])

    def test_the_scripts_are_scripts(self):
        for shell in ("bash", "zsh"):
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                ctlcomplete.script(None, None, argparse.Namespace(shell=shell))
            if shutil.which(shell):
                p = subprocess.run([shell, "-n"], input=out.getvalue(), text=True, stderr=subprocess.PIPE, check=False)
                self.assertEqual((p.returncode, p.stderr), (0, ""), shell)


class Screen(unittest.TestCase):
    """Tables."""

    def table(self, colour):
        out = io.StringIO()
        ctlshow.Screen(out, colour).table(("node", "state"), [("pcscf", "open"), ("s", None)])
        return out.getvalue()

    def test_plain(self):
        self.assertEqual(self.table(False), "NODE   STATE\npcscf  open\ns\n")

    def test_colour(self):
        self.assertIn("\033[32mopen\033[0m", self.table(True))

    def test_a_peer_cannot_drive_the_terminal(self):
        out = io.StringIO()
        ctlshow.Screen(out, True).line("a\033[2Jb\r\x9bc")
        self.assertEqual(out.getvalue(), "a?[2Jb??c\n")


class Ladder(unittest.TestCase):
    """Lanes found from what the daemons say; seven of them within 100 columns."""

    LISTEN = {"pcscf": ["udp:192.0.2.10:5060"], "icscf": ["udp:192.0.2.20:4060"], "scscf": ["udp:192.0.2.20:6060", "tcp:[2001:db8::1]:6060"]}

    def test_which_lane(self):
        lanes = ctlladder.Lanes(self.LISTEN)
        for peer, lane in (("udp:192.0.2.10:5060", "pcscf"), ("tcp:192.0.2.10:40000", "pcscf"), ("udp:192.0.2.20:4060", "icscf"),
                           ("udp:192.0.2.20:6060", "scscf"), ("tcp:192.0.2.20:40000", None), ("tcp:[2001:db8::1]:7", "scscf"),
                           ("udp:198.51.100.1:5060", None)):
            self.assertEqual(lanes.core(peer), lane, peer)

    def rows(self):
        """A call through everything there is."""
        events = [dict(wallUs=t, node=n, kind=k, peer=p, text=x, callId="c", icid="i") for t, n, k, p, x in (
            (1, "pcscf", "sipIn", "udp:10.0.0.1:5060", "INVITE sip:b@x"), (2, "pcscf", "diameterOut", "pcf", "AAR"),
            (3, "pcscf", "sipOut", "udp:192.0.2.20:6060", "INVITE sip:b@x"), (4, "scscf", "sipOut", "udp:192.0.2.60:5060", "INVITE sip:b@x"),
            (5, "scscf", "note", "scscf", "application server asked " + "x" * 100), (6, "icscf", "diameterIn", "hss", "LIA 2001 SUCCESS"),
            (7, "pcscf", "note", "pcscf", "403 by us"), (8, "pcscf", "sipOut", "udp:10.0.0.2:5060", "INVITE sip:b@10.0.0.2"))]
        lanes = ctlladder.Lanes(self.LISTEN)
        return ctlladder.arrows(events, ctlladder.outsiders(events, lanes), lanes)

    def test_lanes_in_order(self):
        self.assertEqual(ctlladder.order_of(self.rows()), ["UE-A", "pcscf", "pcf", "icscf", "scscf", "hss", "as", "UE-B"])

    def test_at_most_100_columns(self):
        rows = self.rows()
        lines = ctlladder.draw(rows, ctlladder.order_of(rows))
        self.assertEqual(len(lines), 1 + len(rows))
        self.assertLessEqual(max(map(len, lines)), 100)
        self.assertTrue(any("403 by us" in line for line in lines))
        self.assertEqual(len(ctlladder.draw(rows, ctlladder.order_of(rows), notes=False)), 1 + len(rows) - 2)

    def test_mermaid(self):
        rows = self.rows()
        text = ctlladder.mermaid(rows + [(9, "pcscf", None, "a;b#<c>\nd")], ctlladder.order_of(rows))
        self.assertEqual(text[0], "sequenceDiagram")
        self.assertIn("    UE-A->>pcscf: INVITE", text)
        self.assertIn("    Note over pcscf: a b  c  d", text)

    def test_what_a_call_id_brings(self):
        """ICIDs that stand beside it are asked for; another dialog's SIP under the same ICID is not of this call."""
        def e(node, kind, call_id, icid, text):
            return dict(wallUs=int(text[0]), kind=kind, callId=call_id, icid=icid, peer="p", text=text), node
        store = [e("pcscf", "sipIn", "c", "i", "1 one"), e("scscf", "diameterOut", "i", "i", "4 four"), e("scscf", "sipIn", "other", "i", "5 of another")]
        got = ctlladder.collect(lambda node, key: [dict(d) for d, n in store if n == node and key in (d["callId"], d["icid"])], "c")
        self.assertEqual([x["text"] for x in got], ["1 one", "4 four"])
        got = ctlladder.collect(lambda node, key: [dict(d) for d, n in store if n == node and key in (d["callId"], d["icid"])], "i")
        self.assertEqual([x["text"] for x in got], ["1 one", "4 four", "5 of another"])


class Explanations(unittest.TestCase):
    """The rules of explain look for words that the daemons say: goal U4."""

    COMPOSED = (" by us: ", "application server failed", "the session ends")	# put together when they are said

    def test_every_needle_is_said_somewhere(self):
        with open(os.path.join(TOP, "common", "trace", "explain_rules.c"), encoding="utf-8") as f:
            rules = re.findall(r'^\t\{ "\w+", \d+, N, "([^"]+)"', f.read(), re.M)
        said = ""
        for folder in ("common", "pcscf", "icscf", "scscf"):
            for where, _, names in os.walk(os.path.join(TOP, folder)):
                for name in names:
                    if name.endswith(".c") and not name.startswith("explain"):
                        with open(os.path.join(where, name), encoding="utf-8") as f:
                            said += f.read()
        self.assertGreater(len(rules), 50)
        for needle in rules:
            word = re.sub(r"^(\d{3} )?( )?by us: |: kernel$", "", needle)
            if needle not in self.COMPOSED:
                self.assertTrue(word in said, needle)


if __name__ == "__main__":
    unittest.main()
