#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Scores `TOOL FILE --json` against a directory of NAME.log + NAME.expect: klog_score.py TOOL DIR [-v]"""
import glob
import json
import os
import subprocess
import sys


def expectation(path):
    want = {"alt": []}
    with open(path, encoding="utf-8") as f:
        for line in f:
            key, _, value = line.rstrip("\n").partition(": ")
            key = key.rstrip(":")
            if key == "alt":
                want["alt"].append(value)
            else:
                want[key] = value
    return want


def compare(tool, log, want):
    """Yields (what, whether it is right, got, wanted); what is judged is what the expectation can tell."""
    run = subprocess.run(tool + [log, "--json"], capture_output=True, timeout=60, check=False)
    lines = run.stdout.decode().splitlines()
    got = json.loads(lines[0]) if lines else {}
    crash = want["crash"] == "Y"
    yield "crash", bool(lines) == crash and run.returncode == int(crash), run.returncode, want["crash"]
    if not crash or not lines:
        return
    for flag in ("corrupted", "panicked", "suppressed"):
        yield flag, got[flag] == (want[flag] == "Y"), got[flag], want[flag]
    kind = "corrupted " if want["corrupted"] == "Y" else ""
    yield kind + "title", got["title"] == want["title"], got["title"], want["title"]
    yield kind + "frame", got["frame"] == want["frame_title"], got["frame"], want["frame_title"]
    yield kind + "type", got["type"] == want["type"], got["type"], want["type"]
    yield kind + "kind", got["kind"] == want["kind"], got["kind"], want["kind"]
    yield kind + "alt", set(want["alt"]) <= set(got["alt"]), got["alt"], want["alt"]


def main():
    verbose = "-v" in sys.argv
    args = [a for a in sys.argv[1:] if a != "-v"]
    tool, cases = args[0].split(), args[1]
    right, total = {}, {}
    for path in sorted(glob.glob(os.path.join(cases, "*.expect"))):
        log = path[: -len(".expect")] + ".log"
        for what, ok, got, want in compare(tool, log, expectation(path)):
            total[what] = total.get(what, 0) + 1
            right[what] = right.get(what, 0) + ok
            if verbose and not ok:
                print(f"{os.path.basename(log)}: {what}: got {got!r}, want {want!r}")
    for what in total:
        print(f"{what:18} {right[what]:4}/{total[what]:<4} {100 * right[what] / total[what]:6.2f} %")
    limits = {"crash": 99.5, "title": 95, "frame": 95}
    return int(any(100 * right[w] < limit * total.get(w, 0) for w, limit in limits.items() if w in total))


if __name__ == "__main__":
    sys.exit(main())
