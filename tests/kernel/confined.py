# SPDX-License-Identifier: GPL-2.0-or-later
"""Users and machines that have less: no rights, no root file system to write to, a container, one CPU, little memory."""

import os
import re
import resource
import shlex
import shutil
import signal

from case import TREE, Skip, case, need_root
from short_run import JOB, give_away, run, start, summary, validate

QUICK = os.path.join(TREE, "workloads", "quick.job")


@case
def a_user_without_rights_runs_what_he_can(box):
    give_away(box)
    run(box, how=box.unprivileged).expect(0, out="^CLEAN")
    doc = summary(box.path("out"))
    validate(doc)
    assert doc["machine"]["root"] is False and doc["skips"], doc["skips"]
    assert doc["oracles"]["content"] == "ok"


@case
def without_a_place_for_state_the_output_directory_does(box):
    give_away(box)
    box.write("small.job", JOB)
    os.chmod(box.path("small.job"), 0o644)
    box.unprivileged("run", "--output", "out", "small.job").expect(0, out="^CLEAN")


def in_own_mounts(box, set_up, *args):
    """Runs it in a mount namespace that is set up by shell commands; as in a container."""
    need_root()
    box.write("small.job", JOB)
    here = shlex.quote(box.dir)
    script = f"set -e; mount --make-rprivate /; cd {here}; {set_up}; cd {here}; exec {shlex.join(args)}"
    return box.sunder("-m", "sh", "-c", script, program="/usr/bin/unshare")


@case
def a_read_only_root_with_a_tmpfs_will_do(box):
    script = f"mkdir new; mount -t tmpfs none new; cp small.job new; mount --move new {shlex.quote(box.dir)};" \
        " mount -o remount,bind,ro /"
    in_own_mounts(box, script, box.binary, "run", "--tmp", ".", "--output", "out", "small.job").expect(0, out="^CLEAN")


@case
def without_sysfs_it_says_what_it_skips(box):
    result = in_own_mounts(box, "mount -t tmpfs none /sys", box.binary, "run", "--output", "out", "--state", "state", "small.job")
    result.expect(0, out="^CLEAN")
    assert summary(box.path("out"))["skips"], result.out


@case
def without_proc_it_says_what_it_skips(box):
    result = in_own_mounts(box, "mount -t tmpfs none /proc", box.binary, "run", "--output", "out", "--state", "state", "small.job")
    result.expect(0, out="^CLEAN")
    assert summary(box.path("out"))["oracles"]["taint"].startswith("skipped: /proc"), result.out


@case
def the_quick_job_runs_without_rights_and_says_what_it_skips(box):
    give_away(box)
    shutil.copy(QUICK, box.path("quick.job"))
    result = box.unprivileged("run", "--output", "out", "--timeout", "5s", "quick.job").expect(0, out=r"(?m)^CLEAN[\s\S]*^skipped ")
    doc = summary(box.path("out"))
    validate(doc)
    assert doc["totals"]["ops"] > 0 and doc["oracles"]["content"] == "ok"
    assert doc["skips"] and all(skip["why"] for skip in doc["skips"]), doc["skips"]
    assert all(skip["why"] in result.out for skip in doc["skips"]), result.out


CONTAINER = """
set -e
mount --make-rprivate /
mount -t tmpfs none /dev
for node in null:3 zero:5 full:7 random:8 urandom:9; do mknod -m 666 /dev/${node%:*} c 1 ${node#*:}; done
mkdir new; mount -t tmpfs none new; cp quick.job new; mount --move new PLACE
mount -o remount,bind,ro /
mount -t proc proc /proc
mount -o remount,bind,ro /sys
mount -t tmpfs none /sys/kernel/debug
mount -o bind,ro /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys
cd PLACE
setpriv --bounding-set=-all --inh-caps=-all PROGRAM run --tmp . --output out --timeout 5s quick.job
cat out/summary.json >&2
"""


@case
def in_a_container_the_quick_job_runs(box):
    """Own mounts and processes, no /dev/kmsg, no debugfs, nothing to write to but a tmpfs; root by name only."""
    need_root()
    if not shutil.which("setpriv"):
        raise Skip("there is no setpriv")
    shutil.copy(QUICK, box.path("quick.job"))
    script = CONTAINER.replace("PLACE", shlex.quote(box.dir)).replace("PROGRAM", shlex.quote(box.binary))
    result = box.sunder("--mount", "--pid", "--ipc", "--fork", "sh", "-c", script, program="/usr/bin/unshare")
    result.expect(0, out="^CLEAN", err='"status": ?"OK"')
    assert re.search('"klog": ?"skipped: /dev/kmsg', result.err), result.err


@case
def on_one_cpu_the_quick_job_runs(box):
    cpu = min(os.sched_getaffinity(0))
    result = box.sunder("-c", str(cpu), box.binary, "run", "--output", "out", "--state", "state", "--timeout", "5s", QUICK,
                        program="/usr/bin/taskset")
    result.expect(0, out="^CLEAN")
    doc = summary(box.path("out"))
    assert doc["machine"]["cpus"] == 1 and doc["totals"]["ops"] > 0
    assert {lane["cpu"] for crew in doc["plan"]["crews"] for lane in crew["lanes"]} <= {cpu, -1, None}


@case
def with_little_address_space_it_runs_or_says_that_it_cannot(box):
    box.write("small.job", JOB)
    for number, mebibytes in enumerate((4096, 512, 128, 64, 32)):
        def limit(size=mebibytes << 20):
            resource.setrlimit(resource.RLIMIT_AS, (size, size))

        result = box.sunder("run", "--output", f"out{number}", "--state", "state", "small.job", preexec_fn=limit)
        assert result.code in (0, 3), f"{mebibytes} MiB: {result}"
        assert result.code == 0 or re.search("memory|room|resources", result.err), f"{mebibytes} MiB: {result}"


def memory_cgroup(limit):
    """A new memory cgroup with a limit in bytes, or a skip."""
    need_root()
    for top, name in (("/sys/fs/cgroup", "memory.max"), ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")):
        path = os.path.join(top, f"sunder-test-{os.getpid()}")
        if not os.path.exists(os.path.join(top, "cgroup.procs")):
            continue
        os.mkdir(path)
        if os.path.exists(os.path.join(path, name)):
            with open(os.path.join(path, name), "w", encoding="ascii") as f:
                f.write(str(limit))
            return path
        os.rmdir(path)
    raise Skip("there is no memory cgroup")


@case
def in_a_small_memory_cgroup_it_stays_below_the_limit(box):
    for number, (mebibytes, codes) in enumerate(((512, (0,)), (24, (0, 3)))):
        group = memory_cgroup(mebibytes << 20)

        def enter(procs=os.path.join(group, "cgroup.procs")):
            with open(procs, "w", encoding="ascii") as f:
                f.write("0")

        try:
            result = box.sunder("run", "--output", f"out{number}", "--state", "state", "--timeout", "4s", QUICK, preexec_fn=enter)
        finally:
            os.rmdir(group)
        assert result.code in codes, f"{mebibytes} MiB: {result}"
        assert result.code == 0 or "memory" in result.err, f"{mebibytes} MiB: {result}"


@case
def a_full_disk_loses_no_finding(box):
    script = "mkdir out; mount -t tmpfs -o nr_inodes=3 none out"  # room for a summary and its successor
    result = in_own_mounts(box, script, box.binary, "run", "--output", "out", "--state", "state", "--inject",
                           "content", "small.job")
    result.expect(1, out="FINDING", err="lost write")
    assert "No space left" in result.err and "expected:" in result.err, result.err


@case
def an_output_directory_that_cannot_be_used_is_refused(box):
    os.mkdir(box.path("out"))
    box.write("out/file", "mine")
    run(box).expect(2, out="^$", err="not empty")
    box.write("plain", "")
    run(box, "--output", "plain/below").expect(2, out="^$", err="plain/below")
    run(box, "--output", "/proc/below").expect(2, out="^$", err="/proc/below")
    run(box, "--output", "x" * 300).expect(2, out="^$", err=".")


@case
def a_state_directory_in_use_is_told(box):
    process = start(box)
    box.sunder("run", "--output", "second", "--state", "state", "small.job").expect(3, out="", err="another sunder runs")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 0
