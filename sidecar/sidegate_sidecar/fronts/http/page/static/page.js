// The page: follows the feed, says how that goes, and has each part show what came.

import { ask, headers } from "./ask.js";
import { at, say } from "./dom.js";
import { detailOf, follow } from "./feed.js";
import { clock, names } from "./format.js";
import { showHappenings } from "./happenings.js";
import { startKeys } from "./key.js";
import { showLimited } from "./limited.js";
import { showRing } from "./ring.js";
import { showRules } from "./rules.js";
import { showSources } from "./sources.js";

let last = null; // the time of the last event

function heard(told) {
  last = told.time;
  say(at("name"), told.name);
  say(at("version"), `sidegate ${told.version}`);
  const { answered, of, missing } = told.nodes;
  const all = answered === of;
  say(at("state"), `${all ? "Live: " : ""}${of === 1 ? "the one node answers" : `${answered} of ${of} nodes answer`}`);
  at("state").className = all ? "good" : "bad";
  say(at("trouble"), all ? "" : `No answer from ${names(missing, 5)}: what ${missing.length === 1 ? "it" : "they"} decided is missing from all counts on this page.`);
  at("main").classList.remove("stale");
  at("main").ariaBusy = "false";
  document.title = `${told.rates?.denied > 0 ? "● " : ""}sidegate ${told.name}`;
  for (const part of [showLimited, showSources, showRing, showHappenings, showRules]) part(told);
}

function lost(why) {
  say(at("state"), "Not connected");
  at("state").className = "bad";
  const since = last === null ? "" : ` What you see is of ${clock(last)}.`;
  say(at("trouble"), `${why}${since} This page tries again every second.`);
  at("main").classList.add("stale");
}

async function refused(status, detail) {
  lost(detail);
  if (status !== 401) return wait(5_000);
  say(at("trouble"), "This node shows nothing without the secret of the cluster.");
  say(at("state"), "Secret needed");
  const done = await ask({
    title: "Secret needed",
    text: "From other machines, this node is shown only to those who know the secret of the cluster.",
    yes: "Show",
    needsSecret: true,
    act: async () => {
      const ended = new AbortController();
      const answer = await fetch("/v1/live", { headers: headers(), signal: ended.signal });
      const wrong = answer.ok ? null : { secret: answer.status === 401, detail: await detailOf(answer) };
      ended.abort();
      return wrong;
    },
  });
  if (done) return undefined;
  at("again").hidden = false;
  await new Promise((again) => (at("again").onclick = again));
  at("again").hidden = true;
  return undefined;
}

const wait = (ms) => new Promise((done) => setTimeout(done, ms));

startKeys();
follow({ headers, heard, lost, refused });
