# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes run directories that no run has written: nights, fleets, and what goes wrong with them."""

import calendar
import json
import os
import random
import time

ORACLES = ["content", "fault", "bits", "errno", "mmu", "reports", "locks", "placement", "executor", "progress", "klog", "taint", "accounting", "leak",
           "hardware"]
CODES = {"OK": 0, "FINDINGS": 1, "ERROR": 2, "NO_RESOURCES": 3, "NOTHING_RAN": 4, "LOST": 5, "FAILED": None}


def finding(title, oracle="klog", alt=(), count=1, first=10, last=20, **more):
    return {"title": title, "alt": list(alt), "oracle": oracle, "count": count, "first_s": first, "last_s": last, "lost_kernel": False, "dir": "", **more}


def op(name, number, ok, failed=0, errors=None, backings=None):
    return {"op": name, "number": number, "ok": ok, "failed": failed, "ns": 1000 * (ok + failed), "errors": errors or {},
            "backings": {b: {"ok": o, "failed": sum(e.values()), "errors": e} for b, (o, e) in (backings or {}).items()}}


OPS = [op("touch", 1, 300, 0, {}, {"anon": (100, {}), "hugetlb_memfd": (200, {})}),
       op("move_pages", 40, 50, 6, {"EBUSY": 5, "ENOENT": 1}, {"anon": (50, {"EBUSY": 5}), "hugetlb_memfd": (0, {"ENOENT": 1})}),
       op("split_pid", 50, 0, 9, {"EINVAL": 9}, {"anon": (0, {"EINVAL": 9})})]


def pair(a, b, count):
    return {"ops": [a, b], "count": count, "rounds": count // 2, "second_in_first": [count, 0, 0, 0, 0, 0, 0, 1], "first_in_second": [1, 2, 3, 4, 5, 6, 7, 8]}


def summary(host="box0", status="OK", started="2026-01-02T18:00:00Z", elapsed=600, findings=(), seed=7, job="workloads/overnight.job", nodes=2, ops=None,
            oracles=None, factor=1):
    """As docs/summary.schema.json has it."""
    size = 64 << 30
    found = {f["oracle"] for f in findings}
    skew = {"samples": 1, "p50_ns": 1, "p90_ns": 2, "p99_ns": 3}
    return {
        "version": "0.1.0", "status": status, "exit": CODES[status], "interrupted": False, "host": host, "pid": 4000000,
        "kernel": {"release": "6.12.1-test", "version": "#1 SMP", "arch": "x86_64", "cmdline": "root=/dev/vda1 quiet", "boot_id": f"boot-of-{host}"},
        "machine": {"nodes": [{"id": n, "has_memory": True, "has_cpu": n != 3, "memory": size} for n in range(nodes)], "cpus": 64, "memory": size * nodes,
                    "memory_available": size, "page_size": 4096, "pmd_size": 2 << 20, "pud_size": 1 << 30, "hugetlb_sizes": [2 << 20, 1 << 30], "root": True},
        "seed": str(seed), "job": job, "injected": [], "plan": None, "times": {"started": started, "elapsed_s": elapsed},
        "totals": {"rounds": 100 * factor, "ops": 1000 * factor, "migrated_pages": 400 * factor, "split": 30, "collapsed": 20, "touched": 10, "checks": 5, "swept": 5,
                   "zeros": 0, "sigsegv": 0, "sigbus": 0, "evidence_lost": 0, "crew_restarts": 0, "crews": 2},
        "rates": {"ops_per_s": 1.0, "rounds_per_s": 1.0, "migrated_pages_per_s": 1.0, "overlap": 0.5, "release_skew_ns": 1.0},
        "timing": {"met_rounds": 0, "meets": 0, "meets_missed": 0, "release_skew": skew, "meet_skew": skew},
        "ops": OPS if ops is None else ops,
        "overlap": {"ops_seen": 1000 * factor, "ops_overlapped": 600 * factor, "distinct_pairs": 3,
                    "pairs": [pair("touch", "move_pages", 90), pair("touch", "touch", 40), pair("move_pages", "split_pid", 3)]},
        "oracles": {o: "finding" if o in found else "ok" for o in ORACLES} | (oracles or {}),
        "findings": list(findings), "skips": [{"what": "op memory_offline", "why": "needs --allow disruptive"}],
        "kmsg": {"records": 5, "lost": 0, "oom": 0}, "taint": {"before": 0, "after": 0},
        "hardware": {"suspected": False, "corrected": 0, "uncorrected": 0, "machine_checks": 0, "corrupted": 0, "records": 0},
    }


def series(seconds, nodes=2, chance=None, factor=1):
    """As docs/report.md has it."""
    chance = chance or random.Random(1)
    yield "t,ops,rounds,seen,overlapped,migrated,split,collapsed,restarts,findings" + "".join(f",free{n},thp{n},huge{n},hugefree{n}" for n in range(nodes)) + "\n"
    ops = over = moved = split = collapsed = 0
    rate = 20000 * factor
    for t in range(seconds):
        if t % 900 == 0:
            yield f"#{t}.0,turn,workloads/turn{t // 900}.job\n"
            rate = chance.uniform(8000, 60000) * factor
        now = int(rate * chance.uniform(.8, 1.2)) if chance.random() > .0005 else 0
        ops, over, moved, split, collapsed = ops + now, over + int(now * chance.uniform(.6, .95)), moved + now // 2, split + now // 50, collapsed + now // 200
        yield f"{t}.1,{ops},{ops // 30},{ops},{over},{moved},{split},{collapsed},0,0" + "".join(
            f",{chance.randint(10, 60) << 20},{chance.randint(0, 9) << 18},4194304,{chance.randint(0, 4194304)}" for _ in range(nodes)) + "\n"


def make_run(directory, evidence=None, seconds=0, chance=None, **what):
    """A run's directory; evidence: {title: text}. Returns its summary."""
    os.makedirs(directory)
    doc = summary(**what)
    for number, found in enumerate(doc["findings"], 1):
        if evidence is None:
            break
        name = f"{number:03}-found"
        found["dir"] = f"/where/it/was/findings/{name}"
        os.makedirs(f"{directory}/findings/{name}")
        with open(f"{directory}/findings/{name}/report.txt", "w", encoding="utf-8") as f:
            f.write(evidence.get(found["title"], "Evidence:\n\nit was seen\n"))
        with open(f"{directory}/findings/{name}/program.txt", "w", encoding="utf-8") as f:
            f.write("program 1\nslot heap backing=anon size=2M\nlane 0 proc=0 offset=0ns\n\ttouch slot=heap\n")
    with open(f"{directory}/summary.json", "w", encoding="utf-8") as f:
        json.dump(doc, f, indent=1)
    if seconds:
        with open(f"{directory}/series.csv", "w", encoding="ascii") as f:
            f.writelines(series(seconds, what.get("nodes", 2), chance))
    return doc


def make_campaign(directory, findings):
    """As docs/campaign.schema.json has it; findings: [(title, known)], each with evidence in the campaign's own store."""
    os.makedirs(directory)
    layers = dict.fromkeys(("kcov", "overlap", "errno", "vmstat"), 3)
    found = []
    for number, (title, known) in enumerate(findings):
        group = f"{directory}/findings/groups/g{number}"
        os.makedirs(group)
        with open(f"{group}/evidence.txt", "w", encoding="utf-8") as f:
            f.write(f"evidence of {title}\n")
        found.append({"title": title, "alt": [], "oracle": "klog", "count": 3, "first_s": 4.5, "known": known, "before": False, "dir": f"/where/it/was/findings/groups/g{number}"})
    status = "FINDINGS" if any(not known for _, known in findings) else "OK"
    doc = {"version": "0.1.0", "status": status, "exit": CODES[status], "interrupted": False,
           "kernel": {"release": "6.12", "version": "v", "arch": "x86_64", "guests": "debian:6.12"}, "times": {"started": "2026-01-02T18:00:00Z", "elapsed_s": 500.5},
           "totals": {"execs": 12345, "execs_per_s": 24.6, "corpus": 77, "edges": 900, "interleavings": 31, "stability": 91.5, "hangs": 1, "reboots": 2,
                      "lost_kernels": 0, "quarantined": 1}, "layers": layers, "instances": [], "findings": found, "trouble": ""}
    with open(f"{directory}/summary.json", "w", encoding="utf-8") as f:
        json.dump(doc, f, indent=1)
    return doc


def make_task(directory, node, code):
    """What scripts/slurm/task says of who runs in this directory; code: None if it has not ended."""
    os.makedirs(directory, exist_ok=True)
    with open(f"{directory}/task.json", "w", encoding="utf-8") as f:
        json.dump({"shard": 1, "shards": 4, "try": 0, "node": node, "job": "5", "seed": "1001", "began": 1767376800, "ended": None, "code": code}, f)


TITLES = ["KASAN: use-after-free in move_hugetlb_page_tables", "content: old data after migration", "possible deadlock in unmap_hugepage_range",
          "BUG: Bad rss-counter state", "WARNING in hugetlb_split"]


def make_fleet(directory, boxes, seconds, lost=(), seed=1):
    """boxes machines of 4 nodes for so many seconds; those of lost never ended. Returns their summaries."""
    chance, docs = random.Random(seed), []
    begin = calendar.timegm(time.strptime("2026-01-02T18:00:00Z", "%Y-%m-%dT%H:%M:%SZ"))
    for box in range(boxes):
        ended = box not in lost
        found = [finding(t, "klog", (), chance.randint(1, 500), chance.uniform(1, seconds / 2), seconds / 2)
                 for t in chance.sample(TITLES, chance.choice([0, 0, 1, 2]))]
        started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(begin + 60 * (box % 7)))
        docs.append(make_run(f"{directory}/node{box:02}", {}, seconds if ended else max(1, seconds * 6 // 10), chance, host=f"numa-{box:02}", nodes=4,
                             status="FAILED" if not ended else "FINDINGS" if found else "OK", started=started, elapsed=seconds if ended else 1, findings=found,
                             seed=10**18 + box, factor=seconds))
    return docs
