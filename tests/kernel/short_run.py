# SPDX-License-Identifier: GPL-2.0-or-later
"""A run of some seconds in a test's directory, and what it left there and on the machine."""

import glob
import json
import os
import time

from case import NOBODY, TREE, Skip

JOB = """
[global]
timeout = 2s
[slot heap]
backing = anon
size = 2pmd
[slot memfd]
backing = memfd
size = 2pmd
maps = 2
[lane any]
count = 4
processes = 2
ops = default -mremap_dontunmap -madvise_guard_install
op = madvise_guard_install slot=heap weight=2
[lane use]
count = 2
ops = touch:6 hammer:4
"""


def summary(directory):
    with open(os.path.join(directory, "summary.json"), encoding="utf-8") as f:
        return json.load(f)


def validate(doc):
    try:
        import jsonschema
    except ImportError:
        raise Skip("python3-jsonschema is not installed") from None
    with open(os.path.join(TREE, "docs", "summary.schema.json"), encoding="utf-8") as f:
        jsonschema.Draft7Validator(json.load(f)).validate(doc)


def run(box, *args, job=JOB, how=None, **options):
    """Runs the small job with its results in out/ (or where args say) and its ledger in state/."""
    box.write("small.job", job)
    words = ["run", "--state", "state", *args, os.path.join(box.dir, "small.job")]
    if "--output" not in args:
        words[1:1] = ["--output", "out"]
    return (how or box.sunder)(*words, **options)


def knobs():
    """What a run may change on this machine, as it stands."""
    state = {}
    for pattern in ("/sys/kernel/mm/transparent_hugepage/**", "/sys/kernel/mm/hugepages/*/nr_*", "/proc/sys/vm/*",
                    "/sys/devices/system/node/node*/hugepages/*/nr_hugepages"):
        for path in glob.glob(pattern, recursive=True):
            if "drop_caches" in path or "/stats/" in path or not os.path.isfile(path):
                continue
            if path.endswith(("pages_collapsed", "full_scans", "compact_memory", "stat_refresh")):
                continue
            try:
                with open(path, encoding="ascii", errors="replace") as f:
                    state[path] = f.read()
            except OSError:
                pass  # it is not for reading
    with open("/proc/self/mounts", encoding="utf-8") as f:
        state.update((f"mount of {line.strip()}", "there") for line in f)
    return state


def difference(before, after):
    return {path: (before.get(path), after.get(path)) for path in before | after if before.get(path) != after.get(path)}


def wait_for(condition, seconds, what):
    """Until something that another process does has been seen."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.02)


def start(box, *args, job=JOB):
    """A run that goes on for a minute, once its crews are at work."""
    box.write("small.job", job)
    process = box.start("run", "--output", "out", "--state", "state", "--timeout", "60s", "--status-interval", "100ms", *args, "small.job")
    head = b""
    while b"ops/s" not in head or b" 0 ops/s" in head.splitlines()[-1]:
        line = process.stderr.readline()
        assert line, f"it ended: {head.decode(errors='replace')}"
        head += line
    return process


def give_away(box):
    """The test's directory belongs to a user without rights from now on."""
    if os.geteuid() == 0:
        os.chown(box.dir, NOBODY, NOBODY)
