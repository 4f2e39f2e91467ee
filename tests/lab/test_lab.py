#!/usr/bin/env python3
"""tests/lab/test_lab.py - the parts of deploy/lab that need no running core."""

import os
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
TOP = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(TOP, "deploy", "lab"))

import labbuild			# noqa: E402
import labcore			# noqa: E402
import lablogs			# noqa: E402
import labproc			# noqa: E402
import labsubs			# noqa: E402
from labconf import LabDir, cscf_part, dnsmasq_part, write_all	# noqa: E402
from labrest import ctlladder	# noqa: E402
from labnet import LabError, LabNet, check_ip6, check_net, diameter_base, parse_hss	# noqa: E402


def read(path):
    """A whole file."""
    with open(path, encoding="utf-8") as f:
        return f.read()


class Net(unittest.TestCase):
    """Addresses and ports."""

    def test_the_names_that_others_rely_on(self):
        net = LabNet()
        self.assertEqual(net.domain, "ims.mnc001.mcc001.3gppnetwork.org")
        self.assertEqual([net.sip(n) for n in ("pcscf", "icscf", "scscf")],
                         ["127.0.77.10:5060", "127.0.77.20:4060", "127.0.77.30:6060"])
        self.assertEqual(net.diameter_port, {"hss": 3868, "icscf": 3869, "scscf": 3870, "pcrf": 3871})

    def test_only_loopback_nets(self):
        for bad in ("10.0.0", "127.0", "127.0.0.1", "127.0.256", "127.0.x", ""):
            with self.subTest(bad), self.assertRaises(LabError):
                check_net(bad)
        self.assertEqual(check_net("127.7.8"), "127.7.8")

    def test_neighbour_nets_have_their_own_diameter_ports(self):
        bases = [diameter_base(f"127.{b}.{c}") for b in (0, 1, 2) for c in range(256)]
        self.assertEqual(len(set(bases)), len(bases))
        self.assertTrue(all(1024 < p < 32768 - 4 for p in bases))

    def test_sip_over_ipv6(self):
        net = LabNet("127.0.78", ip6="fd00:77::")
        d = net.domain
        self.assertEqual(net.sip("scscf"), "[fd00:77::30]:6060")
        self.assertEqual(net.sip_ips("pcscf"), ["[fd00:77::10]", "127.0.78.10"])	# phones of both families
        self.assertEqual(net.phone_ip(0), "fd00:77::101")
        self.assertEqual(net.lanes()["fd00:77::20"], "icscf")
        self.assertIn('listen: ["udp:[fd00:77::20]:4060", "tcp:[fd00:77::20]:4060"]', cscf_part(net, LabDir("/x"), "icscf"))
        zone = dnsmasq_part(net)
        self.assertIn(f"host-record=icscf.{d},fd00:77::20,60\n", zone)
        self.assertIn(f"host-record=pcscf.{d},127.0.78.10,fd00:77::10,60\n", zone)
        for bad in ("2001:db8::", "fd00::1", "127.0.0", "fd00:77", ""):
            with self.subTest(bad), self.assertRaises(LabError):
                check_ip6(bad)

    def test_foreign_hss(self):
        self.assertEqual(parse_hss("hss.x.org@192.0.2.7:3868"), {"identity": "hss.x.org", "address": "192.0.2.7", "port": 3868})
        self.assertEqual(parse_hss("h@[2001:db8::1]:1")["address"], "2001:db8::1")
        for bad in ("hss", "hss@1.2.3.4", "hss@1.2.3.4:0", "hss@1.2.3.4:70000", "@1.2.3.4:1", "h@::1:3868"):
            with self.subTest(bad), self.assertRaises(LabError):
                parse_hss(bad)
        net = LabNet(hss=parse_hss("hss.x.org@192.0.2.7:3868"))
        self.assertEqual(net.daemons(), ["scscf", "icscf", "pcscf"])
        self.assertIn('identity: hss.x.org, address: "192.0.2.7", port: 3868', cscf_part(net, LabDir("/x"), "scscf"))


class Files(unittest.TestCase):
    """What `up` writes."""

    def test_secrets_are_private_and_all_is_removed(self):
        with tempfile.TemporaryDirectory() as top:
            path = os.path.join(top, "lab")
            net, labdir = LabNet("127.0.78"), LabDir(path)
            self.assertTrue(labcore.claim_dir(path))
            subs_file, subs = labcore.prepare_subscribers(net, labdir, None)
            configs = write_all(net, labdir, subs_file, 4, True)
            lab = labcore.Lab(labdir, labcore.describe(net, labdir, configs, subs, "build", True, True))
            lab.save()
            for private in (labdir.token_file, labdir.lab_json, subs_file):
                self.assertEqual(os.stat(private).st_mode & 0o777, 0o600, private)
            self.assertEqual(set(lab.doc["configs"]), {"pcscf", "icscf", "scscf", "hss", "dns"})
            self.assertIn("workers: 4", read(labdir.conf("common.yaml")))
            again = labcore.Lab.load(path)
            self.assertEqual((again.doc["net"], again.running()), ("127.0.78", []))
            again.remove_files()
            self.assertEqual(os.listdir(top), [])

    def test_a_directory_of_the_user_keeps_what_is_his(self):
        with tempfile.TemporaryDirectory() as path:
            with open(os.path.join(path, "mine"), "w", encoding="utf-8"):
                pass
            net, labdir = LabNet("127.0.78"), LabDir(path)
            self.assertFalse(labcore.claim_dir(path))
            subs_file, subs = labcore.prepare_subscribers(net, labdir, None)
            lab = labcore.Lab(labdir, labcore.describe(net, labdir, write_all(net, labdir, subs_file, 1, False), subs, "b", False, True))
            lab.save()
            lab.remove_files()
            self.assertEqual(os.listdir(path), ["mine"])

    def test_without_dns_the_daemons_know_each_other(self):
        with tempfile.TemporaryDirectory() as path:
            net, labdir = LabNet("127.0.78"), LabDir(path)
            configs = write_all(net, labdir, "subs", 1, False)
            self.assertNotIn("dns", configs)
            text = read(labdir.conf("common.yaml"))
            self.assertIn(f'{net.domain}: "udp:127.0.78.20:4060"', text)
            self.assertNotIn("servers", text)

    def test_policy_control_needs_a_pcrf(self):
        with tempfile.TemporaryDirectory() as path:
            net, labdir = LabNet("127.0.78", policy="rx"), LabDir(path)
            configs = write_all(net, labdir, "subs", 1, False)
            self.assertEqual(net.daemons(), ["hss", "pcrf", "scscf", "icscf", "pcscf"])
            self.assertIn('listen: "127.0.78.45:', read(configs["pcrf"]))
            self.assertIn("policy:\n  mode: rx\n", read(configs["pcscf"]))
            self.assertNotIn("policy:", cscf_part(LabNet("127.0.78"), labdir, "pcscf"))

    def test_policy_control_over_n5_needs_a_pcf(self):
        with tempfile.TemporaryDirectory() as path:
            net, labdir = LabNet("127.0.78", policy="n5"), LabDir(path)
            configs = write_all(net, labdir, "subs", 1, False)
            self.assertEqual(net.daemons(), ["hss", "pcf", "scscf", "icscf", "pcscf"])
            self.assertIn('sbi: {listen: "127.0.78.46:7777"}', read(configs["pcf"]))
            self.assertIn('n5: {pcf: "http://127.0.78.46:7777", listen: "127.0.78.10:7777"', read(configs["pcscf"]))
            self.assertNotIn("diameter:", read(configs["pcscf"]))

    def test_the_zone_leads_to_the_icscf(self):
        zone = dnsmasq_part(LabNet("127.0.78"))
        d = "ims.mnc001.mcc001.3gppnetwork.org"
        for line in (f"naptr-record={d},10,50,s,SIP+D2U,,_sip._udp.{d}", f"srv-host=_sip._udp.{d},icscf.{d},4060,0,100",
                     f"host-record=icscf.{d},127.0.78.20,60", "listen-address=127.0.78.53", "bind-interfaces"):
            self.assertIn(line + "\n", zone)

    def test_subscribers_written_are_read_back(self):
        net = LabNet()
        with tempfile.TemporaryDirectory() as path:
            f = os.path.join(path, "s.yaml")
            subs = labsubs.default_subscribers(net)
            labsubs.write_subscribers(f, subs)
            self.assertEqual(labsubs.read_subscribers(f), subs)
            with open(f, "w", encoding="utf-8") as out:
                out.write('# two ways\n- {imsi: "1", k: aa, opc: bb}	# one\n- generate: {count: 5, first_imsi: "9"}\n'
                          "- imsi: '2'\n  password: p\n  impu: [sip:a@b]\n")
            got = labsubs.read_subscribers(f)
            self.assertEqual([(s["imsi"], s.get("k"), s.get("password")) for s in got], [("1", "aa", None), ("2", None, "p")])

    def test_a_subscriber_is_found_by_any_of_its_names(self):
        net = LabNet()
        subs = labsubs.default_subscribers(net)
        for name in ("001010000000002", "+491510000002", "tel:+491510000002", f"sip:+491510000002@{net.domain}"):
            self.assertIs(labsubs.find(net, subs, name), subs[1])
        with self.assertRaises(LabError):
            labsubs.find(net, subs, "nobody")


class Processes(unittest.TestCase):
    """Never the wrong process."""

    def test_a_reused_pid_is_not_ours(self):
        p = subprocess.Popen(["sleep", "60"])
        try:
            started = labproc.start_time(p.pid)
            self.assertTrue(labproc.Process(p.pid, started).alive())
            stranger = labproc.Process(p.pid, started - 1)
            self.assertFalse(stranger.alive())
            self.assertEqual(labproc.stop_all({"x": stranger}), {"x": "was gone already"})
            self.assertIsNone(p.poll())
        finally:
            p.kill()
            p.wait()
        self.assertIsNone(labproc.start_time(p.pid))

    def test_stop(self):
        with tempfile.TemporaryDirectory() as path:
            p = labproc.Process.start(["sleep", "60"], os.path.join(path, "log"))
            self.assertEqual(labproc.stop_all({"x": p}), {"x": "stopped with status -15"})
            self.assertFalse(p.alive())


class Logs(unittest.TestCase):
    """What counts as a fault."""

    def test_rows(self):
        rows = (("2026-11-25T21:30:00.123Z I reg    registered impi=x\n", False),
                ("2026-11-25T21:30:00.123Z W dia    peer is not connected E x\n", False),
                ("2026-11-25T21:30:00.123Z E core   stopped by an error\n", True),
                ("==12==ERROR: AddressSanitizer: heap-use-after-free\n", True), ("\n", False))
        with tempfile.TemporaryDirectory() as path:
            for n, (line, fault) in enumerate(rows):
                f = os.path.join(path, str(n))
                with open(f, "w", encoding="utf-8") as out:
                    out.write(line)
                self.assertEqual(bool(lablogs.faults({"pcscf": f})), fault, line)

    def test_merged_by_time(self):
        with tempfile.TemporaryDirectory() as path:
            for name, text in (("a", "2026-01-01T00:00:01Z I one\n2026-01-01T00:00:03Z I three\n  more\n"), ("b", "2026-01-01T00:00:02Z I two\n")):
                with open(os.path.join(path, name), "w", encoding="utf-8") as f:
                    f.write(text)
            got = lablogs.merged({n: os.path.join(path, n) for n in ("a", "b")})
            self.assertEqual([line.split()[-1] for _, line in got], ["one", "two", "three", "more"])


class Ladder(unittest.TestCase):
    """From events to a picture."""

    EVENTS = (			# microseconds, node, kind, peer, text
        (1000, "pcscf", "sipIn", "udp:127.0.77.101:5061", "INVITE sip:b@x"),
        (1100, "pcscf", "sipOut", "udp:127.0.77.101:5061", "100 Trying (INVITE)"),
        (1500, "pcscf", "sipOut", "udp:127.0.77.30:6060", "INVITE sip:b@x"),
        (1600, "scscf", "sipIn", "udp:127.0.77.10:5060", "INVITE sip:b@x"),
        (2000, "icscf", "diameterOut", "hss", "LIR"),
        (3000, "icscf", "diameterIn", "hss", "LIA 2001 SUCCESS"),
        (3500, "pcscf", "sipOut", "tcp:127.0.77.102:5062", "INVITE sip:b@127.0.77.102"),
        (4000, "pcscf", "sipIn", "tcp:127.0.77.102:5062", "183 Session Progress (INVITE)"),
    )
    ORDER = ["UE-A", "pcscf", "icscf", "scscf", "hss", "UE-B"]

    def rows(self):
        events = [dict(wallUs=t, node=n, kind=k, peer=p, text=x) for t, n, k, p, x in self.EVENTS]
        return ctlladder.arrows(events, {"127.0.77.101": "UE-A", "127.0.77.102": "UE-B"}, LabNet().lanes())

    def test_one_arrow_per_message(self):
        self.assertEqual([r[1:] for r in self.rows()],
                         [("UE-A", "pcscf", "INVITE"), ("pcscf", "UE-A", "100 INVITE"), ("pcscf", "scscf", "INVITE"),
                          ("icscf", "hss", "LIR"), ("hss", "icscf", "LIA 2001"), ("pcscf", "UE-B", "INVITE"),
                          ("UE-B", "pcscf", "183 INVITE")])

    def test_what_was_noted_late_stands_before_its_effect(self):
        events = [dict(wallUs=t, node=n, kind=k, peer=p, text="BYE sip:b@x") for t, n, k, p in (
            (900, "pcscf", "sipIn", "udp:127.0.77.30:6060"), (950, "pcscf", "sipOut", "udp:127.0.77.102:5062"),
            (990, "scscf", "sipOut", "udp:127.0.77.10:5060"))]
        got = ctlladder.arrows(events, {"127.0.77.102": "UE-B"}, LabNet().lanes())
        self.assertEqual(got, [(900, "scscf", "pcscf", "BYE"), (950, "pcscf", "UE-B", "BYE")])

    def test_the_picture(self):
        lines = ctlladder.draw(self.rows(), self.ORDER)
        self.assertTrue(all(len(line) <= 100 for line in lines), max(len(line) for line in lines))
        self.assertEqual(len(lines), 8)
        self.assertIn("UE-A", lines[0])
        self.assertEqual(lines[1], "     0.0 ms  |--INVITE------>|               |               |               |               |")
        self.assertEqual(lines[2], "     0.1 ms  |<--100 INVITE--|               |               |               |               |")
        self.assertEqual(lines[5], "     2.0 ms  |               |               |<--------------|--LIA 2001-----|               |")
        self.assertTrue(lines[7].endswith("|--183 INVITE---|"), lines[7])

    def test_a_request_without_an_answer(self):
        self.assertEqual(ctlladder.label("LIA: none, Connection timed out"), "LIA none")


class Packages(unittest.TestCase):
    """What the demo installs."""

    def test_the_list_and_what_is_missing(self):
        names = labbuild.wanted_packages(TOP)
        self.assertIn("dnsmasq-base", names)
        self.assertIn("libfreediameter-dev", names)
        self.assertEqual(labbuild.missing_packages(["dpkg", "no-such-package-anywhere"]), ["no-such-package-anywhere"])


if __name__ == "__main__":
    unittest.main()
