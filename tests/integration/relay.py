"""A real rtpengine in user space, what it says of its calls, and RTP through it.  Shares no code with the daemons."""

import os
import re
import shutil
import socket
import subprocess
import tempfile

from cases import Fail, Skip, check, wait_for

PORTS = (23000, 23999)
PT = 8


def bencode(x):
    """Text and octets, integers, lists, dictionaries."""
    if isinstance(x, int):
        return b"i%de" % x
    if isinstance(x, str):
        x = x.encode()
    if isinstance(x, bytes):
        return b"%d:%s" % (len(x), x)
    if isinstance(x, list):
        return b"l" + b"".join(bencode(e) for e in x) + b"e"
    return b"d" + b"".join(bencode(k) + bencode(v) for k, v in sorted(x.items())) + b"e"


def bdecode(b, i=0):
    """(value, index behind it)."""
    kind = b[i:i + 1]
    if kind == b"i":
        end = b.index(b"e", i)
        return int(b[i + 1:end]), end + 1
    if kind in (b"l", b"d"):
        i, all_of_it = i + 1, []
        while b[i:i + 1] != b"e":
            v, i = bdecode(b, i)
            all_of_it.append(v)
        return (all_of_it if kind == b"l" else dict(zip(all_of_it[::2], all_of_it[1::2]))), i + 1
    colon = b.index(b":", i)
    end = colon + 1 + int(b[i:colon])
    return b[colon + 1:end].decode("utf-8", "replace"), end


class Rtpengine:
    """One at ip: ng on port 2223, one address of each family for the phones and the core."""

    def __init__(self, ip, addresses, ports=PORTS):
        if not shutil.which("rtpengine"):
            raise Skip("rtpengine is not installed (package rtpengine-daemon)")
        self.ip, self.addresses, self.ports = ip, addresses, ports
        self.p, self.dir, self.n = None, tempfile.TemporaryDirectory(prefix="rtpengine-"), 0

    def start(self):
        """In the foreground, without the kernel's module; back when it answers."""
        argv = ["rtpengine", "--config-file=none", "--table=-1", "--foreground", "--log-stderr", "--log-level=5", f"--listen-ng={self.ip}:2223",
                f"--port-min={self.ports[0]}", f"--port-max={self.ports[1]}", "--pidfile=" + os.path.join(self.dir.name, "pid")]
        argv += [f"--interface={side}/{a}" for side in ("access", "core") for a in self.addresses]
        with open(os.path.join(self.dir.name, "log"), "ab") as log:
            self.p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for(lambda: self.ask(command="ping", seconds=0.2) or self.p.poll() is not None, 15, "rtpengine")
        if self.p.poll() is not None:
            with open(os.path.join(self.dir.name, "log"), encoding="utf-8", errors="replace") as f:
                raise Skip("rtpengine does not start here: " + " ".join(f.read().splitlines()[-1:]))
        return self

    def stop(self, kill=False):
        """Gone when this returns."""
        if not self.p:
            return
        if kill:
            self.p.kill()
        else:
            self.p.terminate()
        try:
            self.p.wait(10)
        except subprocess.TimeoutExpired:
            self.p.kill()
            self.p.wait()
        self.p = None

    def ask(self, seconds=3.0, **command):
        """A command of the ng protocol; None: no answer."""
        self.n += 1
        cookie = b"t%d_%d" % (os.getpid(), self.n)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(seconds)
            try:
                s.connect((self.ip, 2223))
                s.send(cookie + b" " + bencode({k.replace("_", "-"): v for k, v in command.items()}))
                return bdecode(s.recv(65535), len(cookie) + 1)[0]
            except OSError:
                return None

    def calls(self):
        """Call-ids that it has."""
        return (self.ask(command="list", limit=1000) or {"calls": ["silence"]})["calls"]

    def none_left(self):
        """Every session that began has ended."""
        wait_for(lambda: not self.calls(), 10, "the end of every session at rtpengine")


def media_of(sdp, n=0):
    """(address, port) of a media line."""
    part = re.split(r"(?m)^m=", sdp)
    at = re.search(r"(?m)^c=IN IP[46] (\S+)", part[n + 1]) or re.search(r"(?m)^c=IN IP[46] (\S+)", part[0])
    return at.group(1), int(part[n + 1].split()[1])


class Rtp:
    """Where a phone's sound comes and goes."""

    def __init__(self, ip, port):
        self.s = socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET, socket.SOCK_DGRAM)
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.s.bind((ip, port))
        self.s.settimeout(0.1)
        self.seq, self.ssrc = 1, int.from_bytes(os.urandom(4), "big")

    def close(self):
        """No more."""
        self.s.close()

    def send(self, to, payload):
        """A packet of G.711."""
        self.seq += 1
        head = bytes((0x80, PT)) + self.seq.to_bytes(2, "big") + (self.seq * 160).to_bytes(4, "big") + self.ssrc.to_bytes(4, "big")
        self.s.sendto(head + payload.ljust(160, b"."), to)

    def heard(self, payload):
        """Has a packet with that come?"""
        try:
            while True:
                if payload in self.s.recv(2048):
                    return True
        except OSError:
            return False


def flows(one, to_one, other, to_other, ways=("there", "back")):
    """Packets pass in these directions and in no other: one sends to to_one, other to to_other."""
    for way, sender, to, receiver in (("there", one, to_one, other), ("back", other, to_other, one)):
        word = os.urandom(6).hex().encode()
        good = False
        for _ in range(30 if way in ways else 4):
            sender.send(to, word)
            good = receiver.heard(word)
            if good:
                break
        check(good == (way in ways), f"media {way}: {'nothing comes' if way in ways else 'a packet came'}")


__all__ = ["Fail", "Rtpengine", "Rtp", "flows", "media_of"]
