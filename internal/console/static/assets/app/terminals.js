// The terminals of a session. They live as long as the session, whatever page is shown.
import { listTerminals, TerminalLink } from "../channels/terminal.js";
import { Emitter } from "../core/emitter.js";
import { bindKeys } from "../ui/terminalkeys.js";
import { colours } from "../ui/terminalcolours.js";
import { theme } from "../ui/theme.js";
import { FitAddon } from "../vendor/xterm-addon-fit.js";
import { Terminal } from "../vendor/xterm.js";

const MAX = 8; // that an endpoint keeps for one session

/** One terminal: xterm.js on one side, the endpoint's on the other. Event "change". */
class TerminalView extends Emitter {
  title = "";
  state = "opening"; // "opening", "open", "waiting" (the channel is lost), "ended"
  note = ""; // why it ended
  host = document.createElement("div");
  #fit = new FitAddon();

  /**
   * @param {import("../session/session.js").Session} session
   * @param {number} number for its name
   * @param {string} [terminal] at the endpoint, to take up again
   */
  constructor(session, number, terminal) {
    super();
    this.name = `Terminal ${number}`;
    this.number = number;
    this.host.className = "terminal-host";
    this.term = new Terminal({
      cursorBlink: true, scrollback: 10_000, fontSize: 14, fontFamily: "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace", theme: colours(),
      disableStdin: !session.may("terminal.type"), minimumContrastRatio: 4.5, screenReaderMode: false,
    });
    this.term.loadAddon(this.#fit);
    this.link = new TerminalLink(session, { cols: this.term.cols, rows: this.term.rows }, terminal);
    this.#join();
  }

  /** Shows it inside an element, in the size of that. @param {HTMLElement} parent */
  show(parent) {
    parent.append(this.host);
    if (!this.term.element) this.term.open(this.host);
    this.fit();
  }

  /** Takes the size of its element, if it has one. */
  fit() {
    if (this.host.offsetWidth > 0 && this.host.offsetHeight > 0) this.#fit.fit();
  }

  /** Asks the endpoint. The size is known by then. */
  start() {
    this.link.size = { cols: this.term.cols, rows: this.term.rows };
    this.link.run().then(() => this.#set(this.state === "ended" ? "ended" : "waiting", this.note));
  }

  /** Ends the shell and forgets the terminal. */
  close() {
    this.link.close();
    this.term.dispose();
    this.host.remove();
  }

  #join() {
    const { term, link } = this;
    link.on("output", (data) => term.write(data));
    link.on("lost", (n) => term.write(`\r\n\x1b[2m[${n} bytes of output are lost]\x1b[0m\r\n`));
    link.on("attached", (on) => this.#set(on ? "open" : "waiting"));
    link.on("exit", (status) => this.#set("ended", `ended with status ${status}`));
    link.on("refused", (text) => this.#set("ended", text));
    term.onData((text) => link.input(text));
    term.onBinary((data) => link.binary(data));
    term.onResize(({ cols, rows }) => link.resize(cols, rows));
    term.onTitleChange((title) => this.#set(this.state, this.note, title));
    theme.on("change", () => (term.options.theme = colours()));
    bindKeys(term);
  }

  #set(state, note = "", title = this.title) {
    // What came to an end stays so, whatever the channel does then.
    if (this.state === "ended" && state !== "ended") return;
    Object.assign(this, { state, note, title });
    this.emit("change");
  }
}

/** All terminals of one session. Event "change". */
class TerminalSet extends Emitter {
  views = [];
  chosen = null;
  #next = 1;
  #begun = false;

  constructor(session) {
    super();
    this.session = session;
  }

  /** Takes up those that run at the endpoint, or opens the first. */
  async begin() {
    if (this.#begun) return;
    this.#begun = true;
    // A new session has none: its first terminal is there sooner without asking.
    const there = this.session.fresh ? [] : await listTerminals(this.session).catch(() => []);
    for (const t of there) this.add(t.terminal);
    if (!this.views.length) this.add();
  }

  /** @returns {boolean} whether there may be another */
  get room() {
    return this.views.filter((v) => v.state !== "ended").length < MAX;
  }

  /** @param {string} [terminal] at the endpoint; absent: a new one */
  add(terminal) {
    const view = new TerminalView(this.session, this.#next++, terminal);
    view.on("change", () => this.emit("change"));
    this.views.push(view);
    this.choose(view);
  }

  /** @param {TerminalView} view */
  choose(view) {
    this.chosen = view;
    this.emit("change");
  }

  /** @param {TerminalView} view */
  close(view) {
    view.close();
    this.views = this.views.filter((v) => v !== view);
    if (this.chosen === view) this.chosen = this.views.at(-1) ?? null;
    this.emit("change");
  }
}

const sets = new WeakMap();

/** @param {import("../session/session.js").Session} session @returns {TerminalSet} */
export function terminalsOf(session) {
  if (!sets.has(session)) sets.set(session, new TerminalSet(session));
  return sets.get(session);
}
