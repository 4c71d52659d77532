// Is anyone limited now: rates, and the keys that are denied most.

import { at, el, row, say, show } from "./dom.js";
import { count, many, minute, rate } from "./format.js";
import { look } from "./key.js";

const TILES = [
  ["allowed", "allowed a second"],
  ["denied", "denied a second"],
  ["shadowed", "a second would be denied, by rules in shadow"],
  ["errors", "errors a second"],
];
const ALWAYS = new Set(["allowed", "denied"]);

export function showLimited(told) {
  const denied = told.denied;
  const [answer, mood] = told.rates ? answerOf(told) : [OFF, "unknown"];
  say(at("answer"), answer);
  at("answer").className = mood;
  say(at("said"), mood === "yes" ? "Requests are being denied." : mood === "no" ? "Nobody is limited." : "");
  const tiles = told.rates ? TILES.filter(([of]) => ALWAYS.has(of) || told.rates[of] > 0) : [];
  show(at("rates"), tiles.map(([of, text]) => ({ of, text, value: told.rates[of] })), (it) => it.of, tile);
  say(at("denied").caption, `Most denied since ${minute(told.since)}`);
  at("denied").hidden = !denied.length;
  const most = Math.max(...denied.map((it) => it.denied), 1);
  const rows = denied.map((it) => ({ ...it, part: it.denied / most, plain: told.keys === "plain" }));
  show(at("denied").tBodies[0], rows, (it) => `${it.node} ${it.key}`, deniedRow);
  say(at("error"), told.error ? `No count is further off than ${count(told.error)}.` : "");
}

const OFF = "Nobody knows: reports are switched off (--report-rules 0).";

function answerOf({ rates, denied, since }) {
  if (rates.denied > 0) {
    const often = rates.denied < 1.95 && rates.denied >= 0.95 ? "1 request" : `${rate(rates.denied)} requests`;
    return [`Yes: ${often} a second ${often === "1 request" ? "is" : "are"} denied.`, "yes"];
  }
  if (denied.length) return [`Not now. ${many(denied.length, "key was", "keys were")} denied since ${minute(since)}.`, "was"];
  return [`No. Nobody has been denied anything since ${minute(since)}.`, "no"];
}

function tile({ of, text }) {
  const value = el("dd");
  const made = el("div", { class: of }, el("dt", {}, text), value);
  made.update = (it) => say(value, rate(it.value));
  return made;
}

function deniedRow({ key, rule, node, plain }) {
  const name = plain ? keyButton(key) : el("span", { class: "key" }, key);
  const asked = el("td", { class: "number" });
  const refused = el("td", { class: "number strong" });
  const bar = el("i");
  const made = row(
    el("th", { scope: "row" }, name, el("small", { class: "narrow" }, `${rule} · ${node}`)),
    el("td", { class: "roomy" }, rule),
    el("td", { class: "roomy" }, node),
    asked,
    refused,
    el("td", { class: "bar roomy", "aria-hidden": "true" }, bar),
  );
  made.update = (it) => {
    say(asked, within(it.asked, it.asked_error));
    say(refused, within(it.denied, it.denied_error));
    bar.style.width = `${100 * it.part}%`;
  };
  return made;
}

function keyButton(key) {
  const button = el("button", { type: "button", class: "key", title: "Show its buckets" }, key);
  button.onclick = () => look(key);
  return button;
}

const within = (value, error) => (error ? `${count(value)} ±${count(error)}` : count(value));
