
// The document: asks /status each second and writes what it says, as text alone.
const EVERY_MS = 1000, PATIENCE_MS = 5000, KEPT = "chaffinch-token";
const place = id => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";

let token = "", series = null, answeredAt = null, lastRun = null;
try { token = sessionStorage.getItem(KEPT) || ""; } catch { /* it may be forbidden: the token stays in memory */ }

function keep(value) {
  token = value;
  try { value ? sessionStorage.setItem(KEPT, value) : sessionStorage.removeItem(KEPT); } catch { /* as above */ }
}

function element(name, text, kind) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

function drawn(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function rows(id, cells) {
  place(id).replaceChildren(...cells.map(row => {
    const made = element("tr");
    made.append(...row.map((cell, i) => element(i ? "td" : "th", cell, i ? "n" : "")));
    return made;
  }));
}

function chartOf(chart) {
  const found = drawing(chart), figure = element("figure", undefined, "chart");
  const caption = element("figcaption", chart.title);
  figure.append(caption);
  if (!found) {
    figure.append(element("p", chart.lines.length ? "Nothing was measured yet." : "None.", "none"));
    return figure;
  }
  if (found.isLog) caption.append(element("small", " (logarithmic)"));
  const {width, height, left, right, bottom} = BOX;
  const svg = drawn("svg", {viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": chart.title});
  const grid = drawn("g", {class: "grid"});
  for (const [y, text] of found.ticks) grid.append(drawn("line", {x1: left, x2: width - right, y1: y, y2: y}),
    drawn("text", {x: left - 5, y, dy: 4, "text-anchor": "end"}, text));
  for (const [x, text] of found.times) grid.append(drawn("text", {x, y: height - bottom + 16, "text-anchor": "middle"}, text));
  svg.append(grid, ...found.lines.map(line => drawn("path", {class: `l s${line.colour}${line.dashed ? " d" : ""}`, d: line.path})));
  const legend = element("p", undefined, "legend");
  for (const line of found.lines) {
    const key = element("span");
    key.append(element("i", undefined, `k${line.colour}${line.dashed ? " d" : ""}`), line.name + " ",
      element("b", line.last == null ? NOTHING : chart.unit === "ms" ? latency(line.last) : valueText(line.last, chart.unit)));
    legend.append(key);
  }
  figure.append(svg, legend);
  return figure;
}

function showRun(status, run) {
  const [last = null, before = null] = series.intervals.slice(-2).reverse(), done = progressOf(run);
  place("about").textContent = run.target + " - " + run.model + ", HTTP/" + run.http;
  place("done").hidden = done == null;
  if (done != null) place("done").value = done;
  place("tiles").replaceChildren(...tiles(status, run, last, before).map(([title, value, more]) => {
    const tile = element("div");
    tile.append(element("small", title), element("b", value), element("small", more));
    return tile;
  }));
  rows("latencies", latencyRows(run, last));
  const errors = errorRows(run);
  rows("errors", errors.length ? errors : [["none"]]);
  const warned = warnings(status, run);
  place("warnings").hidden = !warned.length;
  place("warned").replaceChildren(...warned.map(one => element("li", one)));
  place("charts").replaceChildren(...charts(series, run.stepsEach).map(chartOf));
  place("run").hidden = false;
}

function show(answer) {
  const status = told(STATUS, answer);
  const run = answer.progress ? told(RUN, answer) : null;
  answeredAt = Date.now();
  place("asking").hidden = place("lost").hidden = true;
  place("run").classList.remove("stale");
  place("name").textContent = status.name || "Load test";
  place("state").textContent = stateOf(status, run);
  place("state").className = "state " + status.state;
  place("who").textContent = ["node " + status.node, "region " + status.region, status.tenant && "tenant " + status.tenant]
    .filter(Boolean).join(", ") + ", memory " + size(status.rss);
  document.title = (run ? rate(status.nowRate) : status.state) + " - " + (status.name || "load test");
  if (run) {
    series = kept(series, status, run);
    lastRun = status.run;
    showRun(status, run);
  }
  place("over").hidden = Boolean(run) || lastRun === null;
  if (!run && lastRun !== null) {
    place("over").textContent = `Run ${lastRun} is over. These are the last figures that came while it went on; GET /result has its result.`;
    place("run").classList.add("stale");
  }
}

function lost(why) {
  const since = answeredAt === null ? "" : ` These figures are ${span(Math.round((Date.now() - answeredAt) / 1000))} old.`;
  place("lost").textContent = why + since + " It is tried again each second.";
  place("lost").hidden = false;
  place("run").classList.add("stale");
  document.title = "no connection - load test";
}

function ask(detail) {
  place("why").textContent = token ? "The token is wrong: " + detail : "This server wants its token.";
  keep("");
  place("asking").hidden = false;
  place("lost").hidden = true;
  place("run").classList.add("stale");
  place("state").textContent = "not signed in";
  place("token").focus();
}

// A header holds bytes: the token's are those of UTF-8.
const headersOf = given => given ? {Authorization: "Bearer " + String.fromCharCode(...new TextEncoder().encode(given))} : {};

// One look; whether to go on without being asked.
async function look() {
  let response, answer;
  try {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    response = await fetch("status?since=" + (series ? series.next : 0),
      {headers: headersOf(token), cache: "no-store", redirect: "error", referrerPolicy: "no-referrer", signal});
    answer = await response.json();
  } catch {
    lost(response ? "What answers is not this API." : "The connection is lost.");
    return true;
  }
  if (response.status === 401) {
    ask(answer.detail);
    return false;
  }
  try {
    response.ok ? show(answer) : lost(`The server refuses: ${answer.detail}.`);
  } catch (error) {  // the boundary of one look: the next one may be well
    lost(`This page cannot show what came (${error.message}): load it anew.`);
  }
  return true;
}

async function follow() {
  while (await look()) await new Promise(rest => setTimeout(rest, EVERY_MS));
}

place("asking").addEventListener("submit", event => {
  event.preventDefault();
  const given = place("token").value.trim();
  place("token").value = "";
  if (!given) return;
  keep(given);
  place("asking").hidden = true;  // so that nobody sends it twice
  follow();
});
follow();
