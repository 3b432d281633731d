#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Kills parts of a campaign at random moments and starts it again with the same command: nothing that was there may be lost,
and no process may be left. Prints a line a kill. Exit 1: something was lost or left.
"""
import argparse
import glob
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--binary", default=os.path.join(ROOT, "build/sunder"))
    add("--output", required=True, metavar="DIR", help="of the campaign")
    add("--kills", type=int, default=1, metavar="N")
    add("--victims", default="campaign,script,guest", help="guests: campaign,script,guest; here: campaign,afl,harness")
    add("--grow", type=float, default=10, metavar="SECONDS", help="that the corpus must have grown before a kill, at most so long again")
    add("--seed", type=int, default=None)
    add("command", nargs="*", help="options of `sunder fuzz`, after --")
    return parser.parse_args()


def hashes(directory):
    """Contents of all queue entries."""
    found = {}
    for path in glob.glob(f"{directory}/afl/*/queue/id:*") + glob.glob(f"{directory}/afl/*/_resume/id:*"):
        try:
            with open(path, "rb") as file:
                found[hashlib.sha256(file.read()).hexdigest()] = os.path.getmtime(path)
        except FileNotFoundError:
            pass
    return found


def titles(directory):
    return {open(path, encoding="utf-8").read() for path in glob.glob(f"{directory}/findings/groups/*/title")}


def processes():
    """pid: (parent, command line)"""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().replace(b"\0", b" ").decode(errors="replace")
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
                fields = file.read().rpartition(")")[2].split()
            if fields[0] != "Z":
                found[int(pid)] = (int(fields[1]), words)
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


def below(pid):
    """The process and all its descendants, with their command lines."""
    everyone = processes()
    tree = {pid: everyone.get(pid, (0, ""))[1]}
    grown = True
    while grown:
        grown = False
        for child, (parent, words) in everyone.items():
            if parent in tree and child not in tree:
                tree[child] = words
                grown = True
    return tree


def left_over(tree, seconds):
    """Those of a tree that are still there after a while: same pid, same words."""
    until = time.monotonic() + seconds
    while True:
        now = processes()
        left = {pid: words for pid, words in tree.items() if pid in now and now[pid][1] == words}
        if not left or time.monotonic() > until:
            return left
        time.sleep(0.1)


def victim_of(kind, pid, output):
    tree = below(pid)
    words = {"script": "scripts/vm", "guest": "qemu-system", "afl": "afl-fuzz", "harness": " ", "campaign": ""}[kind]
    for candidate, command in tree.items():
        if kind == "campaign":
            return pid
        if kind == "harness":
            parents = [p for p, c in tree.items() if c.startswith("afl-fuzz")]
            if processes().get(candidate, (0, ""))[0] in parents:
                return candidate
        elif words in command and candidate != pid:
            return candidate
    return None


class Trouble(Exception):
    pass


def missing(had, output):
    """What is not there any more. AFL moves its queue about when it resumes: what is missed is looked for again."""
    until = time.monotonic() + 20
    while True:
        lost = set(had) - set(hashes(output))
        if not lost or time.monotonic() > until:
            return lost
        time.sleep(0.5)


def wait(what, condition, seconds, campaign):
    until = time.monotonic() + seconds
    while not condition():
        if campaign.poll() is not None:
            raise Trouble(f"the campaign ended with {campaign.returncode} while waiting for {what}")
        if time.monotonic() > until:
            raise Trouble(f"no {what} within {seconds} s")
        time.sleep(0.2)


def alive_since(output, start):
    """AFL has written its figures after the start."""
    for path in glob.glob(f"{output}/afl/*/fuzzer_stats"):
        with open(path, encoding="utf-8") as file:
            for line in file:
                if line.startswith("start_time") and int(line.split(":")[1]) >= start - 1:
                    return True
    return False


def one_kill(options, number, chance):
    command = [options.binary, "fuzz", "--output", options.output, "--quiet"] + options.command
    log = open(f"{options.output}.log", "ab")
    start, before = time.time(), hashes(options.output)
    campaign = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    kind = chance.choice(options.victims.split(","))
    try:
        wait("sign of life", lambda: alive_since(options.output, start), 180, campaign)
        lost = missing(before, options.output)
        if lost:
            raise Trouble(f"{len(lost)} of {len(before)} entries were not there any more after the start")
        time.sleep(options.grow + chance.random() * options.grow)
        tree = below(campaign.pid)
        victim = victim_of(kind, campaign.pid, options.output)
        if not victim:
            raise Trouble(f"no {kind} to kill")
        had, found = hashes(options.output), titles(options.output)
        os.kill(victim, signal.SIGKILL)
        if kind == "campaign":
            campaign.wait()
            left = left_over(tree, 15)
            if left:
                raise Trouble(f"left behind: {left}")
        else:
            # The campaign lives and goes on by itself.
            restarted = time.time()
            wait("another start", lambda: alive_since(options.output, restarted), 180, campaign)
        lost = missing(had, options.output)
        if lost:
            raise Trouble(f"{len(lost)} of {len(had)} entries were lost")
        if found - titles(options.output):
            raise Trouble(f"findings were lost: {found - titles(options.output)}")
        print(f"kill {number}: {kind}: {len(had)} entries, {len(found)} findings: all there", flush=True)
    finally:
        tree = below(campaign.pid)
        if campaign.poll() is None:
            campaign.send_signal(signal.SIGTERM)
            try:
                campaign.wait(120)
            except subprocess.TimeoutExpired:
                campaign.kill()
                raise Trouble("the campaign did not end within 120 s")
        left = left_over(tree, 15)
        log.close()
        if left:
            raise Trouble(f"left behind after its end: {left}")


def main():
    options = parse_arguments()
    chance = random.Random(options.seed)
    failed = 0
    for number in range(1, options.kills + 1):
        try:
            one_kill(options, number, chance)
        except Trouble as trouble:
            print(f"kill {number}: {trouble}", flush=True)
            failed += 1
    with open(f"{options.output}/summary.json", encoding="utf-8") as file:
        summary = json.load(file)
    print(f"{options.kills - failed} of {options.kills} kills lost nothing; corpus {summary['totals']['corpus']}, "
          f"{len(summary['findings'])} findings")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
