// SPDX-License-Identifier: GPL-2.0-or-later
// Shows status.json, and the rates of seconds.json or minutes.json. All that others wrote is text, never markup.
"use strict";

const STATUS_MS = 2000, SECONDS_MS = 5000, MINUTES_MS = 60000;
const at = (id) => document.getElementById(id);
const dark = matchMedia("(prefers-color-scheme: dark)");
let span = "seconds", heat = "migrated_to", course = null, nodeIds = [], charts = [], courseTimer = 0;

// Words for numbers

function amount(v) {
	const units = ["", " k", " M", " G", " T"];
	let u = 0;
	while (v >= 1000 && u < units.length - 1) {
		v /= 1000;
		u++;
	}
	return (u && v < 100 ? v.toFixed(1) : v.toFixed(0)) + units[u];
}

function bytes(v) {
	const units = ["B", "KiB", "MiB", "GiB", "TiB"];
	let u = 0;
	while (v >= 1024 && u < units.length - 1) {
		v /= 1024;
		u++;
	}
	return (u && v < 10 ? v.toFixed(1) : v.toFixed(0)) + " " + units[u];
}

function duration(s) {
	s = Math.floor(s);
	if (s < 120) return s + " s";
	if (s < 7200) return Math.floor(s / 60) + " min";
	if (s < 172800) return Math.floor(s / 3600) + " h " + Math.floor(s / 60) % 60 + " min";
	return Math.floor(s / 86400) + " d " + Math.floor(s / 3600) % 24 + " h";
}

const percent = (v) => (100 * v).toFixed(0) + "%";
const clock = (t) => new Date(t * 1000).toLocaleTimeString([], { hour12: false });

// Elements

function make(tag, text, kind) {
	const e = document.createElement(tag);
	if (text !== undefined) e.textContent = text;
	if (kind) e.className = kind;
	return e;
}

function facts(id, pairs) {
	const list = [];
	for (const [name, value] of pairs)
		list.push(make("dt", name), make("dd", value));
	at(id).replaceChildren(...list);
}

function tiles(id, pairs) {
	at(id).replaceChildren(...pairs.map(([name, value]) => {
		const box = make("div");
		box.append(make("dt", name), make("dd", value));
		return box;
	}));
}

// cells: text, or [text, class], or an element
function row(cells) {
	const tr = make("tr");
	for (const cell of cells) {
		if (cell instanceof Element) {
			const td = make("td");
			td.append(cell);
			tr.append(td);
		} else if (Array.isArray(cell)) {
			tr.append(make("td", cell[0], cell[1]));
		} else {
			tr.append(make("td", cell));
		}
	}
	return tr;
}

const rows = (id, list) => at(id).tBodies[0].replaceChildren(...list);

function age(iso, now) {
	const t = Date.parse(iso) / 1000;
	return isNaN(t) ? iso : duration(Math.max(0, now - t)) + " ago";
}

// The status

function showHead(s) {
	at("head").dataset.health = s.health;
	if (at("health").textContent !== s.health) at("health").textContent = s.health;
	if (at("why").textContent !== s.why) at("why").textContent = s.why;
	document.title = s.health + ": " + s.host + " · sunder";
	at("machine").textContent = s.host + " · " + s.kernel + " · sunder " + s.sunder + " · " + s.state + " · up " + duration(s.uptime_s);
}

function showOracles(s) {
	const list = Object.entries(s.slice ? s.slice.oracles : {});
	const found = list.filter(([, v]) => v === "finding").map(([k]) => k);
	const ok = list.filter(([, v]) => v === "ok" || v === "judging").map(([k]) => k);
	const skipped = list.filter(([, v]) => v.startsWith("skipped")).map(([k]) => k);
	const parts = [];
	if (found.length) parts.push(make("span", "Found something: " + found.join(", ") + ". ", "mark"));
	if (ok.length) parts.push(make("span", "Judging, nothing wrong: " + ok.join(", ") + ". "));
	if (skipped.length) parts.push(make("span", "Not judging: " + skipped.join(", ") + "."));
	at("oracles").replaceChildren(...parts);
}

function showNow(s) {
	const x = s.slice, whole = x ? x.elapsed_s + x.left_s : 0, done = whole > 0 ? 100 * x.elapsed_s / whole : 0;
	at("job").textContent = x ? x.campaign + ": " + (x.turn || x.job).split("/").pop() : "Nothing runs (" + s.state + ")";
	facts("slice", x ? [["Job", x.job], ["Seed", x.seed], ["Slice", x.number + ", " + duration(x.elapsed_s) + " gone, " + duration(x.left_s) + " left"],
		["Lanes", x.lanes.busy + " busy, " + amount(x.lanes.least_ops) + " to " + amount(x.lanes.most_ops) + " ops each"], ["Directory", x.dir]] : []);
	at("progress").hidden = !x;
	at("progress").setAttribute("aria-valuenow", done.toFixed(0));
	at("progress").firstElementChild.style.width = done + "%";
	tiles("rates", [["ops/s", amount(s.rates.ops_per_s)], ["migrated/s", amount(s.rates.migrated_pages_per_s)],
		["split/s", amount(s.rates.split_per_s)], ["overlap", percent(s.rates.overlap)]]);
	showOracles(s);
}

function showFindings(s) {
	rows("finding-list", s.findings.list.map((f) => {
		const link = make("a", f.title);
		link.href = "/findings/" + encodeURIComponent(f.id);
		return row([link, [f.status, f.status === "new" ? "mark" : ""], [amount(f.count), "n"], age(f.first, s.time), age(f.last, s.time)]);
	}));
	at("finding-list").hidden = !s.findings.total;
	at("no-findings").hidden = s.findings.total > 0;
	at("findings").textContent = "Findings: " + s.findings.total + (s.findings.new ? ", new " + s.findings.new : "");
}

function showNodes(s) {
	nodeIds = s.nodes.map((n) => n.id);
	rows("nodes", s.nodes.map((n) => row([String(n.id), [percent(n.busy), "n"], [bytes(n.memory), "n"], [bytes(n.free), "n"],
		[bytes(n.anon_huge + n.shmem_huge + n.file_huge), "n"], [n.hugetlb_free + " / " + n.hugetlb_total, "n"],
		[amount(n.migrated_to_per_s), "n"], [amount(n.allocated_per_s), "n"]])));
}

function showMachine(s) {
	const m = s.machine, v = m.vmstat;
	facts("thp", [["THP enabled", m.thp_enabled || "not there"], ["defrag", m.thp_defrag], ["shmem", m.thp_shmem],
		["Faulted as huge", amount(v.thp_fault_alloc) + ", fallen back " + amount(v.thp_fault_fallback)],
		["Split", amount(v.thp_split_page) + " pages, " + amount(v.thp_split_pmd) + " PMDs"],
		["Collapsed", amount(v.thp_collapse_alloc)], ["Migrated", amount(v.pgmigrate_success) + " pages, failed " + amount(v.pgmigrate_fail)],
		["Taint", String(m.taint)], ["Load", m.load.toFixed(1)]]);
	rows("pools", m.hugetlb.map((p) => row([bytes(p.size), [String(p.total), "n"], [String(p.free), "n"], [String(p.reserved), "n"], [String(p.surplus), "n"]])));
}

function showCampaigns(s) {
	rows("campaigns", s.campaigns.map((c) => row([c.name, c.why ? c.state + ": " + c.why : c.state, [duration(c.used_s), "n"], [percent(c.share), "n"],
		[String(c.slices), "n"], [String(c.findings), "n"]])));
	const t = s.totals, b = s.budget;
	facts("totals", [["So far", amount(t.ops) + " ops in " + t.slices + " slices, " + duration(t.seconds)],
		["Deaths", "machine " + t.machine_deaths + ", runs " + t.run_deaths], ["Disk", bytes(b.disk_used) + " of " + bytes(b.disk)],
		...s.deaths.map((d) => [d.quarantined ? "Quarantined" : "Died under", d.campaign + ", " + d.count + " times, kernel " + d.kernel])]);
}

function showEvents(s) {
	const list = at("events"), last = s.events.length ? s.events[s.events.length - 1].number : 0;
	if (list.dataset.last === String(last)) return;
	list.dataset.last = String(last);
	list.replaceChildren(...s.events.slice().reverse().map((e) => {
		const li = make("li"), time = make("time", clock(e.time));
		time.dateTime = new Date(e.time * 1000).toISOString();
		const loud = e.kind === "finding" || e.kind === "death" || e.kind === "trouble";
		li.append(time, make("span", (e.campaign ? e.campaign + ": " : "") + e.text, loud ? "mark" : ""));
		return li;
	}));
}

function lost(why) {
	at("lost").hidden = !why;
	if (why) at("lost").textContent = why;
}

async function load(url) {
	const answer = await fetch(url, { cache: "no-store" });
	if (!answer.ok) throw new Error(answer.status);
	return answer.json();
}

async function tickStatus() {
	try {
		const s = await load("/status.json");
		showHead(s);
		showNow(s);
		showFindings(s);
		showNodes(s);
		showMachine(s);
		showCampaigns(s);
		showEvents(s);
		lost("");
		document.body.dataset.status = JSON.stringify({ ops: s.totals.ops, findings: s.findings.total });
	} catch {
		lost("sunderd does not answer: what stands here is old.");
	}
	setTimeout(tickStatus, STATUS_MS);
}

// The course

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function chart(id, names, max) {
	const strokes = [colour("--accent"), colour("--heat-high")], soft = colour("--soft"), line = colour("--line");
	const box = at(id);
	const axis = { stroke: soft, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
	box.replaceChildren();
	return new uPlot({
		width: Math.max(200, box.clientWidth), height: Math.max(120, box.clientHeight), legend: { show: false }, cursor: { show: false },
		scales: { y: { range: (u, lo, hi) => [0, max || Math.max(1, hi * 1.05)] } },
		axes: [axis, { ...axis, size: 55, values: (u, list) => list.map((v) => v % 1 ? v.toFixed(1) : amount(v)) }],
		series: [{}, ...names.map((n, i) => ({ label: n, stroke: strokes[i], width: 2, points: { show: false } }))],
	}, [[], ...names.map(() => [])], box);
}

function makeCharts() {
	for (const c of charts) c.plot.destroy();
	charts = [["chart-ops", ["ops"]], ["chart-migrated", ["migrated"]], ["chart-split", ["split", "collapsed"]], ["chart-overlap", ["overlap"], 100]].map(
		([id, names, max]) => ({ names, plot: chart(id, names, max), box: at(id) }));
	drawCourse();
}

function drawCourse() {
	if (!course) return;
	for (const c of charts)
		c.plot.setData([course.time, ...c.names.map((n) => n === "overlap" ? course[n].map((v) => 100 * v) : course[n])]);
	drawHeat();
}

// a and b: "#rrggbb"
function mix(a, b, part) {
	const of = (c, i) => parseInt(c.slice(1 + 2 * i, 3 + 2 * i), 16);
	return "rgb(" + [0, 1, 2].map((i) => Math.round(of(a, i) + (of(b, i) - of(a, i)) * part)).join(",") + ")";
}

function drawHeat() {
	const canvas = at("heat"), n = course.nodes.length, points = course.time.length, scale = devicePixelRatio || 1;
	const height = Math.max(14, Math.min(34, 300 / Math.max(1, n))), left = 44, width = canvas.clientWidth, cells = Math.min(points, 120);
	const words = { migrated_to: "Pages moved to each node", allocated: "Pages allocated on each node", huge: "Memory in THP of each node", busy: "How busy each node's CPUs are" };
	let most = 0;
	canvas.style.height = n * height + "px";
	canvas.width = width * scale;
	canvas.height = n * height * scale;
	const g = canvas.getContext("2d"), low = colour("--heat-low"), high = colour("--heat-high"), per = points / Math.max(1, cells);
	const means = course.nodes.map((node) => Array.from({ length: cells }, (_, i) => {
		const part = node[heat].slice(Math.floor(i * per), Math.max(Math.floor(i * per) + 1, Math.floor((i + 1) * per)));
		return part.reduce((a, b) => a + b, 0) / part.length;
	}));
	for (const line of means) for (const v of line) most = Math.max(most, v);
	if (heat === "busy") most = 1;
	g.scale(scale, scale);
	g.font = "12px system-ui, sans-serif";
	means.forEach((line, y) => {
		g.fillStyle = colour("--text");
		g.fillText(String(nodeIds[y] ?? y), 4, y * height + height / 2 + 4);
		line.forEach((v, i) => {
			g.fillStyle = mix(low, high, most > 0 ? v / most : 0);
			g.fillRect(left + i * (width - left) / cells, y * height + 1, Math.ceil((width - left) / cells), height - 2);
		});
	});
	const top = heat === "busy" ? "100%" : heat === "huge" ? bytes(most) : amount(most) + " pages/s";
	at("heat-text").textContent = words[heat] + " over the last " + duration(points * course.step) + "; the strongest colour is " + top + ".";
}

async function tickCourse() {
	clearTimeout(courseTimer);
	try {
		course = await load("/" + span + ".json");
		drawCourse();
	} catch {
		// the status says so
	}
	courseTimer = setTimeout(tickCourse, span === "seconds" ? SECONDS_MS : MINUTES_MS);
}

function choose(buttons, chosen) {
	for (const b of buttons) b.setAttribute("aria-pressed", String(b === chosen));
}

for (const b of document.querySelectorAll("[data-span]"))
	b.addEventListener("click", () => {
		span = b.dataset.span;
		choose(document.querySelectorAll("[data-span]"), b);
		tickCourse();
	});
for (const b of document.querySelectorAll("[data-heat]"))
	b.addEventListener("click", () => {
		heat = b.dataset.heat;
		choose(document.querySelectorAll("[data-heat]"), b);
		drawCourse();
	});
dark.addEventListener("change", makeCharts);
let resizing = 0;
addEventListener("resize", () => {
	clearTimeout(resizing);
	resizing = setTimeout(() => {
		for (const c of charts) c.plot.setSize({ width: Math.max(200, c.box.clientWidth), height: Math.max(120, c.box.clientHeight) });
		drawCourse();
	}, 150);
});
makeCharts();
tickStatus();
tickCourse();
