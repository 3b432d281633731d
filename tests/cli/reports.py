# SPDX-License-Identifier: GPL-2.0-or-later
"""sunder report: what many runs came to, whoever wrote their directories and whatever became of them."""

import json
import os
import re
import subprocess
import xml.etree.ElementTree as ET

from case import TREE, Skip, case
import nights

HOSTILE = "</script><script>alert(1)</script><!-- <b> & \"q\" 'r' \u2028 ]]> \ufffe \\u003c"


def validator(name):
    try:
        import jsonschema
    except ImportError:
        raise Skip("python3-jsonschema is not installed") from None
    with open(os.path.join(TREE, "docs", name), encoding="utf-8") as f:
        return jsonschema.Draft7Validator(json.load(f))


def report(box, *args, code=0):
    text = box.sunder("report", *args, "--format", "json").expect(code, err="^$").out
    doc = json.loads(text)
    validator("report.schema.json").validate(doc)
    assert doc["verdict"]["exit"] == code, doc["verdict"]
    return doc


@case
def made_nights_are_like_those_of_runs(box):
    validator("summary.schema.json").validate(nights.summary(findings=[nights.finding("x")], status="FINDINGS"))


@case
def a_clean_night_is_exit_0(box):
    nights.make_run(box.path("night/a"), seconds=20)
    nights.make_run(box.path("night/b"), host="box1", seconds=30)
    doc = report(box, "night")
    assert doc["verdict"]["word"] == "CLEAN" and doc["totals"]["machines"] == doc["totals"]["runs"] == 2, doc["totals"]
    assert doc["totals"]["ops"] == 2000 and doc["totals"]["ops_overlapped"] == 1200
    assert len(doc["timeline"]["ops"]) > 10 and max(doc["timeline"]["runs"]) == 2
    box.sunder("report", "night").expect(0, out="^CLEAN  .nothing was found; 2 runs on 2 machines", err="^$")
    box.sunder("report", "night/a", "night/b/").expect(0, out="2 runs on 2 machines")


@case
def equal_sets_of_titles_are_one_finding(box):
    find = nights.finding
    nights.make_run(box.path("n/a"), {"KASAN: x": "the evidence\n"}, host="a", status="FINDINGS", findings=[find("KASAN: x", alt=["bad-access in x"], count=3), find("only here")])
    nights.make_run(box.path("n/b"), {}, host="b", status="FINDINGS", started="2026-01-03T18:00:00Z", findings=[find("bad-access in x", alt=["KASAN: x"], count=4, first=5, last=500)])
    nights.make_run(box.path("n/c"), {}, host="b", status="FINDINGS", findings=[find("KASAN: x")])
    doc = report(box, "n", code=1)
    first = doc["findings"][0]
    assert len(doc["findings"]) == 3, [f["title"] for f in doc["findings"]]
    assert first["count"] == 7 and first["machines"] == ["a", "b"], first
    assert first["first"] == "2026-01-02T18:00:10Z" and first["last"] == "2026-01-03T18:08:20Z", first
    assert first["evidence"] == "the evidence\n" and "program 1" in first["program"]
    assert [s["seed"] for s in first["sights"]] == ["7", "7"]
    assert first["sights"][0]["replay"] == "sunder replay n/a/findings/001-found"
    box.sunder("report", "n").expect(1, out=r"(?s)^FINDINGS  \(3 findings; .*1\. KASAN: x\n.*7 x on a, b\n.*sunder replay n/a/findings/001-found")


@case
def ops_backings_and_pairs_are_added_up(box):
    nights.make_run(box.path("n/a"))
    nights.make_run(box.path("n/b"), host="b", ops=[nights.op("move_pages", 40, 1, 2, {"EBUSY": 2}, {"sysv": (1, {"EBUSY": 2})})])
    doc = report(box, "n")
    ops = {op["op"]: op for op in doc["coverage"]["ops"]}
    assert ops["move_pages"]["ok"] == 51 and ops["move_pages"]["errors"] == {"EBUSY": 7, "ENOENT": 1}, ops["move_pages"]
    assert ops["move_pages"]["backings"]["sysv"] == {"ok": 1, "failed": 2, "errors": {"EBUSY": 2}}
    assert doc["coverage"]["backings"] == ["anon", "hugetlb_memfd", "sysv"]
    pair = doc["overlap"]["pairs"][0]
    assert pair["ops"] == ["touch", "move_pages"] and pair["count"] == 180 and pair["first_in_second"] == [2, 4, 6, 8, 10, 12, 14, 16], pair
    assert doc["skips"] == [{"what": ["op memory_offline"], "machines": ["box0", "b"], "why": "needs --allow disruptive"}]


@case
def a_run_that_never_ended_is_a_lost_machine(box):
    nights.make_run(box.path("n/a"))
    nights.make_run(box.path("n/b"), host="gone", status="FAILED", elapsed=0, seconds=40)
    with open(box.path("n/b/series.csv"), "a", encoding="ascii") as f:
        f.write("40.1,99999")  # it was cut off there
    doc = report(box, "n", code=5)
    lost = [m for m in doc["machines"] if m["exit"] == 5]
    assert doc["verdict"]["word"] == "LOST" and "1 machine was lost" in doc["verdict"]["text"], doc["verdict"]
    assert [m["host"] for m in lost] == ["gone"] and lost[0]["state"] == "never ended"
    assert 39 <= doc["runs"][1]["elapsed_s"] <= 40 and doc["runs"][1]["totals"]["ops"] > 100000, doc["runs"][1]["totals"]
    box.sunder("report", "n").expect(5, out="never ended  gone, last seen after 0:39, n/b")


@case
def a_run_of_this_machine_that_lives_is_no_loss(box):
    """It says who it is: host, boot and process."""
    doc = nights.make_run(box.path("n"), host=os.uname().nodename, status="FAILED")
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as f:
        doc["kernel"]["boot_id"] = f.read().strip()
    pipe = os.path.join(box.dir, "pipe")
    os.mkfifo(pipe)
    sleeper = box.start("klog", pipe)
    try:
        doc["pid"] = sleeper.pid
        box.write("n/summary.json", json.dumps(doc))
        assert report(box, "n")["runs"][0]["state"] == "running"
    finally:
        sleeper.kill()
        sleeper.communicate()
    assert report(box, "n", code=5)["runs"][0]["state"] == "never ended"


@case
def tasks_of_a_fleet_name_their_nodes(box):
    """Several nodes may have one host name; a node may die before its run has written anything."""
    for number, status in enumerate(("OK", "FAILED", "OK")):
        nights.make_run(box.path(f"n/shard-{number}/0-node"), host="one-host", status=status)
        nights.make_task(box.path(f"n/shard-{number}/0-node"), f"node{number}", None if status == "FAILED" else 0)
    nights.make_task(box.path("n/shard-3/0-node"), "node3", None)
    nights.make_task(box.path("n/shard-4/0-node"), "node4", 2)
    doc = report(box, "n", code=5)
    assert {m["host"]: m["state"] for m in doc["machines"]} == {"node0": "clean", "node1": "never ended", "node2": "clean", "node3": "never ended"}
    assert doc["totals"]["lost"] == 2 and [d["why"] for d in doc["damaged"]] == ["summary.json: No such file or directory"], doc["damaged"]
    assert doc["runs"][3]["started"] == "2026-01-02T18:00:00Z" and doc["runs"][3]["seed"] == "1001" and doc["runs"][3]["rerun"] == ""


@case
def campaigns_of_afl_are_reported_too(box):
    nights.make_campaign(box.path("n/afl"), [("old", True), ("fresh", False)])
    nights.make_run(box.path("n/run"))
    doc = report(box, "n", code=1)
    campaign = doc["runs"][0]["campaign"]
    assert campaign["execs"] == 12345 and campaign["stability"] == 91.5 and campaign["guests"] == "debian:6.12", campaign
    assert [(f["title"], f["known"]) for f in doc["findings"]] == [("fresh", False), ("old", True)] and doc["totals"]["findings"] == 1
    assert doc["findings"][0]["evidence"] == "evidence of fresh\n" and doc["findings"][0]["last"] == "2026-01-02T18:00:04Z"
    assert doc["findings"][0]["sights"][0]["replay"] == "sunder replay n/afl/findings/groups/g1"
    nights.make_campaign(box.path("quiet"), [("old", True)])
    report(box, "quiet", code=0)
    box.sunder("report", "quiet").expect(0, out=r"(?s)^CLEAN.*old  \(known\)")


@case
def the_worst_wins(box):
    find = nights.finding("x")
    for name, status, code in (("nothing", "NOTHING_RAN", 4), ("resources", "NO_RESOURCES", 3), ("error", "ERROR", 2), ("found", "FINDINGS", 1), ("lost", "LOST", 5)):
        nights.make_run(box.path(f"n/{name}"), host=name, status=status, findings=[find] if code == 1 else [])
        report(box, "n", code=code)  # each is worse than those before it


@case
def what_is_no_run_is_told_and_the_rest_is_reported(box):
    nights.make_run(box.path("n/good"), findings=[nights.finding("x")], status="FINDINGS")
    whole = json.dumps(nights.summary())
    damaged = {"empty": b"", "half": whole[:len(whole) // 2].encode(), "garbage": bytes(range(256)) * 40, "list": b"[]", "null": b"null", "foreign": b'{"version": "1", "status": "passed"}',
               "deep": b"[" * 100000, "huge-number": b'{"version":"1","status":"OK","findings":[],"x":' + b"9" * 400 + b"}", "nul": b'{"version":"\\u0000"}', "no-findings": b'{"version":"1","status":"OK"}'}
    for name, content in damaged.items():
        os.makedirs(box.path(f"n/{name}"))
        box.write(f"n/{name}/summary.json", content)
    os.makedirs(box.path("n/nothing"))
    os.makedirs(box.path("n/pipe"))
    os.mkfifo(box.path("n/pipe/summary.json"))
    os.makedirs(box.path("n/link"))
    os.symlink("/etc/passwd", box.path("n/link/summary.json"))
    os.makedirs(box.path("n/directory/summary.json"))
    os.makedirs(box.path("n/endless"))
    with open(box.path("n/endless/summary.json"), "wb") as f:
        f.truncate(1 << 40)
    os.symlink(box.path("n"), box.path("n/loop"))
    doc = report(box, "n", code=1)
    told = {os.path.basename(d["dir"]): d["why"] for d in doc["damaged"]}
    assert set(told) == set(damaged) | {"nothing", "pipe", "link", "directory", "endless"}, told
    assert "damaged: line" in told["half"] and "not of a run" in told["foreign"] and "no regular file" in told["pipe"], told
    assert doc["totals"]["runs"] == 1 and "root:" not in json.dumps(doc)
    report(box, "n/half", code=2)
    for format_ in ("text", "ktap", "junit", "html"):
        box.sunder("report", "n", "--format", format_).expect(1, err="^$")


@case
def values_of_any_kind_do_no_harm(box):
    values = [None, -1, 1e308, 2**63 - 1, HOSTILE, [None, "x", {"title": 5}], {"a": {"b": 1}}, "x" * 100000, "\x1b[2J\r\n"]
    good = nights.summary(findings=[nights.finding("x", alt=["y"])], status="FINDINGS")
    for key in [*good, "kernel.release", "machine.nodes", "times.started", "times.elapsed_s", "totals.ops", "overlap.pairs", "overlap.ops_seen", "ops.0", "findings.0", "skips.0"]:
        for number, value in enumerate(values):
            doc = json.loads(json.dumps(good))
            at, *below = key.split(".")
            if not below:
                doc[at] = value
            else:
                doc[at][int(below[0]) if below[0].isdigit() else below[0]] = value
            directory = box.path(f"n/{key}-{number}")
            os.makedirs(directory)
            with open(f"{directory}/summary.json", "w", encoding="utf-8") as f:
                json.dump(doc, f)
    report(box, "n", code=1)
    for format_ in ("text", "ktap", "junit", "html"):
        text = box.sunder("report", "n", "--format", format_).expect(1, err="^$").out
        assert "\x1b" not in text and (format_ in ("text", "ktap") or "<script>alert" not in text), format_


@case
def nothing_of_a_run_becomes_markup(box):
    nights.make_run(box.path("n"), {HOSTILE: HOSTILE}, host=HOSTILE, status="FINDINGS", findings=[nights.finding(HOSTILE, alt=[HOSTILE + "2"])], job=HOSTILE, seconds=5)
    with open(box.path("n/series.csv"), "a", encoding="utf-8") as f:
        f.write(f"#4.5,turn,{HOSTILE}\n")
    page = box.sunder("report", "n", "--format", "html").expect(1, err="^$").out
    assert page.count("</script>") == page.count("<script") == 4, (page.count("</script>"), page.count("<script"))
    assert "<script>alert" not in page and "<b>" not in re.sub(r"(?s)<script>.*?</script>", "", page)
    block = re.search(r'(?s)<script type="application/json" id="document">(.*?)</script>', page)[1]
    assert json.loads(block)["findings"][0]["title"].startswith("</script>")
    for url in re.findall(r"(?:src|href)\s*=\s*\"([^\"]*)", page):
        assert url == "data:,", url
    root = ET.fromstring(box.sunder("report", "n", "--format", "junit").expect(1).out)
    assert root.find("testsuite").get("hostname").startswith("</script>")


@case
def a_night_is_compared_with_the_one_before(box):
    find = nights.finding
    nights.make_run(box.path("old/a"), {}, status="FINDINGS", findings=[find("still here", count=9), find("fixed")])
    nights.make_run(box.path("old/b"), host="box1")
    nights.make_run(box.path("new/a"), {}, status="FINDINGS", findings=[find("still here"), find("regression")], ops=[nights.OPS[0]], factor=2)
    for args in (["new", "--before", "old/a", "old/b"], ["--before=old", "new"], ["--before", "old", "--format", "json", "new"]):
        c = report(box, *args, code=1)["comparison"]
        assert [[f["title"] for f in c[k]] for k in ("new", "gone", "still")] == [["regression"], ["fixed"], ["still here"]], c
        assert c["machines_gone"] == ["box1"] and c["ops_gone"] == ["move_pages"] and c["ops_new"] == []
        assert abs(c["rates"]["ops_per_s"] / c["rates_before"]["ops_per_s"] - 2) < 1e-6
    assert report(box, "new", code=1)["comparison"] is None
    box.sunder("report", "new", "--before", "old").expect(1, out=r"(?s)regression  \(new\).*new +regression\ngone +fixed\n")
    box.sunder("report", "--before", "old", "new").expect(2, err="after --before")


@case
def stores_of_findings_are_reported_too(box):
    """What was found after a crash stands only there; what a run has told already counts once."""
    nights.make_run(box.path("n/run"), {}, host="a", status="FINDINGS", findings=[nights.finding("in both", count=2)])
    for number, (title, run) in enumerate((("in both", "a 2026-01-02T18:00:00Z 17"), ("panic", "b 2026-01-02T18:00:00Z 18"), ("panic", "b 2026-01-02T18:00:00Z 18"))):
        os.makedirs(box.path(f"n/store/groups/g{number}"))
        box.write(f"n/store/groups/g{number}/run-{number}.json", json.dumps({"title": title, "alt": "", "oracle": "klog", "run": run, "machine": run[0], "count": 2, "seed": "5",
                  "first": 1767376800, "last": 1767376900, "evidence": "seen", "program": "program 1", "job": "x.job"}))
    box.write("n/store/groups/g0/run-x.json", b"{")
    doc = report(box, "n", code=1)
    by_title = {f["title"]: f for f in doc["findings"]}
    assert by_title["in both"]["count"] == 2 and by_title["panic"]["count"] == 2 and by_title["panic"]["machines"] == ["b"], by_title
    assert by_title["panic"]["evidence"] == "seen" and [d["why"] for d in doc["damaged"]] == ["groups/.../run-x.json is damaged"]
    box.sunder("report", "n", "--format", "ktap").expect(1, out=r"(?m)^not ok \d finding panic$")


@case
def ktap_has_a_test_for_each_run_and_oracle(box):
    nights.make_run(box.path("n/a"), {}, status="FINDINGS", findings=[nights.finding("it # broke")], oracles={"leak": "skipped: not # here"})
    nights.make_run(box.path("n/b"), host="b", status="FAILED")
    lines = box.sunder("report", "n", "--format", "ktap").expect(5).out.splitlines()
    assert lines[:2] == ["KTAP version 1", "1..2"], lines[:2]
    assert [line for line in lines if line.startswith(("ok", "not ok"))] == ["not ok 1 box0 workloads/overnight.job seed 7", "not ok 2 b workloads/overnight.job seed 7"]
    assert "    # 1 x it   broke" in lines and "    not ok 12 klog" in lines and "    ok 15 leak # SKIP: not   here" in lines, lines
    assert lines.count("    1..16") == 2 and lines.count("    KTAP version 1") == 2
    assert len([line for line in lines if re.match(r"    (not )?ok \d+ ", line)]) == 32


def check_junit(root):
    """The shape that readers of JUnit ask for (the schema of Jenkins): what may be in what, which attributes, and right sums."""
    assert root.tag == "testsuites"
    for suite in root:
        assert suite.tag == "testsuite" and set(suite.attrib) == {"name", "tests", "failures", "errors", "skipped", "hostname", "timestamp", "time"}, suite.attrib
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.get("timestamp")) and float(suite.get("time")) >= 0
        tags = [e.tag for e in suite]
        assert tags == sorted(tags) and set(tags) <= {"properties", "testcase"} and tags.count("properties") <= 1, tags
        cases = suite.findall("testcase")
        for e in cases:
            assert set(e.attrib) == {"classname", "name"} and len(e) <= 1 and all(c.tag in ("failure", "error", "skipped") and c.get("message") for c in e), e.attrib
        for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.get(attribute)) == len([e for e in cases if e.find(tag) is not None]), (attribute, suite.attrib)
        assert int(suite.get("tests")) == len(cases) and len({(e.get("classname"), e.get("name")) for e in cases}) == len(cases)
    for attribute in ("tests", "failures", "errors", "skipped"):
        assert int(root.get(attribute)) == sum(int(suite.get(attribute)) for suite in root), attribute


@case
def junit_is_of_the_shape_that_its_readers_ask_for(box):
    nights.make_run(box.path("n/a"), {}, status="FINDINGS", findings=[nights.finding("it broke"), nights.finding("it broke too")], oracles={"leak": "skipped: not here"})
    nights.make_run(box.path("n/b"), host="b", status="FAILED")
    nights.make_run(box.path("n/c"), host="c", status="NOTHING_RAN", started="never")
    os.makedirs(box.path("n/d"))
    root = ET.fromstring(box.sunder("report", "n", "--format", "junit").expect(5).out)
    check_junit(root)
    assert [root.get(a) for a in ("tests", "failures", "errors", "skipped")] == ["49", "1", "2", "2"], root.attrib
    failure = root.find(".//testcase[@name='klog']/failure")
    assert failure.get("message") == "it broke" and "it broke too (1 x)" in failure.text and "sunder replay n/a/findings/001-found" in failure.text


@case
def the_report_goes_into_a_file_whole_or_not_at_all(box):
    nights.make_run(box.path("n"))
    box.sunder("report", "n", "-o", "r.html").expect(0, out="^nothing was found; 1 run on 1 machine -> r.html\n$", err="^$")
    with open(box.path("r.html"), encoding="utf-8") as f:
        assert f.read().startswith("<!DOCTYPE html>")
    box.sunder("report", "n", "-o", "r.json", "--format", "json").expect(0)
    with open(box.path("r.json"), encoding="utf-8") as f:
        json.load(f)
    box.sunder("report", "n", "-o", "no/such/r.html").expect(2, err="no/such/r.html: No such file")
    box.sunder("report", "n", "-o", "/dev/full").expect(2, err="/dev/full")
    assert sorted(os.listdir(box.dir)) == ["n", "r.html", "r.json"]


@case
def the_command_of_the_readme_makes_a_page(box):
    nights.make_run(box.path("sunder-quick-20260102-180000"))
    os.symlink(os.path.dirname(box.binary), box.path("build"))
    done = subprocess.run("build/sunder report sunder-*/ -o report.html", shell=True, cwd=box.dir, capture_output=True, timeout=60, check=True)
    assert done.stdout.endswith(b"-> report.html\n") and os.path.getsize(box.path("report.html")) > 50000


@case
def report_refuses_what_it_cannot_do(box):
    box.sunder("report").expect(2, out="^$", err="which directories")
    box.sunder("report", "x", "--format", "pdf").expect(2, out="^$", err="--format: html, text, json, ktap or junit")
    box.sunder("report", "-o").expect(2, err=".")
    assert "No such file" in report(box, "no-such-dir", code=2)["damaged"][0]["why"]
    box.write("file", "x")
    assert "Not a directory" in report(box, "file", code=2)["damaged"][0]["why"]
    os.makedirs(box.path("bare/below"))
    box.write("bare/below/notes.txt", "x")
    assert "no summary.json" in report(box, "bare", code=2)["damaged"][0]["why"]


@case
def directories_that_may_not_be_read_are_told(box):
    nights.make_run(box.path("n/a"))
    nights.make_run(box.path("n/b"), host="b")
    os.chmod(box.path("n/b"), 0)
    try:
        done = box.unprivileged("report", box.path("n"), "--format", "json")
        doc = json.loads(done.expect(2).out)
        assert [d["why"] for d in doc["damaged"]] == ["Permission denied"] and doc["totals"]["runs"] == 1
    finally:
        os.chmod(box.path("n/b"), 0o755)


@case
def a_report_changes_nothing_in_what_it_reads(box):
    nights.make_fleet(box.path("n"), 2, 30)

    def state():
        return sorted((path, os.stat(path).st_mtime_ns, os.stat(path).st_size) for path, _, _ in os.walk(box.path("n")))
    before = state()
    box.sunder("report", "n").expect(box.sunder("report", "n").code)
    assert state() == before


@case
def ten_hours_of_a_machine_stay_small(box):
    nights.make_run(box.path("n"), seconds=36000, nodes=4)
    doc = report(box, "n")
    series = doc["runs"][0]["series"]
    assert series["n"] == 600 and series["step"] == 60 and len(series["ops"]["mean"]) == 600 and set(series["nodes"]) == {"0", "1", "2", "3"}
    for low, mean, high in zip(series["ops"]["min"], series["ops"]["mean"], series["ops"]["max"]):
        assert low <= mean * 1.0001 and mean <= high * 1.0001
    assert min(series["ops"]["min"]) == 0, "a second in which nothing ran is lost"
    assert len(box.sunder("report", "n", "--format", "html").out) < 600000
