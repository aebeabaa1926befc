// The timeline of turns: the drawing of the program, shown as an image so that its style and its names
// stay inside it, in a region that scrolls sideways.

import { el, byId } from "./dom.js";

export function createTimeline() {
  const host = byId("timeline");
  let last = {};
  return function update({ frame, keptAnswer, setting }) {
    const kept = setting.kept ? keptAnswer?.frame?.timeline ?? null : null;
    const mine = frame?.timeline ?? null;
    if (mine?.svg === last.mine?.svg && kept?.svg === last.kept?.svg) return;
    last = { mine, kept };
    host.hidden = !mine;
    if (!mine) return;
    host.replaceChildren(el("h3", { text: "Whose turn it is" }));
    if (kept) host.append(...drawing(kept, "A: "));
    host.append(...drawing(mine, kept ? "B: " : ""));
  };
}

function drawing({ svg, said }, mark) {
  return [
    el("p", { class: "quiet", text: mark + said }),
    el("div", { class: "wide", tabindex: "0", role: "region", "aria-label": `${mark}timeline, scrolls sideways` },
      el("img", { src: `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`, alt: `${mark}Timeline of the GPU: ${said}` })),
  ];
}
