// The verdict and the figures of the answer, those of A beside them.

import { el, byId, say } from "./dom.js";
import { isCovered } from "./state.js";

const MARKS = new Map([[true, "good"], [false, "bad"], [null, "unsure"]]);

export function createFigures() {
  const host = byId("figures");
  const verdict = byId("verdict");
  const verdictOfA = byId("verdict-a");
  const progress = byId("progress");
  const spoken = byId("spoken");
  let last = {};

  function show(frame, a) {
    judge(verdict, frame, a ? "B" : "");
    judge(verdictOfA, a, "A");
    host.replaceChildren(...frame.figures.map((figure) => card(figure, a?.figures.find(({ id }) => id === figure.id), Boolean(a))));
    const end = frame.exact;
    say(progress, end
      ? `${frame.said}. These are the figures that slicewise run prints.`
      : `${frame.step === 1 ? "coarse answer" : "finer answer"}, ${frame.step} of ${frame.steps}: ${frame.said}`);
  }

  return function update(state) {
    const { frame, keptAnswer, setting, phase } = state;
    const a = setting.kept ? keptAnswer?.frame ?? null : null;
    if (frame && (frame !== last.frame || a !== last.a)) show(frame, a);
    if (isCovered(state)) say(spoken, "");
    else if (phase === "done" && frame) {
      const first = frame.figures[0];
      say(spoken, [frame.verdict.text, first && `${first.label}: ${withUnit(first.text, first)}`].filter(Boolean).join(" "));
    }
    last = { frame, a };
  };
}

/** A verdict, in words and in colour; none without a frame. */
function judge(node, frame, mark) {
  node.hidden = !frame;
  if (!frame) return;
  node.className = `verdict ${MARKS.get(frame.verdict.holds) ?? "unsure"}`;
  node.dataset.holds = String(frame.verdict.holds);
  node.replaceChildren(...(mark ? [el("span", { class: "mark", text: `${mark} ` })] : []), ...marked(frame.verdict.text));
}

/** The word of the verdict stands out. */
function marked(text) {
  const [, word, rest] = /^([^:.]{1,20}[:.])(.*)$/s.exec(text) ?? [null, "", text];
  return [el("strong", { text: word }), rest];
}

/** A figure without a unit where it is no number. */
export const withUnit = (text, { unit, value }) => (unit && value !== null ? `${text} ${unit}` : text);

function card(figure, ofA, sideBySide) {
  const { id, label, value, low, high, beside } = figure;
  const number = (one, mark) => el("p", { class: "big", "data-value": one.value ?? "" },
    mark ? el("span", { class: "mark", text: `${mark} ` }) : null,
    el("span", { class: "value", text: one.text }),
    one.value !== null && one.unit ? ` ${one.unit}` : null);
  const interval = (one) => (one.low !== null && one.high !== null
    ? el("p", { class: "interval", text: `${show(one.low)} to ${show(one.high)} (95 % interval)` }) : null);
  const others = (one) => (one.beside ?? []).map((other) => el("p", { class: "beside" },
    `${other.label}: `,
    el("span", { class: "value", text: withUnit(other.text, { unit: one.unit, value: other.value }) })));
  return el("div", { class: "figure", "data-figure": id },
    el("h3", { text: label }),
    sideBySide && ofA ? el("div", { class: "of-a" }, number(ofA, "A"), interval(ofA), ...others(ofA)) : null,
    el("div", { class: "of-b" }, number(figure, sideBySide ? "B" : ""), interval({ low, high, value }), ...others({ ...figure, beside })));
}

const show = (value) => String(Number(value.toPrecision(4)));
