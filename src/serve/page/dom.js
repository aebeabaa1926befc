// Small helpers for the document. All text goes in as text, never as markup.

/** An element; `props` are attributes, `on` listeners by event, `text` its text. */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name === "text") node.textContent = value;
    else if (name === "on") for (const [event, act] of Object.entries(value)) node.addEventListener(event, act);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

export const byId = (id) => document.getElementById(id);

export function button(label, act, props = {}) {
  return el("button", { type: "button", text: label, on: { click: act }, ...props });
}

/** A text in which `words between backticks` are shown as code. */
export function prose(text) {
  return text.split("`").map((part, index) => (index % 2 ? el("code", { text: part }) : part));
}

/** Sets a text only where it differs, so that a reader's selection and screen readers are left alone. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** A number for reading: three digits that count. */
export function short(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "-";
  const size = Math.abs(value);
  return size >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
}
