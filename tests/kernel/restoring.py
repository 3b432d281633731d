# SPDX-License-Identifier: GPL-2.0-or-later
"""The machine as it was found: after the end of a run, after signals, and after SIGKILL at any moment."""

import os
import random
import shutil
import signal
import time

from case import Skip, case, need_root
from short_run import JOB, difference, knobs, start, wait_for

KILLS = int(os.environ.get("SUNDER_KILLS", "10"))
THP = "/sys/kernel/mm/transparent_hugepage"
KNOBS = [
    f"{THP}/enabled", f"{THP}/defrag", f"{THP}/shmem_enabled", f"{THP}/khugepaged/defrag",
    f"{THP}/khugepaged/pages_to_scan", f"{THP}/khugepaged/scan_sleep_millisecs", f"{THP}/khugepaged/max_ptes_none",
    "/proc/sys/vm/nr_overcommit_hugepages", "/proc/sys/vm/compaction_proactiveness",
]


def changed(path):
    """The knob and another value for it, or None where there is no such knob."""
    try:
        with open(path, encoding="ascii") as f:
            text = f.read()
    except OSError:
        return None
    if "[" in text:  # one of several words
        return next((word for word in ("madvise", "advise") if word in text.split()), "never")
    return str(int(text) - 1 if int(text) else 1)


def changing_job():
    """Sets knobs, wants more huge pages than there are, and mounts a tmpfs and a hugetlbfs."""
    try:
        with open(f"{THP}/hpage_pmd_size", encoding="ascii") as f:
            size = f"{int(f.read()) >> 10}k"
        with open(f"/sys/kernel/mm/hugepages/hugepages-{size}B/free_hugepages", encoding="ascii") as f:
            pages = int(f.read()) + 8
    except OSError:
        raise Skip("no THP, or no huge page pool") from None
    lines = [f"knob = {path} {changed(path)}" for path in KNOBS if changed(path)]
    lines.append(f"hugepages = {size}:{pages}")
    job = JOB.replace("timeout = 2s", "\n".join(["timeout = 2s", *lines]))
    job += "[slot tmpfs]\nbacking = tmpfs\nsize = 2pmd\n"
    return job + "[slot huge]\nbacking = hugetlb_file\nsize = 2huge\n"


def expect_as_found(before, when):
    after = knobs()
    assert before == after, f"{when}: {difference(before, after)}"


@case
def all_is_put_back_at_the_end(box):
    need_root()
    before = knobs()
    for number, name in enumerate(("SIGINT", "SIGTERM")):
        process = start(box, "--output", f"out{number}", job=changing_job())
        during = set(difference(before, knobs()))
        pools = [path for path in during if path.endswith("nr_hugepages")]
        mounts = [path for path in during if path.startswith("mount of ")]
        assert pools and len(mounts) >= 2 and f"{THP}/enabled" in during, f"the job changed only {during}"
        process.send_signal(getattr(signal, name))
        begin = time.monotonic()
        out, err = process.communicate(timeout=30)
        assert process.returncode == 0 and time.monotonic() - begin < 10, (out, err)
        expect_as_found(before, name)


def processes_of(program):
    """Process ids and names of all that run the program, however they came to it."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{pid}/exe") == program and not is_zombie(pid):
                with open(f"/proc/{pid}/comm", encoding="utf-8") as f:
                    found[int(pid)] = f.read().strip()
        except OSError:
            pass  # it is gone, or a kernel thread
    return found


def is_zombie(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
        return f.read().rpartition(")")[2].split()[0] == "Z"


def kill_all(program, first):
    """SIGKILL to all processes of the program, those of the name `first` before others, until there is none."""
    while found := processes_of(program):
        for pid in sorted(found, key=lambda pid: found[pid] != first):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


def killed_runs(box, kill):
    """Runs that are killed at moments from before their first change to after their last; yields what was before."""
    need_root()
    program = shutil.copy(box.binary, box.path("sunder-killed"))
    box.write("small.job", changing_job())
    for number in range(KILLS):
        before, moment = knobs(), random.uniform(0, 0.8)
        process = box.start("run", "--output", f"out{number}", "--state", "state", "--timeout", "300ms", "small.job",
                            program=program)
        time.sleep(moment)  # a moment is what is tested
        kill(process, program)
        process.communicate(timeout=30)
        yield before, f"kill {number}, after {moment:.3f} s", program


def expect_nothing_left(box, program):
    assert not processes_of(program), processes_of(program)
    state = box.path("state")
    left = [name for name in (os.listdir(state) if os.path.isdir(state) else []) if name != "ledger"]
    assert not left, f"in the state directory: {left}"
    if os.path.exists(f"{state}/ledger"):
        assert os.path.getsize(f"{state}/ledger") == 0, "the ledger is not empty"


@case
def killed_at_any_moment_its_guard_puts_all_back(box):
    for before, when, program in killed_runs(box, lambda process, _: process.kill()):
        wait_for(lambda: not processes_of(program), 30, f"{when}: the guard ends: {processes_of(program)}")  # pylint: disable=W0640
        expect_as_found(before, when)
        box.sunder("restore", "--state", "state").expect(0, out="^(0 changes|nothing to undo)")
        expect_nothing_left(box, program)


@case
def killed_with_its_guard_restore_puts_all_back(box):
    guards = []

    def kill(process, program):
        guards.append("sunder-guard" in processes_of(program).values())
        kill_all(program, "sunder-guard")

    for before, when, program in killed_runs(box, kill):
        box.sunder("restore", "--state", "state").expect(0)
        expect_as_found(before, when)
        expect_nothing_left(box, program)
    assert any(guards), "every run was killed before it had a guard, or after its end"


@case
def killed_with_its_guard_the_next_run_puts_all_back(box):
    need_root()
    before = knobs()
    program = shutil.copy(box.binary, box.path("sunder-killed"))
    box.write("small.job", changing_job())
    process = box.start("run", "--output", "killed", "--state", "state", "--timeout", "60s", "--status-interval", "100ms",
                        "small.job", program=program)
    wait_for(lambda: difference(before, knobs()), 30, "the run changes something")
    kill_all(program, "sunder-guard")
    process.communicate(timeout=30)
    assert difference(before, knobs()), "nothing was left to be put back"
    box.write("plain.job", JOB)
    box.sunder("run", "--output", "next", "--state", "state", "--timeout", "1s", "plain.job").expect(0, err="undid [0-9]+ change")
    expect_as_found(before, "after the next run")
    expect_nothing_left(box, program)


@case
def nothing_stays_where_state_is_kept_by_default(box):
    need_root()
    default = "/var/lib/sunder"
    before = knobs()
    box.write("small.job", changing_job())
    result = box.sunder("run", "--output", "out", "small.job")
    if result.code == 3 and "another sunder runs" in result.err:
        raise Skip("another sunder runs")
    result.expect(0, out="^CLEAN")
    expect_as_found(before, "after the run")
    left = {name: os.path.getsize(os.path.join(default, name)) for name in os.listdir(default) if "corrupt" not in name}
    assert left in ({}, {"ledger": 0}), left
