// The simulator behind the page: here the program that serves it, over HTTP. The site without a program
// (examples/web) has another one, with these three functions, `Trouble` and `WORDS`.

import { readEvents } from "./stream.js";
import { Trouble } from "./trouble.js";

export { Trouble };

/** What the page says of where its answers come from. */
export const WORDS = {
  files: "To see your own scenario files here, name their folder: `slicewise serve FOLDER`.",
  about: "",
  gone: "The program behind this page does not answer.",
  isItThere: "Is slicewise serve still running in its terminal?",
  failed: "The program could not answer.",
};

const BUSY = 429; // the program answers as much as it can at once
const BUSY_TRIES = 3;
const BUSY_MS = 1000;

async function get(address, signal, tries = BUSY_TRIES) {
  let response;
  try {
    response = await fetch(address, { signal, cache: "no-store" });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Trouble("nobody answers", { gone: true });
  }
  if (response.ok) return response;
  if (response.status === BUSY && tries > 0) {
    await new Promise((go) => setTimeout(go, BUSY_MS));
    return get(address, signal, tries - 1);
  }
  const said = await response.json().catch(() => ({}));
  throw new Trouble(said.error ?? `status ${response.status}`, { allowed: said.allowed ?? null });
}

/** Lessons and files there are. */
export async function sources() {
  return (await get("api/sources")).json();
}

/** Asks; `onEvent(name, data)` has setting, frame, refused. Resolves at the end of a whole answer, or when aborted. */
export async function answer(setting, { onEvent, signal }) {
  const response = await get(`api/answer?${query(setting)}`, signal);
  let ended = false;
  await readEvents(response, (name, data) => {
    if (name === "end") ended = true;
    else if (!signal.aborted) onEvent(name, data);
  });
  if (!ended && !signal.aborted) throw new Trouble("the answer broke off", { gone: true });
}

/** The address of a file: scenario, csv, svg, json or report. (Or, of a simulator that has none, what makes
 * the file: a function that gives a promise of its `name` and `file`, a Blob.) */
export function exportLink(kind, setting) {
  return `api/export?kind=${encodeURIComponent(kind)}&${query({ ...setting, curve: null })}`;
}

function query({ source, curve, sets }) {
  const words = new URLSearchParams({ source });
  if (curve) words.append("curve", curve);
  for (const set of sets) words.append("set", set);
  return words;
}
