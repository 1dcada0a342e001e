// Terminals: tabs of their own, each in the size of the window.
import { terminalsOf } from "../app/terminals.js";
import { html, useChange, useEffect, useRef } from "../ui/preact.js";
import { copy, paste } from "../ui/terminalkeys.js";
import { moveFocus } from "../ui/rows.js";

/** @param {{session: import("../session/session.js").Session, shown: boolean}} p */
export function Terminal({ session, shown }) {
  const set = terminalsOf(session);
  useChange(set);
  useEffect(() => void set.begin(), [set]);
  const { chosen } = set;
  return html`<div class="terminals">
    <div class="toolbar tight">
      <div class="terminal-tabs" role="group" aria-label="Terminals" onKeyDown=${(e) => moveFocus(e, "button")}>
        ${set.views.map((v) => html`<span class="terminal-tab" key=${v.number}>
          <button class="small" aria-pressed=${String(v === chosen)} onClick=${() => set.choose(v)} title=${v.title}>${v.title || v.name}${mark(v)}</button>
          <button class="small plain" aria-label=${`Close ${v.name}`} onClick=${() => set.close(v)}>×</button></span>`)}
        <button class="small" onClick=${() => set.add()} disabled=${!set.room}>+ New</button>
      </div>
      <span class="spring"></span>
      ${chosen && html`<button class="small" onClick=${() => copy(chosen.term)}>Copy</button>`}
      ${chosen && session.may("terminal.type") && html`<button class="small" onClick=${() => paste(chosen.term)}>Paste</button>`}
    </div>
    ${chosen ? html`<${Screen} key=${chosen.number} view=${chosen} shown=${shown} />` : html`<p class="wait">No terminal is open.</p>`}
  </div>`;
}

const mark = ({ state }) => ({ opening: " …", waiting: " (reconnecting)", ended: " (ended)" })[state] ?? "";

function Screen({ view, shown }) {
  const box = useRef(null);
  useEffect(() => {
    const first = !view.term.element;
    view.show(box.current);
    if (first) view.start();
    const watch = new ResizeObserver(() => view.fit());
    watch.observe(box.current);
    return () => watch.disconnect();
  }, [view]);
  useEffect(() => {
    if (!shown) return;
    view.fit();
    view.term.focus();
  }, [view, shown]);
  return html`<div class="terminal-box" ref=${box}></div>${view.note && html`<p class="terminal-note" role="status">${view.name}: ${view.note}</p>`}`;
}
