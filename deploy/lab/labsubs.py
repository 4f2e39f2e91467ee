"""The lab's subscribers: two AKA pairs and one with a password; the file that labhssd reads."""

import os
import re

from labnet import LabError

# Test values of 3GPP TS 35.208 §4.3 (sets 1 and 3 to 5): K and OPc.  Everybody knows them: lab use only.
AKA_KEYS = (
    ("465b5ce8b199b49faa5f0a2ee238a6bc", "cd63cb71954a9f4e48a5994e37a02baf"),
    ("fec86ba6eb707ed08905757b1bb44b8f", "1006020f0a478bf6b699f15c062e42b3"),
    ("9e5944aea94b81165c82fbf9f32db751", "a64a507ae1a2a98bb88eb4210135dc87"),
    ("4ab1deb05ca6ceb051fc98e77d026a84", "dcf07cbd51855290b92a07a9891e523e"),
)
DIGEST_PASSWORD = "lab-password"


def default_subscribers(net):
    """Four with a USIM, one with a password."""
    subs = [{"imsi": f"{net.mcc}{net.mnc}{i:0{15 - len(net.mcc + net.mnc)}d}", "msisdn": f"4915100000{i:02d}",
             "k": k, "opc": opc, "amf": "8000", "sqn": "000000000000"}
            for i, (k, opc) in enumerate(AKA_KEYS, 1)]
    n = len(subs) + 1
    subs.append({"imsi": f"{net.mcc}{net.mnc}{n:0{15 - len(net.mcc + net.mnc)}d}", "msisdn": f"4915100000{n:02d}",
                 "password": DIGEST_PASSWORD})
    return subs


def write_subscribers(path, subs):
    """The YAML list that labhssd reads.  Mode 0600: it holds keys."""
    lines = ["# subscribers of the lab HSS; what is left out derives from the PLMN\n"]
    for s in subs:
        lines.append("- " + "\n  ".join(f'{k}: "{v}"' for k, v in s.items()) + "\n")
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as f:
        f.writelines(lines)


def read_subscribers(path):
    """The plain entries of a subscribers file, for phones: `key: value` lines of a list, or {a: b, ...} on one line.

    This is no YAML reader: labhssd is.  Entries that it cannot follow (generate, nested values) are left out.
    """
    try:
        with open(path, encoding="utf-8") as f:
            text = f.read()
    except OSError as e:
        raise LabError(f"subscribers file {path}: {e.strerror}") from e
    subs, current = [], None
    for line in text.splitlines():
        line = re.sub(r"(^|\s)#.*", "", line).rstrip()
        if line.lstrip().startswith("- "):
            current = {}
            subs.append(current)
            line = line.lstrip()[2:]
        if current is None:
            continue
        for key, value in re.findall(r"([a-z_]+)\s*:\s*(\"[^\"]*\"|'[^']*'|[^,{}\[\]]+)", line):
            current.setdefault(key, value.strip().strip("\"'"))
    return [s for s in subs if "imsi" in s and ("k" in s or "password" in s)]


def impi(net, sub):
    """Private identity of a subscriber (TS 23.003 §13.3)."""
    return sub.get("impi") or f"{sub['imsi']}@{net.domain}"


def public_uri(net, sub):
    """The public identity that others call: with the number when there is one."""
    return f"sip:+{sub['msisdn']}@{net.domain}" if sub.get("msisdn") else f"sip:{sub['imsi']}@{net.domain}"


def find(net, subs, text):
    """The subscriber that somebody means by an IMSI, a number or a public identity."""
    bare = re.sub(r"^(sip:|tel:)?\+?", "", text).split("@")[0]
    for s in subs:
        if bare in (s["imsi"], s.get("msisdn")):
            return s
    raise LabError(f"no subscriber {text} in this lab: " + ", ".join(s["imsi"] for s in subs))
