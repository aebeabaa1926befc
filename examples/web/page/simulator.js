// The simulator behind the page: here it is part of the site, and runs in a thread of the browser. It has the
// names of the other one, which asks a program over HTTP.

/** Why there is no answer: `gone` where the simulator cannot be had, else what was found and what is allowed. */
export class Trouble extends Error {
  constructor(message, { allowed = null, gone = false } = {}) {
    super(message);
    this.allowed = allowed;
    this.gone = gone;
  }
}

/** What the page says of where its answers come from. */
export const WORDS = {
  files: "Your own scenario files, and settings that this page has no slider for: with the program, in a terminal.",
  gone: "Is the site still there? Load the page again.",
};

const SPARE_MS = 50; // the answer comes first, then what is kept for the next
let module = null;
let spare = null;
let preparing = null;

/** The compiled simulator, fetched once; asked for again where it could not be had. */
function compiled() {
  module ??= fetchModule().catch((error) => {
    module = null;
    throw error;
  });
  return module;
}

async function fetchModule() {
  let response;
  try {
    response = await fetch(new URL("simulator.wasm", import.meta.url));
  } catch {
    throw new Trouble("the simulator cannot be fetched", { gone: true });
  }
  if (!response.ok) throw new Trouble(`the simulator cannot be fetched: status ${response.status}`, { gone: true });
  // Not every site says of it what it is, so that it is not compiled while it comes.
  return WebAssembly.compile(await response.arrayBuffer());
}

async function started() {
  const worker = new Worker(new URL("worker.js", import.meta.url));
  worker.postMessage(await compiled());
  return worker;
}

/** A thread with the simulator ready: the one that is kept, or a new one. */
async function ready() {
  clearTimeout(preparing);
  const worker = spare ?? started();
  spare = null;
  return worker;
}

/** Keeps a thread ready for the next question. */
function prepare() {
  clearTimeout(preparing);
  preparing = setTimeout(() => {
    spare ??= started();
    spare.catch(() => { spare = null; });
  }, SPARE_MS);
}

/** Asks one question; `onEvent(name, data)` has what is told. */
async function ask(question, onEvent, signal) {
  const worker = await ready();
  try {
    await new Promise((resolve, reject) => {
      const stop = () => resolve();
      if (signal?.aborted) return stop();
      signal?.addEventListener("abort", stop, { once: true });
      const end = (message, of = {}) => reject(new Trouble(message, of));
      worker.onerror = (event) => {
        event.preventDefault();
        end("the simulator could not be started");
      };
      worker.onmessage = ({ data: { name, data } }) => {
        if (signal?.aborted) return;
        if (name === "done") resolve();
        else if (name === "trouble") end(`the simulator ended unexpectedly: ${data}`);
        else if (name === "wrong") {
          const { error, allowed } = JSON.parse(data);
          end(error, { allowed });
        } else onEvent(name, data);
      };
    });
  } finally {
    worker.terminate();
    prepare();
  }
}

/** Lessons there are. */
export async function sources() {
  let list = null;
  await ask({ ask: "sources" }, (name, data) => { list = JSON.parse(data); });
  return list;
}

/** Asks; `onEvent(name, data)` has setting, frame, refused. Resolves at the end of a whole answer, or when aborted. */
export async function answer({ source, curve, sets }, { onEvent, signal }) {
  const tell = (name, data) => {
    if (name !== "end") onEvent(name, JSON.parse(data));
  };
  await ask({ ask: "answer", source, sets, curve: curve ?? null }, tell, signal);
}
