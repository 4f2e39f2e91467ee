#!/usr/bin/env python3
"""tests/lab/test_console.py - the console's page: it asks for what is served, takes nothing from elsewhere; its script in node.  Row O9."""

import os
import re
import shutil
import subprocess
import unittest

TOP = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..")
PAGE = os.path.join(TOP, "deploy", "console", "index.html")


def routes():
    """Paths of all route tables, {x} as one word."""
    found = set()
    for folder in ("common", "pcscf", "icscf", "scscf"):
        for where, _, names in os.walk(os.path.join(TOP, folder)):
            for name in names:
                if name.endswith(".c"):
                    with open(os.path.join(where, name), encoding="utf-8") as f:
                        found |= {re.sub(r"\{\w+\}", "*", p) for p in re.findall(r'\{ "[A-Z]+", "(/[^"]+)", HTTP_', f.read())}
    return found


class Console(unittest.TestCase):
    """The one page."""

    def setUp(self):
        with open(PAGE, encoding="utf-8") as f:
            self.page = f.read()

    def test_it_asks_for_what_is_there(self):
        paths = {p.split("?")[0] for p in re.findall(r'"(/(?:api|readyz)[^"]*)"', self.page)}
        self.assertGreater(len(paths), 8)
        for p in paths:
            self.assertIn(p + "*" if p.endswith("/") else p, routes())

    def test_nothing_from_elsewhere_nothing_as_markup(self):
        self.assertEqual(re.findall(r"https?://|//[a-z]+\.", self.page.replace("// ", "")), [])
        for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "localStorage"):
            self.assertNotIn(word, self.page)
        self.assertIn("default-src 'none'", self.page)

    @unittest.skipUnless(shutil.which("node"), "node is not installed (package nodejs)")
    def test_its_script(self):
        p = subprocess.run(["node", os.path.join(os.path.dirname(os.path.realpath(__file__)), "console.js"), PAGE], stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True, check=False, timeout=60)
        self.assertEqual((p.returncode, p.stdout), (0, "ok\n"))


if __name__ == "__main__":
    unittest.main()
