// Who decided, and what that means where it wasn't the owner.

import { at, el, row, say, show } from "./dom.js";
import { count, many, percent } from "./format.js";

const MEANING = {
  owner: "the node that owns the key",
  backup: "the next on the ring: the owner could not be asked",
  lease: "the app, with tokens that the owner lent it",
  local: "its own share of the limit: nobody who knows could be asked",
  open: "let through by policy: nobody could be asked",
  closed: "refused by policy: nobody could be asked",
  remembered: "an app that remembered a denial which still holds",
  memory: "an app that keeps its limits in its own memory",
};

export function showSources(told) {
  const all = told.sources.map((it) => ({ ...it, number: it.allowed + it.denied + it.errors }));
  const total = all.reduce((sum, it) => sum + it.number, 0);
  const sources = all.filter((it) => it.number).map((it) => ({ ...it, part: it.number / total }));
  say(at("others"), told.rates ? summary(sources, total) : "Nobody knows: reports are switched off.");
  const alone = sources.every((it) => it.source === "owner");
  at("by-source").hidden = alone;
  at("parts").hidden = alone;
  show(at("by-source").tBodies[0], alone ? [] : sources, (it) => it.source, sourceRow);
  show(at("parts"), alone ? [] : sources, (it) => it.source, part);
}

function summary(sources, total) {
  if (!total) return "No checks in the last minute.";
  const owners = sources.find((it) => it.source === "owner")?.number ?? 0;
  if (owners === total) return `Owners decided ${total === 1 ? "the one check" : `all ${count(total)} checks`} of the last minute.`;
  const others = total - owners;
  return `${many(others, "check")} of ${count(total)} in the last minute, ${percent(others / total)}.`;
}

function sourceRow({ source }) {
  const cells = [1, 2, 3].map(() => el("td", { class: "number" }));
  const swatch = el("i", { class: `swatch source-${known(source)}`, "aria-hidden": "true" });
  const meaning = el("small", {}, MEANING[source] ?? "");
  const made = row(el("th", { scope: "row" }, swatch, source, meaning), ...cells);
  made.update = (it) => {
    [count(it.allowed), count(it.denied), percent(it.part)].forEach((text, place) => say(cells[place], text));
  };
  return made;
}

function part({ source }) {
  const made = el("i", { class: `source-${known(source)}` });
  made.update = (it) => {
    made.style.flexGrow = it.part;
  };
  return made;
}

const known = (source) => (Object.hasOwn(MEANING, source) ? source : "other");
