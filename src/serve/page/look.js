// The look of lines: colours (those of the program's own charts, in style.css for light and dark), dashes
// and symbols, so that lines differ in more than colour.

const LINES = ["blue", "orange", "green", "purple", "sky", "ink", "grey"];
const SYMBOLS = ["circle", "square", "triangle", "diamond"];
const DASHES = { bare: [9, 6], theory: [2, 5], drawn: [12, 4, 2, 4] };
const CORNERS = {
  square: [[-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9]],
  triangle: [[0, -1.25], [1.15, 0.8], [-1.15, 0.8]],
  diamond: [[0, -1.35], [1.35, 0], [0, 1.35], [-1.35, 0]],
};

const dark = window.matchMedia("(prefers-color-scheme: dark)");
const known = new Map();

/** The colours as they are now, light or dark. */
export function palette() {
  if (!known.has(dark.matches)) known.set(dark.matches, readPalette());
  return known.get(dark.matches);
}

/** Calls `act` when light and dark change. */
export const onScheme = (act) => dark.addEventListener("change", act);

function readPalette() {
  const style = getComputedStyle(document.documentElement);
  const names = [...LINES, "vermilion", "quiet", "rule", "page"];
  return Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

/** The simulated line of a line of theory, such as "mean" of "mean, M/D/1, theory". */
const simulatedOf = (name, all) => all.find((other) => other.symbol && name.startsWith(`${other.name}, `));

/** Gives each series its colour, dash, width and symbol; those of A are thin, their symbols hollow. */
export function dressed(series) {
  const colours = palette();
  let count = 0;
  const lines = series.map((one) => {
    const thin = one.of === "A";
    const base = { ...one, dash: DASHES[one.role], width: thin ? 1.5 : 2.5, hollow: thin };
    if (one.role === "drawn") return { ...base, colour: colours.ink, symbol: null, width: 3 };
    if (one.role === "bare") return { ...base, colour: thin ? colours.grey : colours.quiet, symbol: null };
    if (one.role === "theory") return { ...base, colour: thin ? colours.grey : colours.ink, symbol: null };
    const index = count;
    count += 1;
    const symbol = SYMBOLS[(index + Math.floor(index / LINES.length)) % SYMBOLS.length];
    return { ...base, colour: colours[LINES[index % LINES.length]], symbol };
  });
  return lines.map((one) => (one.role === "theory" ? { ...one, colour: simulatedOf(one.name, lines)?.colour ?? one.colour } : one));
}

/** Draws the symbol of a line at a place. */
export function drawSymbol(context, { symbol, colour, hollow }, x, y, size, paper) {
  context.beginPath();
  if (symbol === "circle") context.arc(x, y, size, 0, 2 * Math.PI);
  else CORNERS[symbol].forEach(([dx, dy], index) => context[index ? "lineTo" : "moveTo"](x + dx * size, y + dy * size));
  context.closePath();
  context.fillStyle = hollow ? paper : colour;
  context.strokeStyle = colour;
  context.lineWidth = size / 3;
  context.setLineDash([]);
  context.fill();
  context.stroke();
}

/** A sample of a line for the legend. */
export function sample(line) {
  const ratio = window.devicePixelRatio || 1;
  const canvas = document.createElement("canvas");
  canvas.width = 44 * ratio;
  canvas.height = 16 * ratio;
  canvas.className = "sample";
  canvas.setAttribute("aria-hidden", "true");
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  context.strokeStyle = line.colour;
  context.lineWidth = line.width;
  context.setLineDash(line.dash ?? []);
  context.beginPath();
  context.moveTo(1, 8);
  context.lineTo(43, 8);
  context.stroke();
  if (line.symbol) drawSymbol(context, line, 22, 8, 4, palette().page);
  return canvas;
}
