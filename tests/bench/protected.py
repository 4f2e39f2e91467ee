"""What IPsec costs: processor time of the P-CSCF for protected registrations and calls against those in clear, and the associations of
many phones held.  Runs itself inside tests/kernel/run; there times are larger than on a real kernel, so the ratio is what counts."""
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
KERNEL = os.path.join(TOP, "tests", "kernel", "run")
REGISTRATIONS, CALLS, PHONES = 100, 30, 10000
LIMIT_S = 400
MARK = "figures: "


def measure(build, say):
    """{"clear": {...}, "protected": {...}, "sets": {...}}"""
    if subprocess.run([KERNEL, "-t", "20", "true"], capture_output=True, check=False).returncode:
        raise RuntimeError("no kernel with ESP: user-mode-linux does not start here")
    p = subprocess.run([KERNEL, "-t", str(LIMIT_S), "-n", "ue1,ue2,core", sys.executable, "-B", os.path.abspath(__file__), build],
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=LIMIT_S + 90, check=False)
    found = re.search("^" + MARK + "(.*)$", p.stdout, re.M)
    if p.returncode or not found:
        raise RuntimeError("in the test kernel: " + p.stdout[-600:])
    figures = json.loads(found.group(1))
    for name in ("registration", "call"):
        a, b = figures["clear"][name + "_cpu_ms"], figures["protected"][name + "_cpu_ms"]
        say("%s: %.2f ms of processor time of the P-CSCF in clear, %.2f ms protected: %.2f times" % (name, a, b, b / a if a else 0))
    s = figures["sets"]
    say("%d phones with associations: %.0f us to make a set, %.0f to refresh, %.0f to end; %.0f bytes a phone in the process, %.0f in the kernel" % (
        s["sets"], s["make_us"], s["refresh_us"], s["end_us"], s["process_bytes"], s["kernel_bytes"]))
    return figures


# ---- inside ----

def cpu_ms(pids):
    """User and system time of these processes, all threads."""
    total = 0
    for pid in pids:
        with open("/proc/%d/stat" % pid, encoding="ascii") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total * 1000.0 / os.sysconf("SC_CLK_TCK")


def cost(core, pids, n, one):
    """Milliseconds of one of n."""
    before = cpu_ms(pids)
    for _ in range(n):
        one()
    return round((cpu_ms(pids) - before) / n, 3)


def phones(i, mode, protected):
    """Registrations and calls of two phones."""
    with i.Core(mode) as core:
        pids = [core.doc["pids"]["pcscf"]]
        if protected:
            pids.append(i.helper_pid())
        with i.Phone("ue1", ipsec=protected) as a, i.Phone("ue2", ipsec=protected) as b:
            for p in (a, b):
                p.do("register", "registered")
            return {"registration_cpu_ms": cost(core, pids, REGISTRATIONS, lambda: a.do("reregister", "registered")),
                    "call_cpu_ms": cost(core, pids, CALLS, lambda: i.call(a, b, "ue2"))}


def inside(build):
    """Everything, in the kernel that has ESP."""
    sys.path.append(os.path.join(TOP, "tests", "integration"))
    import ipsec as i  # noqa: E402
    figures = {"clear": phones(i, "policy: prefer", False), "protected": phones(i, "policy: require", True)}
    p = subprocess.run([os.path.join(build, "tests", "bench", "bench_sets"), str(PHONES)], capture_output=True, text=True, check=False)
    if p.returncode:
        raise SystemExit(p.stderr)
    figures["sets"] = json.loads(p.stdout)
    print(MARK + json.dumps(figures), flush=True)


if __name__ == "__main__":
    inside(sys.argv[1])
