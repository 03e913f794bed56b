// Where tracked objects came from: a line behind each, which fades as it grows old.
import { colourOfTrack } from "./colours.js";

const KEPT_S = 4;
const STRONGEST = 0.85; // opacity of the newest piece
const FINEST = 0.004; // of the image's width: a step shorter than this is no step

/** The middle of a box's lower edge: where the object stands. */
const footOf = ([left, top, width, height]) => [left + width / 2, top + height];

/** The trails of one camera's objects. */
export class Trails {
  constructor() {
    this.epoch = null;
    this.ts = 0;
    this.tracks = new Map(); // track → {label, steps: [{x, y, ts}], at: the newest place}
  }

  /** Goes on with a frame's objects; a message of another epoch begins anew. */
  take({ epoch, ts, size, objects }) {
    if (epoch !== this.epoch || ts < this.ts) this.tracks.clear();
    this.epoch = epoch;
    this.ts = ts;
    for (const { track_id: id, label, bbox } of objects) {
      if (!(id > 0)) continue;
      const [x, y] = footOf(bbox);
      const track = this.tracks.get(id) ?? { steps: [] };
      const last = track.steps.at(-1);
      const isStep = !last || Math.hypot(x - last.x, y - last.y) >= FINEST * size[0];
      if (isStep) track.steps.push({ x, y, ts });
      this.tracks.set(id, { ...track, label, at: { x, y, ts } });
    }
    for (const [id, { steps, at }] of this.tracks) {
      while (steps.length && ts - steps[0].ts > KEPT_S) steps.shift();
      if (ts - at.ts > KEPT_S) this.tracks.delete(id);
    }
  }

  /** Draws those of classes that are not hidden. */
  draw(context, toX, toY, unit, hidden) {
    context.save();
    context.lineWidth = 2.5 * unit;
    for (const [id, { label, steps, at }] of this.tracks) {
      if (hidden.has(label)) continue;
      context.strokeStyle = colourOfTrack(id);
      const places = [...steps, at];
      for (let i = 1; i < places.length; i++) {
        const from = places[i - 1], to = places[i];
        context.globalAlpha = STRONGEST * Math.max(0, 1 - (this.ts - from.ts) / KEPT_S);
        context.beginPath();
        context.moveTo(toX(from.x), toY(from.y));
        context.lineTo(toX(to.x), toY(to.y));
        context.stroke();
      }
    }
    context.restore();
  }
}
