#!/usr/bin/env python3
"""tests/lab/test_grafana.py - each figure and label that the dashboard asks for is one of the daemons: goal U11."""

import json
import os
import re
import unittest

TOP = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..")
DASHBOARD = os.path.join(TOP, "deploy", "grafana", "ims-cscf.json")
DEFINITION = re.compile(r'METRIC_DEF\(\s*\w+,\s*"(\w+)",\s*METRIC_(\w+),\s*"(?:[^"\\]|\\.)*"(?:\s*"(?:[^"\\]|\\.)*")*,\s*(NULL|"\w+"),\s*(NULL|"\w+")\)')
ALWAYS = {"instance", "le"}


def figures():
    """{name: (kind, labels)} of the sources."""
    found = {}
    for folder in ("common", "pcscf", "icscf", "scscf"):
        for where, _, names in os.walk(os.path.join(TOP, folder)):
            for name in names:
                if name.endswith(".c"):
                    with open(os.path.join(where, name), encoding="utf-8") as f:
                        for metric, kind, one, two in DEFINITION.findall(f.read()):
                            found[metric] = (kind, {x.strip('"') for x in (one, two) if x != "NULL"})
    return found


def expressions():
    """[(panel, expression, legend)] of the dashboard."""
    with open(DASHBOARD, encoding="utf-8") as f:
        return [(p["title"], t["expr"], t["legendFormat"]) for p in json.load(f)["panels"] for t in p["targets"]]


class Dashboard(unittest.TestCase):
    """The file against the sources."""

    def test_figures_and_labels(self):
        known = figures()
        self.assertGreater(len(known), 40)
        self.assertGreater(len(expressions()), 25)
        for title, text, legend in expressions():
            names = re.findall(r"\b(cscf_\w+)\{", text)
            self.assertTrue(names, title)
            labels = set(ALWAYS)
            for name in names:
                kind = None
                if name.endswith("_bucket"):
                    name, kind = name[:-len("_bucket")], "HISTOGRAM"
                self.assertIn(name, known, f"{title}: {name}")
                if kind:
                    self.assertEqual(known[name][0], kind, f"{title}: {name}")
                labels |= known[name][1]
            used = re.findall(r"\{\{(\w+)\}\}", legend) + re.findall(r'(\w+)=~?"', text)
            used += [w for by in re.findall(r"by \(([^)]*)\)", text) for w in re.split(r",\s*", by)]
            for label in used:
                self.assertIn(label, labels, f"{title}: label {label}")

    def test_the_names_that_others_build_on(self):
        for name in ("cscf_registrations", "cscf_register_attempts_total", "cscf_register_success_total", "cscf_register_failures_total",
                     "cscf_session_setup_seconds", "cscf_sip_requests_total", "cscf_diameter_requests_total", "cscf_diameter_seconds",
                     "cscf_diameter_peer_up", "cscf_dns_queries_total", "cscf_parse_errors_total", "cscf_overload_level",
                     "cscf_loop_lag_seconds", "cscf_build_info"):
            self.assertIn(name, figures())


if __name__ == "__main__":
    unittest.main()
