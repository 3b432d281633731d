# SPDX-License-Identifier: GPL-2.0-or-later
"""A finding of this kernel is run, replayed out of the store, and reduced."""

import json
import os
import re

from case import TREE, Skip, case
from short_run import wait_for

JOB = os.path.join(TREE, "workloads", "collapse-fallocate.job")


def find(box):
    """A bug that 6.12 and 6.18 have: in the store, and its title."""
    done = box.sunder("run", "--timeout", "5s", "--until-finding", "--output", "out", "--state", "state", JOB)
    if done.code != 1:
        raise Skip("this kernel has no bug that shows within 5 s")
    with open(box.path("out/summary.json"), encoding="utf-8") as f:
        return json.load(f)["findings"][0]["title"]


@case
def a_finding_comes_back_out_of_the_store(box):
    title = find(box)
    done = box.sunder("replay", "--times", "3", "--state", "state", "--output", "again", title).expect(1)
    assert re.search(r"came back in [1-3] of 3 attempts, median \d", done.out), f"{done}"
    assert os.path.exists(box.path("again/attempt-1/out/summary.json")), f"{done}"


@case
def a_reduction_that_was_killed_goes_on_and_ends_small(box):
    title = find(box)
    command = ("reduce", "--attempts", "3", "--seconds", "10", "--state", "state", "--output", "small", title)
    first = box.start(*command)
    wait_for(lambda: os.path.exists(box.path("small/best.txt")), 60, "a first step")
    first.kill()
    first.wait()
    done = box.sunder(*command, seconds=400).expect(1, out="going on after")
    with open(box.path("small/reduce.json"), encoding="utf-8") as f:
        state = json.load(f)
    ops = [line for line in state["best"].splitlines() if line.startswith("\t")]
    assert 1 <= len(ops) <= 4, f"{state['best']}\n{done}"
    with open(box.path("small/program.txt"), encoding="utf-8") as f:
        assert f.read() == state["best"]
    assert "->" in open(box.path("small/reduce.txt"), encoding="utf-8").read()
    box.sunder("replay", "--times", "1", "--state", "state", "--output", "last", box.path("small/program.txt")).expect(1)
