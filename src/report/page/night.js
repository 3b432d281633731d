// SPDX-License-Identifier: GPL-2.0-or-later
// Makes the page of the document. Text of the document only ever becomes text: there is no innerHTML here.
"use strict";
(() => {
const doc = JSON.parse(document.getElementById("document").textContent);
const page = document.getElementById("page");

// ---- elements, and words for figures ----

function h(tag, attributes, ...children) {
	const e = document.createElement(tag);
	for (const [key, value] of Object.entries(attributes || {})) {
		if (key === "on") for (const [name, f] of Object.entries(value)) e.addEventListener(name, f);
		else if (value === true) e.setAttribute(key, "");
		else if (value !== false && value !== null && value !== undefined) e.setAttribute(key, value);
	}
	e.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false).map((c) => c instanceof Node ? c : String(c)));
	return e;
}

const grouped = new Intl.NumberFormat("en-US", {maximumFractionDigits: 0});
const count = (n) => grouped.format(n);
function short(n) {
	if (n < 1000) return n < 10 && n % 1 ? n.toFixed(1) : String(Math.round(n));
	const unit = n < 999500 ? [1e3, "k"] : n < 999.5e6 ? [1e6, "M"] : [1e9, "G"];
	const v = n / unit[0];
	return (v < 10 ? v.toFixed(1) : v.toFixed(0)) + unit[1];
}
const percent = (part, whole) => whole ? (100 * part / whole).toFixed(0) + "%" : "–";
const plural = (n, one, many) => `${count(n)} ${n === 1 ? one : many || one + "s"}`;
function clock(s) {
	s = Math.round(s);
	if (s >= 360000) return count(s / 3600) + " h";
	const two = (n) => String(n).padStart(2, "0");
	return s >= 3600 ? `${count(Math.floor(s / 3600))}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)} h` : `${Math.floor(s / 60)}:${two(s % 60)} min`;
}
function bytes(n) {
	const units = ["B", "KiB", "MiB", "GiB", "TiB"];
	let u = 0;
	while (n >= 1024 && u < 4) { n /= 1024; u++; }
	return `${n < 10 && n % 1 ? n.toFixed(1) : n.toFixed(0)} ${units[u]}`;
}
const when = (stamp) => stamp ? stamp.replace("T", " ").replace(/:\d\dZ$/, "") : "unknown";
const whenSeconds = (s) => new Date(s * 1000).toISOString().replace("T", " ").slice(0, 19);
const tone = {"clean": "ok", "findings": "bad", "lost": "lost", "never ended": "lost", "error": "warn", "no resources": "warn", "nothing ran": "warn", "running": "ok"};
const chip = (state) => h("span", {class: `chip ${tone[state] || "warn"}-ink`}, state);
const machineNames = (names) => names.length <= 4 ? names.join(", ") : `${names.slice(0, 3).join(", ")} and ${names.length - 3} more`;

function section(id, title, hint, ...children) {
	return h("section", {id, "aria-labelledby": `${id}-title`}, h("h2", {id: `${id}-title`}, title), hint ? h("p", {class: "hint"}, hint) : null, children);
}

// On a phone a row stands as lines, each with the name of its column.
function named(row, head) {
	[...row.cells].forEach((cell, i) => { if (head[i] && cell.tagName === "TD") cell.dataset.name = head[i].replace(/^#/, ""); });
	return row;
}

function list(head, rows) {
	for (const row of rows.flat(Infinity)) if (row.cells.length > 1) named(row, head);
	return h("div", {class: "scroll", tabindex: 0, role: "region", "aria-label": head.map((c) => c.replace(/^#/, "")).join(", ")},
		h("table", {class: "list"}, h("thead", null, h("tr", null, head.map((c) => h("th", {scope: "col", class: c[0] === "#" ? "num" : null}, c.replace(/^#/, ""))))),
			h("tbody", null, rows)));
}

// Rows of long tables, a hundred at a time.
function paged(head, items, row) {
	const table = list(head, items.slice(0, 100).map(row)), body = table.querySelector("tbody");
	let shown = 100;
	if (items.length <= shown) return table;
	const more = h("button", {type: "button", on: {click: () => {
		body.append(...items.slice(shown, shown + 500).map((item) => named(row(item), head)));
		shown += 500;
		if (shown >= items.length) more.remove();
		else more.textContent = `Show more of ${count(items.length)}`;
	}}}, `Show more of ${count(items.length)}`);
	return h("div", null, table, more);
}

function command(text) {
	const button = h("button", {type: "button", on: {click: () => {
		const done = (word) => { button.textContent = word; };
		if (navigator.clipboard) navigator.clipboard.writeText(text).then(() => done("Copied"), () => done("Select and copy"));
		else done("Select and copy");
	}}}, "Copy");
	return h("div", {class: "command"}, h("code", {tabindex: 0}, text), button);
}

// ---- what is drawn when it is seen ----

const seen = new IntersectionObserver((entries) => {
	for (const entry of entries) {
		if (entry.isIntersecting) drawSeen(entry.target);
	}
}, {rootMargin: "200px"});
const unseen = new Set();
function drawSeen(element) {
	seen.unobserve(element);
	unseen.delete(element);
	element.drawNow();
}
function whenSeen(element, draw) {
	element.drawNow = draw;
	unseen.add(element);
	seen.observe(element);
	return element;
}

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const charts = new Set(), sparks = new Set();
function redraw() {
	for (const c of charts) c.redraw(false);
	for (const s of sparks) s();
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
addEventListener("beforeprint", () => {
	document.documentElement.setAttribute("data-print", "");
	for (const e of unseen) if (e.offsetParent) drawSeen(e);
	for (const d of document.querySelectorAll("details.finding")) { d.dataset.was = d.open ? "1" : ""; d.open = true; }
	redraw();
});
addEventListener("afterprint", () => {
	document.documentElement.removeAttribute("data-print");
	for (const d of document.querySelectorAll("details.finding")) d.open = d.dataset.was === "1";
	redraw();
});

const blocks = new Map();
function seriesOf(run) {
	if (!blocks.has(run)) {
		const block = doc.runs[run] && doc.runs[run].series && document.getElementById(`series${run}`);
		blocks.set(run, block ? JSON.parse(block.textContent) : null);
	}
	return blocks.get(run);
}

const metrics = {
	ops: ["Ops a second", short], overlap: ["Overlap", (v) => (100 * v).toFixed(0) + "%"], migrated: ["Pages migrated a second", short],
	split: ["Splits a second", short], collapsed: ["Collapses a second", short],
};

// A chart: x seconds since 1970; lines [{label, values, color, min, max}]; marks [{at, color}]. Arrow keys move its cursor.
function chart({label, xs, lines, format, marks, height}) {
	const read = h("p", {class: "read", role: "status"}, "\u00a0");
	const box = h("div", {class: "chart", tabindex: 0, role: "img", "aria-label": `${label}. Arrow keys read values.`});
	box.style.minHeight = `${height || 220}px`; // so that what is not drawn yet has its place
	const data = [xs], series = [{}], bands = [];
	for (const line of lines) {
		if (line.min) {
			data.push(line.max, line.min);
			series.push({stroke: null, width: 0, points: {show: false}}, {stroke: null, width: 0, points: {show: false}});
			bands.push({series: [series.length - 2, series.length - 1], fill: () => `rgba(${css("--cell")}, .22)`});
		}
		data.push(line.values);
		series.push({label: line.label, stroke: () => css(line.color), width: 1.75, dash: line.dash, points: {show: xs.length < 3}, shown: line});
	}
	const say = (u) => {
		const i = u.cursor.idx;
		const words = (l) => {
			const v = i === null || i === undefined ? undefined : l.values[i];
			if (i === null || i === undefined) return l.label;
			if (v === null || v === undefined) return `${l.label}: no sample`;
			return `${l.label}: ${format(v)}` + (l.min && l.max[i] > l.min[i] ? ` (${format(l.min[i])} to ${format(l.max[i])})` : "");
		};
		read.replaceChildren(i === null || i === undefined ? "" : `${whenSeconds(xs[i])} UTC  `,
			...lines.map((l) => h("span", {class: "key", style: `--key: var(${l.color})`}, words(l))));
	};
	whenSeen(box, () => {
		const u = new uPlot({
			width: Math.max(240, box.clientWidth), height: height || 220, legend: {show: false}, bands, series,
			cursor: {drag: {x: true, y: false}, points: {size: 6}},
			tzDate: (ts) => uPlot.tzDate(new Date(ts * 1000), "Etc/UTC"),
			scales: {x: {time: true}, y: {range: (_, lo, hi) => [Math.min(0, lo || 0), hi > 0 ? hi * 1.08 : 1]}},
			axes: [
				{stroke: () => css("--muted"), grid: {stroke: () => css("--line"), width: 1}, ticks: {show: false}, space: 64, font: "12px system-ui, sans-serif", values: hours},
				{stroke: () => css("--muted"), grid: {stroke: () => css("--line"), width: 1}, ticks: {show: false}, size: 52, font: "12px system-ui, sans-serif", values: (_, v) => v.map(format)},
			],
			hooks: {setCursor: [say], draw: [(u) => {
				for (const mark of marks || []) {
					const x = u.valToPos(mark.at, "x", true);
					if (x < u.bbox.left || x > u.bbox.left + u.bbox.width) continue;
					u.ctx.save();
					u.ctx.strokeStyle = css(mark.color);
					u.ctx.fillStyle = css(mark.color);
					u.ctx.lineWidth = devicePixelRatio;
					u.ctx.setLineDash([4, 3]);
					u.ctx.beginPath();
					u.ctx.moveTo(x, u.bbox.top);
					u.ctx.lineTo(x, u.bbox.top + u.bbox.height);
					u.ctx.stroke();
					u.ctx.beginPath();
					u.ctx.arc(x, u.bbox.top + 4 * devicePixelRatio, 4 * devicePixelRatio, 0, 7);
					u.ctx.fill();
					u.ctx.restore();
				}
			}]},
		}, data, box);
		charts.add(u);
		say(u);
		new ResizeObserver(() => { if (box.clientWidth > 0) u.setSize({width: box.clientWidth, height: height || 220}); }).observe(box);
		box.addEventListener("keydown", (e) => {
			const step = {ArrowRight: 1, ArrowLeft: -1, PageDown: 20, PageUp: -20}[e.key];
			let i = u.cursor.idx === null || u.cursor.idx === undefined ? (step > 0 ? -1 : xs.length) : u.cursor.idx;
			if (e.key === "Home") i = 0;
			else if (e.key === "End") i = xs.length - 1;
			else if (step) i = Math.max(0, Math.min(xs.length - 1, i + step));
			else return;
			e.preventDefault();
			u.setCursor({left: u.valToPos(xs[i], "x"), top: 10});
		});
	});
	return h("div", null, box, read);
}

// Hours and minutes, seconds where they differ, and the date below the first of a day.
function hours(_, splits, axis, space, step) {
	let day = "";
	return splits.map((s) => {
		const [date, time] = new Date(s * 1000).toISOString().split("T"), head = time.slice(0, step < 60 ? 8 : 5);
		const text = date === day ? head : `${head}\n${date}`;
		day = date;
		return text;
	});
}

const xsOf = (s, n) => Array.from({length: n}, (_, i) => s.start + s.step * i);

// ---- the verdict ----

const marks = {
	ok: "M3 12l6 6L21 6", bad: "M12 4v10M12 18v1.5", warn: "M12 4v10M12 18v1.5", lost: "M5 5l14 14M19 5L5 19",
};
function icon(kind) {
	const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg"), path = document.createElementNS("http://www.w3.org/2000/svg", "path");
	for (const [k, v] of Object.entries({viewBox: "0 0 24 24", fill: "none", stroke: "currentColor", "stroke-width": "3", "stroke-linecap": "round", "stroke-linejoin": "round", "aria-hidden": "true"})) svg.setAttribute(k, v);
	path.setAttribute("d", marks[kind]);
	svg.append(path);
	return svg;
}

function verdict() {
	const t = doc.totals, code = doc.verdict.exit;
	const kind = {0: "ok", 1: "bad", 5: "lost"}[code] || "warn";
	const head = code === 5 ? `${plural(t.lost, "machine")} lost` : code === 1 ? plural(t.findings, "finding")
		: code === 0 ? "Clean" : doc.verdict.word.charAt(0) + doc.verdict.word.slice(1).toLowerCase();
	return h("header", {class: `verdict ${kind}`}, h("div", {class: "wrap"},
		h("h1", {id: "verdict", "data-exit": code}, icon(kind), h("span", null, head)),
		h("p", null, doc.verdict.text.charAt(0).toUpperCase() + doc.verdict.text.slice(1) + "."),
		h("p", {class: "made"}, `sunder ${doc.version} · report of ${when(doc.made)} UTC · exit ${code}`)));
}

function figures() {
	const t = doc.totals;
	const figure = (key, name, text) => h("div", null, h("dt", null, name), h("dd", {"data-figure": key, "data-value": t[key]}, text));
	return h("dl", {class: "figures"},
		figure("machines", "Machines", count(t.machines)), figure("runs", "Runs", count(t.runs)), figure("elapsed_s", "Machine time", clock(t.elapsed_s)),
		figure("findings", "Findings", count(t.findings)), figure("ops", "Ops", short(t.ops)), figure("rounds", "Rounds", short(t.rounds)),
		figure("ops_overlapped", "Overlapped", percent(t.ops_overlapped, t.ops_seen)), figure("migrated_pages", "Pages migrated", short(t.migrated_pages)),
		figure("split", "Splits", short(t.split)), figure("collapsed", "Collapses", short(t.collapsed)));
}

// ---- what changed ----

function comparison() {
	const c = doc.comparison;
	if (!c) return null;
	const rate = (key, name, format) => h("tr", null, h("td", null, name), h("td", {class: "num"}, format(c.rates_before[key])), h("td", {class: "num"}, format(c.rates[key])),
		h("td", {class: "num"}, c.rates_before[key] ? `${c.rates[key] >= c.rates_before[key] ? "+" : "−"}${Math.abs(100 * (c.rates[key] / c.rates_before[key] - 1)).toFixed(0)}%` : "–"));
	const titles = (word, cls, findings) => findings.map((f) => h("tr", null, h("td", null, h("span", {class: `chip ${cls}`}, word)), h("td", {class: "path"}, f.title), h("td", {class: "num"}, count(f.count)), h("td", null, machineNames(f.machines))));
	const some = (names) => names.length > 8 ? [...names.slice(0, 7), `and ${names.length - 7} more`] : names;
	const words = (head, names) => names.length ? h("p", null, h("strong", null, head), ` ${names.join(", ")}`) : null;
	return section("changes", "Against the night before", `Before: ${c.verdict.text}.`,
		c.new.length + c.gone.length + c.still.length ? list(["", "Finding", "#Count", "Machines"], [titles("new", "bad-ink", c.new), titles("gone", "ok-ink", c.gone), titles("still", "warn-ink", c.still)]) : h("p", null, "Neither night found anything."),
		words("Machines that are gone:", some(c.machines_gone)), words("New machines:", some(c.machines_new)),
		words("Ops that worked before and never now:", c.ops_gone), words("Ops that work for the first time:", c.ops_new),
		c.damaged.length ? h("p", null, `Of the night before, ${plural(c.damaged.length, "directory", "directories")} could not be read.`) : null,
		list(["", "#Before", "#Now", "#Change"], [rate("ops_per_s", "Ops a second and machine", short), rate("overlap", "Overlap", (v) => (100 * v).toFixed(0) + "%"), rate("migrated_per_s", "Pages migrated a second", short), rate("split_per_s", "Splits a second", short), rate("collapsed_per_s", "Collapses a second", short)]));
}

// ---- findings ----

function findingBody(f) {
	const first = f.sights[0], parts = [];
	if (first && first.replay.startsWith("sunder ")) parts.push(h("h3", null, "Again"), command(first.replay), first.run >= 0 && doc.runs[first.run].rerun ? h("div", null, h("p", {class: "muted"}, "or the whole run:"), command(doc.runs[first.run].rerun)) : null);
	if (f.alt.length) parts.push(h("h3", null, "Also known as"), h("p", null, f.alt.join(" · ")));
	parts.push(h("h3", null, "Seen"), paged(["Machine", "Job", "Seed", "#Times", "First (UTC)", "Last (UTC)", "Again"], f.sights, (s) => h("tr", null,
		h("td", {class: "keep"}, s.host), h("td", {class: "path"}, s.job), h("td", {class: "mono"}, s.seed), h("td", {class: "num"}, count(s.count)), h("td", {class: "keep"}, when(s.first)), h("td", {class: "keep"}, when(s.last)), h("td", {class: "path mono"}, s.replay))));
	if (f.evidence) parts.push(h("h3", null, "Evidence"), h("pre", {tabindex: 0, "aria-label": "Evidence"}, f.evidence));
	if (f.program) parts.push(h("h3", null, "Program"), h("pre", {tabindex: 0, "aria-label": "Program"}, f.program));
	return h("div", {class: "body"}, parts);
}

function finding(f) {
	const d = h("details", {class: "finding"}, h("summary", null,
		h("span", {class: "title"}, f.title), h("span", null, f.new ? h("span", {class: "chip bad-ink"}, "new") : null, f.known ? h("span", {class: "chip"}, "known") : null, " ", h("span", {class: "num", "data-count": f.count}, `${count(f.count)} ×`)),
		h("span", {class: "where"}, `${f.oracle} · ${plural(f.machines.length, "machine")}: ${machineNames(f.machines)} · first ${when(f.first)}, last ${when(f.last)} UTC`, f.lost_kernel ? " · the kernel was lost" : "")));
	d.addEventListener("toggle", () => { if (d.open && !d.querySelector(".body")) d.append(findingBody(f)); });
	return d;
}

function findings() {
	const all = doc.findings.map(finding);
	if (!all.length) return section("findings", "Findings", null, h("p", null, "Nothing was found."));
	const more = all.splice(50), box = h("div", null, all);
	return section("findings", "Findings", "One line for each set of titles, over all runs. Open one for its evidence, its program and how to see it again.", box,
		more.length ? h("button", {type: "button", on: {click: (e) => { box.append(...more); e.target.remove(); }}}, `Show ${count(more.length)} more`) : null);
}

function damaged() {
	if (!doc.damaged.length) return null;
	return section("damaged", "Not readable as runs", "What these directories have is not in the figures below.",
		paged(["Directory", "Why"], doc.damaged, (d) => h("tr", null, h("td", {class: "path mono"}, d.dir), h("td", null, d.why))));
}

// ---- timeline ----

function nightEvents() {
	const events = [];
	for (const f of doc.findings) for (const s of f.sights) if (s.first) events.push({at: Date.parse(s.first) / 1000, color: "--bad", text: `${s.host}: ${f.title}`});
	for (const r of doc.runs) {
		if (!r.started_s) continue;
		if (tone[r.state] === "lost") events.push({at: r.started_s + r.elapsed_s, color: "--lost", text: `${r.host}: ${r.state === "lost" ? "the kernel or an executor was lost" : "the last sign of a run that never ended"}`});
	}
	return events.sort((a, b) => a.at - b.at);
}

function timeline() {
	const t = doc.timeline;
	if (!t) return section("timeline", "Timeline", null, h("p", null, "No run has recorded one."));
	const events = nightEvents(), xs = xsOf(t, t.ops.length), box = h("div", null);
	const show = (key) => {
		const lines = [{label: key === "overlap" ? "mean of all runs" : "sum of all runs", values: t[key], color: "--accent"}];
		box.replaceChildren(chart({label: `${metrics[key][0]} over the night`, xs, lines, format: metrics[key][1], marks: events, height: 260}));
	};
	const choice = h("fieldset", {class: "choice"}, h("legend", null, "What is shown"), Object.keys(metrics).filter((k) => t[k]).map((key, i) => h("label", null, h("input", {type: "radio", name: "metric", value: key, checked: i === 0, on: {change: () => show(key)}}), metrics[key][0])));
	show("ops");
	return section("timeline", "Timeline", "Red marks are findings, violet ones machines that were lost. Drag to look closer, double-click for all; times are UTC.",
		h("div", {class: "tools"}, choice), box,
		events.length ? h("details", null, h("summary", null, plural(events.length, "event")), h("ol", {class: "events"}, events.slice(0, 400).map((e) => h("li", null, `${whenSeconds(e.at)} ${e.text}`)))) : null);
}

// ---- machines ----

function spark(m) {
	const canvas = h("canvas", {class: "spark", role: "img", "aria-label": `Ops a second of ${m.host}`});
	const draw = () => {
		const parts = m.runs.slice(0, 200).map(seriesOf).filter((s) => s && s.ops && s.start);
		if (!parts.length) return;
		const from = Math.min(...parts.map((s) => s.start)), to = Math.max(...parts.map((s) => s.start + s.step * s.n));
		const w = canvas.clientWidth, height = canvas.clientHeight, dpr = devicePixelRatio, ctx = canvas.getContext("2d");
		canvas.width = w * dpr; canvas.height = height * dpr;
		ctx.scale(dpr, dpr);
		let top = 1;
		for (const s of parts) for (const v of s.ops.max || s.ops.mean) if (v > top) top = v;
		ctx.fillStyle = css("--accent");
		for (const s of parts) s.ops.mean.forEach((v, i) => {
			if (v === null) return;
			const x = (s.start + s.step * i - from) / (to - from) * w, y = v / top * (height - 2);
			ctx.fillRect(x, height - y, Math.max(1, s.step / (to - from) * w), Math.max(1, y));
		});
	};
	sparks.add(draw);
	return whenSeen(canvas, draw);
}

function runCharts(index) {
	const s = seriesOf(index);
	if (!s) return h("p", {class: "muted"}, "This run has no timeline.");
	const xs = xsOf(s, s.n), marks = s.events.filter((e) => e.kind === "finding" || e.kind === "restart").map((e) => ({at: s.start + e.t, color: e.kind === "finding" ? "--bad" : "--warn"}));
	const line = (l, label, color, dash, scale) => l && {label, color, dash, values: scale ? l.mean.map((v) => v === null ? null : v * scale) : l.mean, min: scale ? null : l.min, max: scale ? null : l.max};
	const made = Object.keys(metrics).filter((k) => s[k]).map((k) => h("div", null, h("h3", null, metrics[k][0]), chart({label: metrics[k][0], xs, lines: [line(s[k], metrics[k][0], "--accent")], format: metrics[k][1], marks, height: 150})));
	for (const [id, node] of Object.entries(s.nodes))
		made.push(h("div", null, h("h3", null, `Memory of node ${id}`), chart({label: `Memory of node ${id}`, xs, format: bytes, marks, height: 150, lines: [
			line(node.free, "free", "--accent", null, 1024), line(node.thp, "transparent huge", "--ok", [6, 3], 1024),
			line(node.huge, "hugetlb", "--lost", [2, 2], 1024), line(node.hugefree, "hugetlb free", "--warn", [8, 2, 2, 2], 1024)].filter(Boolean)})));
	return h("div", null, h("div", {class: "charts"}, made),
		s.bad ? h("p", {class: "muted"}, `${plural(s.bad, "line")} of its series could not be read.`) : null,
		s.events.length ? h("details", null, h("summary", null, plural(s.events.length, "event")), h("ol", {class: "events"}, s.events.map((e) => h("li", null, `${clock(e.t)} ${e.kind}: ${e.text}`)))) : null);
}

function runDetails(index) {
	const r = doc.runs[index], facts = [];
	const fact = (name, value) => { if (value) facts.push(h("tr", null, h("th", {scope: "row"}, name), h("td", {class: "path"}, value))); };
	fact("Directory", h("span", {class: "mono"}, r.dir));
	if (r.rerun) fact("Again", h("span", {class: "mono"}, r.rerun));
	if (r.campaign) {
		const c = r.campaign;
		fact("Campaign", `${count(c.execs)} executions, ${short(c.execs_per_s)} a second, in ${plural(c.instances, "instance")}${c.guests ? ` in guests of ${c.guests}` : ""}`);
		fact("Reached", `${count(c.edges)} places of the map, ${count(c.interleavings)} interleavings; corpus of ${count(c.corpus)}, stability ${c.stability === null ? "unknown" : c.stability.toFixed(1) + "%"}`);
		fact("Guests", `${plural(c.reboots, "reboot")}, ${plural(c.lost_kernels, "kernel")} lost, ${plural(c.hangs, "hang")}, ${plural(c.quarantined, "program")} in quarantine`);
		fact("Trouble", c.trouble);
	}
	fact("Kernel", `${r.kernel.release} ${r.kernel.version} ${r.kernel.arch}`);
	fact("Booted with", h("span", {class: "mono"}, r.kernel.cmdline));
	fact("Knobs and pools", r.knobs.join(" · "));
	fact("Planted", r.injected.length ? `${r.injected.join(", ")} (this run was told to fail)` : "");
	if (!r.campaign) fact("Kernel log", `${plural(r.kmsg.records, "record")}${r.kmsg.lost ? `, ${count(r.kmsg.lost)} overwritten before they were read` : ""}${r.kmsg.oom ? `, ${plural(r.kmsg.oom, "OOM kill")}` : ""}`);
	if (!r.campaign) fact("Taint", r.taint.before === r.taint.after ? `${r.taint.after}` : `${r.taint.before} before, ${r.taint.after} after`);
	fact("Hardware", r.hardware_suspected ? "errors were told: findings may be the hardware's" : "");
	fact("Oracles", Object.entries(r.oracles).filter(([, v]) => v !== "ok").map(([k, v]) => `${k}: ${v}`).join(" · ") || (Object.keys(r.oracles).length ? "all ok" : ""));
	fact("Series", r.series_damaged || "");
	return h("div", null, h("div", {class: "scroll"}, h("table", {class: "list"}, h("tbody", null, facts))), runCharts(index));
}

function machine(m) {
	const hw = m.machine || {nodes: []}, nodes = hw.nodes.map((n) => `${n.id}: ${n.has_memory ? bytes(n.memory) : "no memory"}${n.has_cpu ? "" : ", no CPU"}`).join(" · ");
	const holder = h("td", {colspan: 9}), below = h("tr", {hidden: true}, holder);
	const button = h("button", {type: "button", "aria-expanded": "false", on: {click: () => {
		const open = below.hidden;
		below.hidden = !open;
		button.setAttribute("aria-expanded", String(open));
		if (open && !holder.firstChild) {
			holder.append(h("p", null, `${plural(hw.cpus || 0, "CPU")}, ${bytes(hw.memory || 0)}; nodes ${nodes || "unknown"}; hugetlb ${(hw.hugetlb_sizes || []).map(bytes).join(", ") || "none"}`));
			for (const index of m.runs.slice(0, 50)) {
				const r = doc.runs[index], d = h("details", {open: m.runs.length === 1}, h("summary", null, `${when(r.started)} UTC, ${r.job}, seed ${r.seed}: `, chip(r.state)));
				const fill = () => { if (d.open && d.childElementCount === 1) d.append(runDetails(index)); };
				d.addEventListener("toggle", fill);
				fill();
				holder.append(d);
			}
		}
	}}}, "Details");
	return [h("tr", {"data-host": m.host},
		h("td", null, h("strong", null, m.host)), h("td", null, chip(m.state)), h("td", null, m.kernels.join(", ")), h("td", {class: "num"}, `${count(hw.nodes.length)} / ${count(hw.cpus || 0)}`),
		h("td", {class: "num"}, clock(m.elapsed_s)), h("td", {class: "num"}, m.elapsed_s ? short(m.ops / m.elapsed_s) : "–"), h("td", {class: "num"}, percent(m.ops_overlapped, m.ops_seen)),
		h("td", {style: "min-width:9rem"}, spark(m)), h("td", null, button)), below];
}

function machines() {
	if (!doc.machines.length) return null;
	const rank = {5: 0, 1: 1, 2: 2, 3: 3, 4: 4, 0: 5};
	const sorted = [...doc.machines].sort((a, b) => rank[a.exit] - rank[b.exit] || (a.host < b.host ? -1 : 1));
	return section("machines", "Machines", "The bars are ops a second over the time of the machine's runs. Details has its runs, their settings and what they were like.",
		list(["Machine", "State", "Kernel", "#Nodes / CPUs", "#Time", "#Ops/s", "#Overlap", "Course", ""], sorted.map(machine)));
}

// ---- matrices: one stop of the tab key, arrow keys inside ----

function grid(table, tell) {
	const rows = () => [...table.tBodies[0].rows].filter((r) => !r.hidden);
	let chosen = null;
	const choose = (cell, focus) => {
		if (chosen) { chosen.tabIndex = -1; chosen.setAttribute("aria-selected", "false"); }
		chosen = cell;
		cell.tabIndex = 0;
		cell.setAttribute("aria-selected", "true");
		if (focus) cell.focus();
		tell(cell);
	};
	const first = table.querySelector("tbody td");
	if (first) first.tabIndex = 0;
	table.addEventListener("click", (e) => { const cell = e.target.closest("td"); if (cell) choose(cell, true); });
	table.addEventListener("focusin", (e) => { if (e.target.matches("td") && e.target !== chosen) choose(e.target, false); });
	table.addEventListener("keydown", (e) => {
		const cell = e.target.closest("td"), move = {ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0]}[e.key];
		if (!cell || !move) return;
		const all = rows(), at = all.indexOf(cell.parentNode), row = all[Math.max(0, Math.min(all.length - 1, at + move[0]))];
		const next = row.cells[Math.max(1, Math.min(row.cells.length - 1, cell.cellIndex + move[1]))];
		e.preventDefault();
		choose(next, true);
	});
}

const errorWords = (errors) => Object.entries(errors).sort((a, b) => b[1] - a[1]).map(([k, v]) => `${k} ${count(v)}`).join(", ");

function coverage() {
	const c = doc.coverage;
	if (!c.ops.length) return section("coverage", "Ops by backing", null, h("p", null, "No op ran."));
	const pane = h("div", {class: "pane", role: "status"}, "Choose a cell.");
	const cell = (op, where, o) => {
		if (!o || !(o.ok + o.failed)) return h("td", {class: "none", role: "gridcell", tabindex: -1, "aria-label": `${op} ${where}: not tried`}, "·");
		const kind = !o.failed ? "all" : !o.ok ? "never" : "some";
		const td = h("td", {class: kind, role: "gridcell", tabindex: -1, "data-ok": o.ok, "data-failed": o.failed}, !o.ok ? `✕ ${short(o.failed)}` : short(o.ok));
		if (kind === "some") td.style.setProperty("--share", `${Math.max(4, Math.min(96, 100 * o.ok / (o.ok + o.failed)))}%`);
		td.setAttribute("aria-label", `${op} ${where}: ${count(o.ok)} worked, ${count(o.failed)} failed`);
		td.say = `${op} ${where}: ${count(o.ok)} worked, ${count(o.failed)} failed${o.failed ? `: ${errorWords(o.errors)}` : ""}.`;
		return td;
	};
	const ops = [...c.ops].sort((a, b) => a.op < b.op ? -1 : 1);
	const table = h("table", {class: "matrix", role: "grid", "aria-label": "Ops by backing"},
		h("thead", null, h("tr", null, h("th", {scope: "col"}, "Op"), h("th", {scope: "col"}, h("span", null, "all")), c.backings.map((b) => h("th", {scope: "col"}, h("span", null, b))))),
		h("tbody", null, ops.map((op) => h("tr", {"data-op": op.op}, h("th", {scope: "row"}, op.op), cell(op.op, "in all", op), c.backings.map((b) => cell(op.op, `on ${b}`, op.backings[b]))))));
	grid(table, (td) => { pane.textContent = td.say || td.getAttribute("aria-label") + "."; });
	const filter = () => {
		const word = search.value.trim().toLowerCase();
		for (const row of table.tBodies[0].rows) row.hidden = (word && !row.dataset.op.includes(word)) || (only.checked && !row.querySelector("td.never"));
	};
	const search = h("input", {type: "search", id: "op-filter", on: {input: filter}}), only = h("input", {type: "checkbox", id: "op-never", on: {change: filter}});
	const never = ops.filter((o) => !o.ok).length;
	return section("coverage", "Ops by backing", `How often each op worked, by what its slot is made of. ${plural(ops.length, "op")} ran${never ? `, ${never} of them never worked anywhere` : ""}.`,
		h("div", {class: "legend"}, h("span", null, h("span", {class: "swatch all"}, "1.2k"), "always worked"), h("span", null, h("span", {class: "swatch some"}, "1.2k"), "failed at times"), h("span", null, h("span", {class: "swatch never"}, "✕ 12"), "never worked"), h("span", null, h("span", {class: "swatch"}, "·"), "not tried")),
		h("div", {class: "tools"}, h("label", {for: "op-filter"}, "Ops with "), search, h("label", {for: "op-never"}, only, " only what never worked")),
		h("div", {class: "scroll tall"}, table), pane);
}

function phases(values, label) {
	const top = Math.max(1, ...values);
	return h("div", null, h("p", null, label), h("div", {class: "bars", role: "img", "aria-label": `${label}: ${values.map(count).join(", ")} by eighths`}, values.map((v) => { const i = h("i", {title: count(v)}); i.style.height = `${100 * v / top}%`; return i; })));
}

function overlap() {
	const o = doc.overlap, limit = 26;
	if (!o.pairs.length) return section("overlap", "Ops at the same time", null, h("p", null, "No two ops were seen at the same time."));
	const weight = new Map(), at = new Map();
	for (const p of o.pairs) {
		for (const op of new Set(p.ops)) weight.set(op, (weight.get(op) || 0) + p.count);
		at.set(p.ops.join(" "), p);
		at.set([...p.ops].reverse().join(" "), p);
	}
	const names = [...weight.keys()].sort((a, b) => weight.get(b) - weight.get(a)).slice(0, limit);
	const top = Math.log1p(Math.max(...o.pairs.map((p) => p.count)));
	const pane = h("div", {class: "pane", role: "status"}, "Choose a pair: where in its window the other one starts is told by eighths.");
	const table = h("table", {class: "matrix", role: "grid", "aria-label": "Pairs of ops that overlapped"},
		h("thead", null, h("tr", null, h("th", {scope: "col"}, ""), names.map((n) => h("th", {scope: "col"}, h("span", null, n))))),
		h("tbody", null, names.map((a) => h("tr", null, h("th", {scope: "row"}, a), names.map((b) => {
			const p = at.get(`${a} ${b}`);
			const td = h("td", {class: p ? "heat" : "none", role: "gridcell", tabindex: -1, "data-count": p && p.count, "aria-label": `${a} with ${b}: ${p ? count(p.count) : "not among the most frequent"}`}, p ? short(p.count) : "·");
			if (p) { td.style.setProperty("--heat", (.06 + .38 * Math.log1p(p.count) / top).toFixed(3)); td.pair = p; }
			return td;
		})))));
	grid(table, (td) => {
		const p = td.pair;
		if (!p) { pane.textContent = td.getAttribute("aria-label") + "."; return; }
		pane.replaceChildren(h("p", null, h("strong", null, p.ops.join(" with ")), `: ${plural(p.count, "overlap")} in ${plural(p.rounds, "round")}.`),
			h("div", {class: "phases"}, phases(p.second_in_first, `Where ${p.ops[1]} starts while ${p.ops[0]} runs`), phases(p.first_in_second, `Where ${p.ops[0]} starts while ${p.ops[1]} runs`)));
	});
	return section("overlap", "Ops at the same time", `${percent(o.ops_overlapped, o.ops_seen)} of ${short(o.ops_seen)} ops ran while another lane's did. ${plural(o.distinct, "pair")} told by the runs; the ${names.length} busiest ops are shown.`,
		h("div", {class: "scroll tall"}, table), pane);
}

// ---- what did not run, and runs ----

function skips() {
	if (!doc.skips.length) return section("skips", "Skipped", null, h("p", null, "Nothing was skipped."));
	const all = [...doc.skips].sort((a, b) => b.what.length - a.what.length);
	return section("skips", "Skipped", "What could not run, and why.", paged(["Why", "What", "Machines"], all, (s) => h("tr", null, h("td", null, s.why), h("td", {class: "path"}, s.what.join(", ")),
		h("td", null, s.machines.length === doc.machines.length && s.machines.length > 1 ? "all" : machineNames(s.machines)))));
}

function runs() {
	if (doc.runs.length < 2) return null;
	return section("runs", "Runs", null, paged(["Started (UTC)", "Machine", "Job", "Seed", "State", "#Time", "#Ops", "Directory"], doc.runs, (r) => h("tr", null,
		h("td", {class: "keep"}, when(r.started)), h("td", {class: "keep"}, r.host), h("td", {class: "path"}, r.job), h("td", {class: "mono"}, r.seed), h("td", null, chip(r.state)), h("td", {class: "num"}, clock(r.elapsed_s)), h("td", {class: "num"}, short(r.totals.ops)), h("td", {class: "path mono"}, r.dir))));
}

// ---- the page ----

const sections = [comparison(), damaged(), findings(), timeline(), machines(), h("div", {class: "pair"}, coverage(), overlap()), skips(), runs()].filter(Boolean);
const counts = {findings: doc.findings.length, machines: doc.machines.length, damaged: doc.damaged.length, runs: doc.runs.length};
const links = h("ul");
page.append(h("a", {class: "skip", href: "#findings"}, "To the findings"), verdict(), h("nav", {"aria-label": "Sections"}, h("div", {class: "wrap"}, links)), h("div", {class: "wrap"}, figures(), sections));
for (const s of page.querySelectorAll("section"))
	links.append(h("li", null, h("a", {href: `#${s.id}`}, s.querySelector("h2").textContent, counts[s.id] ? h("span", {class: "count"}, ` ${count(counts[s.id])}`) : null)));
document.documentElement.setAttribute("data-ready", "");
})();
