"""How long a daemon takes from its start to ready, with nothing and with 100,000 records in its store, and what one of them cost (bench_store.c)."""
import json
import os
import socket
import subprocess
import tempfile
import time

RECORDS = 100000
RUNS = 3
CONFIG = {
    "scscf": "diameter: {{identity: scscf.bench, peers: [{{identity: hss.bench, address: 127.0.75.40}}]}}\n",
    "pcscf": "dns: {{next_hops: {{ims.mnc001.mcc001.3gppnetwork.org: \"udp:127.0.75.20:4060\"}}}}\n",
}


def start(build, node, top):
    """Milliseconds until READY=1, and the resident memory then, in MiB."""
    path, config = os.path.join(top, "notify"), os.path.join(top, node + ".yaml")
    with open(config, "w", encoding="ascii") as f:
        f.write("plmn: {mcc: \"001\", mnc: \"01\"}\nworkers: 1\nsip: {listen: [\"udp:127.0.75.10:5060\"]}\n" +
                CONFIG[node].format() + f"state: {{dir: {os.path.join(top, node)}}}\nlog: {{level: warn}}\n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(path)
        s.settimeout(60)
        began = time.monotonic()
        p = subprocess.Popen([os.path.join(build, node, node + "d"), "-c", config], env={**os.environ, "NOTIFY_SOCKET": path},
                             stderr=subprocess.DEVNULL)
        try:
            while b"READY=1" not in s.recv(4096):
                pass
            ms = (time.monotonic() - began) * 1000
            with open(f"/proc/{p.pid}/status", encoding="ascii", errors="replace") as f:
                mib = int(next(line for line in f if line.startswith("VmRSS:")).split()[1]) / 1024
        finally:
            p.kill()
            p.wait()
            os.unlink(path)
    return ms, mib


def measure(build, say):
    """{node: figures}"""
    result = {}
    for node in CONFIG:
        program = os.path.join(build, "tests", "bench", "bench_store_" + node)
        if not os.access(program, os.X_OK):
            raise RuntimeError("%s is missing: make tests/bench/bench_store_%s" % (program, node))
        with tempfile.TemporaryDirectory(prefix="bench-restart-") as top:
            empty = min(start(build, node, top)[0] for _ in range(RUNS))
            p = subprocess.run([program, os.path.join(top, node), str(RECORDS)], capture_output=True, text=True, check=False)
            if p.returncode:
                raise RuntimeError(program + ": " + p.stderr.strip())
            row = json.loads(p.stdout)
            full = [start(build, node, top) for _ in range(RUNS)]
            row.update(empty_ms=empty, full_ms=min(ms for ms, _ in full), full_mib=full[0][1])
            result[node] = row
            say("restart %s: ready after %.0f ms, with %d records %.0f ms (%.0f MiB); a record costs its owner %.2f us, the process "
                "%.2f us, %.0f octets on disk" % (node, empty, row["records"], row["full_ms"], row["full_mib"], row["owner_us"],
                                                  row["process_us"], row["octets"]))
    return result
