"""Tables on a terminal, colour only there."""

import os
import re
import sys

RESET, COLOURS = "\033[0m", {"head": "\033[1m", "good": "\033[32m", "bad": "\033[31m", "warn": "\033[33m", "dim": "\033[2m"}
GOOD = {"ready", "open", "registered", "success", "confirmed", "up", "ok", "succeeded", "cleared"}
BAD = {"NOT READY", "unreachable", "closed", "failure", "failed", "suspect", "critical", "major", "error"}
WARN = {"challenge", "cancelled", "pending", "unregistered", "early", "minor", "warning", "running", "warn"}
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def clean(text):
    """What peers wrote may hold control sequences: a terminal must not obey them."""
    return CONTROL.sub("?", str(text))


class Screen:
    """Where output goes; `colour` None: as the terminal and NO_COLOR say."""

    def __init__(self, out=None, colour=None):
        self.out = out or sys.stdout
        self.colour = self.out.isatty() and "NO_COLOR" not in os.environ if colour is None else colour

    def paint(self, kind, text):
        """Text in a colour."""
        return f"{COLOURS[kind]}{text}{RESET}" if self.colour and kind in COLOURS else text

    def line(self, text="", kind=None):
        """One line."""
        print(self.paint(kind, clean(text)), file=self.out)

    def table(self, titles, rows):
        """Columns as wide as their longest cell; nothing when there are no rows but the heads."""
        rows = [[clean("" if c is None else c) for c in r] for r in rows]
        width = [max([len(t)] + [len(r[i]) for r in rows]) for i, t in enumerate(titles)]
        print(self.paint("head", "  ".join(t.upper().ljust(w) for t, w in zip(titles, width)).rstrip()), file=self.out)
        for r in rows:
            print("  ".join(self.cell(c, w, i == len(r) - 1) for i, (c, w) in enumerate(zip(r, width))).rstrip(), file=self.out)

    def cell(self, text, width, last):
        """A padded cell, coloured when it is a state."""
        pad = "" if last else " " * (width - len(text))
        kind = "good" if text in GOOD else "bad" if text in BAD else "warn" if text in WARN else None
        return (self.paint(kind, text) if kind else text) + pad

    def clear(self):
        """A fresh page for --watch."""
        if self.out.isatty():
            print("\033[H\033[2J", end="", file=self.out)


def short_time(text):
    """RFC 3339 to hours, minutes, seconds."""
    return (text or "")[11:19]
