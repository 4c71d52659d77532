// Each rule's line over ten minutes: allowed and denied a second, and the same as a table.

import { at, el, mark, row, say, show, svg } from "./dom.js";
import { clock, count, rate } from "./format.js";

const [WIDE, HIGH, TOP, BOTTOM] = [320, 110, 14, 18];

export function showRules(told) {
  const { rules, more_rules: more } = told;
  const text = told.rates ? "No checks in the last ten minutes." : "Nobody knows: reports are switched off.";
  say(at("rules-say"), text);
  at("rules-say").hidden = rules.length > 0;
  show(at("lines"), rules.map((it) => ({ ...it, step: told.step })), (it) => it.rule, card);
  say(at("more-rules"), more ? `${count(more)} more rules have fewer checks and aren't shown.` : "");
}

function card({ rule }) {
  const chart = svg("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img" });
  const [passed, refused] = [1, 2].map(() => el("span"));
  const now = el("p", { class: "now" }, sign("allowed"), passed, " allowed, ", sign("denied"), refused, " denied a second");
  const behind = el("details", {}, el("summary", {}, "As a table"), table(rule));
  const made = el("li", {}, el("h3", {}, rule), now, chart, behind);
  const drawing = draw(chart);
  made.update = (it) => {
    say(passed, rate(it.allowed));
    say(refused, rate(it.denied));
    mark(refused, "class", it.denied ? "some" : "");
    drawing(it);
    if (behind.open) fill(behind.querySelector("tbody"), it);
    behind.ontoggle = () => behind.open && fill(behind.querySelector("tbody"), it);
  };
  return made;
}

const sign = (of) => el("i", { class: `sign ${of}`, "aria-hidden": "true" });

function draw(chart) {
  const grid = svg("path", { class: "grid", d: `M0 ${TOP}H${WIDE}M0 ${HIGH - BOTTOM}H${WIDE}` });
  const most = svg("text", { x: 0, y: TOP - 4 });
  const area = svg("path", { class: "allowed" });
  const line = svg("path", { class: "denied" });
  chart.append(grid, area, line, most);
  chart.append(svg("text", { x: 0, y: HIGH - 4 }, "10 min ago"), svg("text", { x: WIDE, y: HIGH - 4, class: "right" }, "now"));
  return ({ rule, points, step }) => {
    const highest = Math.max(...points.map(([, allowed, denied]) => Math.max(allowed, denied)), 1);
    const x = (place) => (WIDE * place) / Math.max(points.length - 1, 1);
    const y = (value) => HIGH - BOTTOM - ((HIGH - BOTTOM - TOP) * value) / highest;
    const along = (which) => points.map((it, place) => `${x(place).toFixed(1)} ${y(it[which]).toFixed(1)}`).join("L");
    mark(area, "d", points.length ? `M0 ${HIGH - BOTTOM}L${along(1)}L${WIDE} ${HIGH - BOTTOM}Z` : "");
    mark(line, "d", points.some(([, , denied]) => denied) ? `M${along(2)}` : "");
    say(most, `${rate(highest / step)} a second`);
    mark(chart, "aria-label", `${rule}, over ten minutes: at most ${rate(highest / step)} a second.`);
  };
}

function table(rule) {
  const heads = ["From", "Allowed", "Denied"].map((text, place) => el("th", { scope: "col", class: place ? "number" : "" }, text));
  return el("div", { class: "wide" }, el("table", {}, el("caption", {}, `${rule}, minute by minute`), el("thead", {}, row(...heads)), el("tbody")));
}

function fill(body, { points, step }) {
  const minutes = [];
  points.forEach(([time, allowed, denied], place) => {
    if (place % Math.round(60 / step) === 0) minutes.unshift({ time, allowed: 0, denied: 0 });
    minutes[0].allowed += allowed;
    minutes[0].denied += denied;
  });
  show(body, minutes, (it) => it.time, minuteRow);
}

function minuteRow({ time }) {
  const cells = [1, 2].map(() => el("td", { class: "number" }));
  const made = row(el("th", { scope: "row" }, clock(time)), ...cells);
  made.update = (it) => [it.allowed, it.denied].forEach((value, place) => say(cells[place], count(value)));
  return made;
}
