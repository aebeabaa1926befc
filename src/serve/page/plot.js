// One chart: uPlot on a canvas, with a legend, what is under the pointer, and its values as a table.
//
// A chart is drawn from `spec`: { title, about, x: {label, min, max, marks, name, cell}, y: {label, log, top},
// series: [{name, role, of, x, y, low, high}], legend(line), bound: {y, x, text}, at, point: {x, y}, symbolsAt, rows }.

/* global uPlot */
import { el, say, short } from "./dom.js";
import { dressed, drawSymbol, onScheme, palette, sample } from "./look.js";
import { table } from "./tables.js";

const HEIGHT = 320;
const HERE = "this setting";
const font = (ratio) => `${13 * ratio}px system-ui, "Segoe UI", "DejaVu Sans", Verdana, sans-serif`;

/** `extra` stands between the title and the picture. */
export function createPlot(host, id, extra = null) {
  const title = el("h3", { id: `${id}-title` });
  const about = el("p", { class: "about", id: `${id}-about` });
  const picture = el("div", { class: "picture", role: "img", id: `${id}-picture` });
  const legend = el("ul", { class: "legend", id: `${id}-legend` });
  const read = el("p", { class: "quiet read", id: `${id}-read` });
  const values = el("details", { id: `${id}-values` }, el("summary", { text: "Values of this chart" }));
  host.append(...[title, extra, about, picture, legend, read, values].filter(Boolean));

  let spec = null;
  let lines = [];
  let plot = null;
  let shape = "";
  let range = null;

  function draw(next) {
    spec = next;
    lines = dressed(spec.series);
    say(title, spec.title);
    say(about, spec.about);
    picture.setAttribute("aria-label", `Chart: ${spec.title}`);
    picture.setAttribute("aria-describedby", `${id}-about`);
    range = extent(spec, lines, range);
    const now = JSON.stringify([lines.map(({ name, role, of, colour }) => [name, role, of, colour]), spec.y, spec.x.label, palette().page]);
    const data = lines.length > 0 ? uPlot.join(lines.map((line) => [line.x, clean(line.y, spec.y.log)])) : [[spec.x.min, spec.x.max]];
    if (plot && now === shape) {
      plot.setData(data, false);
      rescale();
    } else {
      plot?.destroy();
      plot = new uPlot(options(), data, picture);
      legend.replaceChildren(...lines.map((line) => el("li", {}, sample(line), el("span", { text: spec.legend?.(line) ?? line.name }))));
      rescale();
    }
    shape = now;
    fill();
  }

  function rescale() {
    plot.batch(() => {
      plot.setScale("x", { min: spec.x.min, max: spec.x.max > spec.x.min ? spec.x.max : spec.x.min + 1 });
      plot.setScale("y", { min: range.low, max: range.high });
    });
  }

  function options() {
    const colours = palette();
    const rule = { stroke: colours.rule, width: 1 };
    const axis = { stroke: colours.quiet, font: font(1), labelFont: font(1), labelSize: 22, grid: rule, ticks: rule };
    const marks = () => spec.x.marks.map(([place]) => place);
    // A name too close to the next one is left out.
    const room = (u, place, next) => (next ? u.valToPos(next[0], "x") - u.valToPos(place, "x") : Infinity);
    const names = (u) => spec.x.marks.map(([place, name], index, all) => (room(u, place, all[index + 1]) < 44 ? "" : name));
    return {
      width: width(),
      height: HEIGHT,
      padding: [24, 26, 0, 0],
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, points: { size: 8 } },
      scales: { x: { time: false, auto: false }, y: { auto: false, distr: spec.y.log ? 3 : 1 } },
      axes: [
        { ...axis, label: spec.x.label, size: 36, ...(spec.x.marks ? { splits: marks, values: names } : {}) },
        { ...axis, label: spec.y.label, size: roomFor, values: (_, places) => places.map((place) => (place === null ? "" : short(place))) },
      ],
      series: [{}, ...lines.map(({ colour, width: wide, dash }) => ({ stroke: colour, width: wide, dash, points: { show: false } }))],
      hooks: { drawAxes: [bands], draw: [marksOf], setCursor: [readOut] },
    };
  }

  const width = () => Math.max(200, Math.floor(picture.clientWidth));

  /** Draws inside the frame of the chart and a little beside it, in pixels of the canvas. */
  function inside(u, act) {
    const { ctx, bbox } = u;
    const ratio = window.devicePixelRatio || 1;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left - 8 * ratio, bbox.top, bbox.width + 16 * ratio, bbox.height);
    ctx.clip();
    act(ctx, (x) => u.valToPos(x, "x", true), (y) => u.valToPos(y, "y", true), ratio);
    ctx.restore();
  }

  /** The intervals behind the lines. */
  function bands(u) {
    inside(u, (ctx, px, py) => {
      for (const { x, low, high, colour } of lines) {
        if (!low || !high) continue;
        ctx.fillStyle = colour;
        ctx.globalAlpha = 0.22;
        const known = (index) => low[index] !== null && high[index] !== null && (!spec.y.log || low[index] > 0);
        for (let first = 0; first < x.length; first += 1) {
          if (!known(first)) continue;
          let end = first;
          while (end + 1 < x.length && known(end + 1)) end += 1;
          ctx.beginPath();
          for (let index = first; index <= end; index += 1) ctx.lineTo(px(x[index]), py(high[index]));
          for (let index = end; index >= first; index -= 1) ctx.lineTo(px(x[index]), py(low[index]));
          ctx.fill();
          first = end;
        }
      }
    });
  }

  /** The bound, the present setting, and the symbols of the lines. */
  function marksOf(u) {
    const colours = palette();
    inside(u, (ctx, px, py, ratio) => {
      ctx.font = font(ratio);
      const { left, top, width: wide, height } = u.bbox;
      if (spec.at !== null) {
        ctx.strokeStyle = colours.quiet;
        ctx.lineWidth = ratio;
        ctx.setLineDash([3 * ratio, 3 * ratio]);
        stroke(ctx, px(spec.at), top, px(spec.at), top + height);
      }
      if (spec.bound) {
        ctx.strokeStyle = colours.vermilion;
        ctx.lineWidth = 1.5 * ratio;
        ctx.setLineDash([6 * ratio, 4 * ratio]);
        const y = py(spec.bound.y);
        stroke(ctx, left, y, left + wide, y);
        if (spec.bound.x !== null) stroke(ctx, px(spec.bound.x), y, px(spec.bound.x), top + height);
        ctx.fillStyle = colours.vermilion;
        ctx.textAlign = "left";
        ctx.fillText(spec.bound.text, left + 6 * ratio, y - 6 * ratio);
      }
      for (const line of lines) {
        if (!line.symbol) continue;
        line.x.forEach((x, index) => {
          const y = line.y[index];
          const drawn = y !== null && (!spec.y.log || y > 0) && (!spec.symbolsAt || spec.symbolsAt(x, index, line.x));
          if (drawn) drawSymbol(ctx, line, px(x), py(y), 4 * ratio, colours.page);
        });
      }
      if (spec.point) drawSymbol(ctx, { symbol: "circle", colour: colours.ink, hollow: true }, px(spec.point.x), py(spec.point.y), 6 * ratio, colours.page);
    });
    if (spec.at === null) return;
    const { ctx, bbox } = u;
    ctx.save();
    ctx.font = font(window.devicePixelRatio || 1);
    ctx.fillStyle = colours.quiet;
    const half = ctx.measureText(HERE).width / 2;
    ctx.textAlign = "center";
    const place = Math.max(u.valToPos(spec.at, "x", true), bbox.left + half);
    ctx.fillText(HERE, Math.min(place, bbox.left + bbox.width - half), bbox.top - bbox.height * 0.02);
    ctx.restore();
  }

  function readOut(u) {
    const index = u.cursor.idx;
    if (index === null || index === undefined || lines.length === 0) return say(read, spec.hint ?? "");
    const known = lines.map((line, at) => [line.name, u.data[at + 1][index]]).filter(([, y]) => y !== null && y !== undefined);
    const said = known.map(([name, y]) => `${name} ${short(y)}`).join("; ");
    return say(read, `${spec.x.name(u.data[0][index])}: ${said || "no answer here"}`);
  }

  /** The table of values, made when it is looked at. */
  function fill() {
    readOut(plot);
    values.hidden = lines.length === 0;
    if (!values.open || lines.length === 0) return;
    const all = [...new Set(lines.flatMap((line) => [...line.x]))].sort((a, b) => a - b);
    const shown = spec.rows ? spec.rows(all) : all;
    const columns = [{ head: spec.x.label, kind: "number" }, ...lines.map(({ name }) => ({ head: name, kind: "number" }))];
    const rows = shown.map((x) => [spec.x.cell(x), ...lines.map((line) => short(line.y[line.x.indexOf(x)]))]);
    values.querySelector(".wide")?.remove();
    values.append(table({ caption: `${spec.title}: ${spec.y.label}`, columns, rows }, `${id}-table`));
  }

  values.addEventListener("toggle", () => spec && fill());
  new ResizeObserver(() => {
    if (plot && picture.clientWidth > 0 && width() !== plot.width) plot.setSize({ width: width(), height: HEIGHT });
  }).observe(picture);
  onScheme(() => spec && draw(spec));

  return {
    draw,
    picture,
    /** Where a pointer is, in values of the axes. */
    valueAt(event) {
      const box = plot.over.getBoundingClientRect();
      return { x: plot.posToVal(event.clientX - box.left, "x"), y: plot.posToVal(event.clientY - box.top, "y"), within: event.clientX >= box.left };
    },
  };
}

function stroke(ctx, x0, y0, x1, y1) {
  ctx.beginPath();
  ctx.moveTo(x0, y0);
  ctx.lineTo(x1, y1);
  ctx.stroke();
}

/** The room for the numbers of the y axis. */
const roomFor = (_, names) => Math.max(58, 22 + 8 * Math.max(0, ...(names ?? []).map((name) => name.length)));

const clean = (values, log) => values.map((value) => (log && value !== null && value <= 0 ? null : value));

/** The ends of the y axis; they stay where they are while the lines still fit well. */
function extent({ y, bound }, lines, before) {
  const all = lines.flatMap((line) => line.y.filter((value) => value !== null && value !== undefined && (!y.log || value > 0)));
  const most = Math.max(...all, bound && bound.y < 2.5 * Math.max(...all, 0) ? bound.y : 0, 0) || 1;
  const wanted = y.top ?? Math.min(most * (y.log ? 1.3 : 1.05), y.cap ?? Infinity);
  const least = Math.min(...all, bound?.y ?? Infinity);
  const low = y.log ? 10 ** Math.floor(Math.log10(Number.isFinite(least) ? least : wanted / 100)) : 0;
  const fits = before && !y.top && before.log === y.log && before.low === low && wanted <= before.high && wanted > 0.45 * before.high;
  return fits ? before : { low, high: y.top ?? nice(wanted), log: y.log };
}

/** The next number that reads well on an axis. */
export function nice(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10].map((step) => step * power).find((step) => step >= value * 0.9999);
}
