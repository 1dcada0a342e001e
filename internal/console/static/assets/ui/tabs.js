// Tabs by the pattern of ARIA: one tab stop, arrows move and choose.
import { html } from "./preact.js";

/**
 * @param {object} p
 * @param {string} p.label of the whole
 * @param {{id: string, label: string, note?: string}[]} p.tabs note: read out and shown small
 * @param {string} p.chosen id
 * @param {(id: string) => void} p.choose
 * @param {any} [p.children] buttons behind the tabs
 */
export function Tabs({ label, tabs, chosen, choose, children }) {
  const at = tabs.findIndex((t) => t.id === chosen);
  const move = (e) => {
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[e.key];
    if (to === undefined || !tabs[(to + tabs.length) % tabs.length]) return;
    e.preventDefault();
    choose(tabs[(to + tabs.length) % tabs.length].id);
    e.currentTarget.querySelectorAll("[role=tab]")[(to + tabs.length) % tabs.length].focus();
  };
  return html`<div class="tabs">
    <div role="tablist" aria-label=${label} onKeyDown=${move}>
      ${tabs.map((t) => html`<button role="tab" key=${t.id} id=${`tab-${t.id}`} aria-controls=${`panel-${t.id}`} aria-selected=${String(t.id === chosen)}
        tabIndex=${t.id === chosen ? 0 : -1} onClick=${() => choose(t.id)}>${t.label}${t.note && html` <small>${t.note}</small>`}</button>`)}
    </div>
    ${children}
  </div>`;
}

/**
 * @param {{id: string, chosen: string, children: any}} p
 */
export const Panel = ({ id, chosen, children }) =>
  html`<section role="tabpanel" id=${`panel-${id}`} class="panel panel-${id}" aria-labelledby=${`tab-${id}`} hidden=${id !== chosen}>${children}</section>`;
