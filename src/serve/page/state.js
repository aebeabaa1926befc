// The one store of the page, and the setting in it: which source, which sets, which curve, and the
// setting kept as A. A setting is written into the fragment of the address and read from it.

const MOST_SETS = 64;
const LONGEST = 500;

/** What is shown before anything is known. */
export const START = {
  sources: null,
  setting: { source: null, sets: [], curve: null, kept: null },
  told: null, // the last `setting` of the simulator
  frame: null, // its last frame
  phase: "busy", // busy, done, refused, error
  stale: true, // the frame belongs to a setting before this one
  problem: null, // { title, text, again }
  lastGood: null,
  keptAnswer: null, // { told, frame } of A
  prediction: null, // { opening, shown, number, curve, x, y, top, place, setting }
};

/** Nothing predicted yet, and the answer covered. `opening`: only if the lesson that is opened asks for a prediction. */
export const BLANK = { opening: false, shown: false, number: null, curve: null, x: [], y: [], top: null, place: null, setting: null };

/** Whether the answer must not be seen now. */
export const isCovered = ({ prediction }) => prediction !== null && !prediction.shown;

export function createStore(start) {
  let state = start;
  const listeners = [];
  let telling = false;
  function tell() {
    telling = false;
    for (const listener of listeners) listener(state);
  }
  return {
    get: () => state,
    /** Takes over new values; everyone is told once of all that changes at the same moment. */
    change(values) {
      state = { ...state, ...values };
      if (!telling) queueMicrotask(tell);
      telling = true;
    },
    subscribe: (listener) => listeners.push(listener),
  };
}

export const keyOf = (set) => set.slice(0, set.indexOf("="));

/** The sets with this one in the place of an older one of its key. */
export function withSet(sets, key, value) {
  const set = `${key}=${value}`;
  const known = sets.some((other) => keyOf(other) === key);
  return known ? sets.map((other) => (keyOf(other) === key ? set : other)) : [...sets, set];
}

export const withoutSet = (sets, key) => sets.filter((set) => keyOf(set) !== key);

/** Whether two settings ask the same of the simulator. */
export function sameQuestion(one, other) {
  return one !== null && other !== null && one.source === other.source && one.sets.join("\n") === other.sets.join("\n");
}

export function toFragment(setting) {
  const words = new URLSearchParams();
  if (setting.source) words.append("source", setting.source);
  if (setting.curve) words.append("curve", setting.curve);
  for (const set of setting.sets) words.append("set", set);
  if (setting.kept) {
    words.append("a", setting.kept.source);
    for (const set of setting.kept.sets) words.append("a-set", set);
  }
  return `#${words}`;
}

/** Reads what it can; what makes no sense is left out. */
export function fromFragment(fragment) {
  const words = new URLSearchParams(fragment.replace(/^#/, ""));
  const one = (name) => words.get(name)?.slice(0, LONGEST) || null;
  const sets = (name) => {
    let all = [];
    for (const set of words.getAll(name).slice(0, MOST_SETS)) {
      const at = set.indexOf("=");
      if (at > 0 && set.length <= LONGEST) all = withSet(all, set.slice(0, at), set.slice(at + 1));
    }
    return all;
  };
  const kept = one("a") ? { source: one("a"), sets: sets("a-set") } : null;
  return { source: one("source"), sets: sets("set"), curve: one("curve"), kept };
}
