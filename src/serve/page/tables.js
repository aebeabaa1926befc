// Tables of figures, for the answer and as the text alternative of charts.

import { el, byId } from "./dom.js";

/** A table in a region that scrolls sideways by itself; `columns` have a head and a kind. */
export function table({ caption, columns, rows }, id) {
  const cell = (tag, value, kind, more = {}) => el(tag, { class: kind === "number" ? "number" : "word", text: value, ...more });
  const head = el("tr", {}, ...columns.map(({ head: text, kind }) => cell("th", text, kind, { scope: "col" })));
  const body = rows.map((row) => el("tr", {}, ...row.map((value, index) => (index === 0
    ? cell("th", value, columns[0]?.kind, { scope: "row" })
    : cell("td", value, columns[index]?.kind)))));
  return el("div", { class: "wide", tabindex: "0", role: "region", "aria-label": caption },
    el("table", { id }, el("caption", { text: caption }), el("thead", {}, head), el("tbody", {}, ...body)));
}

export function createTables() {
  const host = byId("tables");
  let last = {};
  return function update({ frame, keptAnswer, setting }) {
    const a = setting.kept ? keptAnswer?.frame : null;
    if (frame === last.frame && a === last.a) return;
    last = { frame, a };
    const all = (one, mark, name) => (one?.tables ?? []).map((content, index) => table(
      { ...content, caption: mark ? `${mark}: ${content.caption}` : content.caption }, `table-${name}${index}`));
    const mine = all(frame, a ? "B" : "", "");
    const kept = all(a, "A", "a-");
    const pairs = Array.from({ length: Math.max(mine.length, kept.length) }, (_, index) => [kept[index], mine[index]]);
    host.replaceChildren(...pairs.map((pair) => el("div", { class: "pair" }, ...pair.filter(Boolean))));
  };
}
