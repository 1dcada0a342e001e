// Files: one folder at a time, uploads by button or by dropping files on it.
import { fileWorkOf } from "../app/filework.js";
import { badName, crumbs, isWindows, join } from "../core/paths.js";
import { sorted } from "../core/sort.js";
import { bytes, when } from "../core/units.js";
import { ask, confirm, prompt } from "../ui/dialog.js";
import { notify } from "../ui/notices.js";
import { moveFocus } from "../ui/rows.js";
import { Fault, html, useChange, useEffect, useRef, useState } from "../ui/preact.js";
import { Transfers } from "./transfers.js";

/** @param {{session: import("../session/session.js").Session}} p */
export function Files({ session }) {
  const work = fileWorkOf(session);
  useChange(work);
  useEffect(() => void work.begin(), [work]);
  const [over, setOver] = useState(false);
  const mayWrite = session.may("files.write");
  const drop = (e) => {
    e.preventDefault();
    setOver(false);
    if (mayWrite) uploadAll(work, [...e.dataTransfer.files]);
  };
  return html`<div class="files ${over ? "dropping" : ""}" onDragOver=${(e) => { e.preventDefault(); setOver(mayWrite); }} onDragLeave=${() => setOver(false)} onDrop=${drop}>
    <p class="note">Files go through this server's relay, which could read them.</p>
    <${Place} work=${work} mayWrite=${mayWrite} />
    <${Fault} error=${work.error} />
    ${work.entries && html`<${Folder} work=${work} mayWrite=${mayWrite} mayRead=${session.may("files.read")} />`}
    ${!work.entries && work.busy && html`<p class="wait" role="status">Reading the folder …</p>`}
    <${Transfers} work=${work} />
  </div>`;
}

function Place({ work, mayWrite }) {
  const chooser = useRef(null);
  return html`<div class="toolbar">
    <nav class="crumbs" aria-label="Folder">
      ${work.path && crumbs(work.path).map((c) => html`<button class="plain" key=${c.path} onClick=${() => work.open(c.path)}>${c.name}</button>`)}
    </nav>
    <span class="spring"></span>
    ${work.roots.length > 1 && html`<select aria-label="Go to" onChange=${(e) => e.target.value && work.open(e.target.value)}>
      <option value="">Go to …</option>${work.roots.map((r) => html`<option value=${r.path}>${r.name}</option>`)}
    </select>`}
    <button onClick=${() => work.up()} disabled=${!work.path}>Up</button>
    <button onClick=${() => work.refresh()} disabled=${work.busy}>Refresh</button>
    ${mayWrite && html`<button onClick=${() => makeFolder(work)} disabled=${!work.path}>New folder</button>
      <button class="primary" onClick=${() => chooser.current.click()} disabled=${!work.path}>Upload</button>
      <input ref=${chooser} type="file" multiple hidden aria-label="Files to upload" onChange=${(e) => { uploadAll(work, [...e.target.files]); e.target.value = ""; }} />`}
  </div>`;
}

function Folder({ work, mayWrite, mayRead }) {
  // Folders first, as people look for the way before the file.
  const rows = sorted(work.entries, "name", false).toSorted((a, b) => isFolder(b) - isFolder(a));
  if (!rows.length) return html`<p class="wait">This folder is empty.${mayWrite && " Drop files here to upload them."}</p>`;
  return html`<div class="scroll"><table class="folder" onKeyDown=${(e) => moveFocus(e, ".entry")}>
    <thead><tr><th scope="col">Name</th><th scope="col" class="col-size">Size</th><th scope="col" class="col-time">Changed</th><th scope="col" class="col-mode">Mode</th>
      <th scope="col"><span class="hidden">Actions</span></th></tr></thead>
    <tbody>${rows.map((e) => html`<${Entry} key=${e.name} entry=${e} work=${work} mayWrite=${mayWrite} mayRead=${mayRead} />`)}</tbody>
  </table></div>${work.cut && html`<p class="note">The folder has more: the endpoint tells of the first ${work.entries.length} alone.</p>`}`;
}

const isFolder = (e) => Number(e.kind === "dir" || Boolean(e.folder));

function Entry({ entry: e, work, mayWrite, mayRead }) {
  const open = isFolder(e) ? () => work.open(join(work.path, e.name)) : mayRead && e.kind !== "other" ? () => work.download(e) : null;
  const keys = (k) => {
    if (k.key === "Delete" && mayWrite) remove(work, e);
    if (k.key === "F2" && mayWrite) rename(work, e);
    if (k.key === "Backspace") work.up();
  };
  return html`<tr onKeyDown=${keys}>
    <td><button class="entry plain" onClick=${open} disabled=${!open} title=${e.target ? `→ ${e.target}` : ""}>
      <span class=${`icon ${isFolder(e) ? "folder" : e.kind}`}></span>${e.name}<span class="hidden">${isFolder(e) ? ", folder" : ", download"}</span></button></td>
    <td class="col-size">${isFolder(e) ? "" : bytes(e.size)}</td><td class="col-time">${when(e.modified)}</td><td class="col-mode"><code>${e.mode}</code></td>
    <td class="actions">${mayWrite && html`<button class="small" aria-label=${`Rename ${e.name}`} onClick=${() => rename(work, e)}>Rename</button>
      <button class="small" aria-label=${`Delete ${e.name}`} onClick=${() => remove(work, e)}>Delete</button>`}</td></tr>`;
}

// Asks once for each file that is there already, unless the answer is for all.
async function uploadAll(work, files) {
  const there = new Set((work.entries ?? []).map((e) => e.name));
  let forAll = null;
  for (const file of files) {
    const known = there.has(file.name);
    const answer = known ? forAll ?? (await askOverwrite(file, files.length > 1)) : { value: "over" };
    if (!answer) return;
    if (answer.all) forAll = answer;
    if (answer.value === "over") work.upload(file, known);
  }
}

const askOverwrite = (file, several) => ask({
  title: `${file.name} is there already`, body: `Overwrite it by the file of ${bytes(file.size)}, changed ${new Date(file.lastModified).toLocaleString()}?`,
  box: several ? "For all that are there already" : undefined,
  answers: [{ label: "Skip it", value: "skip" }, { label: "Overwrite", value: "over", kind: "danger" }],
});

async function makeFolder(work) {
  const name = await prompt("New folder", { label: "Name", value: "", check: (t) => badName(t, isWindows(work.path)) }, "Make it");
  if (name) await change(work, () => work.files.mkdir(join(work.path, name)));
}

async function rename(work, e) {
  const name = await prompt(`Rename ${e.name}`, { label: "New name", value: e.name, check: (t) => badName(t, isWindows(work.path)) }, "Rename");
  if (!name || name === e.name) return;
  const [from, to] = [join(work.path, e.name), join(work.path, name)];
  await change(work, () => work.files.rename(from, to), async (error) => {
    if (error.code !== "exists") throw error;
    if (await confirm(`${name} is there already`, "Overwrite it?", "Overwrite", "danger")) await work.files.rename(from, to, true);
  });
}

async function remove(work, e) {
  const folder = e.kind === "dir";
  if (await confirm(`Delete ${e.name}?`, folder ? "The folder goes with all that is in it." : "It cannot be brought back.", "Delete", "danger")) {
    await change(work, () => work.files.remove(join(work.path, e.name), folder));
  }
}

// Changes something and shows the folder as it is then.
async function change(work, run, instead = (error) => Promise.reject(error)) {
  await run().catch(instead).catch((error) => notify(error.message, "bad"));
  await work.refresh();
}
