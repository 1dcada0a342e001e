// Dialogs: questions that wait for an answer.
import { Emitter } from "../core/emitter.js";
import { html, useChange, useEffect, useRef, useState } from "./preact.js";

const open = new Emitter();
let questions = []; // the last one is on top
let asked = 0;

/**
 * @typedef {object} Question
 * @property {string} title
 * @property {any} [body] text or elements
 * @property {{label: string, value: any, kind?: "primary"|"danger"}[]} answers the last one is chosen by Enter
 * @property {{label: string, value: string, check?: (text: string) => string}} [field] a text to type; the answer is then {value, text}
 * @property {string} [box] label of a check box; the answer has then "all"
 */

/**
 * @param {Question} question
 * @returns {Promise<{value: any, text: string, all: boolean}|null>} null: it was closed without an answer
 */
export function ask(question) {
  return new Promise((done) => {
    const mine = { question, id: ++asked, done: (answer) => {
      questions = questions.filter((q) => q !== mine);
      open.emit("change");
      done(answer);
    } };
    questions = [...questions, mine];
    open.emit("change");
  });
}

/**
 * @param {string} title
 * @param {any} body
 * @param {string} label of the button that says yes
 * @param {"primary"|"danger"} [kind]
 * @returns {Promise<boolean>}
 */
export const confirm = async (title, body, label, kind = "primary") =>
  Boolean(await ask({ title, body, answers: [{ label: "Cancel", value: false }, { label, value: true, kind }] }).then((a) => a?.value));

/**
 * @param {string} title
 * @param {{label: string, value: string, check?: (text: string) => string}} field
 * @param {string} label of the button
 * @returns {Promise<string|null>}
 */
export async function prompt(title, field, label) {
  const answer = await ask({ title, field, answers: [{ label: "Cancel", value: false }, { label, value: true, kind: "primary" }] });
  return answer?.value ? answer.text : null;
}

/** Where dialogs appear: once, at the end of the page. */
export function Dialogs() {
  useChange(open);
  return questions.map((q) => html`<${Dialog} key=${q.id} question=${q.question} done=${q.done} />`);
}

function Dialog({ question: { title, body, answers, field, box }, done }) {
  const dialog = useRef(null);
  const [text, setText] = useState(field?.value ?? "");
  const [all, setAll] = useState(false);
  const fault = field?.check?.(text) ?? "";
  useEffect(() => {
    dialog.current.showModal();
    dialog.current.querySelector("input:not([type=checkbox])")?.select();
  }, []);
  const submit = (e) => {
    e.preventDefault();
    if (!fault) done({ value: answers.at(-1).value, text, all });
  };
  return html`<dialog ref=${dialog} aria-labelledby="dialog-title" onClose=${() => done(null)}>
    <form onSubmit=${submit}>
      <h2 id="dialog-title">${title}</h2>
      ${body && html`<div class="dialog-body">${body}</div>`}
      ${field && html`<label>${field.label}<input value=${text} onInput=${(e) => setText(e.target.value)} autocomplete="off" spellcheck="false" /></label>`}
      ${fault && text !== field.value && html`<p class="fault" role="alert">${fault}</p>`}
      ${box && html`<label class="check"><input type="checkbox" checked=${all} onChange=${(e) => setAll(e.target.checked)} />${box}</label>`}
      <div class="buttons">
        ${answers.slice(0, -1).map((a) => html`<button type="button" class=${a.kind ?? ""} onClick=${() => done({ value: a.value, text, all })}>${a.label}</button>`)}
        <button type="submit" class=${answers.at(-1).kind ?? ""} disabled=${fault !== ""}>${answers.at(-1).label}</button>
      </div>
    </form>
  </dialog>`;
}
