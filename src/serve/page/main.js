// Puts the page together: the store, the simulator, the views, the address.

import { createAsker } from "./ask.js";
import { createCompare } from "./compare.js";
import { createControls } from "./controls.js";
import { createCurve } from "./curve.js";
import { byId } from "./dom.js";
import { createExport } from "./export.js";
import { createFigures } from "./figures.js";
import { createLesson } from "./lesson.js";
import { createPercentiles } from "./percentiles.js";
import { createPredict } from "./predict.js";
import { createProblem } from "./problem.js";
import * as simulator from "./simulator.js";
import { BLANK, START, createStore, fromFragment, sameQuestion, toFragment, withSet, withoutSet } from "./state.js";
import { createTables } from "./tables.js";
import { createTimeline } from "./timeline.js";

const HISTORY_MS = 1000;
const SETTLED_MS = 400;

const store = createStore(START);
const asker = createAsker(store, simulator);
let settle = null;
let pushed = { at: -Infinity, key: null };

/** Writes the setting into the address; moves of one control that follow at once share an entry of the history. */
function commit(key = null) {
  clearTimeout(settle);
  const fragment = toFragment(store.get().setting);
  if (fragment === location.hash) return;
  const now = performance.now();
  const follows = key !== null && key === pushed.key && now - pushed.at < HISTORY_MS;
  history[follows ? "replaceState" : "pushState"](null, "", fragment);
  pushed = { at: now, key };
}

/** Opened with nothing set, a lesson asks for a prediction before it shows its answer. */
const OPENING = { ...BLANK, opening: true };

/** Takes over a setting and asks for its answer; `opening` is the prediction of another source. */
function choose(values, { dragging = false, key = null, opening = null } = {}) {
  const { setting, prediction } = store.get();
  const other = values.source !== undefined && values.source !== setting.source;
  store.change({ setting: { ...setting, ...values }, prediction: other ? opening : prediction });
  asker.ask({ dragging });
  clearTimeout(settle);
  if (dragging) settle = setTimeout(commit, SETTLED_MS, key);
  else commit(key);
}

const act = {
  open: (source) => choose({ source, sets: [], curve: null }, { opening: OPENING }),
  move: (key, value, { dragging }) => choose({ sets: withSet(store.get().setting.sets, key, value) }, { dragging, key }),
  reset: (key) => choose({ sets: withoutSet(store.get().setting.sets, key) }),
  resetAll: () => choose({ sets: [] }),
  curve: (curve) => choose({ curve }),
  keep() {
    const { setting, told, frame, phase } = store.get();
    const kept = { source: setting.source, sets: setting.sets };
    store.change({ setting: { ...setting, kept }, keptAnswer: { of: kept, curve: told.curve, told, frame, done: phase === "done" } });
    commit();
  },
  swap() {
    const { setting, told, frame, phase } = store.get();
    const kept = { source: setting.source, sets: setting.sets };
    store.change({ keptAnswer: { of: kept, curve: told?.curve, told, frame, done: phase === "done" } });
    choose({ ...setting.kept, kept, curve: setting.kept.source === setting.source ? setting.curve : null });
  },
  drop() {
    store.change({ setting: { ...store.get().setting, kept: null }, keptAnswer: null });
    commit();
  },
  back: (setting) => choose(setting),
  again: () => (store.get().sources ? asker.ask() : begin()),
};

/** Reads the address; without a source in it, the first lesson. */
function fromAddress() {
  clearTimeout(settle);
  const setting = fromFragment(location.hash);
  const { lessons, files } = store.get().sources;
  setting.source ??= (lessons[0] ?? files[0])?.id ?? null;
  const { keptAnswer, prediction, setting: before } = store.get();
  store.change({
    setting,
    keptAnswer: sameQuestion(keptAnswer?.of ?? null, setting.kept) ? keptAnswer : null,
    prediction: before.source === setting.source ? prediction : setting.sets.length > 0 || setting.kept ? null : OPENING,
  });
  if (toFragment(setting) !== location.hash) history.replaceState(null, "", toFragment(setting));
  if (setting.source) asker.ask();
}

async function begin() {
  store.change({ problem: null, phase: "busy" });
  try {
    store.change({ sources: await simulator.sources() });
  } catch (error) {
    asker.fail(error);
    return;
  }
  fromAddress();
}

const answer = byId("answer");
store.subscribe(({ phase, frame, stale }) => {
  answer.dataset.state = phase;
  answer.dataset.step = frame?.step ?? 0;
  answer.dataset.steps = frame?.steps ?? 0;
  answer.dataset.stale = String(stale);
  answer.setAttribute("aria-busy", String(phase === "busy"));
});
const curve = createCurve(act);
const predict = createPredict((prediction) => store.change({ prediction }), curve);
const views = [
  createLesson(act, simulator.WORDS), createControls(act), createProblem(act), createCompare(act), createFigures(), curve.update, predict,
  createPercentiles(), createTimeline(), createTables(), createExport(simulator.exportLink),
];
for (const view of views) store.subscribe(view);

window.addEventListener("popstate", () => store.get().sources && fromAddress());
byId("skip").addEventListener("click", () => answer.focus());
begin();
