# SPDX-License-Identifier: GPL-2.0-or-later
"""A finding of this kernel, and a store that cannot take it: it is told whole on stderr, or stands where it will be taken from."""

import contextlib
import json
import os
import subprocess

from case import Skip, case
from reducing import JOB


@contextlib.contextmanager
def small_disk(box, name):
    """A file system of 256 KiB."""
    path = box.path(name)
    os.mkdir(path)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", path], stderr=subprocess.DEVNULL).returncode:
        raise Skip("no right to mount a tmpfs")
    try:
        yield path
    finally:
        subprocess.run(["umount", path], check=True)


def find(box, store, output):
    done = box.sunder("run", "--timeout", "5s", "--until-finding", "--quiet", "--output", output, "--state", "state",
                      "--store", store, JOB)
    if done.code == 0:
        raise Skip("this kernel has no bug that shows within 5 s")
    return done.expect(1)


def title_of(box, output):
    with open(box.path(f"{output}/summary.json"), encoding="utf-8") as f:
        return json.load(f)["findings"][0]["title"]


def assert_told(done, title):
    """The record stands on stderr, whole."""
    at = done.err.find("here it is:")
    assert at >= 0, f"{done}"
    record, _ = json.JSONDecoder().raw_decode(done.err[done.err.index("{", at):])
    assert record["title"] == title and record["evidence"] and record["program"], record


@case
def a_full_store_has_the_finding_on_stderr(box):
    with small_disk(box, "full") as store:
        with open(os.path.join(store, "fill"), "wb", buffering=0) as f, contextlib.suppress(OSError):
            while f.write(bytes(4096)):
                pass
        done = find(box, store, "out")
        assert "the disk is full" in done.err, f"{done}"
        assert_told(done, title_of(box, "out"))
        assert [name for name in os.listdir(store) if "unfiled" in name] == [], os.listdir(store)


@case
def a_read_only_store_has_the_finding_on_stderr(box):
    with small_disk(box, "sealed") as store:
        subprocess.run(["mount", "-o", "remount,ro", store], check=True)
        done = find(box, store, "out")
        assert "it cannot be written" in done.err, f"{done}"
        assert_told(done, title_of(box, "out"))


@case
def a_store_that_is_damaged_under_way_is_made_anew_with_all_that_was_in_it(box):
    find(box, "store", "out1")
    path = box.path("store/findings.db")
    size = os.path.getsize(path)
    with open(path, "r+b") as f:
        f.seek(4096)
        f.write(os.urandom(size - 4096))
    done = find(box, "store", "out2")
    assert "is damaged: kept as findings.db.corrupt.1" in done.err, f"{done}"
    listed = json.loads(box.sunder("findings", "--store", "store", "--json").expect(1).out)
    assert sum(g["runs"] for g in listed) >= 2 and {g["title"] for g in listed} >= {title_of(box, "out1")}, listed
    assert os.path.exists(box.path("store/findings.db.corrupt.1"))
