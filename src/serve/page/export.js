// What can be taken away: files of the setting, the scenario as text, the command.

import { el, byId, say } from "./dom.js";
import { isCovered } from "./state.js";

const KINDS = [
  ["scenario", "scenario file (TOML)"],
  ["csv", "figures (CSV)"],
  ["svg", "latency chart (SVG)"],
  ["json", "all results (JSON)"],
  ["report", "report (HTML)"],
];

const KEPT_MS = 60_000; // a file that is made stays so long for the browser to save it

/** `link(kind, setting)` gives the address of a file, or a function that makes it. */
export function createExport(link) {
  const links = byId("links");
  const made = byId("made");
  const makers = new Map();
  const anchors = KINDS.map(([kind, name]) => [kind, el("a", { id: `export-${kind}`, download: true, text: name, on: { click: take } })]);
  links.append(...anchors.map(([, anchor]) => el("li", {}, anchor)));
  const scenario = byId("scenario");
  const copied = byId("copied");
  byId("copy").addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(scenario.textContent);
      say(copied, "Copied.");
    } catch {
      getSelection().selectAllChildren(scenario);
      say(copied, "Marked: copy it with Ctrl+C.");
    }
  });
  let making = null;

  /** Makes the file of a link that has no address, and hands it to the browser. */
  async function take(event) {
    const anchor = event.currentTarget;
    const make = makers.get(anchor);
    if (!make) return;
    event.preventDefault();
    if (making === make) return;
    making = make;
    say(made, `Making the ${anchor.textContent} ...`);
    const done = await make().catch((error) => ({ trouble: error.message }));
    if (making === make) {
      making = null;
      say(made, done.trouble ? `The ${anchor.textContent} cannot be made: ${done.trouble}.` : "");
    }
    if (done.trouble) return;
    const href = URL.createObjectURL(done.file);
    el("a", { href, download: done.name }).click();
    setTimeout(() => URL.revokeObjectURL(href), KEPT_MS);
  }

  function lead(anchor, target) {
    const isAddress = typeof target === "string";
    makers.set(anchor, isAddress ? null : target);
    anchor.setAttribute("href", isAddress ? target : location.hash || "#");
  }

  let last = null;
  return function update(state) {
    const { told } = state;
    for (const [kind, anchor] of anchors) anchor.parentNode.hidden = kind !== "scenario" && isCovered(state);
    if (!told || told === last) return;
    last = told;
    byId("export").hidden = false;
    for (const [kind, anchor] of anchors) lead(anchor, link(kind, { source: told.source, sets: told.sets }));
    say(scenario, told.text);
    say(copied, "");
    const file = told.source.replace(/^.*\//, "").replace(/\.toml$/, "");
    say(byId("command"), `slicewise run ${file}.toml`);
  };
}
