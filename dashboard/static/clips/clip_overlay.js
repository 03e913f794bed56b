// What was found in a clip, drawn over its video at the moment that it shows.
import { drawResults } from "../lib/draw.js";
import { layers, onLayers } from "../lib/layers.js";
import { Trails } from "../lib/trails.js";
import { Masks, placeAt } from "./clip_results.js";

const AHEAD = 4; // frames whose masks are unpacked before they are shown
const NEXT = 10; // frames further on is a leap
const HAS_FRAMES = "requestVideoFrameCallback" in HTMLVideoElement.prototype;

/**
 * Draws until `close` is called. The canvas has `data-seq` of the frame whose results are on it, "" where
 * none belong to the image.
 */
export class Overlay {
  constructor(video, canvas, areas) {
    Object.assign(this, { video, canvas, areas, frames: [], seconds: 0, place: -1, isOver: false });
    this.trails = new Trails();
    this.masks = new Masks();
    this.sized = new ResizeObserver(() => this.fit());
    this.sized.observe(canvas);
    this.unlayer = onLayers(() => this.draw());
    this.follow();
  }

  /** Takes the results, which may come later than the video. */
  put(frames) {
    this.frames = frames;
    this.show(this.seconds);
  }

  close() {
    this.isOver = true;
    this.sized.disconnect();
    this.unlayer();
  }

  /** Asks for each image that is shown; a browser that does not tell is asked for its time instead. */
  follow() {
    if (this.isOver) return;
    const next = (_, image) => {
      if (this.isOver) return;
      this.show(image?.mediaTime ?? this.video.currentTime);
      this.follow();
    };
    if (HAS_FRAMES) this.video.requestVideoFrameCallback(next);
    else requestAnimationFrame(next);
  }

  show(seconds) {
    this.seconds = seconds;
    const before = this.place;
    this.place = placeAt(this.frames, seconds);
    // Each frame between two images leaves its step on the trails; a leap begins them anew.
    const isNext = before >= 0 && this.place >= before && this.place - before < NEXT;
    if (!isNext) this.trails = new Trails();
    for (let i = isNext ? before + 1 : this.place; i >= 0 && i <= this.place; i++) this.trails.take(this.frames[i].message);
    this.draw();
  }

  fit() {
    const ratio = devicePixelRatio || 1;
    this.canvas.width = Math.round(this.canvas.clientWidth * ratio);
    this.canvas.height = Math.round(this.canvas.clientHeight * ratio);
    this.draw();
  }

  draw() {
    const { canvas, video, place } = this;
    canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
    const frame = this.frames[place];
    canvas.dataset.seq = frame?.message.seq ?? "";
    if (!frame || !video.videoWidth) return;
    const again = () => !this.isOver && this.place === place && this.draw();
    const masks = this.masks.of(frame, again) ?? [];
    for (const later of this.frames.slice(place + 1, place + 1 + AHEAD)) this.masks.of(later);
    const picture = { width: video.videoWidth, height: video.videoHeight };
    drawResults(canvas, picture, { message: frame.message, masks }, layers, { areas: this.areas, trails: this.trails });
  }
}
