// The one dialog: asks whether something is to be done, and for the secret where it is needed.

import { at, say } from "./dom.js";

let secret = ""; // in memory only

const NEEDED = "This needs the secret of the cluster.";
const NOT_IT = "This is not the secret of the cluster.";

export const headers = () => (secret ? { Authorization: `Bearer ${secret}` } : {});

/**
 * Ask, and do it. `act` returns what is wrong, "" if nothing is. Returns whether it was done.
 * `needsSecret` shows the field; a 401 of `act` (it returns "secret") shows it too.
 */
export function ask({ title, text, yes, needsSecret, act }) {
  const dialog = at("ask");
  say(at("ask-title"), title);
  say(at("ask-text"), text);
  say(at("ask-yes"), yes);
  say(at("ask-wrong"), "");
  at("ask-secret").hidden = !needsSecret;
  at("secret").value = "";
  if (!dialog.open) dialog.showModal();
  return new Promise((done) => {
    const end = (was) => {
      dialog.close();
      done(was);
    };
    at("ask-no").onclick = () => end(false);
    dialog.oncancel = () => done(false);
    dialog.querySelector("form").onsubmit = async (event) => {
      event.preventDefault();
      if (!at("ask-secret").hidden) secret = at("secret").value.trim();
      const wrong = await act();
      if (!wrong) return end(true);
      at("ask-secret").hidden &&= !wrong.secret;
      say(at("ask-wrong"), wrong.secret ? (secret ? NOT_IT : NEEDED) : wrong.detail);
      if (!at("ask-secret").hidden) at("secret").focus();
    };
  });
}
