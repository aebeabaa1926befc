// Two settings side by side: one kept as A, the present one is B. The figures, tables and charts show both
// by themselves; here are the buttons and what differs between the two.

import { el, button, byId } from "./dom.js";
import { table } from "./tables.js";

const KEEP = "Keep this setting as A, to compare with others";

/** `act.keep()`, `act.swap()` and `act.drop()`. */
export function createCompare(act) {
  const host = byId("kept");
  const keep = button(KEEP, act.keep, { id: "keep" });
  byId("tools").append(keep);
  const what = el("div");
  host.append(
    el("h3", { text: "Two settings side by side: A is kept, B is the one you change" }),
    what,
    el("p", { class: "ways" }, button("Swap A and B", act.swap, { id: "swap" }), button("Drop A", act.drop, { id: "drop" })),
  );
  let last = {};

  return function update({ setting, keptAnswer, told, frame, stale }) {
    keep.disabled = !frame || stale;
    keep.textContent = setting.kept ? "Keep this setting as A instead" : KEEP;
    if (setting.kept === last.kept && keptAnswer?.told === last.toldA && keptAnswer?.refused === last.refused && told === last.told) return;
    last = { kept: setting.kept, toldA: keptAnswer?.told, refused: keptAnswer?.refused, told };
    if (!setting.kept && host.contains(document.activeElement)) keep.focus();
    host.hidden = !setting.kept;
    what.replaceChildren();
    if (keptAnswer?.refused) what.append(el("pre", { tabindex: "0", text: `A has no answer.\n${keptAnswer.refused}` }));
    if (keptAnswer?.told && told) what.append(differences(keptAnswer.told, told));
  };
}

function differences(a, b) {
  const worth = (told, key) => {
    const control = told.controls.find((one) => one.key === key);
    if (!control) return "-";
    if (control.kind === "number") return `${control.number} ${control.unit}`.trim();
    return control.options.find(({ value }) => value === control.value)?.label ?? control.value;
  };
  const labels = new Map([...a.controls, ...b.controls].map(({ key, label }) => [key, label]));
  const rows = [...labels].map(([key, label]) => [label, worth(a, key), worth(b, key)]).filter(([, one, other]) => one !== other);
  if (a.source !== b.source) rows.unshift(["Lesson or file", a.title, b.title]);
  if (rows.length === 0) return el("p", { id: "same", text: "Now move a slider: A and B are still the same." });
  const columns = ["What differs", "A", "B"].map((head) => ({ head, kind: "text" }));
  return table({ caption: "What differs between A and B", columns, rows }, "differences");
}
