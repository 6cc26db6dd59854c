"use strict";
// What the page reads of an answer of /status, how figures read, and where charts have their lines. Nothing here knows
// of a document: tests run this file by itself. Figures read as in the terminal and in reports (chaffinch/load/figures.py).

// The only places at which an answer is read, by the names that the page has for them.
const STATUS = {
  state: "state", draining: "draining", run: "run", name: "name", node: "node", region: "region", tenant: "tenant",
  workers: "workers", nowRate: "rate", timeLeft: "time_left_s",
  rss: "memory.rss_bytes", peak: "memory.peak_rss_bytes", bound: "memory.bound_bytes",
  guard: "memory.guard", guardBound: "memory.guard_bound_bytes", guardInForce: "memory.guard_in_force",
  guardActions: "memory.guard_actions", guardLast: "memory.guard_last", guardLastAt: "memory.guard_last_at_s",
};
const RUN = {
  started: "about.started", target: "about.target", model: "about.model", http: "about.http",
  duration: "about.duration_s", wanted: "about.requests", stepsEach: "about.requests_an_iteration",
  running: "progress.state", elapsed: "progress.elapsed_s", requests: "progress.requests", failed: "progress.failed",
  errors: "progress.errors", inFlight: "progress.in_flight", asked: "progress.asked", unsent: "progress.unsent",
  unanswered: "progress.unanswered", bytesIn: "progress.bytes_in", bytesOut: "progress.bytes_out",
  corrected: "progress.latency_ms.corrected", uncorrected: "progress.latency_ms.uncorrected",
  saturated: "progress.generator.saturated", why: "progress.generator.why",
  foldedLabels: "progress.folded.labels", foldedRecords: "progress.folded.records",
  histogramBytes: "progress.histograms.bytes", histogramCap: "progress.histograms.cap_bytes",
  labels: "progress.histograms.labels", percentiles: "progress.histograms.percentiles",
  intervals: "progress.intervals",
};
const INTERVAL = {
  n: "n", at: "at_s", seconds: "seconds", requests: "requests", failed: "failed", errors: "errors",
  inFlight: "in_flight", asked: "asked", corrected: "latency_ms.corrected", uncorrected: "latency_ms.uncorrected",
};
const PERCENTILES = {p50: "p50", p90: "p90", p95: "p95", p99: "p99", p999: "p99.9", max: "max"};

const MOST = 300;  // intervals that a chart shows: five minutes of the usual ones
const NOTHING = "-";

function told(fields, answer) {
  const at = path => path.split(".").reduce((found, key) => found == null ? null : found[key], answer);
  return Object.fromEntries(Object.entries(fields).map(([name, path]) => [name, at(path) ?? null]));
}

// What the page keeps: the last intervals, each once. A run of another name or beginning starts anew.
function kept(before, status, run) {
  const id = status.run + " " + run.started;
  const from = before && before.id === id ? before : {id, next: 0, intervals: [], memory: []};
  const fresh = run.intervals.map(one => told(INTERVAL, one)).filter(one => one.n >= from.next);
  const next = fresh.length ? fresh[fresh.length - 1].n + 1 : from.next;
  const memory = [...from.memory, {at: run.elapsed, rss: status.rss, bound: status.bound}].slice(-MOST);
  return {id, next, intervals: [...from.intervals, ...fresh].slice(-MOST), memory};
}

const grouped = value => Math.round(value).toLocaleString("en");
const three = value => value >= 99.95 ? grouped(value) : value >= 9.995 ? value.toFixed(1) : value.toFixed(2);

function latency(ms) {
  if (ms == null) return NOTHING;
  if (ms >= 100000) return span(ms / 1000);
  for (const [unit, times] of [["s", 0.001], ["ms", 1], ["us", 1000]])
    if (ms * times >= 0.9995) return three(ms * times) + " " + unit;
  return ms > 0 ? three(ms * 1000) + " us" : "0 ms";
}

function rate(value) {
  if (value == null) return NOTHING;
  return (value >= 99.95 || Number.isInteger(value) ? grouped(value) : three(value)) + "/s";
}

function share(part, whole) {
  if (!(whole > 0)) return NOTHING;
  const percent = 100 * part / whole;
  if (percent > 0 && percent < 0.01) return "<0.01%";
  if (percent > 99.99 && percent < 100) return ">99.99%";
  if (percent === 0 || percent === 100) return percent + "%";
  return percent.toFixed(percent < 10 || percent > 99 ? 2 : 1) + "%";
}

function size(bytes) {
  if (bytes == null) return NOTHING;
  let value = bytes, unit = 0;
  for (; value >= 1024 && unit < 4; unit++) value /= 1024;
  return unit ? value.toFixed(1) + " " + ["", "KB", "MB", "GB", "TB"][unit] : value.toFixed(0) + " B";
}

function span(seconds) {
  const two = value => String(Math.floor(value)).padStart(2, "0");
  const value = Math.max(0, seconds), whole = Math.round(value);
  if (value < 10 && !Number.isInteger(value)) return value.toFixed(1) + "s";
  if (whole < 60) return whole + "s";
  if (whole < 3600) return Math.floor(whole / 60) + "m" + two(whole % 60) + "s";
  if (whole < 86400) return Math.floor(whole / 3600) + "h" + two(whole % 3600 / 60) + "m";
  return Math.floor(whole / 86400) + "d" + two(whole % 86400 / 3600) + "h";
}

const counted = (count, thing) => grouped(count) + " " + thing + (count === 1 ? "" : "s");
const each = (count, seconds) => count == null || !(seconds > 0) ? null : count / seconds;

// For how long requests were begun so far.
const sending = run => run.duration == null ? run.elapsed : Math.min(run.elapsed, run.duration);

function progressOf(run) {
  const done = run.wanted ? run.requests / run.wanted : run.duration ? run.elapsed / run.duration : null;
  return done == null ? null : Math.min(1, done);
}

function stateOf(status, run) {
  if (status.state !== "running" || !run) {
    const words = {idle: "nothing is loaded", ready: "a test is loaded and does not run",
      standby: "no test runs; standby users send " + rate(status.nowRate)};
    return words[status.state] || status.state;
  }
  const at = "run " + status.run + ": " + span(run.elapsed) + " ";
  if (status.draining || run.running !== "running") return at + "waiting for answers";
  const left = run.wanted ? ", " + grouped(Math.max(0, run.wanted - run.requests)) + " requests left" :
    status.timeLeft == null ? ", until it is stopped" : ", " + span(status.timeLeft) + " left";
  return at + "running" + left;
}

// Names of what is shown in large, and what is said of each.
function tiles(status, run, last, before) {
  const now = last ? each(last.requests, last.seconds) : null;
  const asked = last && last.asked != null ? each(last.asked, last.seconds) : each(run.asked, sending(run));
  const steps = run.stepsEach === 1 ? "" : ", iterations of " + Number(run.stepsEach.toPrecision(3)) + " requests";
  const bound = status.bound ? " of " + size(status.bound) + " (" + share(status.rss, status.bound) + ")" : "";
  const late = (run.unsent ? ", " + grouped(run.unsent) + " not sent" : "") +
    (run.unanswered ? ", " + grouped(run.unanswered) + " given up" : "");
  return [
    ["rate", rate(now), "sent " + rate(last ? sentOf(last, before) : null) + ", mean " + rate(each(run.requests, sending(run)))],
    ["asked", asked == null ? "as it can" : rate(asked), asked == null ? "a closed model" : "due a second" + steps],
    ["requests", grouped(run.requests), size(run.bytesIn) + " in, " + size(run.bytesOut) + " out" + late],
    ["failed", grouped(run.failed), share(run.failed, run.requests) + " of the requests"],
    ["in flight", grouped(run.inFlight), "of " + counted(status.workers, "user")],
    ["memory", size(status.rss) + bound, "peak " + size(status.peak) + "; guard " + guardOf(status)],
    ["histograms", size(run.histogramBytes), "of " + size(run.histogramCap) + ", " + counted(run.labels, "label")],
    ["generator", run.saturated ? "the limit" : "not the limit", run.saturated ? "not the target" : "the target is measured"],
  ];
}

function guardOf(status) {
  if (status.guard == null) return "not there";
  return status.guard + (status.guardBound ? " (" + share(status.rss, status.guardBound) + " of " + size(status.guardBound) + ")" : "");
}

function warnings(status, run) {
  const found = [];
  if (run.saturated) found.push("the generator is the limit, not the target", ...run.why);
  if (run.foldedLabels || run.foldedRecords)
    found.push(counted(run.foldedLabels, "label") + " did not fit and count as __other__ (" + grouped(run.foldedRecords) + " records)");
  if (!run.percentiles) found.push("percentiles of labels are off");
  if (status.guard && status.guard !== "normal") found.push("memory is short: the guard is at " + status.guard);
  if (status.guardActions)
    found.push("the memory guard acted " + counted(status.guardActions, "time") + ", last: " + status.guardLast +
      " at " + span(status.guardLastAt) + (status.guardInForce.length ? "; in force: " + status.guardInForce.join(", ") : ""));
  return found;
}

function latencyRows(run, last) {
  const columns = [last && last.corrected, last && last.uncorrected, run.corrected, run.uncorrected];
  return Object.entries(PERCENTILES).map(([field, title]) =>
    [title, ...columns.map(of => latency(of ? of[field] : null))]);
}

function errorRows(run) {
  const most = Object.entries(run.errors).sort((a, b) => b[1] - a[1]);
  return most.map(([name, count]) => [name, grouped(count), share(count, run.requests)]);
}

// Requests a second that were begun in an interval: what it ended with, without what it began with.
function sentOf(one, before) {
  return each(Math.max(0, one.requests + one.inFlight - (before ? before.inFlight : 0)), one.seconds);
}

function charts(series, stepsEach) {
  const of = (title, unit, rows, lines) => ({title, unit, starts: rows.map(one => one.at),
    ends: rows.map((one, i) => one.at + (one.seconds ?? (i + 1 < rows.length ? rows[i + 1].at - one.at : 1))),
    lines: lines.map(([name, colour, value, dashed]) => ({name, colour, dashed: Boolean(dashed), values: rows.map(value)}))});
  const rows = series.intervals, at = (kind, field) => one => one[kind] ? one[kind][field] : null;
  const classes = [...new Set(rows.flatMap(one => Object.keys(one.errors)))].sort().slice(0, 8);
  return [
    of("Rate of requests", "rate", rows, [
      ["asked", 8, one => one.asked == null ? null : each(one.asked * stepsEach, one.seconds), true],
      ["sent", 1, (one, i) => sentOf(one, rows[i - 1])], ["failed", 2, one => each(one.failed, one.seconds)]]),
    of("Latency", "ms", rows, [["p50 corrected", 1, at("corrected", "p50")], ["p99 corrected", 2, at("corrected", "p99")],
      ["p99 uncorrected", 8, at("uncorrected", "p99"), true]]),
    of("Errors a second", "rate", rows, classes.map((name, i) => [name, i + 1, one => each(one.errors[name] || 0, one.seconds)])),
    of("In flight", "count", rows, [["requests", 1, one => one.inFlight]]),
    of("Memory", "bytes", series.memory, [["RSS", 1, one => one.rss], ["bound", 8, one => one.bound, true]]),
  ];
}

function valueText(value, unit) {
  if (unit === "bytes") return size(value).replace(".0 ", " ");
  if (unit === "ms") {
    const [number, name] = latency(value).split(" ");
    return ((number.includes(".") ? number.replace(/\.?0+$/, "") : number) + " " + (name || "")).trim();
  }
  for (const [most, letter] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]])
    if (value >= most) return Number((value / most).toPrecision(6)) + letter;
  return String(Number(value.toPrecision(6)));
}

// An axis that has all values on it: from 0, or logarithmic for latencies that are far apart.
function axisOf(values, unit) {
  const above = values.filter(one => one >= 1e-6), high = above.length ? Math.max(...above) : 1, low = Math.min(...above);
  if (unit === "ms" && above.length && high / low > 30) {
    const last = Math.max(Math.ceil(Math.log10(high) - 1e-9), Math.floor(Math.log10(low)) + 1);
    const first = Math.max(Math.floor(Math.log10(low)), last - 8);
    return {low: 10 ** first, high: 10 ** last, isLog: true, ticks: Array.from({length: last - first + 1}, (_, i) => 10 ** (first + i))};
  }
  const power = unit === "bytes" ? 2 ** Math.floor(Math.log2(high / 4)) : 10 ** Math.floor(Math.log10(high / 4));
  const step = Math.max(unit === "count" ? 1 : 0, [1, 2, 2.5, 5, 10].find(times => times * power >= high / 4 * (1 - 1e-9)) * power);
  const count = Math.ceil(high / step - 1e-9);
  return {low: 0, high: count * step, isLog: false, ticks: Array.from({length: count + 1}, (_, i) => i * step)};
}

const BOX = {width: 360, height: 140, left: 56, right: 8, top: 8, bottom: 22};

function yOf(axis, value) {
  const part = axis.isLog ? Math.log(Math.max(value, axis.low) / axis.low) / Math.log(axis.high / axis.low) :
    (value - axis.low) / (axis.high - axis.low);
  return BOX.top + (1 - part) * (BOX.height - BOX.top - BOX.bottom);
}

// Steps over time, without a line where there was nothing; null where there is nothing to draw at all.
function drawing(chart) {
  const lines = chart.lines.filter(line => line.values.some(one => one != null));
  if (!lines.length) return null;
  const axis = axisOf(lines.flatMap(line => line.values.filter(one => one != null)), chart.unit);
  const begin = chart.starts[0], end = Math.max(chart.ends[chart.ends.length - 1], begin + 1e-3);
  const x = at => BOX.left + (at - begin) / (end - begin) * (BOX.width - BOX.left - BOX.right);
  const follows = i => i && chart.starts[i] - chart.ends[i - 1] < 0.5 * (chart.ends[i] - chart.starts[i]);
  const path = values => values.map((value, i) => value == null ? "" :
    (follows(i) && values[i - 1] != null ? "V" : "M" + x(chart.starts[i]).toFixed(1) + " ") +
    yOf(axis, value).toFixed(1) + "H" + x(chart.ends[i]).toFixed(1)).join("");
  const step = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 21600, 86400].find(one => (end - begin) / one <= 5) || (end - begin) / 4;
  const times = [];
  for (let at = Math.ceil(begin / step) * step; at <= end; at += step) times.push([x(at), span(at)]);
  return {
    lines: lines.map(line => ({...line, path: path(line.values), last: line.values[line.values.length - 1]})),
    ticks: axis.ticks.map(tick => [yOf(axis, tick), valueText(tick, chart.unit)]), times, isLog: axis.isLog,
  };
}
