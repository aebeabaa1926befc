// The distribution of latency: percentiles on an axis that gives the slow ones room.

import { byId, short } from "./dom.js";
import { createPlot } from "./plot.js";
import { both } from "./lines.js";

const MARKS = [[0, "fastest"], [0.30103, "50 %"], [1, "90 %"], [2, "99 %"], [3, "99.9 %"], [4, "99.99 %"], [5, "99.999 %"]];

/** The rows of the table: 0, 25, 50, 75, 90, 95, 99, 99.5, 99.9 ... % */
const ROWS = [0, 0.125, 0.30103, 0.602, 1, 1.301, 2, 2.301, 3, 3.301, 4, 5];

const nearest = (all, place) => all.reduce((best, other) => (Math.abs(other - place) < Math.abs(best - place) ? other : best));

/** A place on the axis, -log10(1 - p), as a percentile. */
export function percentile(x) {
  if (x < 1e-9) return "fastest";
  const p = 100 * (1 - 10 ** -x);
  return `${Number(p.toFixed(Math.max(1, Math.ceil(x - 1))))} %`;
}

export function createPercentiles() {
  const host = byId("chart-percentiles");
  const plot = createPlot(host, "percentiles");
  let last = {};
  return function update({ frame, keptAnswer, setting }) {
    const a = setting.kept ? keptAnswer?.frame?.percentiles ?? null : null;
    const mine = frame?.percentiles ?? null;
    if (mine === last.mine && a === last.a) return;
    last = { mine, a };
    host.hidden = !mine;
    if (mine) plot.draw(spec(mine, a));
  };
}

function spec(mine, a) {
  const series = both(mine, a, (one) => one.ms);
  const end = Math.max(...series.flatMap(({ x, y }) => x.filter((_, index) => y[index] !== null)), 1);
  const boundX = mine.bound_percentile === null ? null : -Math.log10(1 - mine.bound_percentile / 100);
  const marks = MARKS.filter(([place]) => place <= end + 1e-6);
  return {
    title: "Latency distribution",
    about: about(mine, series),
    hint: "Point at the chart to read its lines.",
    x: { label: "part of the queries that are no slower", min: 0, max: end, marks, name: percentile, cell: percentile },
    y: { label: "latency, ms", log: false },
    series,
    bound: mine.bound_ms === null ? null : { y: mine.bound_ms, x: boundX, text: `bound ${short(mine.bound_ms)} ms` },
    at: null,
    symbolsAt: (x, index, all) => marks.some(([place]) => Math.abs(x - place) <= Math.abs((all[index + 1] ?? all[index - 1] ?? x) - x) / 2),
    rows: (all) => [...new Set(ROWS.filter((place) => place <= end + 0.1).map((place) => nearest(all, place)))],
  };
}

function about(mine, series) {
  const at = ({ x, y }, place) => y[x.indexOf(nearest(x, place))];
  const said = series.slice(0, 3).map((one) => `${one.name}: ${short(at(one, 0.30103))} ms at 50 %, ${short(at(one, 2))} ms at 99 %`);
  if (series.length > 3) said.push(`and ${series.length - 3} more`);
  if (mine.bound_ms !== null) said.push(`bound: ${short(mine.bound_ms)} ms${mine.bound_percentile === null ? "" : ` at ${mine.bound_percentile} %`}`);
  return `${said.join("; ")}.`;
}
