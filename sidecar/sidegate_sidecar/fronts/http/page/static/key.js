// One key: its buckets, again every second, and a button that makes them full.

import { peek, reset } from "./api.js";
import { ask } from "./ask.js";
import { at, el, row, say, show } from "./dom.js";
import { count, duration } from "./format.js";

const LOOK_EVERY = 1_000; // ms

let key = null; // that is looked at
let timer = 0;

export function startKeys() {
  at("look").onsubmit = (event) => {
    event.preventDefault();
    look(at("which").value);
  };
  at("reset").onclick = resetKey;
  document.addEventListener("visibilitychange", () => key !== null && again());
}

/** Show the buckets of a key, and bring them into view. */
export function look(wanted) {
  key = wanted;
  at("which").value = wanted;
  say(at("found"), "…");
  at("key").scrollIntoView({ block: "nearest" });
  again();
}

async function again() {
  clearTimeout(timer);
  if (document.hidden) return;
  const asked = key;
  const answer = await peek(asked);
  if (asked !== key) return; // another one was asked for meanwhile
  if (answer.ok) showBuckets(answer.body);
  else if (answer.status === 401) return askToRead(answer.body.detail);
  else showNone(answer.body.detail);
  clearTimeout(timer);
  if (answer.status !== 422) timer = setTimeout(again, LOOK_EVERY);
}

async function askToRead(text) {
  const done = await ask({
    title: "Secret needed",
    text: "This node shows keys only to those who know the secret of the cluster.",
    yes: "Go on",
    needsSecret: true,
    act: async () => {
      const answer = await peek(key);
      return wrongOf(answer);
    },
  });
  if (done) again();
  else showNone(text);
}

const wrongOf = ({ ok, status, body }) => (ok ? null : { secret: status === 401, detail: body.detail });

function showBuckets({ key: name, owner, buckets }) {
  say(at("found"), buckets.length ? `${name} belongs to ${owner}.` : `${name} has all of its tokens. It belongs to ${owner}.`);
  at("buckets").hidden = at("reset").hidden = !buckets.length;
  say(at("buckets").caption, `Buckets of ${name}`);
  show(at("buckets").tBodies[0], buckets, (it) => it.limit, bucketRow);
}

function showNone(text) {
  say(at("found"), text);
  at("buckets").hidden = at("reset").hidden = true;
}

function bucketRow({ limit }) {
  const [left, full] = [1, 2].map(() => el("td", { class: "number" }));
  const bar = el("i");
  const made = row(el("th", { scope: "row" }, limit), left, el("td", { class: "bar roomy", "aria-hidden": "true" }, el("span", {}, bar)), full);
  made.update = ({ remaining, burst, reset_after: seconds }) => {
    say(left, `${count(remaining)} of ${count(burst)}`);
    say(full, duration(seconds));
    bar.style.width = `${(100 * remaining) / burst}%`;
    bar.className = remaining ? "left" : "";
  };
  return made;
}

async function resetKey() {
  const wanted = key;
  const done = await ask({
    title: "Reset this key?",
    text: `All limits of ${wanted} will be full at once, and what it spent is forgotten.`,
    yes: "Reset",
    needsSecret: false,
    act: async () => {
      const answer = await reset(wanted);
      return wrongOf(answer);
    },
  });
  if (!done || wanted !== key) return;
  showNone(`${wanted} was reset.`);
  at("which").focus();
  clearTimeout(timer);
  timer = setTimeout(again, 2 * LOOK_EVERY);
}
