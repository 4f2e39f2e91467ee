"""Cases of an integration script: one line each, `ok - NAME` or `not ok - NAME: why`, and the exit status that tests/run reads."""

import os
import signal
import sys
import threading
import time
import traceback

EXIT_SKIP = 77
PATIENCE_S = 30			# of a busy machine, over what a thing takes by itself
BUSY_S = 10			# what it may add to a time that is measured


class Fail(Exception):
    """A case that did not go as it must; the text says what came instead."""


class Skip(Exception):
    """A case that cannot run here; the text says why."""


def check(good, why):
    """Fails the case with `why` unless good."""
    if not good:
        raise Fail(why)


def equal(got, wanted, what):
    """Fails the case unless got is what is wanted."""
    if got != wanted:
        raise Fail(f"{what}: {got!r}, wanted {wanted!r}")


def wait_for(fn, seconds, what):
    """Returns fn()'s first true value; Fail when none came in time.

    seconds: what it may take by itself.  A machine that has other work too gets PATIENCE_S more: an event that must come is waited for, and
    where it must come soon the script measures, and says what a busy machine adds to that.
    """
    seconds += PATIENCE_S
    end = time.monotonic() + seconds
    while True:
        value = fn()
        if value:
            return value
        if time.monotonic() >= end:
            raise Fail(f"{what} did not come within {seconds} s")
        time.sleep(0.02)


class Cases:
    """Runs cases and counts them."""

    def __init__(self):
        self.good, self.bad, self.skipped = 0, 0, 0
        self.lock = threading.Lock()
        self.last_skip = ""
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))		# so that labs are taken down
        signal.signal(signal.SIGINT, lambda *_: sys.exit(1))

    def say(self, text):
        """One whole line."""
        with self.lock:
            print(text, flush=True)

    def run(self, name, fn, *args):
        """Runs one case; True when it passed."""
        began = time.monotonic()
        try:
            fn(*args)
        except Skip as e:
            with self.lock:
                self.skipped += 1
                self.last_skip = f"{name}: {e}"
            self.say(f"skip - {name}: {e}")
            return False
        except Fail as e:
            with self.lock:
                self.bad += 1
            self.say(f"not ok - {name}: {e}")
            return False
        except Exception as e:						# pylint: disable=broad-except
            with self.lock:
                self.bad += 1
            where = traceback.extract_tb(e.__traceback__)[-1]
            self.say(f"not ok - {name}: {type(e).__name__}: {e} ({os.path.basename(where.filename)}:{where.lineno})")
            return False
        with self.lock:
            self.good += 1
        self.say(f"ok - {name} ({time.monotonic() - began:.1f} s)")
        return True

    def side_by_side(self, rows):
        """Runs lists of cases [(name, fn, args...), ...] at the same time, each list in its order."""
        threads = [threading.Thread(target=lambda r=r: [self.run(*case) for case in r], daemon=True) for r in rows]
        for t in threads:
            t.start()
        for t in threads:
            t.join()

    def end(self):
        """Leaves with the status of all cases."""
        print(f"{self.good} ok, {self.bad} not ok, {self.skipped} skipped", flush=True)
        if self.bad:
            sys.exit(1)
        if not self.good:
            print(self.last_skip or "no case ran", flush=True)
            sys.exit(EXIT_SKIP)
        sys.exit(0)
