// Predict before you look: the answer is covered, a line is drawn in the chart of the curve (with the
// pointer or the arrow keys) or a number is given, and then both are shown with the distance between.
// A lesson that asks for a prediction opens with its answer covered; that it asks is known once it is told.

import { el, button, byId, prose, say, short } from "./dom.js";
import { sameX } from "./curve.js";
import { withUnit } from "./figures.js";
import { nice } from "./plot.js";
import { BLANK, isCovered, sameQuestion } from "./state.js";

const HOW = "Draw the line in the chart below, with the pointer or, once the chart has the focus, with the keys: "
  + "left and right choose a place, up and down move the line there, Delete takes it away.";

/** `change(prediction)` puts a prediction into the store, or null; `curve` is the chart to draw in. */
export function createPredict(change, curve) {
  const host = byId("predict");
  const picture = curve.plot.picture;
  const start = button("Hide the answer and predict", () => change(BLANK), { id: "hide" });
  byId("tools").append(start);
  let state = null;
  let phase = "";
  let source = null;
  let drawing = null; // the last place of the pointer

  /** The curve of the answer, told to nobody yet: its places along x are where a line can be drawn. */
  function ready(next) {
    const { prediction } = next;
    const shown = curve.shown();
    if (!shown || next.stale) return;
    if (prediction.curve === shown.id && sameX(prediction, shown)) return;
    change({ ...prediction, curve: shown.id, x: shown.x, y: shown.x.map(() => null), top: topOf(shown, next.frame), place: null });
  }

  function ask() {
    const field = (id, event, act) => el("input", {
      type: "number", id, class: "field", min: 0, step: "any", on: { [event]: (happened) => act(happened.target.valueAsNumber) },
    });
    const number = field("predicted", "input", (value) => change({ ...state.prediction, number: Number.isFinite(value) ? value : null }));
    const top = field("top", "change", (value) => value > 0 && change({ ...state.prediction, top: value }));
    host.replaceChildren(
      el("div", { class: "ways" },
        el("h3", { text: "The answer is hidden. What do you expect?" }),
        button("Show the answer without predicting", () => change(null), { id: "unhide", class: "small" })),
      el("p", { id: "asked" }),
      el("p", {}, el("label", { for: "predicted", id: "asked-figure", text: "The first figure at this setting: " }), number, el("span", { id: "asked-unit" })),
      el("div", { id: "drawn", hidden: true },
        el("p", { class: "help", id: "how", text: HOW }),
        el("p", {}, el("label", { for: "top", text: "Top of the chart: " }), top, " ", button("Clear the line", clear))),
      el("p", { class: "ways" }, button("Show the answer", show, { id: "show" })),
    );
  }

  /** What is known of the question by now; what the user holds or types stays as it is. */
  function fill({ told, frame, stale, prediction }) {
    const asked = byId("asked");
    const words = told.lesson?.predict ?? "Say it before you look.";
    if (asked.dataset.words !== words) asked.replaceChildren(...prose(words));
    asked.dataset.words = words;
    const first = stale ? null : frame?.figures[0];
    if (first) {
      say(byId("asked-figure"), `${first.label} at this setting: `);
      say(byId("asked-unit"), ` ${first.unit}`);
    }
    byId("drawn").hidden = prediction.x.length === 0;
    const top = byId("top");
    if (document.activeElement !== top && prediction.top) top.value = prediction.top;
  }

  const clear = () => change({ ...state.prediction, y: state.prediction.x.map(() => null) });

  function show() {
    change({ ...state.prediction, shown: true, setting: state.setting, place: null });
    host.focus();
  }

  function compare({ frame, setting, stale, prediction }) {
    const said = sameQuestion(prediction.setting, setting)
      ? stale || !frame ? ["Wait for the answer."] : distances(prediction, frame)
      : ["Your prediction was for the setting before this one."];
    if (host.querySelector(".said")?.textContent === said.join("")) return;
    host.replaceChildren(
      el("h3", { text: "Your prediction" }),
      el("div", { class: "said", id: "distance" }, ...said.map((text) => el("p", { text }))),
      el("p", { class: "ways" }, button("Predict again", () => start.click()), button("Clear it", () => change(null), { id: "forget" })),
    );
  }

  /** Moves the line to `y` at each place between two of the pointer. */
  function drawTo(from, to) {
    const { prediction } = state;
    const distance = (index) => Math.abs(prediction.x[index] - to.x);
    const nearest = prediction.x.reduce((best, _, index) => (distance(index) < distance(best) ? index : best), 0);
    const inRange = (y) => Math.min(Math.max(y, 0), prediction.top);
    const [low, high] = from.x <= to.x ? [from, to] : [to, from];
    const y = prediction.x.map((x, index) => {
      if (index === nearest) return inRange(to.y);
      if (x < low.x || x > high.x) return prediction.y[index];
      return inRange(low.y + ((high.y - low.y) * (x - low.x)) / (high.x - low.x || 1));
    });
    change({ ...prediction, y });
  }

  const drawable = () => state !== null && isCovered(state) && state.prediction.x.length > 0;
  picture.addEventListener("pointerdown", (event) => {
    if (!drawable() || event.button !== 0) return;
    picture.setPointerCapture(event.pointerId);
    drawing = curve.plot.valueAt(event);
    drawTo(drawing, drawing);
  });
  picture.addEventListener("pointermove", (event) => {
    if (!drawing || !drawable()) return;
    const now = curve.plot.valueAt(event);
    drawTo(drawing, now);
    drawing = now;
  });
  for (const end of ["pointerup", "pointercancel"]) picture.addEventListener(end, () => { drawing = null; });

  picture.addEventListener("keydown", (event) => {
    if (!drawable()) return;
    const { prediction } = state;
    const { x, y, top } = prediction;
    const steps = { ArrowUp: 0.02, ArrowDown: -0.02, PageUp: 0.1, PageDown: -0.1 };
    const ways = { ArrowLeft: -1, ArrowRight: 1, Home: -x.length, End: x.length };
    const place = prediction.place ?? 0;
    const next = Math.min(Math.max(place + (prediction.place === null ? 0 : ways[event.key] ?? 0), 0), x.length - 1);
    const values = [...y];
    const from = y[place] ?? y.slice(0, place).findLast((one) => one !== null) ?? 0;
    if (event.key in steps) values[place] = Math.min(Math.max(from + steps[event.key] * top, 0), top);
    else if (event.key === "Delete") values[place] = null;
    else if (!(event.key in ways)) return;
    event.preventDefault();
    change({ ...prediction, y: values, place: next });
  });

  /** While the answer is covered, the chart is something to work with, not a picture. */
  function equip({ prediction }, hidden) {
    picture.classList.toggle("drawing", hidden);
    if (!hidden) {
      for (const name of ["tabindex", "aria-valuenow", "aria-valuemin", "aria-valuemax", "aria-valuetext"]) picture.removeAttribute(name);
      picture.setAttribute("role", "img");
      return;
    }
    const place = prediction.place ?? 0;
    const y = prediction.y[place] ?? null;
    const words = {
      role: "slider", tabindex: 0, "aria-describedby": "how", "aria-label": "Your line",
      "aria-valuemin": 0, "aria-valuemax": prediction.top ?? 0, "aria-valuenow": y ?? 0,
      "aria-valuetext": `at ${short(prediction.x[place])}: ${y === null ? "nothing drawn" : short(y)}`,
    };
    for (const [name, value] of Object.entries(words)) picture.setAttribute(name, value);
  }

  return function update(next) {
    const { prediction, told, setting } = next;
    const known = told?.source === setting.source;
    if (prediction?.opening && known) {
      change(told.lesson?.predict ? { ...prediction, opening: false } : null);
      return;
    }
    const inside = host.contains(document.activeElement);
    const byHand = document.activeElement === start || inside;
    const covered = isCovered(next);
    const now = !covered ? (prediction ? "shown" : "off") : known ? "hidden" : "waiting";
    state = next;
    for (const id of ["open", "rest", "tools"]) byId(id).hidden = covered;
    byId("answer").dataset.predict = now;
    host.hidden = now === "off" || now === "waiting";
    equip(next, covered);
    if (now === "hidden") {
      if (phase !== "hidden" || source !== setting.source) ask();
      if (phase !== "hidden" && byHand) byId("predicted").focus();
      fill(next);
      ready(next);
    }
    if (now === "shown") compare(next);
    if (now === "off" && inside) start.focus();
    phase = now;
    source = setting.source;
  };
}

/** A scale that does not give the answer away. */
function topOf({ bound }, frame) {
  if (bound !== null) return nice(3 * bound);
  const value = frame?.figures[0]?.value;
  return value > 0 ? 10 ** Math.ceil(Math.log10(2 * value)) : 1000;
}

function distances(prediction, frame) {
  const said = [];
  const first = frame.figures[0];
  const at = frame.curve?.at;
  const number = prediction.number ?? (frame.curve?.id === prediction.curve ? along(prediction, at) : null);
  if (first && number !== null) {
    const words = prediction.number === null ? "At this setting your line is at" : "You expected";
    const expected = `${words} ${withUnit(short(number), first)}; the simulation says ${withUnit(first.text, first)}`;
    const off = first.value > 0 ? (100 * (number - first.value)) / first.value : null;
    const apart = off === null ? "" : Math.abs(off) < 0.5 ? ": the same" : `: ${short(Math.abs(off))} % too ${off > 0 ? "high" : "low"}`;
    said.push(`${expected}${apart}.`);
  }
  const line = frame.curve?.id === prediction.curve ? frame.curve.series.find(({ role }) => role === "vm") : null;
  const real = (index) => line.y[frame.curve.x.indexOf(prediction.x[index])] ?? null;
  const pairs = line ? prediction.y.map((y, index) => [y, real(index)]).filter(([y]) => y !== null) : [];
  const factors = pairs.filter(([y, is]) => y > 0 && is > 0).map(([y, is]) => Math.max(y / is, is / y)).sort((a, b) => a - b);
  if (factors.length > 0) {
    const [middle, worst] = [factors[Math.floor(factors.length / 2)], factors[factors.length - 1]].map(short);
    said.push(`Your line is off by a factor of ${middle} at the middle one of its ${factors.length} places, of ${worst} at the worst (${line.name}).`);
  }
  const endless = pairs.filter(([, is]) => is === null).length;
  if (endless > 0) said.push(`At ${endless} of the places where you drew, the simulation has no end: more is asked than can be done.`);
  return said.length > 0 ? said : ["You gave no number and drew no line."];
}

/** The drawn line at a place, between its points. */
function along({ x, y }, place) {
  const after = x.findIndex((other) => other >= place);
  if (after < 0 || y[after] === null) return null;
  if (x[after] === place || after === 0) return y[after];
  if (y[after - 1] === null) return null;
  return y[after - 1] + ((y[after] - y[after - 1]) * (place - x[after - 1])) / (x[after] - x[after - 1]);
}
