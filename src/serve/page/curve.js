// The curve over the load or the number of VMs: which one, its chart, and the drawn prediction in it.

import { el, byId, short } from "./dom.js";
import { both } from "./lines.js";
import { createPlot } from "./plot.js";
import { isCovered } from "./state.js";

/** `act.curve(id)` asks for another curve, `act.move` sets a control; gives the plot and `update`. */
export function createCurve(act) {
  const host = byId("chart-curve");
  const none = byId("no-curve");
  const tabs = el("fieldset", { class: "tabs", id: "curves" });
  const scale = el("fieldset", { class: "tabs", id: "scale" });
  const plot = createPlot(host, "curve", el("div", { class: "bar" }, tabs, scale));
  let log = false;
  let listed = "";
  let last = {};
  let state = null;
  scale.append(legend("Scale of the chart"), ...radios("scale", [[false, "linear"], [true, "logarithmic"]], false, (value) => {
    log = value;
    last = {};
    update(state);
  }));

  function list({ curves, curve }) {
    const key = JSON.stringify([curves, curve]);
    if (key === listed) return;
    listed = key;
    const held = tabs.contains(document.activeElement);
    tabs.replaceChildren(legend("Curve"), ...radios("curve", curves.map(({ id, label }) => [id, label]), curve, act.curve));
    tabs.hidden = curves.length < 2;
    if (held) tabs.querySelector("input:checked")?.focus();
  }

  function update(next) {
    state = next;
    const { told, frame, keptAnswer, setting, prediction } = next;
    if (told) list(told);
    none.hidden = !told?.no_curve;
    none.textContent = told?.no_curve ?? "";
    const a = setting.kept ? keptAnswer?.frame?.curve ?? null : null;
    const mine = frame?.curve ?? (told?.curve && last.mine?.id === told.curve && last.source === told.source ? last.mine : null);
    if (mine === last.mine && a === last.a && prediction === last.prediction) return;
    last = { mine, a, prediction, source: told?.source };
    host.hidden = !mine;
    if (mine) plot.draw(spec(mine, a?.id === mine.id ? a : null, prediction, log, told));
  }

  plot.picture.addEventListener("click", (event) => {
    const { told } = state;
    const control = controlOf(told, last.mine);
    if (!control || isCovered(state)) return;
    const { x, within } = plot.valueAt(event);
    if (!within) return;
    const near = last.mine.x.reduce((best, other) => (Math.abs(other - x) < Math.abs(best - x) ? other : best));
    act.move(control.key, control.write.replace("{}", near), { dragging: false });
  });

  return { plot, update, shown: () => last.mine };
}

/** The control that a curve goes over, where it has one. */
function controlOf(told, mine) {
  const known = told?.curves.find(({ id }) => id === mine?.id);
  return told?.controls.find(({ key }) => key === known?.key);
}

/** Whether two lines have the same places. */
export const sameX = (one, other) => one.x.length === other.x.length && one.x.every((x, index) => x === other.x[index]);

/** What the lines of a curve mean, for the legend. */
const MEANINGS = new Map([["p99", "99 of 100 queries are no slower"], ["mean", "the average"]]);
const STROKES = new Map([
  ["vm", "solid are simulated"], ["theory", "dotted are theory, each in the colour of its simulated line"], ["bare", "dashed are bare metal"],
]);

function inLegend({ name, of }) {
  const meaning = MEANINGS.get(of ? name.slice(of.length + 2) : name);
  return meaning ? `${name} (${meaning})` : name;
}

/** Which lines belong together, where there are several of a kind. */
function together(series) {
  if (!series.some(({ name }) => /\bmean\b/.test(name))) return "";
  const roles = [...STROKES].filter(([role]) => series.some((one) => one.role === role)).map(([, words]) => words);
  return ` Lines: ${roles.join("; ")}.`;
}

const legend = (text) => el("legend", { class: "unseen", text });

function radios(name, all, checked, act) {
  const input = (value) => el("input", { type: "radio", name, value: String(value), checked: value === checked, on: { change: () => act(value) } });
  return all.map(([value, label]) => el("label", {}, input(value), label));
}

function spec(mine, a, prediction, log, told) {
  const hidden = isCovered({ prediction });
  const series = hidden ? [] : both(mine, a, (one) => one.y);
  const drawn = prediction?.curve === mine.id && sameX(prediction, mine) && prediction.y.some((y) => y !== null);
  if (drawn) series.push({ name: "your prediction", role: "drawn", of: null, x: prediction.x, y: prediction.y, low: null, high: null });
  const all = [...mine.x, ...(a ? a.x : [])];
  const label = told?.curves.find(({ id }) => id === mine.id)?.label ?? "";
  return {
    title: `${mine.y_label.split(",")[0]} ${label}`,
    about: hidden ? `The answer is hidden: draw the line of ${mine.series[0].name} that you expect.` : about(mine, series) + together(series),
    legend: inLegend,
    hint: hidden ? "" : `Point at the chart to read its lines${controlOf(told, mine) ? "; click, and the setting goes there" : ""}.`,
    x: { label: mine.x_label, min: Math.min(...all), max: Math.max(...all), marks: null, name: (x) => `${short(x)} ${mine.x_label}`, cell: short },
    y: { label: mine.y_label, log: log && !hidden, top: hidden ? prediction.top : null, cap: log ? null : cap(mine, series) },
    series,
    bound: mine.bound === null ? null : { y: mine.bound, x: null, text: `bound ${short(mine.bound)}` },
    at: mine.at,
    point: hidden && prediction.place !== null ? { x: prediction.x[prediction.place], y: prediction.y[prediction.place] ?? 0 } : null,
  };
}

/** A line that shoots up leaves a linear chart at its top, so that the rest can be seen. */
function cap(mine, series) {
  const here = series.map(({ x, y }) => y[x.indexOf(mine.at)] ?? 0);
  const first = series.map(({ y }) => y.find((value) => value !== null) ?? 0);
  return Math.max(3 * (mine.bound ?? 0), 2 * Math.max(...here, 0), 8 * Math.max(...first, 0)) || Infinity;
}

function about(mine, series) {
  const said = series.slice(0, 3).map(({ name, x, y }) => {
    const known = x.map((_, index) => index).filter((index) => y[index] !== null);
    if (known.length === 0) return `${name}: no answer yet`;
    const [first, end] = [known[0], known[known.length - 1]];
    const without = end < x.length - 1 ? `, none from ${short(x[end + 1])} on` : "";
    const last = end > first ? `, ${short(y[end])} at ${short(x[end])}` : "";
    return `${name}: ${short(y[first])} at ${short(x[first])}${last}${without}`;
  });
  if (series.length > 3) said.push(`and ${series.length - 3} more`);
  if (mine.bound !== null) said.push(`bound: ${short(mine.bound)}`);
  if (mine.said) said.push(mine.said);
  return `${mine.y_label} over ${mine.x_label}. ${said.join("; ")}.`;
}
