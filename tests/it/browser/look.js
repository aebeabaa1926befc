// What is wrong with the page as it is shown now, in words (`window.served`: a page with scripts of its own,
// served by a program; else one that is read as it is): contrast of every text, names of what needs
// one, order of heads, ids, what would run or be asked for.
const wrong = [];
const say = (what, element) => {
  const text = (element.textContent || "").trim().replace(/\s+/g, " ").slice(0, 60);
  wrong.push(`${what}: <${element.tagName.toLowerCase()}> "${text}"`);
};

// Contrast as WCAG 2 computes it.
const colour = (text) => {
  const parts = (text.match(/[\d.]+/g) || []).map(Number);
  return { rgb: parts.slice(0, 3), alpha: parts.length > 3 ? parts[3] : 1 };
};
const over = (top, below) => below.map((part, at) => top.rgb[at] * top.alpha + part * (1 - top.alpha));
const light = (rgb) => {
  const linear = rgb.map((part) => part / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
};
const contrast = (a, b) => {
  const [low, high] = [light(a), light(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
};
// The colours that lie behind a point of an element, the nearest first.
const behind = (element, x, y) => {
  const layers = [];
  let seen = false;
  for (const one of document.elementsFromPoint(x, y)) {
    const style = getComputedStyle(one);
    const is_shape = one instanceof SVGElement && one.tagName !== "svg";
    if (one === element) seen = true;
    if (is_shape && (one === element || one.tagName === "text" || one.tagName === "tspan")) continue;
    if (!seen && !is_shape && !one.contains(element)) continue;
    const found = colour(is_shape ? style.fill : style.backgroundColor);
    if (is_shape && style.fill === "none") continue;
    const whole = is_shape ? Number(style.opacity) * Number(style.fillOpacity) : 1;
    if (found.alpha * whole > 0) layers.push({ rgb: found.rgb, alpha: found.alpha * whole });
  }
  return layers;
};
const paper = matchMedia("(prefers-color-scheme: dark)").matches && !matchMedia("print").matches ? [18, 18, 18] : [255, 255, 255];
document.querySelectorAll("details").forEach((one) => (one.open = true));
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
let looked = 0;
for (let node = texts.nextNode(); node; node = texts.nextNode()) {
  const element = node.parentElement;
  if (!node.textContent.trim() || ["SCRIPT", "STYLE", "title", "desc"].includes(element.tagName)) continue;
  const range = document.createRange();
  range.selectNodeContents(node);
  const area = element instanceof SVGElement ? element : range;
  let box = area.getBoundingClientRect();
  if (box.width === 0 || getComputedStyle(element).visibility === "hidden") continue;
  // Also what is scrolled sideways.
  element.scrollIntoView({ block: "center", inline: "center" });
  box = area.getBoundingClientRect();
  const x = Math.min(Math.max(box.left + Math.min(box.width / 2, 40), 0), innerWidth - 1);
  const y = Math.min(Math.max(box.top + Math.min(box.height / 2, 8), 0), innerHeight - 1);
  const style = getComputedStyle(element);
  let ground = paper;
  for (const layer of behind(element, x, y).reverse()) ground = over(layer, ground);
  const ink = over(colour(element instanceof SVGElement ? style.fill : style.color), ground);
  const found = contrast(ink, ground);
  looked += 1;
  if (found < 4.5) say(`contrast ${found.toFixed(2)}, ${ink.map(Math.round)} on ${ground.map(Math.round)}`, element);
}
scrollTo(0, 0);

// Names.
const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
ids.filter((id, at) => ids.indexOf(id) !== at).forEach((id) => wrong.push(`the id ${id} is there twice`));
for (const link of document.querySelectorAll("a")) {
  const to = link.getAttribute("href");
  if (!/^(https?:\/\/|#)/.test(to) && !(window.served && /^api\//.test(to))) say(`a link to ${to}`, link);
  // One with a setting in it is an address of the page itself.
  if (to.startsWith("#") && !to.includes("=") && !ids.includes(to.slice(1))) say(`a link to nowhere, ${to}`, link);
}
for (const one of document.querySelectorAll("[aria-labelledby]"))
  for (const id of one.getAttribute("aria-labelledby").split(" ")) if (!ids.includes(id)) say(`named by nothing, ${id}`, one);
for (const table of document.querySelectorAll("table")) {
  if (!table.caption || !table.caption.textContent.trim()) say("no caption", table);
  table.querySelectorAll("th").forEach((head) => { if (!head.scope || !head.textContent.trim()) say("no scope or name", head); });
  for (const row of table.rows) if (row.cells.length !== table.rows[0].cells.length) say("a row of another length", row);
}
for (const figure of document.querySelectorAll("figure")) {
  if (!figure.querySelector("figcaption")?.textContent.trim()) say("no caption", figure);
}
for (const picture of document.querySelectorAll("svg")) {
  if (picture.getAttribute("role") !== "img") say("no role", picture);
  if (!picture.querySelector("title")?.textContent.trim()) say("no title", picture);
}
document.querySelectorAll("[role=region]").forEach((one) => { if (!one.ariaLabel) say("no label", one); });
document.querySelectorAll("details").forEach((one) => { if (!one.querySelector("summary")?.textContent.trim()) say("no summary", one); });
const levels = [...document.querySelectorAll("h1,h2,h3,h4,h5,h6")].map((head) => Number(head.tagName[1]));
if (levels[0] !== 1 || levels.filter((level) => level === 1).length !== 1) wrong.push(`heads ${levels}`);
levels.forEach((level, at) => { if (at > 0 && level > levels[at - 1] + 1) wrong.push(`heads skip a level: ${levels}`); });
if (document.documentElement.lang !== "en" || !document.title) wrong.push("no language or title");
if (document.querySelectorAll("main").length !== 1) wrong.push("not one main");

// What would run or be asked for.
const all = [...document.querySelectorAll("*")];
for (const one of all) for (const name of one.getAttributeNames()) if (/^on/i.test(name)) say(name, one);
for (const one of document.querySelectorAll("script")) {
  const own = window.served && one.src.startsWith(location.origin);
  if (one.type !== "application/json" && !own) say("a script", one);
}
// What is worked has a name.
for (const one of document.querySelectorAll("input, select, button, summary, textarea")) {
  const named = one.labels?.length || one.getAttribute("aria-label") || one.textContent.trim();
  if (!named) say("a control without a name", one);
}
for (const one of document.querySelectorAll("img, iframe, object, embed, video, audio, form, base")) {
  // The drawn timeline of a served page, with what it shows in words.
  const drawn = window.served && one.tagName === "IMG" && one.src.startsWith("data:image/svg+xml") && one.alt.trim();
  if (!drawn) say("not wanted", one);
}
if (window.harmed) wrong.push("something ran");
if (document.documentElement.scrollWidth > innerWidth) {
  wrong.push(`the page is ${document.documentElement.scrollWidth} wide in a window of ${innerWidth}`);
}
return {
  wrong: wrong.slice(0, 30),
  looked,
  heads: [...document.querySelectorAll("h1,h2")].map((head) => head.textContent),
  tables: document.querySelectorAll("table").length,
  figures: document.querySelectorAll("figure").length,
  data: document.getElementById("data")?.textContent ?? null,
};
