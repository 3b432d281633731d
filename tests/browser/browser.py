# SPDX-License-Identifier: GPL-2.0-or-later
"""A headless Chromium for tests of pages: what a reader sees, by keyboard too, and whether it can be read."""

import base64
import os
import shutil
import tempfile

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from case import TREE

# Text as it stands on what is behind it: [[ratio, needed, text, place], ...] of all that is visible and not readable (WCAG 2.1, 1.4.3).
CONTRAST = r"""
const parse = (text) => {
    const n = (text.match(/[\d.]+/g) || []).map(Number);
    return text.startsWith("color(srgb") ? [n[0] * 255, n[1] * 255, n[2] * 255, n[3] ?? 1] : [n[0], n[1], n[2], n[3] ?? 1];
};
const over = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3])).concat(1);
const light = (c) => {
    const [r, g, b] = c.slice(0, 3).map((v) => v / 255).map((v) => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b;
};
const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + .05) / (y + .05); };
// What may be behind an element: a gradient counts with each of its colours.
const behind = (e) => {
    let layers = [];
    for (; e; e = e.parentElement) {
        const style = getComputedStyle(e), image = style.backgroundImage;
        if (image !== "none") layers.push((image.match(/(rgba?|color)\([^)]*\)/g) || []).map(parse));
        const colour = parse(style.backgroundColor);
        if (colour[3] > 0) layers.push([colour]);
        if (colour[3] === 1) break;
    }
    let grounds = [[255, 255, 255, 1]];
    if (matchMedia("(prefers-color-scheme: dark)").matches) grounds = [[18, 18, 18, 1]];
    for (const layer of layers.reverse()) grounds = grounds.flatMap((ground) => layer.map((c) => over(c, ground)));
    return grounds;
};
const bad = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
let checked = 0;
while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim(), e = walker.currentNode.parentElement;
    if (!text || e.closest("script, style, noscript") || !e.checkVisibility({checkOpacity: true, checkVisibilityCSS: true})) continue;
    const style = getComputedStyle(e), size = parseFloat(style.fontSize);
    const needed = size >= 24 || (size >= 18.66 && style.fontWeight >= 700) ? 3 : 4.5;
    checked++;
    for (const ground of behind(e)) {
        const r = ratio(over(parse(style.color), ground), ground);
        if (r < needed) bad.push([+r.toFixed(2), needed, text.slice(0, 40), e.tagName + "." + e.className]);
    }
}
return [checked, bad];
"""

# What has the keyboard's focus, and whether that shows.
FOCUSED = r"""
const e = document.activeElement;
if (!e || e === document.body) return null;
const style = getComputedStyle(e), label = e.closest("label");
const shows = (s) => s.outlineStyle !== "none" && parseFloat(s.outlineWidth) > 0;
return {tag: e.tagName, id: e.id, cls: e.className, text: (e.getAttribute("aria-label") || e.textContent).trim().slice(0, 60),
        role: e.getAttribute("role"), visible: shows(style) || (label !== null && shows(getComputedStyle(label)))};
"""


def missing():
    """Why there is no browser here, or None."""
    for name in ("chromium", "chromedriver"):
        if not shutil.which(name):
            return f"{name} is not installed"
    return None


def pictures(name):
    """Where a picture goes: with the build, not into the repository."""
    top = os.environ.get("SUNDER_SCREENSHOTS") or os.path.join(TREE, "build", "screenshots")
    os.makedirs(top, exist_ok=True)
    return os.path.join(top, name)


class Browser:
    """With-statement: a browser with a profile of its own, offline but for loopback."""

    def __enter__(self):
        self.profile = tempfile.mkdtemp(prefix="sunder-browser-")
        options = Options()
        options.binary_location = shutil.which("chromium")
        for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
                     "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars",
                     f"--user-data-dir={self.profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(service=Service(shutil.which("chromedriver"), log_path=os.devnull), options=options)
        self.driver.set_page_load_timeout(60)
        self.driver.set_script_timeout(120)
        return self

    def __exit__(self, *_):
        self.driver.quit()
        shutil.rmtree(self.profile, ignore_errors=True)

    def look(self, width=1280, height=900, dark=False, scale=1, mobile=False):
        """The screen that the page is to be shown on."""
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": mobile})
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})

    def open(self, url):
        self.driver.get(url if "://" in url else f"file://{url}")
        return self

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def wait(self, script, seconds=30):
        """Until the expression is true; its value. The page decides when, not a clock."""
        return self.driver.execute_async_script(
            f"const done = arguments[0], until = performance.now() + {seconds * 1000};"
            f"const ask = () => {{ const v = (() => {{ {script} }})(); if (v || performance.now() > until) done(v); else requestAnimationFrame(ask); }}; ask();")

    def complaints(self):
        """What the console has said since the last time, of any level."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def key(self, name, times=1):
        """To whatever has the focus then: a live page may put other elements in its place at any time."""
        for _ in range(times):
            ActionChains(self.driver).send_keys(getattr(Keys, name)).perform()

    def focused(self):
        return self.run(FOCUSED)

    def tab_stops(self, most):
        """What the tab key comes to, in order, until it leaves the page or comes round."""
        stops, seen = [], set()
        for _ in range(most):
            self.key("TAB")
            stop = self.focused()
            mark = self.run("const e = document.activeElement; e.dataset.stop = e.dataset.stop || String(Math.random()); return e.dataset.stop")
            if stop is None or mark in seen:
                break
            seen.add(mark)
            stops.append(stop)
        return stops

    def unreadable(self):
        """(texts looked at, those whose contrast is below AA)"""
        return self.run(CONTRAST)

    def picture(self, path, whole=True):
        """A PNG of the page."""
        shot = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png", "captureBeyondViewport": whole})
        with open(path, "wb") as f:
            f.write(base64.b64decode(shot["data"]))
