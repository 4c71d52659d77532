// The ring as a circle: each node has an arc as long as its part of all keys.

import { at, el, mark, row, say, show, svg } from "./dom.js";
import { duration, many, names, percent } from "./format.js";

const [MIDDLE, RADIUS, COLOURS] = [120, 92, 8];
const GAP = 1.5; // between two arcs, in the units of the circle

export function showRing(told) {
  const missing = new Set(told.nodes.missing);
  let from = 0;
  const nodes = told.ring.nodes.map((node) => {
    const start = from;
    from += node.share;
    return { ...node, start, answers: !missing.has(node.name) && node.life !== "suspect" };
  });
  say(at("ring-says"), summary(told.ring, nodes));
  say(at("rules-differ"), difference(told.ring, nodes));
  withRules = nodes.some((it) => it.rules);
  at("rules-head").hidden = !withRules;
  const silentFirst = nodes.toSorted((one, other) => one.answers - other.answers);
  show(at("nodes").tBodies[0], silentFirst, (it) => it.name, nodeRow);
  drawCircle(nodes);
}

function summary(ring, nodes) {
  const owners = nodes.filter((it) => it.owner).length;
  const silent = nodes.filter((it) => !it.answers).map((it) => it.name);
  const agree = ring.agrees ? "all hold the same ring" : "they don't hold the same ring yet";
  const first = owners === 1 ? "One node owns all keys." : `${many(owners, "node")} own all keys; ${agree}.`;
  return silent.length ? `${first} No answer from ${names(silent)}.` : first;
}

let withRules = false; // has any node a rules file?
let mine = ""; // the rules of this page's node

function difference(ring, nodes) {
  const me = nodes.find((it) => it.me);
  mine = me.rules;
  const others = nodes.filter(differs).map((it) => it.name);
  if (!others.length) return "";
  return `The nodes have ${ring.rules_versions} different rules in force: those of ${names(others)} aren't those of ${me.name}.`;
}

const differs = (node) => node.rules !== null && node.rules !== mine;

const colours = new Map(); // a node keeps its own while others come and go

function colour(name) {
  if (!colours.has(name)) colours.set(name, `s${colours.size % COLOURS}`);
  return colours.get(name);
}

function nodeRow({ name, me }) {
  const swatch = el("i", { class: "swatch", "aria-hidden": "true" });
  const refusal = el("small", { class: "wrong" });
  const [share, age] = [1, 2].map(() => el("td", { class: "number" }));
  const [stage, rules] = [0, 1].map(() => el("td"));
  const it = me ? el("small", {}, "this page's node") : "";
  const made = row(el("th", { scope: "row" }, swatch, name, it, refusal), share, stage, age, rules);
  made.onmouseenter = () => highlight(name);
  made.onmouseleave = () => highlight("");
  made.update = (node) => {
    mark(swatch, "class", node.owner ? `swatch ${colour(name)}` : "swatch none");
    say(share, node.owner ? percent(node.share) : "–");
    say(stage, node.answers ? node.stage || (node.owner ? "on the ring" : "off the ring") : "doesn't answer");
    mark(stage, "class", node.answers ? "" : "wrong");
    say(age, node.age === null ? "–" : duration(Math.max(node.age, 1)));
    say(refusal, node.refusal);
    rules.hidden = !withRules;
    say(rules, node.rules === null ? "unknown" : node.rules || "no file");
    mark(rules, "class", differs(node) ? "wrong" : "");
  };
  return made;
}

function drawCircle(nodes) {
  const circle = at("circle");
  const owners = nodes.filter((it) => it.share > 0);
  const silent = owners.filter((it) => !it.answers).length;
  mark(circle, "aria-label", `A circle of ${many(owners.length, "node")}; the table has the same.`);
  const items = [
    ...owners.map((it) => ({ ...it, is: "arc" })),
    { is: "title", name: "", text: `${owners.length}`, y: 118 },
    { is: "under", name: "", text: owners.length === 1 ? "node" : "nodes", y: 138 },
    { is: "silent", name: "", text: silent ? `${silent} silent` : "", y: 156 },
  ];
  show(circle, items, (it) => `${it.is} ${it.name}`, (it) => (it.is === "arc" ? arc(it) : words(it)));
}

function arc({ name }) {
  const title = svg("title");
  const made = svg("path", {}, title);
  made.onmouseenter = () => highlight(name);
  made.onmouseleave = () => highlight("");
  made.update = (it) => {
    mark(made, "d", path(it.start, it.share));
    mark(made, "class", `arc ${colour(name)}${it.answers ? "" : " silent"}${made.lit ? " lit" : ""}`);
    say(title, `${it.name}: ${percent(it.share)}`);
  };
  return made;
}

function words({ is, y }) {
  const made = svg("text", { x: MIDDLE, y, class: is });
  made.update = (it) => say(made, it.text);
  return made;
}

function path(start, share) {
  const around = 2 * Math.PI * RADIUS;
  const gap = share > 0.9999 ? 0 : Math.min(GAP / around, share / 2);
  const [from, to] = [start + gap / 2, Math.min(start + share - gap / 2, start + 0.9999)];
  const point = (turn) => {
    const angle = 2 * Math.PI * (turn - 0.25);
    return `${(MIDDLE + RADIUS * Math.cos(angle)).toFixed(2)} ${(MIDDLE + RADIUS * Math.sin(angle)).toFixed(2)}`;
  };
  return `M${point(from)}A${RADIUS} ${RADIUS} 0 ${to - from > 0.5 ? 1 : 0} 1 ${point(to)}`;
}

function highlight(name) {
  for (const made of [...at("circle").children, ...at("nodes").tBodies[0].children]) {
    made.lit = Boolean(name) && [name, `arc ${name}`].includes(made.itemName);
    made.classList.toggle("lit", made.lit);
  }
}
