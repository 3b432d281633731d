# SPDX-License-Identifier: GPL-2.0-or-later
"""Signals to a run."""

import json
import os
import signal
import time

from case import TREE, Skip, case
from short_run import JOB, start, summary, validate


@case
def a_signal_ends_the_run_with_its_summary(box):
    for name in ("SIGINT", "SIGTERM"):
        process = start(box)
        begin = time.monotonic()
        process.send_signal(getattr(signal, name))
        out, err = process.communicate(timeout=30)
        assert time.monotonic() - begin < 10 and process.returncode == 0, (process.returncode, err)
        assert out.startswith(b"CLEAN  (interrupted, "), out
        doc = summary(box.path("out"))
        validate(doc)
        assert doc["interrupted"] is True and doc["status"] == "OK"
        os.rename(box.path("out"), box.path(f"out-{name}"))


@case
def a_second_signal_ends_it_at_once(box):
    process = start(box)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    begin = time.monotonic()
    process.communicate(timeout=30)
    assert time.monotonic() - begin < 3
    assert summary(box.path("out"))["status"] != "FAILED"


@case
def usr1_prints_the_status(box):
    box.write("small.job", JOB)
    process = box.start("run", "--output", "out", "--state", "state", "--timeout", "60s", "--status-interval", "1h", "small.job")
    head = process.stderr.readline()  # the first comes at the start
    assert b"ops/s" in head, head
    process.send_signal(signal.SIGUSR1)
    assert b"ops/s" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 0


@case
def while_it_runs_the_summary_says_failed(box):
    process = start(box)
    doc = summary(box.path("out"))
    validate(doc)
    assert doc["status"] == "FAILED" and doc["exit"] is None
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)


def status(box):
    with open(box.path("out/status.json"), encoding="utf-8") as f:
        return json.load(f)


@case
def status_json_tells_what_the_run_does_and_that_it_ended(box):
    try:
        import jsonschema
    except ImportError:
        raise Skip("python3-jsonschema is not installed") from None
    with open(os.path.join(TREE, "docs", "status.schema.json"), encoding="utf-8") as f:
        schema = jsonschema.Draft7Validator(json.load(f))
    process = start(box)
    doc = None
    while not doc or not doc["totals"]["ops"]:
        if os.path.exists(box.path("out/status.json")):
            doc = status(box)
            schema.validate(doc)
            assert doc["pid"] == process.pid and doc["state"] == "running", doc
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    doc, end = status(box), summary(box.path("out"))
    schema.validate(doc)
    assert doc["state"] == "ended" and doc["seed"] == end["seed"]
    for name in ("ops", "rounds", "migrated_pages", "split", "collapsed"):
        assert doc["totals"][name] == end["totals"][name], name
    assert sum(sum(crew) for crew in doc["lanes"]) == doc["totals"]["ops"]
    assert sum(doc["migrated_to"].values()) == doc["totals"]["migrated_pages"]
