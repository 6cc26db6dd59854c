"""The frame of the HTML report: its style, its script, and a policy that lets nothing else run. Text, mostly."""

from html import escape
from typing import Final

_LIGHT: Final = {
    "bg": "#fff", "fg": "#1b1f24", "soft": "#5b6570", "line": "#d9dee3", "card": "#f5f7f9",
    "good": "#1a7f4b", "bad": "#c02b2b", "warn": "#8a5a00", "warned": "#fff4d6",
    "c1": "#0072b2", "c2": "#d55e00", "c3": "#009e73", "c4": "#cc79a7",
    "c5": "#b58900", "c6": "#56b4e9", "c7": "#7a5cc0", "c8": "#7f8c8d",
}  # fmt: skip
_DARK: Final = {
    "bg": "#14181c", "fg": "#e4e8ec", "soft": "#98a3ae", "line": "#323a42", "card": "#1c2228",
    "good": "#4fc98a", "bad": "#ff7b72", "warn": "#f0c674", "warned": "#3a2f12",
    "c1": "#4aa8e0", "c2": "#ff8a4c", "c3": "#3ccf9f", "c4": "#e39ac4",
    "c5": "#e0b93c", "c6": "#8fd3ff", "c7": "#a98ff0", "c8": "#aab4bd",
}  # fmt: skip
_PRINT: Final = _LIGHT | {"fg": "#000", "soft": "#444", "line": "#bbb", "card": "#f2f2f2"}

COLOURS: Final = range(1, 9)
"""What series may be coloured with; told apart by people who see few colours as well."""


def _names(colours: dict[str, str]) -> str:
    return ":root{" + ";".join(f"--{name}:{value}" for name, value in colours.items()) + "}"


def _series() -> str:
    """The colours of lines (s), layers (a) and keys (k)."""
    lines = (f".s{n}{{stroke:var(--c{n})}}.a{n}{{fill:var(--c{n})}}.k{n}{{color:var(--c{n})}}" for n in COLOURS)
    return "\n".join(lines)


COLOURED: Final = f"""
:root{{color-scheme:light dark}}
{_names(_LIGHT)}
@media (prefers-color-scheme:dark){{{_names(_DARK)}}}
.grid line{{stroke:var(--line)}}
.grid text{{fill:var(--soft);font-size:11px}}
.l{{fill:none;stroke-width:1.6}}
.d{{stroke-dasharray:5 3}}
.at{{stroke:var(--soft);visibility:hidden}}
{_series()}
"""
"""What a chart needs wherever it stands."""

STYLE: Final = f"""{COLOURED}
@media print{{:root{{color-scheme:light}}{_names(_PRINT)}}}
*{{box-sizing:border-box}}
body{{margin:0 auto;max-width:68rem;padding:1.5rem;background:var(--bg);color:var(--fg);
  font:15px/1.5 system-ui,sans-serif}}
h1{{font-size:1.5rem;margin:0;overflow-wrap:anywhere}}
h2{{font-size:1.1rem;margin:2rem 0 .5rem;break-after:avoid}}
p{{margin:.4rem 0}}
small,.soft{{color:var(--soft);font-size:.85em;font-weight:400}}
.tiles{{display:grid;grid-template-columns:repeat(auto-fit,minmax(12rem,1fr));gap:.6rem;margin:1rem 0}}
.tiles div{{background:var(--card);border-radius:6px;padding:.6rem .8rem}}
.tiles b{{display:block;font-size:1.25rem;font-weight:600}}
.told{{border-left:4px solid var(--line);background:var(--card);border-radius:4px;padding:.6rem .9rem;
  margin:.8rem 0;overflow-wrap:anywhere}}
.told ul{{margin:.2rem 0;padding-left:1.2rem}}
.told.warn{{border-color:var(--warn);background:var(--warned)}}
.told.bad{{border-color:var(--bad)}}
.told.good{{border-color:var(--good)}}
td.good{{color:var(--good)}}
td.bad{{color:var(--bad)}}
.wide{{overflow-x:auto}}
table{{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}}
th,td{{text-align:left;padding:.25rem .8rem .25rem 0;border-bottom:1px solid var(--line);vertical-align:top}}
th{{font-weight:600;white-space:nowrap}}
td{{overflow-wrap:break-word}}
td.w{{overflow-wrap:anywhere;min-width:12rem}}
th.n,td.n{{text-align:right;white-space:nowrap}}
th button{{all:unset;cursor:pointer;font:inherit}}
th button:focus-visible{{outline:2px solid var(--c1)}}
th[aria-sort=ascending] button::after{{content:" \\2191"}}
th[aria-sort=descending] button::after{{content:" \\2193"}}
figure.chart{{margin:1rem 0;break-inside:avoid}}
figcaption{{font-weight:600}}
svg{{width:100%;height:auto;display:block}}
.at.on{{visibility:visible}}
.legend{{margin:.2rem 0;padding-left:4.2rem;color:var(--soft);font-size:.85em}}
.legend span{{margin-right:1.2rem;white-space:nowrap}}
.legend b{{color:var(--fg);font-variant-numeric:tabular-nums}}
.legend i{{display:inline-block;width:1.3em;height:0;border-top:3px solid;margin-right:.4em;vertical-align:middle}}
.legend i.d{{border-top-style:dashed}}
footer{{margin-top:2rem;color:var(--soft);font-size:.85em}}
@media print{{body{{max-width:none;padding:0;font-size:11px}}.wide{{overflow:visible}}tr{{break-inside:avoid}}}}
"""

SCRIPT: Final = """
"use strict";
const three = v => v >= 99.95 ? Math.round(v).toLocaleString("en") : v >= 9.995 ? v.toFixed(1) : v.toFixed(2);
const latency = v => v >= 999.5 ? three(v / 1000) + " s" : v >= 0.9995 ? three(v) + " ms" :
  v > 0 ? three(v * 1000) + " us" : "0 ms";
const text = (v, unit) => v === "" ? "-" : unit === "ms" ? latency(Number(v)) :
  Number(v).toLocaleString("en", {maximumFractionDigits: 2});
for (const figure of document.querySelectorAll("figure.chart")) {
  const svg = figure.querySelector("svg");
  if (!svg) continue;
  const {t, unit, left, right, begin, end} = svg.dataset, times = t.split(",").map(Number);
  const at = svg.querySelector(".at"), caption = figure.querySelector("small"), note = caption.textContent;
  const values = new Map([...svg.querySelectorAll("path")].map(p => [p.dataset.n, p.dataset.v.split(",")]));
  const keys = [...figure.querySelectorAll(".legend span")].map(k => [k.querySelector("b"), values.get(k.dataset.n)]);
  svg.addEventListener("pointermove", event => {
    const box = svg.getBoundingClientRect();
    const x = Math.min(right, Math.max(left, (event.clientX - box.left) / box.width * svg.viewBox.baseVal.width));
    const when = Number(begin) + (x - left) / (right - left) * (end - begin);
    let i = times.length - 1;
    while (i > 0 && times[i] > when) i--;
    at.setAttribute("x1", x); at.setAttribute("x2", x); at.classList.add("on");
    caption.textContent = note + " at " + times[i].toLocaleString("en", {maximumFractionDigits: 1}) + " s";
    for (const [place, series] of keys) place.textContent = text(series[i], unit);
  });
  svg.addEventListener("pointerleave", () => {
    at.classList.remove("on"); caption.textContent = note;
    for (const [place] of keys) place.textContent = "";
  });
}
for (const button of document.querySelectorAll("th button")) button.addEventListener("click", () => {
  const head = button.closest("th"), body = head.closest("table").tBodies[0], column = head.cellIndex;
  const falling = head.getAttribute("aria-sort") !== "descending";
  for (const one of head.parentNode.cells) one.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", falling ? "descending" : "ascending");
  const key = row => {
    const cell = row.cells[column];
    return "v" in cell.dataset ? Number(cell.dataset.v) : cell.textContent;
  };
  const order = (a, b) => typeof a === "number" ? a - b : a < b ? -1 : a > b ? 1 : 0;
  const rows = [...body.rows].sort((a, b) => order(key(a), key(b)));
  body.append(...(falling ? rows.reverse() : rows));
});
"""


STYLE_HASH: Final = "'sha256-HvpRDBe5VF7Jupsi9oO2dt3NSCrzIH5hKNyneImAL8I='"
SCRIPT_HASH: Final = "'sha256-HK5eNYC059vUne8OZyfKDATJ7s4BRRA0LCwCWG6da1A='"
"""Written down: `hashlib` would bring OpenSSL into the process that runs the load, 4 MB. A test computes them."""


def page(title: str, body: str) -> str:
    """A whole document. Its policy allows this style and this script, by their hashes, and no address."""
    policy = (
        f"default-src 'none'; style-src {STYLE_HASH}; script-src {SCRIPT_HASH}; base-uri 'none'; form-action 'none'"
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style></head>\n"
        f"<body>\n{body}\n<script>{SCRIPT}</script>\n</body></html>\n"
    )
