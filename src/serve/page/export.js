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

/** `link(kind, setting)` gives the address of a file. */
export function createExport(link) {
  const links = byId("links");
  const anchors = KINDS.map(([kind, name]) => [kind, el("a", { id: `export-${kind}`, download: true, text: name })]);
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
  let last = null;
  return function update(state) {
    const { told } = state;
    for (const [kind, anchor] of anchors) anchor.parentNode.hidden = kind !== "scenario" && isCovered(state);
    if (!told || told === last) return;
    last = told;
    byId("export").hidden = false;
    for (const [kind, anchor] of anchors) anchor.setAttribute("href", link(kind, { source: told.source, sets: told.sets }));
    say(scenario, told.text);
    say(copied, "");
    const file = told.source.replace(/^.*\//, "").replace(/\.toml$/, "");
    say(byId("command"), `slicewise run ${file}.toml`);
  };
}
