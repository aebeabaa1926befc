// The simulator in a thread of its own: it answers one question, told by events; who does not wait for the
// answer ends the thread.

const LONGEST_MS = 60_000;
const decoder = new TextDecoder();
const encoder = new TextEncoder();

let simulator = null;
let began = 0;
let ended = null; // why the simulator ended, in its own words

const bytes = (at, length) => new Uint8Array(simulator.memory.buffer, at, length);

const page = {
  tell(nameAt, nameLength, dataAt, dataLength) {
    const name = decoder.decode(bytes(nameAt, nameLength));
    const data = bytes(dataAt, dataLength);
    if (name === "trouble") ended = decoder.decode(data);
    else if (name === "file") postMessage({ name, data: data.slice() });
    else postMessage({ name, data: decoder.decode(data) });
  },
  late: () => Number(performance.now() - began > LONGEST_MS),
};

/** Runs a step of the simulator; when it traps, nothing of it is good for anything any more. */
function step(act) {
  try {
    act();
  } catch (error) {
    postMessage({ name: "trouble", data: ended ?? String(error) });
    close();
  }
}

onmessage = ({ data }) => step(() => {
  if (data instanceof WebAssembly.Module) {
    simulator = new WebAssembly.Instance(data, { page }).exports;
    simulator.ready();
    postMessage({ name: "ready" });
    return;
  }
  const question = encoder.encode(JSON.stringify(data));
  const at = simulator.room(question.length);
  bytes(at, question.length).set(question);
  began = performance.now();
  simulator.ask();
  postMessage({ name: "done" });
});
