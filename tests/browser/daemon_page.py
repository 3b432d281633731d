# SPDX-License-Identifier: GPL-2.0-or-later
"""sunderd's page: what a lab sees from its desk, a phone and the wall. A script is in place of sunder, so that the numbers are known."""

import json
import os
import sys
import urllib.request

from browser import Browser, missing, pictures
from case import TREE, Skip, case

sys.path.insert(0, os.path.join(TREE, "tests", "cli"))
import daemon_deaths  # noqa: E402
from daemon import free_port  # noqa: E402

TITLE = 'KASAN: <script>alert("x")</script> & <img src=x onerror=alert(1)> in zap_huge_pmd'
FINDING = {"id": 3, "title": TITLE, "status": "new", "note": "", "oracle": "klog", "count": 12, "runs": 2, "machines": 1, "kernels": 1,
           "first": "2026-11-25T00:00:00Z", "last": "2026-11-25T10:00:00Z", "dir": "groups/kasan"}


class Page:
    """With-statement: a daemon whose run tells what a run tells, and where its page is."""

    def __init__(self, box):
        if missing():
            raise Skip(missing())
        self.box, self.port = box, free_port()
        self.top = f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        run = daemon_deaths.STATUS | {"turn": "split-zap.job", "lanes": [[500, 300], [200]], "oracles": {"content": "judging", "klog": "finding", "leak": "skipped: x"},
                                      "migrated_to": {"0": 4096}, "findings": []}
        self.context = daemon_deaths.faked(self.box, more=f"listen = {self.port}", status=run, findings=[FINDING])
        self.context.__enter__()
        os.makedirs(self.box.path("state/findings/groups/kasan"))
        self.box.write("state/findings/groups/kasan/evidence.txt", "<b>BUG</b>\n" + "at mm/huge_memory.c\n" * 20)
        self.box.daemon.wait_for(lambda doc: daemon_deaths.is_running(doc) and doc["findings"]["total"] == 1)
        return self

    def __exit__(self, *why):
        return self.context.__exit__(*why)

    def status(self):
        with urllib.request.urlopen(f"{self.top}/status.json", timeout=20) as answer:
            return json.load(answer)


def text(browser, selector):
    return browser.run("return document.querySelector(arguments[0]).innerText", selector)


def shown(browser, page):
    browser.open(page.top + "/")
    assert browser.wait("return document.body.dataset.status && document.querySelector('.chart canvas')"), "nothing was shown"
    assert browser.wait("return document.getElementById('heat-text').textContent"), "no map was drawn"


@case
def the_daemon_s_page_shows_what_its_status_says(box):
    with Page(box) as page, Browser() as browser:
        browser.look()
        shown(browser, page)
        doc = page.status()
        assert text(browser, "#health") == doc["health"] == "attention" and text(browser, "#why").endswith(doc["why"])
        assert doc["host"] in text(browser, "#machine") and doc["kernel"] in text(browser, "#machine")
        assert text(browser, "#job") == "a: split-zap.job" and doc["slice"]["seed"] in text(browser, "#slice")
        assert "3 busy, 200 to 500 ops each" in text(browser, "#slice")
        assert text(browser, "#oracles") == "Found something: klog. Judging, nothing wrong: content. Not judging: leak."
        assert text(browser, "#findings") == "Findings: 1, new 1" and text(browser, "#finding-list tbody a") == TITLE
        assert text(browser, "#finding-list tbody td.n") == "12"
        assert len(doc["nodes"]) == browser.run("return document.querySelectorAll('#nodes tbody tr').length")
        for pool, row in zip(doc["machine"]["hugetlb"], browser.run("return [...document.querySelectorAll('#pools tbody tr')].map(r => [...r.cells].map(c => c.textContent))")):
            assert row[1:] == [str(pool[key]) for key in ("total", "free", "reserved", "surplus")], (pool, row)
        for campaign, row in zip(doc["campaigns"], browser.run("return [...document.querySelectorAll('#campaigns tbody tr')].map(r => [...r.cells].map(c => c.textContent))")):
            assert row[:2] == [campaign["name"], campaign["state"]] and row[4] == str(campaign["slices"]), (campaign, row)
        assert "1.0 k ops in 0 slices" in text(browser, "#totals") and doc["totals"]["ops"] == 1000
        assert f"slice 1 begins: {page.box.dir}/a.job" in text(browser, "#events")
        assert not browser.complaints()


@case
def a_finding_s_evidence_is_one_step_from_the_daemon_s_page(box):
    with Page(box) as page, Browser() as browser:
        shown(browser, page)
        browser.run("document.querySelector('#finding-list tbody a').click()")
        assert browser.wait("return document.querySelector('main.finding pre')"), "no evidence came"
        assert text(browser, "h1") == TITLE and "<b>BUG</b>" in text(browser, "pre")
        assert browser.run("return document.scripts.length + document.images.length") == 0
        assert not browser.complaints()


@case
def the_daemon_s_page_is_for_everybody(box):
    """By keyboard alone, readable in the light and in the dark, on a phone and on the wall."""
    with Page(box) as page, Browser() as browser:
        for name, screen in (("desk", {}), ("desk-dark", {"dark": True}), ("phone", {"width": 360, "height": 780, "mobile": True}),
                             ("wall", {"width": 2560, "height": 1440, "dark": True})):
            browser.look(**screen)
            shown(browser, page)
            looked, bad = browser.unreadable()
            assert looked > 50 and not bad, (name, bad)
            width, there = browser.run("return [document.documentElement.scrollWidth, innerWidth]")
            assert width <= there, f"{name}: {width} wide on {there}"
            browser.picture(pictures(f"sunderd-{name}.png"))
        browser.look()
        shown(browser, page)
        stops = browser.tab_stops(40)
        assert all(stop["visible"] for stop in stops), stops
        words = [stop["text"] for stop in stops]
        for wanted in ("To the findings", TITLE[:60], "10 minutes", "24 hours", "Migrated to", "Busy"):
            assert wanted in words, (wanted, words)
        browser.run("document.querySelector('[data-span=minutes]').focus()")
        browser.key("SPACE")
        assert browser.run("return document.querySelector('[data-span=minutes]').getAttribute('aria-pressed')") == "true"
        browser.open(page.top + "/findings/3")
        looked, bad = browser.unreadable()
        assert looked and not bad, bad


@case
def when_the_daemon_is_gone_its_page_says_so(box):
    with Page(box) as page, Browser() as browser:
        shown(browser, page)
        box.daemon.end()
        assert browser.wait("return !document.getElementById('lost').hidden && document.getElementById('lost').textContent"), "it says nothing"
        box.daemon = daemon_deaths.Daemon(box, "--config", "d.conf")
        assert browser.wait("return document.getElementById('lost').hidden"), "it does not go on"
