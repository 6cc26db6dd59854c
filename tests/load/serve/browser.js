"use strict";
// Runs the live page's script as a browser would, as far as it uses one. Standard input: {script, token, answers}, one
// answer a look: {status, body}, or null for a connection that fails; `typed` is what somebody types when asked, once.
// Standard output: what was asked, what the elements say after each look, and what was kept.
const vm = require("node:vm");
let {script, token, typed, answers} = JSON.parse(require("node:fs").readFileSync(0, "utf8"));

class Element {
  constructor(name) {
    Object.assign(this, {name, attributes: {}, children: [], own: "", hidden: false, value: "", className: "", listeners: {}});
    this.classList = {add: kind => { this.className += " " + kind; },
      remove: kind => { this.className = this.className.split(" ").filter(one => one !== kind).join(" "); }};
  }
  get textContent() { return this.own + this.children.map(one => typeof one === "string" ? one : one.textContent).join(" "); }
  set textContent(text) { this.children = []; this.own = String(text); }
  append(...more) { this.children.push(...more.map(one => one instanceof Element ? one : String(one))); }
  replaceChildren(...more) { this.own = ""; this.children = []; this.append(...more); }
  setAttribute(key, value) { this.attributes[key] = String(value); }
  addEventListener(kind, doing) { this.listeners[kind] = doing; }
  focus() {}
  get names() { return [this.name, ...this.children.flatMap(one => one instanceof Element ? one.names : [])]; }
  get ways() { return [this.attributes.d, ...this.children.flatMap(one => one instanceof Element ? one.ways : [])].filter(Boolean); }
}

const places = {}, asked = [], seen = [], stored = token ? {"chaffinch-token": token} : {};
const place = id => places[id] ??= new Element(id);
let isSeen = false;
const after = () => {
  if (isSeen) return;
  const said = Object.fromEntries(Object.entries(places).map(([id, one]) => [id, one.hidden ? null : one.textContent]));
  seen.push({said, title: context.document.title, run: place("run").className, names: place("run").names,
    charts: place("charts").names, ways: place("charts").ways});
};
const finish = () => {
  after();
  process.stdout.write(JSON.stringify({asked, seen: seen.slice(1), stored}));
  process.exit(0);
};
const context = {
  document: {title: "", getElementById: place, createElement: name => new Element(name), createElementNS: (_, name) => new Element(name)},
  sessionStorage: {getItem: key => stored[key] ?? null, setItem: (key, value) => { stored[key] = value; }, removeItem: key => { delete stored[key]; }},
  fetch: async (address, options) => {
    if (!answers.length) finish();
    after();
    isSeen = false;
    asked.push({address, authorization: options.headers.Authorization ?? null});
    const answer = answers.shift();
    if (!answer) throw new TypeError("no connection");
    setTimeout(() => {
      if (place("asking").hidden || answer.status !== 401) return;
      if (!typed) finish();
      after();
      isSeen = true;
      place("token").value = typed;
      typed = "";
      place("asking").listeners.submit({preventDefault() {}});
    }, 5);
    return {status: answer.status, ok: answer.status === 200, json: async () => JSON.parse(answer.body)};
  },
  AbortSignal, TextEncoder, setTimeout: doing => setTimeout(doing, 1), console,
};
for (const id of ["lost", "asking", "over", "run", "warnings"]) place(id).hidden = true;
vm.runInNewContext(script, context);
