# SPDX-License-Identifier: GPL-2.0-or-later
"""The same seed is the same plan and the same programs."""

import json
import os

from case import TREE, case
from short_run import run, summary

# So many rounds, and no lane that can disturb another: what each op answers is settled by its program.
ALONE = """
[global]
rounds = 150
crews = 1
oracles = content fault errno executor progress
[slot memfd]
backing = memfd
huge = never
size = 2pmd
maps = 2
shift = 1
[lane alone]
ops = mmap:2 munmap_part:2 mprotect:2 madvise_dontneed:2 touch:6 fallocate_punch:1 mremap_move:1
depth = 16
"""
TOGETHER = ALONE.replace("[lane alone]", "[lane together]\ncount = 3\nprocesses = 2")


def plan(box, seed, job):
    return json.loads(box.sunder("check", "--seed", seed, job).expect(0).out)


@case
def the_same_seed_is_the_same_plan(box):
    for name in ("quick", "thp-churn"):
        job = os.path.join(TREE, "workloads", f"{name}.job")
        one, two, other = (plan(box, seed, job) for seed in ("77", "77", "78"))
        for doc in (one, two, other):
            doc.pop("memory")  # a share of what is available at that moment
        assert one == two, f"{name}: {one} {two}"
        assert one["seed"] == "77" and other["seed"] == "78"


def outcomes(box, output, seed, job):
    run(box, "--seed", seed, "--output", output, job=job).expect(0)
    return {op["op"]: (op["ok"], op["failed"], op["errors"]) for op in summary(box.path(output))["ops"]}


@case
def the_same_seed_gives_a_lone_lane_the_same_outcomes(box):
    one, two, other = (outcomes(box, name, seed, ALONE) for name, seed in (("one", "77"), ("two", "77"), ("other", "78")))
    assert sum(ok + failed for ok, failed, _ in one.values()) == 150 * 16, one
    assert one == two, f"{one} {two}"
    assert one != other, one


@case
def the_same_seed_gives_lanes_together_the_same_ops(box):
    def counts(output, seed):
        return {op: ok + failed for op, (ok, failed, _) in outcomes(box, output, seed, TOGETHER).items()}

    one, two, other = counts("one", "77"), counts("two", "77"), counts("other", "78")
    assert one == two, f"{one} {two}"
    assert one != other, one


@case
def the_same_seed_runs_the_same_program(box):
    """The wrong errno is planted in the first op of the first lane, so that both runs report the same round."""
    findings = []
    for name in ("one", "two"):
        run(box, "--seed", "77", "--inject", "errno", "--output", name).expect(1)
        finding = summary(box.path(name))["findings"][0]
        with open(os.path.join(box.dir, finding["dir"], "program.txt"), encoding="utf-8") as f:
            findings.append((finding["round"], f.read()))
    assert findings[0] == findings[1], findings
