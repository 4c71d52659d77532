// The feed: an event a second from /v1/live, for as long as somebody looks at the page.
// EventSource can't send the secret, so it is read from a fetch.

const SILENT_AFTER = 5_000; // ms without an event; then the node hangs, or the way to it is cut
const TRY_EVERY = 1_000; // ms between two tries

/**
 * Follow the feed. `heard` is called with each event; `lost` with why there is none any more;
 * `refused`, with a status and a text, returns when to try again.
 */
export async function follow({ headers, heard, lost, refused }) {
  for (;;) {
    await visible();
    const ended = new AbortController();
    const hidden = () => document.hidden && ended.abort("hidden");
    document.addEventListener("visibilitychange", hidden);
    try {
      const why = await once(headers(), ended, heard, refused);
      if (why && !document.hidden) lost(why);
    } finally {
      document.removeEventListener("visibilitychange", hidden);
    }
    if (!document.hidden) await new Promise((done) => setTimeout(done, TRY_EVERY));
  }
}

async function once(headers, ended, heard, refused) {
  let timer = setTimeout(() => ended.abort("silent"), SILENT_AFTER);
  try {
    const options = { headers, cache: "no-store", signal: ended.signal };
    const response = await unlessGone(fetch("/v1/live", options));
    if (!response.ok) {
      clearTimeout(timer);
      await refused(response.status, await detailOf(response));
      return "";
    }
    for await (const event of events(response.body)) {
      clearTimeout(timer);
      timer = setTimeout(() => ended.abort("silent"), SILENT_AFTER);
      heard(event);
    }
    return "This node ended the connection.";
  } catch (error) {
    if (ended.signal.aborted) return "This node says nothing.";
    if (error instanceof Gone) return "This node can't be reached.";
    console.error(error);
    return "This page has a fault, which the browser's console has.";
  } finally {
    clearTimeout(timer);
    ended.abort("over"); // whatever ended it: no connection stays behind
  }
}

class Gone extends Error {}

/** Tell what the network did from a fault of this page: both are TypeErrors. */
function unlessGone(asking) {
  return asking.catch((error) => {
    throw error instanceof TypeError ? new Gone() : error;
  });
}

/** What a refusal says: a proxy's own may be no JSON. */
export async function detailOf(response) {
  const told = await response.json().catch(() => ({}));
  return told.detail ?? `This node, or a proxy before it, answers ${response.status}.`;
}

async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let unread = "";
  for (;;) {
    const { value, done } = await unlessGone(reader.read());
    if (done) return;
    const pieces = (unread + value).split("\n\n");
    unread = pieces.pop();
    for (const piece of pieces) yield JSON.parse(piece.replace(/^data: /, ""));
  }
}

function visible() {
  if (!document.hidden) return Promise.resolve();
  return new Promise((done) =>
    document.addEventListener("visibilitychange", done, { once: true }),
  ).then(visible);
}
