# SPDX-License-Identifier: GPL-2.0-or-later
"""What sunderd makes of runs that fail, die, and take it or the machine with them. In place of sunder is a script: no job is run."""

import contextlib
import json
import os
import re
import shutil
import signal
import time

from case import case
from daemon import JOB, Daemon

# "run" tells its status and waits for TERM, or does what the file "next" says.
FAKE = """#!/bin/sh
box={box}
case $1 in
run)
	echo "$@" >>$box/runs
	while [ "$1" != --output ]; do shift; done
	mkdir -p "$2"
	cat $box/status.json >"$2/status.json"
	[ ! -f $box/next ] || . $box/next
	trap 'echo "{{\\"exit\\": 0}}" >"$2/summary.json"; exit 0' TERM
	while :; do sleep 0.1; done
	;;
restore) echo restore >>$box/helped ;;
findings)
	if [ "$2" = list ]; then cat $box/findings.json; else echo recover >>$box/helped; fi
	;;
esac
"""
STATUS = {"version": 1, "state": "running", "turn": "a.job", "elapsed_s": 1.0, "left_s": 9.0, "totals": {"ops": 1000}, "groups": 0}


@contextlib.contextmanager
def faked(box, more="", next_run=None, status=None, findings=()):
    box.write("fake", FAKE.format(box=box.dir))
    os.chmod(box.path("fake"), 0o755)
    box.write("a.job", JOB)
    box.write("status.json", json.dumps(status or STATUS))
    box.write("findings.json", json.dumps(list(findings)))
    if next_run:
        box.write("next", next_run)
    box.write("d.conf", f"[daemon]\nstate = {box.dir}/state\njobs = {box.dir}\nsunder = {box.dir}/fake\nsocket = {box.dir}/control\n"
                        f"seed = 5\n{more}\n[campaign a]\njob = a.job\n")
    box.daemon = Daemon(box, "--config", "d.conf")
    try:
        yield
        assert box.daemon.end() == 0, "".join(box.daemon.said)
    finally:
        if box.daemon.process.poll() is None:
            box.daemon.process.kill()
        assert "Sanitizer" not in "".join(box.daemon.said), "".join(box.daemon.said)


def gone(pid, seconds=10):
    end = time.monotonic() + seconds
    while os.path.exists(f"/proc/{pid}"):
        if time.monotonic() > end:
            return False
    return True


def is_running(doc):
    return doc["state"] == "running" and doc["slice"]["ops"] == 1000


def lines(box, name):
    with open(box.path(name), encoding="utf-8") as f:
        return f.read().splitlines()


def kill_and_start(box, change_state=None):
    """The daemon and its run die at once; then there is a new daemon."""
    run = box.daemon.wait_for(is_running)["slice"]["pid"]
    box.daemon.process.kill()
    os.kill(run, signal.SIGKILL)
    box.daemon.process.wait(10)
    if change_state:
        path = box.path("state/daemon/state.json")
        with open(path, encoding="utf-8") as f:
            text = f.read()
        box.write(path, change_state(text))
    box.daemon = Daemon(box, "--config", "d.conf")


def another_boot(text):
    return re.sub(r'"boot_id": "[^"]*"', '"boot_id": "that-of-before"', text)


@case
def a_run_whose_daemon_is_killed_ends_and_the_next_one_has_another_seed(box):
    with faked(box):
        first = box.daemon.wait_for(is_running)
        box.daemon.process.kill()
        box.daemon.process.wait(10)
        box.daemon = Daemon(box, "--config", "d.conf")
        second = box.daemon.wait_for(is_running)
        assert first["slice"]["seed"] != second["slice"]["seed"] and second["slice"]["number"] == 2
        assert os.path.exists(os.path.join(first["slice"]["dir"], "run/summary.json")), "the first run was not left to end"
        assert second["totals"]["machine_deaths"] == 0 and any("the run ended by itself" in e["text"] for e in second["events"])
        assert lines(box, "helped")[-2:] == ["restore", "recover"], "the killed daemon's run was not recovered"
        assert f"--seed {first['slice']['seed']}" in " ".join(lines(box, "runs"))


@case
def no_campaign_waits_for_ever_because_the_daemon_is_killed(box):
    with faked(box, more="[campaign b]\njob = a.job\n"):
        had = []
        for _ in range(3):
            had.append(box.daemon.wait_for(is_running)["slice"]["campaign"])
            kill_and_start(box)
        had.append(box.daemon.wait_for(is_running)["slice"]["campaign"])
        assert had.count("a") == had.count("b") == 2, had


@case
def the_same_seed_gives_the_same_runs(box):
    seeds = []
    for _ in range(2):
        with faked(box, next_run="exit 0\n"):
            box.daemon.wait_for(lambda doc: doc["totals"]["slices"] >= 2)
        seeds.append([re.search(r"--seed (\d+)", line)[1] for line in lines(box, "runs")][:2])
        os.unlink(box.path("runs"))
        shutil.rmtree(box.path("state"))
    assert seeds[0] == seeds[1] and len(set(seeds[0])) == 2, seeds


@case
def a_job_under_which_the_machine_dies_twice_is_quarantined_until_somebody_starts_it(box):
    with faked(box):
        kill_and_start(box, another_boot)
        doc = box.daemon.wait_for(is_running)
        assert doc["totals"]["machine_deaths"] == 1 and doc["deaths"][0]["count"] == 1 and not doc["deaths"][0]["quarantined"]
        kill_and_start(box, another_boot)
        doc = box.daemon.wait_for(lambda doc: doc["campaigns"][0]["state"] == "quarantined")
        assert doc["health"] == "attention" and doc["state"] in ("idle", "recovering") and doc["deaths"][0]["quarantined"]
        lost = [name for name in os.listdir(box.path("state/daemon/runs")) if os.path.exists(box.path(f"state/daemon/runs/{name}/lost"))]
        assert sorted(lost) == ["000001-a", "000002-a"]
        box.daemon.wait_for(lambda doc: lines(box, "helped").count("recover") == 3)
        box.sunder("start", "a", "--socket", "control").expect(0)
        assert box.daemon.wait_for(is_running)["deaths"] == []


@case
def a_machine_that_was_started_anew_after_the_run_is_not_dead(box):
    with faked(box, next_run='trap "" TERM; echo "{\\"exit\\": 0}" >"$2/summary.json"\n'):
        kill_and_start(box, another_boot)
        doc = box.daemon.wait_for(is_running)
        assert doc["totals"]["machine_deaths"] == 0 and doc["slice"]["number"] == 2


@case
def damaged_state_is_told_and_kept_and_the_daemon_goes_on(box):
    with faked(box):
        kill_and_start(box, lambda text: text[:len(text) // 2])
        doc = box.daemon.wait_for(is_running)
        assert any("was damaged and is kept" in e["text"] for e in doc["events"])
        assert os.path.exists(box.path("state/daemon/state.json.corrupt"))


@case
def a_run_that_fails_waits_and_says_why(box):
    with faked(box, next_run='echo "sunder: a.job:3: no such thing" >&2; exit 2\n'):
        doc = box.daemon.wait_for(lambda doc: doc["campaigns"][0]["state"] == "failing")
        assert doc["campaigns"][0]["why"] == "a.job:3: no such thing" and doc["campaigns"][0]["last_exit"] == 2
        assert doc["health"] == "attention" and len(lines(box, "runs")) == 1


@case
def a_run_that_a_signal_ends_is_recovered_and_counted(box):
    with faked(box, next_run="kill -KILL $$\n"):
        doc = box.daemon.wait_for(lambda doc: doc["totals"]["run_deaths"] >= 1)
        assert doc["campaigns"][0]["state"] != "running" or doc["slice"]
        box.daemon.wait_for(lambda doc: lines(box, "helped").count("recover") >= 2)


@case
def a_kernel_that_is_lost_holds_all_until_somebody_resumes(box):
    with faked(box, next_run="exit 5\n"):
        doc = box.daemon.wait_for(lambda doc: doc["state"] == "held")
        assert doc["health"] == "bad" and "reboot" in doc["why"] and len(lines(box, "runs")) == 1
        assert doc["totals"]["machine_deaths"] == 1 and doc["deaths"][0]["count"] == 1
        os.unlink(box.path("next"))
        box.sunder("resume", "--socket", "control").expect(0)
        assert box.daemon.wait_for(is_running)["health"] == "ok"


@case
def a_new_finding_is_told_while_the_run_goes_on(box):
    with faked(box):
        box.daemon.wait_for(is_running)
        finding = {"id": 7, "title": "WARNING in\nsplit", "status": "new", "count": 1, "first": "2026-11-25T00:00:00Z", "last": "2026-11-25T00:00:00Z", "dir": "groups/x"}
        box.write("findings.json", json.dumps([finding]))
        run = box.daemon.status()["slice"]["dir"]
        box.write(os.path.join(run, "run/status.json"), json.dumps(STATUS | {"groups": 1}))
        doc = box.daemon.wait_for(lambda doc: doc["findings"]["new"] == 1)
        assert any(e["kind"] == "finding" and e["text"] == "new finding: WARNING in split" for e in doc["events"])
        assert doc["campaigns"][0]["findings"] == 1 and doc["health"] == "attention"


@case
def the_disk_budget_drops_the_oldest_clean_runs_and_never_findings(box):
    fill = 'mkdir -p "$2"; head -c 3000000 /dev/urandom >"$2/data"; [ ! -f {box}/find ] || {{ mkdir -p "$2/findings/001"; rm {box}/find; exit 1; }}; exit 0\n'
    with faked(box, more="disk = 10M", next_run=fill.format(box=box.dir)):
        box.daemon.wait_for(lambda doc: doc["totals"]["slices"] >= 1)
        box.write("find", "")
        doc = box.daemon.wait_for(lambda doc: doc["totals"]["slices"] >= 8)
        assert doc["budget"]["disk_used"] < 17 << 20, doc["budget"]
        kept = sorted(os.listdir(box.path("state/daemon/runs")))
        assert "000001-a" not in kept and len(kept) <= 5, kept
        assert any(os.path.exists(box.path(f"state/daemon/runs/{name}/run/findings/001")) for name in kept), kept


@case
def a_stop_waits_for_a_run_no_longer_than_ten_seconds(box):
    """One that does not heed TERM is killed; the next start recovers it."""
    with faked(box, next_run='trap "" TERM; while :; do sleep 0.1; done\n'):
        run = box.daemon.wait_for(is_running)["slice"]["pid"]
        box.daemon.process.send_signal(signal.SIGTERM)
        assert box.daemon.process.wait(20) == 0
        assert gone(run)
