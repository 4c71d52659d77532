// What happens to the ring, told by what differs between two events.

import { at, el, say, show } from "./dom.js";
import { clock, many } from "./format.js";

const MOST = 20;
const STAGES = {
  starting: "is starting and looks for the others",
  joining: "is being sent what it will own",
  settling: "has its place, and is sent the last changes",
  member: "is a member of the ring",
  returning: "stood still, and is told what others decided meanwhile",
  flushing: "hands its buckets over, to leave",
  waiting: "is to leave, and waits for a node that takes its buckets",
  leaving: "is off the ring, and waits until all have noticed",
  leaf: "is off the ring, and only forwards",
};

let before = null;
let number = 0;
const happened = [];

export function showHappenings(told) {
  if (before) for (const what of differences(before, told)) tell(told.time, what);
  before = told;
  at("nothing-happened").hidden = happened.length > 0;
  show(at("happened"), happened, (it) => it.number, line);
}

export const stageOf = (node) => STAGES[node.stage] ?? "";

function tell(time, text) {
  happened.unshift({ number: (number += 1), time, text });
  happened.length = Math.min(happened.length, MOST);
}

function* differences(old, now) {
  const were = new Map(old.ring.nodes.map((it) => [it.name, it]));
  const are = new Map(now.ring.nodes.map((it) => [it.name, it]));
  for (const name of now.nodes.missing) {
    if (!old.nodes.missing.includes(name)) yield `${name} doesn't answer.`;
  }
  for (const [name, node] of are) {
    const was = were.get(name);
    if (!was) yield `${name} has come, and ${stageOf(node) || "is known now"}.`;
    else if (was.stage && was.stage !== node.stage && stageOf(node)) yield `${name} ${stageOf(node)}.`;
    else if (!node.stage && was.owner !== node.owner) yield `${name} is ${node.owner ? "on" : "off"} the ring.`;
    const handed = was && was.stage && node.stage ? node.handed - was.handed : 0;
    if (handed > 0) yield `${name} has handed over ${many(handed, "bucket")}.`;
  }
  for (const name of were.keys()) {
    if (!are.has(name)) yield `${name} is gone; others own its keys now.`;
  }
  for (const name of old.nodes.missing) {
    if (!now.nodes.missing.includes(name) && are.has(name)) yield `${name} answers again.`;
  }
}

function line({ time, text }) {
  const made = el("li", {}, el("time", {}, clock(time)), " ", text);
  made.update = () => {};
  return made;
}
