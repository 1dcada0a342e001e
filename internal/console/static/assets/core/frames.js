// Frames of file transfers on a channel: 4 bytes number of the transfer, 8 bytes offset, data; all big-endian.

const HEADER = 12;
const MAX_MESSAGE = 64 * 1024; // of a channel
export const MAX_DATA = MAX_MESSAGE - HEADER;

/**
 * @param {number} number of the transfer
 * @param {number} offset in the file; below 2^53, as all numbers here
 * @param {Uint8Array} data at most MAX_DATA bytes
 * @returns {Uint8Array}
 */
export function frame(number, offset, data) {
  const out = new Uint8Array(HEADER + data.length);
  const view = new DataView(out.buffer);
  view.setUint32(0, number);
  view.setBigUint64(4, BigInt(offset));
  out.set(data, HEADER);
  return out;
}

/**
 * @param {Uint8Array} message
 * @returns {{number: number, offset: number, data: Uint8Array}} data is a view on the message
 */
export function unframe(message) {
  if (message.length < HEADER) throw new Error("a frame is shorter than its header");
  const view = new DataView(message.buffer, message.byteOffset, message.length);
  const offset = view.getBigUint64(4);
  if (offset > BigInt(Number.MAX_SAFE_INTEGER)) throw new Error("an offset is beyond what a file can have");
  return { number: view.getUint32(0), offset: Number(offset), data: message.subarray(HEADER) };
}

/** @param {Uint8Array} data @returns {string} hexadecimal */
export const hex = (data) => Array.from(data, (b) => b.toString(16).padStart(2, "0")).join("");

/** @param {Uint8Array} data @returns {Promise<string>} SHA-256, hexadecimal */
export const sha256 = async (data) => hex(new Uint8Array(await crypto.subtle.digest("SHA-256", data)));
