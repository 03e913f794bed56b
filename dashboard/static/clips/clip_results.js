// The results beside a clip: what was found at each moment of it, as frames that lib/draw.js draws.
import { decodeMask } from "../lib/frame.js";

const APART_S = 0.5; // a result that is older, and than the usual gap, says nothing about an image
const EARLY_S = 0.005; // by which an image may come before the result of the same moment
const UNPACKED = 12; // frames whose masks are kept as images: those of a long clip are gigabytes

/** Frames by time: [{at: seconds since the clip's time 0, lasts: seconds, message, packed}]. */
export function framesOf({ began, frames }) {
  const sorted = frames
    .map(({ detections, masks, planes }) => ({ at: detections.ts - began, message: detections, packed: masks ? { ...masks, planes } : null }))
    .sort((one, other) => one.at - other.at);
  const gaps = sorted.slice(1).map(({ at }, place) => at - sorted[place].at).sort((one, other) => one - other);
  const lasts = Math.max(APART_S, 1.5 * (gaps[gaps.length >> 1] ?? 0));
  return sorted.map((frame) => ({ ...frame, lasts }));
}

/** The place of the newest frame at a moment of the clip, or -1. */
export function placeAt(frames, seconds) {
  let low = 0, high = frames.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (frames[middle].at <= seconds + EARLY_S) low = middle + 1;
    else high = middle;
  }
  return low > 0 && seconds - frames[low - 1].at <= frames[low - 1].lasts ? low - 1 : -1;
}

/** The masks of frames as images, unpacked a little before they are needed. */
export class Masks {
  constructor() {
    this.kept = new Map(); // frame → promise of its masks
    this.ready = new Map(); // frame → its masks
  }

  /** The masks of a frame, or null while they are unpacked; `onReady` is called then. */
  of(frame, onReady) {
    if (!frame.packed) return [];
    if (!this.kept.has(frame)) {
      this.kept.set(frame, unpacked(frame).then((masks) => {
        if (this.kept.has(frame)) this.ready.set(frame, masks);
      }));
      for (const old of [...this.kept.keys()].slice(0, -UNPACKED)) {
        this.kept.delete(old);
        this.ready.delete(old);
      }
    }
    const masks = this.ready.get(frame);
    if (!masks && onReady) this.kept.get(frame).then(onReady);
    return masks ?? null;
  }
}

async function unpacked({ at, packed: { masks, planes } }) {
  try {
    return await Promise.all(masks.map((mask) => decodeMask(mask, bytesOf(planes[mask.field]))));
  } catch (error) {
    console.error(`the masks of a clip at ${at.toFixed(2)} s cannot be drawn`, error);
    return [];
  }
}

const bytesOf = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
