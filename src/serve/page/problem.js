// Tells why there is no answer: a setting that is refused, a program that is gone.

import { el, button, byId } from "./dom.js";
import { isCovered } from "./state.js";

/** `act.again()` asks once more, `act.back(setting)` and `act.resetAll()` leave a setting. */
export function createProblem(act) {
  const host = byId("problem");
  let last = null;
  return function update(state) {
    const { problem, lastGood, setting, frame } = state;
    if (problem === last) return;
    last = problem;
    if (host.contains(document.activeElement)) byId("answer").focus({ preventScroll: true });
    host.hidden = problem === null;
    host.replaceChildren();
    if (problem === null) return;
    const ways = [];
    if (!problem.refused) ways.push(button("Try again", act.again, { id: "again" }));
    if (problem.refused && lastGood?.source === setting.source) {
      ways.push(button("Back to the setting before", () => act.back(lastGood), { id: "back" }));
    }
    if (setting.sets.length > 0) ways.push(button("Reset all", act.resetAll));
    host.append(el("h3", { text: problem.title }), el("pre", { tabindex: "0", text: problem.text }));
    if (frame && !isCovered(state)) host.append(el("p", { text: "What stands below is the answer to the setting before." }));
    host.append(el("p", { class: "ways" }, ...ways));
  };
}
