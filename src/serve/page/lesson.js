// The head of the page: which lesson or file, its question, what to try, its answer behind a fold.

import { el, byId, prose, say } from "./dom.js";

/** `act.open(source)` goes to another lesson or file; `words` say where answers come from. */
export function createLesson(act, words) {
  const select = byId("source");
  select.addEventListener("change", () => act.open(select.value));
  let last = {};

  function list({ lessons, files, faults, folder, version }) {
    const option = ({ id, title }, name) => el("option", { value: id, text: name ?? title });
    select.replaceChildren(
      el("optgroup", { label: "Lessons" }, ...lessons.map((one) => option(one, numbered(one)))),
    );
    if (files.length > 0) select.append(el("optgroup", { label: "Your files" }, ...files.map((one) => option(one))));
    select.disabled = false;
    const note = byId("folder");
    note.hidden = false;
    note.replaceChildren(...prose(folder === null
      ? words.files
      : `Your files are those of \`${folder}\`.`));
    const box = byId("faults");
    box.hidden = faults.length === 0;
    say(box.firstElementChild, `Files that cannot be used: ${faults.length}`);
    box.lastElementChild.replaceChildren(...faults.flatMap(({ id, message }) => [
      el("p", {}, el("strong", { text: id.replace(/^file\//, "") })),
      el("pre", { tabindex: "0", text: message }),
    ]));
    const elsewhere = "Nothing on this page comes from elsewhere, and nothing is sent elsewhere.";
    say(byId("version"), [`slicewise ${version}.`, words.about, elsewhere].filter(Boolean).join(" "));
  }

  function show({ title, lesson }) {
    document.title = `${title} - slicewise`;
    byId("lesson").hidden = false;
    say(byId("title"), title);
    byId("guide").replaceChildren(...(lesson ? guide(lesson) : []));
  }

  return function update({ sources, told, setting }) {
    if (sources && sources !== last.sources) list(sources);
    if (setting.source && select.value !== setting.source) select.value = setting.source;
    const key = told && JSON.stringify([told.source, told.title, told.lesson]);
    if (told && key !== last.key) show(told);
    last = { sources, key: key ?? last.key };
  };
}

/** The question and what belongs to it, beside what to try. */
function guide({ question, predict, try: tries, answer, page }) {
  const left = el("div", {}, el("p", { id: "question" }, ...prose(question)));
  const right = el("div");
  if (predict) left.append(el("p", { id: "to-predict" }, el("strong", { text: "Predict first: " }), ...prose(predict)));
  if (answer) {
    const parts = answer.split(/\n\s*\n/).map((part) => el("p", {}, ...prose(part)));
    left.append(el("details", { id: "solution" }, el("summary", { text: "The answer to the question" }), ...parts));
  }
  if (page) left.append(el("p", { class: "quiet" }, "The whole lesson: ", el("code", { text: page })));
  if (tries?.length > 0) {
    right.append(el("h3", { text: "Things to try" }), el("ol", { id: "try" }, ...tries.map((one) => el("li", {}, ...prose(one)))));
  }
  return [left, right];
}

/** A title behind the number of its lesson, which its id begins with. */
function numbered({ id, title }) {
  const [, number] = /^lesson\/(\d+)/.exec(id) ?? [];
  return number ? `${number}. ${title}` : title;
}
