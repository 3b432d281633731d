# SPDX-License-Identifier: GPL-2.0-or-later
"""What a run says, in every format, of a healthy kernel and of all that can be planted."""

import glob
import json
import os
import re
import shlex

from case import TREE, Skip, case
from short_run import JOB, run, summary, validate


@case
def a_healthy_kernel_is_clean_and_the_summary_is_valid(box):
    result = run(box).expect(0, out=r"^CLEAN  \(0:0")
    doc = summary(box.path("out"))
    validate(doc)
    assert doc["status"] == "OK" and doc["exit"] == 0 and doc["totals"]["ops"] > 0 and doc["totals"]["rounds"] > 0
    assert doc["oracles"]["content"] == doc["oracles"]["errno"] == "ok", doc["oracles"]
    assert not doc["findings"] and not os.path.exists(box.path("out/findings"))
    assert f"--seed {doc['seed']} " in result.out and doc["plan"]["seed"] == doc["seed"]
    for skip in doc["skips"]:
        assert skip["why"] in result.out, f"no reason in the text: {skip}"


@case
def the_document_on_stdout_is_that_in_the_directory(box):
    doc = json.loads(run(box, "--format", "json", "--quiet").expect(0, err="^$").out)
    validate(doc)
    assert doc == summary(box.path("out"))


@case
def ktap_has_a_plan_and_a_line_for_each_test(box):
    lines = run(box, "--format", "ktap").expect(0).out.splitlines()
    assert lines[0] == "KTAP version 1", lines
    count = int(re.fullmatch(r"1\.\.(\d+)", lines[1])[1])
    tests = [line for line in lines[2:] if not line.startswith("#")]
    assert len(tests) == count, lines
    for number, line in enumerate(tests, 1):
        assert re.fullmatch(rf"ok {number} [a-z]+( # SKIP .+)?", line), line


@case
def off_a_terminal_the_status_is_plain_lines(box):
    result = run(box, "--status-interval", "200ms").expect(0)
    lines = [line for line in result.err.splitlines() if "ops/s" in line]
    assert len(lines) >= 3 and "\r" not in result.err and "\033" not in result.err, result.err
    for line in lines:
        assert re.search(r"\d ops/s  overlap \d+%  migrated .*split .*findings 0$", line), line


@case
def quiet_says_nothing_but_the_summary(box):
    run(box, "--quiet").expect(0, out="^CLEAN", err="^$")


@case
def several_jobs_have_a_directory_each(box):
    box.write("other.job", JOB)
    run(box, "--timeout", "500ms", box.path("other.job")).expect(0)
    assert summary(box.path("out/1-other"))["status"] == summary(box.path("out/2-small"))["status"] == "OK"


# Alarms


def reports(box, doc):
    """What the findings say, for who reads that there should be none."""
    texts = []
    for finding in doc["findings"]:
        with open(os.path.join(box.dir, finding["dir"], "report.txt"), encoding="utf-8", errors="replace") as f:
            texts.append(f.read())
    return "\n".join(texts)


def inject(box, name, oracle, job=JOB, timeout="3s"):
    result = run(box, "--inject", name, "--timeout", "7s" if name == "progress" else timeout, job=job).expect(1)
    doc = summary(box.path("out"))
    validate(doc)
    assert doc["injected"] == [name] and doc["oracles"][oracle] == "finding", doc["oracles"]
    others = {who: what for who, what in doc["oracles"].items() if what == "finding" and who != oracle}
    assert not others or name == "executor", f"also: {others}: {reports(box, doc)}"
    for finding in doc["findings"]:
        for name_of_file in ("report.txt", "finding.json"):
            assert os.path.getsize(os.path.join(box.dir, finding["dir"], name_of_file)) > 100
        assert glob.glob(os.path.join(box.dir, finding["dir"], "program*.txt"))
        assert finding["title"] in result.out and finding["dir"] in result.out
    return doc


@case
def a_lost_write_is_found(box):
    inject(box, "content", "content")


@case
def another_pages_data_is_found(box):
    inject(box, "content-foreign", "content")


@case
def a_zeroed_page_is_found(box):
    inject(box, "content-zero", "content")


@case
def a_fault_that_nothing_explains_is_found(box):
    inject(box, "fault", "fault")


@case
def a_lost_page_bit_is_found(box):
    inject(box, "bits", "bits")


GUARDED = """
[global]
timeout = 1s
[slot heap]
backing = anon
size = 1pmd
[lane one]
do = mmap slot=heap off=0 pages=0
do = touch slot=heap off=0 pages=0 how=write which=one
do = madvise_guard_install slot=heap off=64 pages=64
do = uffd_register_wp slot=heap view=0 off=0 pages=0 by=plain lift=page
do = uffd_wp slot=heap view=0 off=0 pages=0 by=plain
do = madvise_guard_remove slot=heap off=0 pages=0
do = touch slot=heap off=0 pages=0 how=write which=every
"""


@case
def a_page_that_had_a_guard_when_it_was_protected_has_lost_no_bit(box):
    result = run(box, job=GUARDED)
    if result.code == 4:
        raise Skip("kernel without guard regions")
    doc = summary(box.path("out"))
    assert result.code == 0, reports(box, doc)
    assert doc["oracles"]["bits"] == "ok" and doc["totals"]["rounds"] > 10, doc["oracles"]


@case
def an_errno_that_nothing_explains_is_found(box):
    inject(box, "errno", "errno")


@case
def a_second_mmu_that_sees_other_data_is_found(box):
    inject(box, "mmu", "mmu")


@case
def reports_that_disagree_are_found(box):
    inject(box, "reports", "reports")


@case
def counters_that_disagree_are_found(box):
    inject(box, "locks", "locks")


@case
def a_page_on_another_node_is_found(box):
    inject(box, "placement", "placement")


@case
def an_executor_that_dies_is_found(box):
    inject(box, "executor", "executor")


@case
def a_lane_that_is_stuck_is_found(box):
    inject(box, "progress", "progress")


@case
def a_report_in_the_kernel_log_is_found(box):
    if not os.access("/dev/kmsg", os.R_OK):
        raise Skip("/dev/kmsg cannot be read")
    inject(box, "klog", "klog")


@case
def a_new_taint_is_found(box):
    inject(box, "taint", "taint")


@case
def a_pool_whose_numbers_cannot_be_is_found(box):
    if not os.path.isdir("/sys/kernel/mm/hugepages"):
        raise Skip("kernel without hugetlb pages")
    inject(box, "accounting-range", "accounting")


LEAKING = "[global]\nrest = 1s\nepoch = 4\n[slot heap]\nbacking = anon\nsize = 2pmd\n[lane use]\ncount = 2\nops = touch:4 mmap:1\n"


@case
def memory_that_goes_at_each_rest_is_found(box):
    # Pipes take 8 MiB at each rest; a limit on what a user's pipes may hold would keep them from it.
    if os.geteuid() != 0:
        raise Skip("needs root")
    inject(box, "leak", "leak", job=LEAKING, timeout="15s")


@case
def an_uncorrected_memory_error_is_told_and_the_hardware_suspected(box):
    doc = inject(box, "hardware", "hardware")
    assert doc["hardware"]["suspected"] and doc["hardware"]["uncorrected"] == 1, doc["hardware"]


@case
def a_finding_makes_ktap_fail(box):
    run(box, "--inject", "content", "--format", "ktap").expect(1, out=r"(?m)^not ok \d+ content$")


@case
def the_program_of_a_finding_can_be_replayed(box):
    run(box, "--inject", "content").expect(1)
    program = os.path.join(box.dir, summary(box.path("out"))["findings"][0]["dir"], "program.txt")
    box.sunder("replay", "--rounds", "20", "--output", "again", "--state", "state", program).expect(0, out="^CLEAN")
    doc = summary(box.path("again"))
    validate(doc)
    assert doc["totals"]["rounds"] == 20, doc["totals"]


@case
def a_finding_that_does_not_come_back_is_told_so(box):
    run(box, "--inject", "content").expect(1)
    finding = os.path.join(box.dir, summary(box.path("out"))["findings"][0]["dir"])
    box.sunder("replay", "--times", "2", "--seconds", "300ms", "--output", "again", "--state", "state", finding).expect(
        0, out="came back in 0 of 2 attempts")
    assert os.listdir(box.path("again")) == [], "attempts that found nothing left files"


# The commands of the README

README = [
    "build/sunder run workloads/quick.job",
    "build/sunder run --timeout 12h workloads/overnight.job",
    "build/sunder findings",
    "build/sunder check workloads/quick.job",
    "build/sunder ops",
    "build/sunder caps",
    "build/sunder run workloads/busted.job",
    "build/sunder restore",
]


@case
def the_commands_of_the_readme_work(box):
    os.symlink(os.path.join(TREE, "workloads"), box.path("workloads"))
    for number, command in enumerate(README):
        words = shlex.split(command)[1:]
        if words[0] == "run":  # a second --timeout wins
            words += ["--timeout", "2s", "--output", f"out{number}", "--state", "state"]
        if words[0] in ("restore", "findings"):
            words += ["--state", "state"]
        codes = {"workloads/busted.job": (1,), "workloads/overnight.job": (0, 3, 4)}.get(shlex.split(command)[-1], (0,))
        result = box.sunder(*words)
        assert result.code in codes, f"{command}: {result}"


@case
def the_first_command_of_the_readme_ends_with_a_verdict(box):
    command = "scripts/run"
    if not os.access(os.path.join(TREE, "build"), os.W_OK):
        raise Skip("build/ is not there or somebody else's")
    done = box.sunder("--timeout", "3s", "--output", "out", "--state", "state", program=os.path.join(TREE, command), seconds=600)
    done.expect(0, out="(?m)^CLEAN")
    validate(summary(box.path("out")))
