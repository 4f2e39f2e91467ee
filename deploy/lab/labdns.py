"""dnsmasq for a lab: found, started, asked whether it serves."""

import os
import shutil
import socket
import struct
import time

from labnet import DNS_PORT

ANSWER_WAIT_S = 0.3
TYPE_A = 1


def find_dnsmasq():
    """Path of dnsmasq (package dnsmasq-base), or None."""
    return shutil.which("dnsmasq", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/local/sbin")


def argv(path, config):
    """How it is run: in the foreground, with our file only."""
    return [path, "--keep-in-foreground", f"--conf-file={config}", "--pid-file="]


def ask_a(server, name, wait_s=ANSWER_WAIT_S):
    """First A record of a name, or None: one query, one answer (RFC 1035 §4)."""
    ident = int(time.monotonic() * 1000) & 0xffff
    question = b"".join(bytes([len(p)]) + p.encode() for p in name.split(".")) + b"\0" + struct.pack(">HH", TYPE_A, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(wait_s)
        try:
            s.connect((server, DNS_PORT))
            s.send(struct.pack(">HHHHHH", ident, 0x0100, 1, 0, 0, 0) + question)
            answer = s.recv(512)
        except OSError:
            return None
    if len(answer) < 12 + len(question) + 16 or struct.unpack(">H", answer[:2])[0] != ident:
        return None
    count = struct.unpack(">H", answer[6:8])[0]
    rtype, _, _, length = struct.unpack(">HHIH", answer[12 + len(question) + 2:12 + len(question) + 12])
    if count == 0 or rtype != TYPE_A or length != 4:
        return None
    at = 12 + len(question) + 12
    return socket.inet_ntoa(answer[at:at + 4])
