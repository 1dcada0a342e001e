// Where a download goes: a file of the browser's private disk, which is handed over when it is whole; a file that the technician chooses where that disk has no room; else memory.

const FOLDER = "downloads";
const TYPE = "application/octet-stream"; // of any other, browsers change the name

/**
 * @typedef {object} Sink
 * @property {(offset: number, data: Uint8Array) => Promise<void>} write
 * @property {() => Promise<string>} done the file is whole: it is handed to the technician; the URL of a copy to be saved again, or ""
 * @property {() => Promise<void>} drop it is given up
 */

/**
 * @param {string} name of the file
 * @param {number} size bytes
 * @returns {Promise<Sink>} fails if the technician does not choose a file
 */
export async function openSink(name, size) {
  if (await fits(size)) return privateFile(name);
  if (window.showSaveFilePicker) return chosenFile(name);
  return memory(name);
}

/** Removes what downloads of earlier pages have left. */
export async function clearSinks() {
  const root = await navigator.storage?.getDirectory?.();
  await root?.removeEntry(FOLDER, { recursive: true }).catch(() => {});
}

async function fits(size) {
  if (!navigator.storage?.getDirectory || !window.FileSystemFileHandle?.prototype.createWritable) return false;
  const { quota = 0, usage = 0 } = await navigator.storage.estimate();
  return size < quota - usage;
}

async function privateFile(name) {
  const root = await navigator.storage.getDirectory();
  const folder = await root.getDirectoryHandle(FOLDER, { create: true });
  const own = crypto.randomUUID();
  const handle = await folder.getFileHandle(own, { create: true });
  const out = await handle.createWritable();
  const remove = () => folder.removeEntry(own).catch(() => {});
  return {
    write: (offset, data) => out.write({ type: "write", position: offset, data }),
    done: async () => {
      await out.close();
      // The browser reads the file while it saves it; it goes when the next page clears up.
      const file = await handle.getFile();
      return save(name, file.slice(0, file.size, TYPE));
    },
    drop: async () => {
      await out.abort().catch(() => {});
      await remove();
    },
  };
}

async function chosenFile(name) {
  const handle = await window.showSaveFilePicker({ suggestedName: name });
  const out = await handle.createWritable();
  return {
    write: (offset, data) => out.write({ type: "write", position: offset, data }),
    done: async () => {
      await out.close();
      return "";
    },
    drop: () => out.abort().catch(() => {}),
  };
}

function memory(name) {
  const pieces = [];
  return {
    write: async (_, data) => void pieces.push(data.slice()),
    done: async () => save(name, new Blob(pieces, { type: TYPE })),
    drop: async () => void pieces.splice(0),
  };
}

function save(name, blob) {
  const url = URL.createObjectURL(blob);
  const link = Object.assign(document.createElement("a"), { href: url, download: name });
  link.click();
  // A browser may refuse a file that comes long after the last click: then the URL is there to be clicked on.
  return url;
}
