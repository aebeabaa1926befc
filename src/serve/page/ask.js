// Keeps the answer in step with the setting: the newest question aborts the older. While a slider is
// dragged, a question may live until its first frame, so that the figures move with the hand.

import { sameQuestion } from "./state.js";

const BETWEEN_MS = 30;
const PATIENCE_MS = 120;

export function createAsker(store, simulator) {
  let running = null;
  let timer = null;
  let keptRunning = null;
  let asked = null;

  /** Asks what the store's setting asks, unless that is being asked or answered already. */
  function ask({ dragging = false } = {}) {
    const { setting } = store.get();
    if (timer === null && sameQuestion(asked, setting) && asked.curve === setting.curve) {
      askKept();
      return;
    }
    store.change({ stale: true, phase: "busy" });
    begin(dragging);
  }

  /** Starts now or, while dragging, when the question before has had its chance. */
  function begin(dragging) {
    clearTimeout(timer);
    timer = null;
    const age = running ? performance.now() - running.began : Infinity;
    const wait = !dragging || !running ? 0 : running.framed ? BETWEEN_MS - age : PATIENCE_MS - age;
    if (wait > 0) timer = setTimeout(start, wait);
    else start();
  }

  async function start() {
    timer = null;
    running?.abort.abort();
    keptRunning?.abort();
    const mine = { abort: new AbortController(), began: performance.now(), framed: false };
    running = mine;
    const { setting } = store.get();
    asked = setting;
    let refused = false;
    try {
      await simulator.answer(setting, {
        signal: mine.abort.signal,
        onEvent(name, data) {
          if (name === "setting") {
            store.change({ told: data, problem: null });
          } else if (name === "frame") {
            mine.framed = true;
            store.change({ frame: data, stale: false, phase: "busy", lastGood: setting });
            if (timer !== null) begin(true);
          } else if (name === "refused") {
            refused = true;
            store.change({ phase: "refused", problem: { title: "This setting is not possible.", text: data.message, refused } });
          }
        },
      });
    } catch (error) {
      if (mine.abort.signal.aborted) return;
      fail(error);
      return;
    }
    if (running !== mine) return;
    running = null;
    if (timer !== null) return;
    if (!refused) store.change({ phase: "done" });
    askKept();
  }

  /** Asks for A, where one is kept and its answer is not there yet; the present setting goes first. */
  async function askKept() {
    const { setting, keptAnswer } = store.get();
    const { kept } = setting;
    if (running) return;
    const curve = kept?.source === setting.source ? (store.get().told?.curve ?? setting.curve) : null;
    if (!kept || (keptAnswer && keptAnswer.done && sameQuestion(keptAnswer.of, kept) && keptAnswer.curve === curve)) return;
    keptRunning?.abort();
    const abort = new AbortController();
    keptRunning = abort;
    const have = (answer) => store.change({ keptAnswer: { of: kept, curve, ...answer } });
    let told = null;
    try {
      await simulator.answer({ ...kept, curve }, {
        signal: abort.signal,
        onEvent(name, data) {
          if (name === "setting") told = data;
          if (name === "frame") have({ told, frame: data, done: data.step === data.steps });
          if (name === "refused") have({ told: null, frame: null, done: true, refused: data.message });
        },
      });
    } catch (error) {
      if (!abort.signal.aborted) have({ told: null, frame: null, done: true, refused: error.message });
    }
  }

  function fail(error) {
    const gone = error.gone === true;
    const { WORDS } = simulator;
    const title = gone ? WORDS.gone : WORDS.failed;
    const text = gone
      ? `${error.message}. ${WORDS.isItThere}`
      : [error.message, error.allowed && `allowed: ${error.allowed}`].filter(Boolean).join("\n");
    running = null;
    asked = null;
    store.change({ phase: "error", problem: { title, text, refused: false } });
  }

  return { ask, fail };
}
