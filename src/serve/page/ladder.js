// The values that a slider can stand at: in equal steps, or in equal ratios where its scale is `log`.

const RUNGS = 120;

/** From the first to the last value, in order. */
export function ladder({ from, to, step, scale }) {
  if (scale !== "log" || !(from > 0) || !(to > from)) return null;
  const values = new Set([from]);
  for (let rung = 1; rung < RUNGS; rung += 1) {
    const exact = from * (to / from) ** (rung / RUNGS);
    const rounded = Number(exact.toPrecision(2));
    const value = tidy(step > 0 ? Math.round(rounded / step) * step : rounded);
    if (value > from && value < to) values.add(value);
  }
  return [...values, to];
}

/** The rung nearest to a value. */
export function rungOf(values, value) {
  let best = 0;
  values.forEach((other, index) => {
    if (Math.abs(other - value) < Math.abs(values[best] - value)) best = index;
  });
  return best;
}

/** Without the noise of binary fractions. */
export const tidy = (value) => Number(value.toPrecision(12));
