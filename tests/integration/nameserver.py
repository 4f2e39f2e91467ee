"""A name server for one script: what it says can change at any time, and it can fall silent."""

import ipaddress
import socket
import struct
import threading

A, NAPTR, AAAA, SRV = 1, 35, 28, 33
CLASS_IN, NXDOMAIN = 1, 3


def name(text):
    """A name on the wire."""
    return b"".join(bytes([len(p)]) + p.encode() for p in text.split(".") if p) + b"\0"


def string(text):
    """A character-string."""
    return bytes([len(text)]) + text.encode()


def a(ip):
    """An address record of either family."""
    ip = ipaddress.ip_address(ip)
    return (A if ip.version == 4 else AAAA), ip.packed


def srv(priority, weight, port, target):
    """RFC 2782."""
    return SRV, struct.pack("!HHH", priority, weight, port) + name(target)


def naptr(order, preference, service, target):
    """RFC 3403, flag s."""
    return NAPTR, struct.pack("!HH", order, preference) + string("s") + string(service) + string("") + name(target)


def enum(order, service, expression):
    """RFC 6116: flag u, an expression."""
    return NAPTR, struct.pack("!HH", order, 10) + string("u") + string(service) + string(expression) + name("")


class NameServer:
    """records: {name: [a(), srv(), naptr()...]}."""

    def __init__(self, ip, port, ttl=60):
        self.records, self.ttl, self.mute, self.asked = {}, ttl, False, []
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((ip, port))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                data, peer = self.sock.recvfrom(4096)
            except OSError:
                return
            if len(data) > 12 and not self.mute:
                self.sock.sendto(self._answer(data), peer)

    def _answer(self, data):
        labels, at = [], 12
        while data[at]:
            labels.append(data[at + 1:at + 1 + data[at]].decode("ascii", "replace").lower())
            at += 1 + data[at]
        question = data[12:at + 5]
        kind = struct.unpack("!H", data[at + 1:at + 3])[0]
        who = ".".join(labels)
        self.asked.append((who, kind))
        known = self.records.get(who)
        found = [rdata for k, rdata in known or [] if k == kind]
        head = data[:2] + struct.pack("!HHHHH", 0x8580 | (0 if known else NXDOMAIN), 1, len(found), 0, 0)
        return head + question + b"".join(b"\xc0\x0c" + struct.pack("!HHIH", kind, CLASS_IN, self.ttl, len(r)) + r for r in found)

    def close(self):
        """Down."""
        self.sock.close()
