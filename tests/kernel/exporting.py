# SPDX-License-Identifier: GPL-2.0-or-later
"""C files of findings: they build anywhere, find what is wrong without sunder, and nothing where nothing is."""

import glob
import os
import re
import shutil

from case import TREE, Skip, case, need_root
from short_run import difference, knobs, run


def finding(box):
    """The first finding's directory that has the program of one lane."""
    programs = sorted(glob.glob(box.path("out/findings/*/program.txt")))
    return os.path.dirname(programs[0]) if programs else None


def build(box, source):
    """As the head of the file says, and with the warnings that people turn on."""
    compilers = [cc for cc in ("gcc", "clang") if shutil.which(cc)]
    if not compilers:
        raise Skip("no C compiler")
    for cc in compilers:
        box.sunder("-O2", "-pthread", "-Wall", "-Wextra", "-Werror", "-o", "reproducer", source, program=cc).expect(0, err="^$")


@case
def a_live_bug_comes_back_from_its_c_file(box):
    need_root()
    job = os.path.join(TREE, "workloads", "collapse-fallocate.job")
    result = box.sunder("run", "--output", "out", "--state", "state", job)
    if result.code != 1:
        raise Skip(f"this kernel has the bug of collapse-fallocate.job no more, or cannot run it: exit {result.code}")
    box.sunder("export-c", finding(box), "-o", "r.c").expect(0)
    build(box, "r.c")
    before = knobs()
    box.sunder("10", program=box.path("reproducer")).expect(1, out="IT CAME BACK")
    assert not difference(before, knobs()), difference(before, knobs())
    with open(box.path("r.mail"), encoding="utf-8") as f:
        mail = f.read()
    assert mail.startswith("Subject: [BUG] mm: content: "), mail
    assert os.uname().release in mail and "cc -O2 -pthread r.c" in mail and "slot file (tmpfs)" in mail, mail
    assert os.uname().nodename not in mail.split() and not re.search(r"[a-z]@[a-z]+[.]", mail), mail


@case
def healthy_programs_of_any_ops_find_nothing(box):
    """Programs as quick.job draws them; what was planted is not in them."""
    for seed in ("11", "12", "13"):
        shutil.rmtree(box.path("out"), ignore_errors=True)
        job = f"include {os.path.join(TREE, 'workloads', 'quick.job')}\n"
        run(box, "--seed", seed, "--inject", "content", "--timeout", "3s", job=job).expect(1)
        box.sunder("export-c", finding(box), "-o", "r.c").expect(0)
        build(box, "r.c")
        before = knobs()
        box.sunder("4", program=box.path("reproducer")).expect(0, out="[1-9][0-9]* rounds: nothing was seen")
        assert not difference(before, knobs()), difference(before, knobs())
