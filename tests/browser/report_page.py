# SPDX-License-Identifier: GPL-2.0-or-later
"""The page of sunder report."""

import json
import os

from browser import Browser, missing, pictures
from case import Skip, case
import nights

HOSTILE = "</script><script>document.title = 'taken'</script><img src=x onerror=\"document.title = 'taken'\"> & 'q'"
READY = "return document.documentElement.hasAttribute('data-ready')"
SCREENS = {"phone": (390, 844), "desk": (1280, 900), "wall": (2560, 1440)}


def make(box, *args, code):
    """The page and the document of the same directories."""
    if missing():
        raise Skip(missing())
    box.sunder("report", *args, "-o", "page.html").expect(code, err="^$")
    return box.path("page.html"), json.loads(box.sunder("report", *args, "--format", "json").expect(code).out)


def fleet(box):
    nights.make_fleet(box.path("now"), 5, 900, lost=(2,))
    nights.make_fleet(box.path("before"), 4, 30, seed=2)
    os.makedirs(box.path("now/node05"))
    return make(box, "now", "--before", "before", code=5)


def open_all(b):
    """All that is folded, and all that is drawn only when it is seen."""
    b.run("document.querySelectorAll('tr[data-host] button').forEach((e) => e.click()); document.querySelectorAll('details').forEach((e) => { e.open = true; })")
    b.wait("return [...document.querySelectorAll('details.finding')].every((d) => d.querySelector('.body'))")
    for part in range(12):
        b.run("window.scrollTo(0, document.documentElement.scrollHeight * arguments[0] / 12)", part)
        b.run("return document.body.offsetHeight")
    b.run("window.scrollTo(0, 0)")


@case
def numbers_of_the_page_are_those_of_the_document(box):
    page, doc = fleet(box)
    with Browser() as b:
        b.look(*SCREENS["desk"])
        assert b.open(page).wait(READY)
        assert b.run("return +document.getElementById('verdict').dataset.exit") == doc["verdict"]["exit"] == 5
        figures = b.run("return Object.fromEntries([...document.querySelectorAll('[data-figure]')].map((e) => [e.dataset.figure, +e.dataset.value]))")
        assert len(figures) == 10 and all(abs(value - doc["totals"][key]) < 1e-6 * (1 + value) for key, value in figures.items()), (figures, doc["totals"])
        found = b.run("return [...document.querySelectorAll('details.finding')].map((e) => [e.querySelector('.title').textContent, +e.querySelector('[data-count]').dataset.count])")
        assert found == [[f["title"], f["count"]] for f in doc["findings"]] and found
        hosts = b.run("return [...document.querySelectorAll('tr[data-host]')].map((e) => [e.dataset.host, e.querySelector('.chip').textContent])")
        assert hosts[0] == ["numa-02", "never ended"] and sorted(hosts) == sorted([m["host"], m["state"]] for m in doc["machines"])
        cells = b.run("return Object.fromEntries([...document.querySelectorAll('tr[data-op]')].map((r) => [r.dataset.op, [...r.querySelectorAll('td')].map((c) => [+(c.dataset.ok || 0), +(c.dataset.failed || 0)])]))")
        for op in doc["coverage"]["ops"]:
            wanted = [op, *(op["backings"].get(backing, {"ok": 0, "failed": 0}) for backing in doc["coverage"]["backings"])]
            assert cells[op["op"]] == [[o["ok"], o["failed"]] for o in wanted], (op, cells)
        pairs = b.run("return [...document.querySelectorAll('#overlap td[data-count]')].map((e) => +e.dataset.count)")
        assert sorted(set(pairs)) == sorted({p["count"] for p in doc["overlap"]["pairs"]})
        text = b.run("return document.getElementById('changes').textContent")
        assert all(f["title"] in text for key in ("new", "gone", "still") for f in doc["comparison"][key])
        assert "node05" in b.run("return document.getElementById('damaged').textContent")
        open_all(b)
        assert not b.complaints(), "the console has something to say"
        assert b.run("return performance.getEntriesByType('resource').length") == 0, "the page asks for something else"


@case
def all_of_the_page_is_reached_by_keyboard(box):
    page, doc = fleet(box)
    with Browser() as b:
        b.look(*SCREENS["desk"])
        assert b.open(page).wait(READY)
        stops = b.tab_stops(200)
        assert all(stop["visible"] for stop in stops), [stop for stop in stops if not stop["visible"]]
        kinds = [stop["tag"] for stop in stops]
        assert stops[0]["text"] == "To the findings" and kinds.count("A") >= 8, stops
        assert len([s for s in stops if s["tag"] == "SUMMARY"]) >= len(doc["findings"])
        assert len([s for s in stops if s["text"] == "Details"]) == len(doc["machines"])
        assert len([s for s in stops if s["role"] == "gridcell"]) == 2, "each matrix is one stop"
        # A finding opens.
        b.run("document.querySelector('details.finding summary').focus()")
        b.key("ENTER")
        assert b.wait("const d = document.querySelector('details.finding'); return d.open && d.querySelector('code')").is_displayed()
        # A matrix is walked, and tells where one is.
        b.run("document.querySelector('#coverage tbody td').focus()")
        b.key("ARROW_RIGHT")
        b.key("ARROW_DOWN")
        said = b.run("return [document.activeElement.getAttribute('aria-label'), document.activeElement.getAttribute('aria-selected'), document.querySelector('#coverage .pane').textContent]")
        assert said[0].split(":")[0] in said[2] and said[1] == "true" and "split_pid" in said[0], said
        b.run("document.querySelector('#overlap tbody td').focus()")
        assert "rounds" in b.run("return document.querySelector('#overlap .pane').textContent")
        # Another rate is chosen, and its values are read.
        b.run("document.querySelector('#timeline input').focus()")
        b.key("ARROW_RIGHT")
        assert "Overlap" in b.wait("const c = document.querySelector('#timeline .chart'); return c.querySelector('canvas') && c.getAttribute('aria-label')")
        b.run("document.querySelector('#timeline .chart').focus()")
        b.key("HOME")
        first = b.run("return document.querySelector('#timeline .read').textContent")
        b.key("ARROW_RIGHT")
        second = b.run("return document.querySelector('#timeline .read').textContent")
        assert "UTC" in first and "%" in first and first != second, (first, second)
        assert not b.complaints()


@case
def text_can_be_read_on_every_screen_in_light_and_dark(box):
    page, _ = fleet(box)
    with Browser() as b:
        for name, size in SCREENS.items():
            b.look(*size, mobile=name == "phone")
            assert b.open(page).wait(READY)
            open_all(b)
            for dark in (False, True):
                b.look(*size, dark=dark, mobile=name == "phone")
                checked, bad = b.unreadable()
                assert checked > 300 and not bad, (name, dark, checked, bad[:10])
                assert b.run("return document.documentElement.scrollWidth <= innerWidth"), f"{name}: the page is wider than the screen"
                small = b.run("return [...document.querySelectorAll('button, summary, nav a, fieldset label')].filter((e) => e.checkVisibility() && e.getBoundingClientRect().height < 24).map((e) => e.textContent)")
                assert not small, f"{name}: too small for a finger: {small[:5]}"
                b.picture(pictures(f"report-{name}-{'dark' if dark else 'light'}.png"))
                assert not b.complaints()


@case
def what_runs_have_written_stays_text(box):
    nights.make_run(box.path("n"), {HOSTILE: HOSTILE}, host=HOSTILE, status="FINDINGS", findings=[nights.finding(HOSTILE)], job=HOSTILE, seconds=60)
    page, _ = make(box, "n", code=1)
    with Browser() as b:
        b.look(*SCREENS["desk"])
        assert b.open(page).wait(READY)
        open_all(b)
        assert b.run("return document.title") == "FINDINGS · sunder"
        assert b.run("return document.querySelector('.finding .title').textContent") == HOSTILE
        assert b.run("return document.querySelector('.finding pre').textContent") == HOSTILE
        assert b.run("return document.querySelectorAll('img').length") == 0 and not b.complaints()


@case
def a_course_is_drawn_when_it_is_seen(box):
    nights.make_fleet(box.path("now"), 30, 60)
    page, doc = make(box, "now", code=1)
    with Browser() as b:
        b.look(*SCREENS["desk"])
        assert b.open(page).wait(READY)
        drawn = "return [...document.querySelectorAll('canvas.spark')].filter((c) => c.width !== 300).length"
        assert b.run("return document.querySelectorAll('canvas.spark').length") == len(doc["machines"]) == 30
        assert b.run(drawn) < 30, "all was drawn at once"
        b.run("document.querySelector('#runs').scrollIntoView()")
        for row in range(30):
            b.run("document.querySelectorAll('canvas.spark')[arguments[0]].scrollIntoView()", row)
            b.run("return document.body.offsetHeight")
        assert b.wait(f"return (() => {{ {drawn} }})() === 30"), "some courses are never drawn"
        assert not b.complaints()


@case
def it_prints_light_and_unfolded(box):
    page, doc = fleet(box)
    with Browser() as b:
        b.look(*SCREENS["desk"], dark=True)
        assert b.open(page).wait(READY)
        b.run("addEventListener('beforeprint', () => { window.printed = {open: document.querySelectorAll('details.finding[open]').length, ink: getComputedStyle(document.body).color}; })")
        pdf = b.driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": False})["data"]
        printed = b.run("return window.printed")
        assert len(pdf) > 20000 and printed["open"] == len(doc["findings"]) and printed["ink"] == "rgb(27, 32, 30)", printed
        assert b.run("return document.querySelectorAll('details.finding[open]').length") == 0 and not b.complaints()


@case
def a_clean_night_says_so_at_a_glance(box):
    nights.make_run(box.path("n"), seconds=30)
    page, _ = make(box, "n", code=0)
    with Browser() as b:
        b.look(*SCREENS["phone"], mobile=True)
        assert b.open(page).wait(READY)
        top = b.run("const h = document.getElementById('verdict'), r = h.getBoundingClientRect(); return [h.textContent, r.top, r.bottom, getComputedStyle(h.closest('header')).backgroundColor]")
        assert top[0] == "Clean" and 0 <= top[1] < top[2] < 200 and top[3] == "rgb(29, 107, 69)", top
        b.picture(pictures("report-clean-phone.png"))
