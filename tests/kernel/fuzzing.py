# SPDX-License-Identifier: GPL-2.0-or-later
"""The target of AFL++, driven as afl-fuzz does, and over files: what is planted is found, told once, and filed; the rest is no crash."""

import ctypes
import json
import os
import struct
import subprocess

from case import Skip, case, need_root
from short_run import difference, knobs

PROGRAM = """program 1
slot a backing=anon size=4M huge=always maps=1 noreserve=0 shift=0 align=2M
slot m backing=memfd size=4M huge=always maps=2 noreserve=0 shift=0 align=2M
lane 0 proc=0 offset=0ns
	touch slot=a pages=1024 how=write
	touch slot=m pages=1024 how=write
	madvise_dontneed slot=a off=512 pages=512
	touch slot=m pages=1024 how=rmw
lane 1 proc=1 offset=0ns
	touch slot=m pages=512 how=write
	mprotect slot=m off=512 pages=512 prot=read
	mprotect slot=m off=512 pages=512 prot=rw
"""
CRASH, MAP_SIZE = 6, 131072
libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_void_p
libc.shmat.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_int]


def part(box, name):
    path = os.path.join(os.path.dirname(box.binary), "fuzz", name)
    if not os.access(path, os.X_OK):
        raise Skip(f"{path} is not built")
    return path


class Afl:
    """afl-fuzz's side of the fork server."""

    def __init__(self, box, *options):
        self.segments = []
        control, self.control = os.pipe()
        self.status, status = os.pipe()
        environment = dict(os.environ, __AFL_SHM_ID=str(self.share(MAP_SIZE)), __AFL_SHM_FUZZ_ID=str(self.share(1 << 21)))
        self.map, self.case = self.segments
        # The target has its ends as 198 and 199.
        keep = [os.dup2(control, 198, inheritable=True), os.dup2(status, 199, inheritable=True)]
        self.target = subprocess.Popen([part(box, "sunder-harness"), "--state", box.path("state"), *options], env=environment,
                                       pass_fds=keep, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
        for fd in (control, status, *keep):
            os.close(fd)
        assert self.read() == 0xC1000001 | (MAP_SIZE - 1) << 1
        os.write(self.control, struct.pack("I", 0x81000001))

    def share(self, size):
        segment = libc.shmget(0, size, 0o1600)
        address = libc.shmat(segment, None, 0)
        libc.shmctl(segment, 0, None)  # goes with the last process
        self.segments.append(address)
        return segment

    def read(self):
        data = os.read(self.status, 4)
        assert len(data) == 4, f"the target ended: {self.target.communicate()[1].decode()}"
        return struct.unpack("I", data)[0]

    def run(self, data):
        """The status, and what is in the map: place -> value."""
        ctypes.memset(self.map, 0, MAP_SIZE)
        case_bytes = struct.pack("I", len(data)) + data
        ctypes.memmove(self.case, case_bytes, len(case_bytes))
        os.write(self.control, struct.pack("I", 0))
        assert self.read() > 0
        status = self.read()
        seen = ctypes.string_at(self.map, MAP_SIZE)
        return status, {place: value for place, value in enumerate(seen) if value}

    def end(self):
        os.close(self.control)
        err = self.target.communicate(timeout=60)[1].decode()
        os.close(self.status)
        for address in self.segments:
            libc.shmdt(ctypes.c_void_p(address))
        return self.target.returncode, err


def seed(box):
    box.write("p.program", PROGRAM)
    box.sunder("seeds", "p.program", program=part(box, "sunder-seeds")).expect(0)
    with open(box.path("seeds/p-0"), "rb") as file:
        return file.read()


@case
def afl_is_told_of_a_finding_once(box):
    need_root()
    data, before = seed(box), knobs()
    afl = Afl(box, "--inject", "errno", "--cases", "1")
    status, seen = afl.run(data)
    assert status == CRASH and len(seen) == 1, (status, seen)
    again = [afl.run(data) for _ in range(5)]
    assert all(status == 0 and len(seen) > 5 for status, seen in again), again
    code, err = afl.end()
    assert code == 0 and err.count("FINDING") == 1, err
    found = box.sunder("findings", "--store", "state/findings").expect(1, out="errno: ENOTNAM")
    assert found.out.count("ENOTNAM") == 1, found
    box.sunder("findings", "show", "1", "--store", "state/findings").expect(0, out="touch slot=m")
    assert not difference(before, knobs()), difference(before, knobs())
    # The store knows it from now on.
    afl = Afl(box, "--inject", "errno")
    assert afl.run(data)[0] == 0
    afl.end()


@case
def a_program_that_is_repeated_is_told_the_same(box):
    need_root()
    data = seed(box)
    afl = Afl(box, "--stats", box.path("stats.json"))
    maps = [afl.run(data) for _ in range(20)]
    code, err = afl.end()
    assert code == 0 and "FINDING" not in err, err
    assert all(one == maps[0] for one in maps), "the map differs between repeats"
    with open(box.path("stats.json"), encoding="utf-8") as file:
        stats = json.load(file)
    assert stats["execs"] == 20 and stats["cases"] == 20 + stats["reruns"] and not stats["titles"], stats
    on = {name for name, layer in stats["layers"].items() if layer["features"]}
    assert on >= {"errno", "state"}, stats["layers"]


@case
def each_planted_fault_is_found_by_the_target(box):
    need_root()
    seed(box)
    for name, title in (("content", "content"), ("fault", "fault"), ("executor", "executor"), ("klog", "sunder_injected"),
                        ("reports", "reports"), ("progress", "progress")):
        words = ["--state", "state", "--store", f"store-{name}", "--inject", name]
        if name == "progress":
            words += ["--limit", "200", "--stall", "1"]
        box.sunder(*words, "p.program", program=part(box, "sunder-harness")).expect(1, out=f"FINDING .*{title}")


@case
def a_program_that_does_not_end_is_ended(box):
    need_root()
    seed(box)
    box.write("slow.program", PROGRAM + "\thammer slot=m pages=512 ns=2ms\n" * 60)
    result = box.sunder("--state", "state", "--limit", "40", "slow.program", "p.program", program=part(box, "sunder-harness"))
    result.expect(0, out="slow.program: was ended")
