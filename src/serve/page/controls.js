// The sliders and choices of a setting. They are built anew where their list changes, and otherwise
// brought up to date in place: what the user holds or types in is never moved under the hand.

import { el, button, byId, say } from "./dom.js";
import { ladder, rungOf, tidy } from "./ladder.js";
import { keyOf } from "./state.js";

const MOST_RADIOS = 4;
const TYPING_MS = 300;

/** `act.move(key, value, {dragging})` sets, `act.reset(key)` takes back, `act.resetAll()` all. */
export function createControls(act) {
  const host = byId("controls");
  const dormant = byId("dormant");
  const resetAll = byId("reset-all");
  resetAll.addEventListener("click", () => {
    act.resetAll();
    host.querySelector("input, select, summary")?.focus();
  });
  let shape = "";
  let views = new Map();
  let last = null;

  function build(controls) {
    const held = document.activeElement?.id;
    views = new Map(controls.map((control) => [control.key, control.kind === "choice" ? choice(control, act) : number(control, act)]));
    const main = controls.filter((control) => control.main);
    const others = controls.filter((control) => !control.main);
    const open = host.querySelector("details")?.open ?? main.length === 0;
    const nodes = (list) => list.map((control) => views.get(control.key).node);
    host.replaceChildren(...nodes(main));
    if (others.length > 0) {
      const label = main.length > 0 ? "More settings" : "Settings";
      host.append(el("details", { id: "more", open }, el("summary", { text: label }), ...nodes(others)));
    }
    if (held) byId(held)?.focus();
  }

  return function update({ told, setting }) {
    resetAll.hidden = setting.sets.length === 0;
    if (told && told !== last?.told) {
      const next = JSON.stringify(told.controls.map((one) => [one.key, one.kind, one.main, one.options, one.label, one.unit]));
      if (next !== shape) build(told.controls);
      shape = next;
      for (const control of told.controls) views.get(control.key).show(control);
      const without = told.sets.map(keyOf).filter((key) => !views.has(key));
      const notes = [];
      if (told.dormant.length > 0) {
        notes.push(`Kept, but without meaning while the other settings are as they are: ${told.dormant.join(", ")}.`);
      }
      if (without.length > 0) {
        const others = told.sets.filter((set) => without.includes(keyOf(set)));
        notes.push(`Also set, by the address of the page: ${others.join(", ")}.`);
      }
      dormant.hidden = notes.length === 0;
      say(dormant, notes.join(" "));
    }
    if (told !== last?.told || setting !== last?.setting) {
      const keys = new Set(setting.sets.map(keyOf));
      for (const [key, view] of views) view.mark(keys.has(key));
    }
    last = { told, setting };
  };
}

/** Said of a key that nothing is known of: not worth a line. */
const NO_HELP = "As the scenario file has it.";

const helpOf = ({ help }) => (help === NO_HELP ? "" : help ?? "");

const idOf = (key) => `set-${key.replace(/[^A-Za-z0-9]/g, "-")}`;

/** What all controls have: a mark where changed, a way back, a sentence of help. */
function frame(control, act, tag, head, body) {
  const id = idOf(control.key);
  const back = () => {
    act.reset(control.key);
    node.querySelector("input:not([type=radio]), input:checked, select").focus();
  };
  const reset = button("reset", back, { class: "reset", hidden: true, "aria-label": `Reset: ${control.label}` });
  const help = el("p", { class: "help", id: `${id}-help`, text: helpOf(control) });
  const node = el(tag, { class: "control", "data-key": control.key }, head, reset, body, help);
  let changed = control.changed;
  return {
    node,
    help,
    /** Told by the simulator, or asked for. */
    mark(asked, told = changed) {
      changed = told;
      node.toggleAttribute("data-changed", asked || told);
      reset.hidden = !(asked || told);
    },
  };
}

function number(control, act) {
  const id = idOf(control.key);
  let current = control;
  let values = ladder(control);
  let dragging = false;
  let typing = null;
  const range = el("input", { type: "range", id, class: "range", "aria-describedby": `${id}-help` });
  const field = el("input", { type: "number", id: `${id}-number`, class: "field", "aria-label": `${control.label}, as a number` });
  const send = (value, held) => {
    range.setAttribute("aria-valuetext", withUnit(value, current));
    act.move(control.key, current.write.replace("{}", plain(value)), { dragging: held });
  };
  const ofRange = () => (values ? values[range.valueAsNumber] : tidy(range.valueAsNumber));
  range.addEventListener("input", () => {
    dragging = true;
    field.value = plain(ofRange());
    send(ofRange(), true);
  });
  range.addEventListener("change", () => {
    dragging = false;
    send(ofRange(), false);
  });
  range.addEventListener("blur", () => { dragging = false; });
  field.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => Number.isFinite(field.valueAsNumber) && send(field.valueAsNumber, true), TYPING_MS);
  });
  field.addEventListener("change", () => {
    clearTimeout(typing);
    if (Number.isFinite(field.valueAsNumber)) send(field.valueAsNumber, false);
    else field.value = plain(current.number);
  });
  function place(value) {
    range.value = values ? rungOf(values, value) : value;
    range.setAttribute("aria-valuetext", withUnit(value, current));
  }
  const head = el("label", { for: id, text: control.label });
  const row = el("div", { class: "row" }, range, field, el("span", { class: "unit", text: control.unit }));
  const base = frame(control, act, "div", head, row);
  return {
    ...base,
    show(next) {
      current = next;
      values = ladder(next);
      const [min, max, step] = values ? [0, values.length - 1, 1] : [next.from, next.to, next.step > 0 ? next.step : "any"];
      Object.assign(range, { min, max, step });
      Object.assign(field, { min: next.from, max: next.to, step: next.step > 0 ? next.step : "any" });
      if (!dragging) place(next.number);
      if (document.activeElement !== field && !dragging) field.value = plain(next.number);
      say(base.help, helpOf(next));
      base.mark(false, next.changed);
    },
  };
}

/** A number as a file has it: no exponent where it can be helped. */
function plain(value) {
  const text = String(tidy(value));
  return text.includes("e-") ? value.toFixed(12).replace(/0+$/, "") : text;
}

const withUnit = (value, { unit }) => (unit ? `${plain(value)} ${unit}` : plain(value));

function choice(control, act) {
  const id = idOf(control.key);
  const describedby = `${id}-help`;
  const move = (value) => act.move(control.key, value, { dragging: false });
  if (control.options.length > MOST_RADIOS) {
    const select = el("select", { id, "aria-describedby": describedby, on: { change: () => move(select.value) } },
      ...control.options.map(({ value, label }) => el("option", { value, text: label })));
    const base = frame(control, act, "div", el("label", { for: id, text: control.label }), select);
    return { ...base, show(next) {
      if (select.value !== next.value) select.value = next.value;
      say(base.help, helpOf(next));
      base.mark(false, next.changed);
    } };
  }
  const radios = control.options.map(({ value, label }, index) => {
    const input = el("input", { type: "radio", id: `${id}-${index}`, name: id, value, on: { change: () => move(value) } });
    return { value, input, node: el("label", { class: "radio", for: `${id}-${index}` }, input, label) };
  });
  const body = el("div", { class: "radios" }, ...radios.map((radio) => radio.node));
  const base = frame(control, act, "fieldset", el("legend", { text: control.label }), body);
  base.node.setAttribute("aria-describedby", describedby);
  return { ...base, show(next) {
    for (const radio of radios) radio.input.checked = radio.value === next.value;
    say(base.help, helpOf(next));
    base.mark(false, next.changed);
  } };
}
