"""Processes of a lab: started in sessions of their own, known again by pid and start time, stopped by pid only."""

import errno
import os
import signal
import socket
import subprocess
import time

STOP_WAIT_S = 8.0
KILL_WAIT_S = 2.0
POLL_S = 0.05


def start_time(pid):
    """Start time of a process in clock ticks since boot, or None when there is none (a zombie counts as none)."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
            fields = f.read().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def boot_id():
    """Start times mean something within one boot only."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as f:
            return f.read().strip()
    except OSError:
        return ""


class Process:
    """One process: `popen` when we are its parent, else known from lab.json."""

    def __init__(self, pid, started, popen=None):
        self.pid, self.started, self.popen = pid, started, popen

    @classmethod
    def start(cls, argv, log):
        """Starts argv with its output in the file `log`, in a session of its own so that Ctrl-C is ours alone."""
        with open(log, "ab") as out:
            p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                 start_new_session=True, close_fds=True)
        return cls(p.pid, start_time(p.pid) or 0, p)

    def exit_status(self):
        """None while it runs; else the status, -N for signal N, or None again for somebody else's child."""
        return self.popen.poll() if self.popen else None

    def alive(self):
        """Is it there, and the same process still?"""
        if self.popen and self.popen.poll() is not None:
            return False
        return start_time(self.pid) == self.started

    def signal(self, sig):
        """Sends a signal, never to a process that got the number later."""
        if self.alive():
            try:
                os.kill(self.pid, sig)
            except ProcessLookupError:
                pass

    def wait_gone(self, seconds):
        """True when it is gone within that time."""
        end = time.monotonic() + seconds
        while self.alive():
            if time.monotonic() >= end:
                return False
            time.sleep(POLL_S)
        return True


def stop_all(procs):
    """SIGTERM to {name: Process} in that order, SIGKILL to what stays.  Returns {name: what happened}."""
    result = {}
    for name, p in procs.items():
        if not p.alive():
            status = p.exit_status()
            result[name] = "was gone already" + (f", exit status {status}" if status is not None else "")
            continue
        p.signal(signal.SIGTERM)
        if p.wait_gone(STOP_WAIT_S):
            status = p.exit_status()
            result[name] = "stopped" if not status else f"stopped with status {status}"
            continue
        p.signal(signal.SIGKILL)
        p.wait_gone(KILL_WAIT_S)
        result[name] = f"did not stop within {STOP_WAIT_S:.0f} s and was killed"
    return result


def port_fault(kind, address, port):
    """Why ADDRESS:PORT cannot be ours: None when it is free.  Catches SO_REUSEPORT sharers too, as we bind without it."""
    address = address.strip("[]")
    s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
    try:
        if kind == "tcp":
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((address, port))
        if kind == "tcp":
            s.listen(1)
    except OSError as e:
        if e.errno == errno.EADDRINUSE:
            return f"{kind} {address}:{port} is in use"
        return f"{kind} {address}:{port}: {e.strerror}"
    finally:
        s.close()
    return None
