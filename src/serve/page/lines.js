// The lines of a chart: those of the present setting, and before them those of A where one is kept.

/** `values` takes the figures out of a series. */
export function both(mine, a, values) {
  const of = (part, mark) => part.series.map((one) => ({
    name: mark ? `${mark}: ${one.name}` : one.name,
    role: one.role,
    of: mark,
    x: part.x,
    y: values(one),
    low: one.low ?? null,
    high: one.high ?? null,
  }));
  return a ? [...of(mine, "B"), ...of(a, "A")] : of(mine, null);
}
