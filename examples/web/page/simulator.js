// The simulator behind the page: here it is part of the site and runs in a thread of the browser. It has the
// names of the other one, which asks a program over HTTP.

import { Trouble } from "./trouble.js";

export { Trouble };

/** What the page says of where its answers come from. */
export const WORDS = {
  files: "Scenario files of your own need the program: `slicewise serve FOLDER` shows them in this same page.",
  about: "The simulator is part of the page and runs in this browser.",
  gone: "The simulator of this page cannot be had.",
  isItThere: "Is the site still there?",
  failed: "The simulator could not answer.",
};

const SPARE_MS = 50; // the answer goes first, then the thread that is kept for the next
let module = null;
let spare = null; // a promise of a thread that waits for a question
let preparing = null;

/** The simulator, fetched and compiled once; asked for again where it could not be had. */
function compiled() {
  module ??= fetched().catch((error) => {
    module = null;
    throw error;
  });
  return module;
}

async function fetched() {
  const response = await fetch(new URL("simulator.wasm", import.meta.url)).catch(() => null);
  if (!response?.ok) {
    throw new Trouble(`the simulator cannot be fetched${response ? `: status ${response.status}` : ""}`, { gone: true });
  }
  // Not while it comes: that needs a server that says what kind of file it is.
  return WebAssembly.compile(await response.arrayBuffer());
}

/** A thread with a simulator that has read its catalogue. */
async function started() {
  const compiledModule = await compiled();
  const worker = new Worker(new URL("worker.js", import.meta.url));
  const failed = await asked(worker, compiledModule, "ready", () => {}).then(() => null, (error) => error);
  if (!failed) return worker;
  worker.terminate();
  throw failed;
}

/** Sends a thread something and listens until it tells `last`. */
function asked(worker, question, last, onEvent, signal) {
  return new Promise((resolve, reject) => {
    signal?.addEventListener("abort", () => resolve(), { once: true });
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Trouble("the simulator cannot be started", { gone: true }));
    };
    worker.onmessage = ({ data: { name, data } }) => {
      if (name === last) resolve();
      else if (name === "trouble") reject(new Trouble(`the simulator ended unexpectedly: ${data}`));
      else if (name === "wrong") {
        const { error, allowed } = JSON.parse(data);
        reject(new Trouble(error, { allowed }));
      } else if (!signal?.aborted) onEvent(name, data);
    };
    worker.postMessage(question);
  });
}

/** Takes the thread that waits, or a new one, and begins another for the next question. */
function taken() {
  const worker = spare ?? started();
  spare = null;
  clearTimeout(preparing);
  preparing = setTimeout(() => {
    const mine = spare ?? started();
    spare = mine;
    mine.catch(() => { if (spare === mine) spare = null; });
  }, SPARE_MS);
  return worker;
}

/** Asks one question. Nothing stops a simulator but the end of its thread. */
async function ask(question, onEvent, signal) {
  const worker = await taken();
  let whole = false;
  try {
    if (!signal?.aborted) await asked(worker, question, "done", onEvent, signal);
    whole = !signal?.aborted;
  } finally {
    if (whole && spare === null) spare = Promise.resolve(worker);
    else worker.terminate();
  }
}

/** Lessons there are. */
export async function sources() {
  let list = null;
  await ask({ ask: "sources" }, (_, data) => { list = JSON.parse(data); });
  return list;
}

/** Asks; `onEvent(name, data)` has setting, frame, refused. Resolves at the end of a whole answer, or when aborted. */
export async function answer({ source, curve, sets }, { onEvent, signal }) {
  const tell = (name, data) => {
    if (name !== "end") onEvent(name, JSON.parse(data));
  };
  await ask({ ask: "answer", source, sets, curve: curve ?? null }, tell, signal);
}

const KINDS = { svg: "image/svg+xml", json: "application/json", html: "text/html", csv: "text/csv" };

/** What makes a file: scenario, csv, svg, json or report. It has no address before it is made. */
export function exportLink(kind, { source, sets }) {
  return async () => {
    let name = null;
    let data = null;
    await ask({ ask: "export", kind, source, sets, curve: null }, (what, told) => {
      if (what === "name") name = told;
      if (what === "file") data = told;
    });
    const type = KINDS[name.replace(/^.*\./, "")] ?? "text/plain";
    return { name, file: new Blob([data], { type: `${type};charset=utf-8` }) };
  };
}
