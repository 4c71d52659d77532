// Each rule's line over ten minutes: allowed and denied a second, and the same as a table.

import { at, el, mark, row, say, show, svg } from "./dom.js";
import { count, minute, rate } from "./format.js";

const [WIDE, HIGH] = [300, 80]; // stretched to what room there is

export function showRules(told) {
  const { rules, more_rules: more } = told;
  const text = told.rates ? "No checks in the last ten minutes." : "Nobody knows: reports are switched off.";
  say(at("rules-say"), text);
  at("rules-say").hidden = rules.length > 0;
  show(at("lines"), rules.map((it) => ({ ...it, step: told.step })), (it) => it.rule, card);
  say(at("more-rules"), more ? `${count(more)} more rules have fewer checks and aren't shown.` : "");
}

function card({ rule }) {
  const chart = svg("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, preserveAspectRatio: "none", role: "img" });
  const most = el("p", { class: "scale" });
  const scale = el("p", { class: "scale", "aria-hidden": "true" }, el("span", {}, "10 min ago"), el("span", {}, "now"));
  const [passed, refused] = [1, 2].map(() => el("span"));
  const now = el("p", { class: "now" }, sign("allowed"), passed, "/s allowed, ", sign("denied"), refused, "/s denied");
  const behind = el("details", {}, el("summary", {}, "As a table"), table(rule));
  const made = el("li", {}, el("h3", {}, rule), now, most, chart, scale, behind);
  const drawing = draw(chart, most);
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

function draw(chart, most) {
  const grid = svg("path", { class: "grid", d: `M0 0H${WIDE}M0 ${HIGH}H${WIDE}` });
  const area = svg("path", { class: "allowed" });
  const line = svg("path", { class: "denied" });
  chart.append(grid, area, line);
  return ({ rule, points: told, step, allowed, denied }) => {
    // The last step has only begun: the line ends with what is so now.
    const points = [...told.slice(0, -1), [0, allowed * step, denied * step]];
    const highest = Math.max(...points.map(([, passed, refused]) => Math.max(passed, refused)), 1);
    const x = (place) => (WIDE * place) / Math.max(points.length - 1, 1);
    const y = (value) => HIGH - (HIGH * value) / highest;
    const along = (which) => points.map((it, place) => `${x(place).toFixed(1)} ${y(it[which]).toFixed(1)}`).join("L");
    mark(area, "d", `M0 ${HIGH}L${along(1)}L${WIDE} ${HIGH}Z`);
    mark(line, "d", points.some(([, , refused]) => refused) ? `M${along(2)}` : "");
    say(most, `${rate(highest / step)}/s`);
    mark(chart, "aria-label", `${rule}, over ten minutes: at most ${rate(highest / step)} a second.`);
  };
}

function table(rule) {
  const heads = ["From", "Allowed", "Denied"].map((text, place) => el("th", { scope: "col", class: place ? "number" : "" }, text));
  return el("div", { class: "wide" }, el("table", {}, el("caption", {}, `${rule}, minute by minute`), el("thead", {}, row(...heads)), el("tbody")));
}

function fill(body, { points, step }) {
  const minutes = [];
  for (const [began, allowed, denied] of points) {
    const time = Math.floor(began / 60) * 60;
    if (minutes[0]?.time !== time) minutes.unshift({ time, steps: 0, allowed: 0, denied: 0 });
    minutes[0].steps += 1;
    minutes[0].allowed += allowed;
    minutes[0].denied += denied;
  }
  const whole = minutes.filter((it, place) => place === 0 || it.steps * step >= 60);
  show(body, whole, (it) => it.time, minuteRow);
}

function minuteRow({ time }) {
  const cells = [1, 2].map(() => el("td", { class: "number" }));
  const made = row(el("th", { scope: "row" }, minute(time)), ...cells);
  made.update = (it) => [it.allowed, it.denied].forEach((value, place) => say(cells[place], count(value)));
  return made;
}
