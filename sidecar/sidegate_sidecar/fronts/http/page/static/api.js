// Calls of the API about one key.

import { headers } from "./ask.js";
import { detailOf } from "./feed.js";

const pathOf = (key) => `/v1/keys/${encodeURIComponent(key).replaceAll(".", "%2E")}`;

/** Return what the API answers: `{ ok, status, body }`; the body of a refusal has `detail`. */
async function call(method, key) {
  try {
    const response = await fetch(pathOf(key), { method, headers: headers(), cache: "no-store" });
    const body = response.ok ? await response.json() : { detail: await detailOf(response) };
    return { ok: response.ok, status: response.status, body };
  } catch {
    return { ok: false, status: 0, body: { detail: "This node can't be reached." } };
  }
}

export const peek = (key) => call("GET", key);
export const reset = (key) => call("DELETE", key);
