// A camera's live picture on a canvas, followed only while it is on the screen.
import { drawFrame } from "./draw.js";
import { layers, onLayers } from "./layers.js";
import { live } from "./live.js";
import { html, useEffect, useRef } from "./preact.js";
import { Trails } from "./trails.js";

/**
 * `areas`: the zones and lines drawn over it, or null; `onFrame` is told of each frame drawn. The canvas has `data-seq`
 * and `data-epoch` of its frame.
 */
export function Picture({ camera, areas = null, onFrame }) {
  const ref = useRef(), over = useRef({});
  over.current.areas = areas;
  useEffect(() => follow(ref.current, camera, over.current, onFrame), [camera]);
  useEffect(() => over.current.draw(), [JSON.stringify(areas)]);
  return html`<canvas ref=${ref} class="picture" role="img" aria-label="Live image of ${camera}" />`;
}

/** Draws frames until the function that it returns is called; `over.draw` draws the last one again. */
function follow(canvas, camera, over, onFrame) {
  let last = null, stop = null;
  over.trails = new Trails();
  const draw = over.draw = () => {
    if (!last) return;
    drawFrame(canvas, last, layers, over);
    canvas.dataset.seq = last.message.seq;
    canvas.dataset.epoch = last.message.epoch;
  };
  const take = (frame) => {
    last?.bitmap.close();
    last = frame;
    over.trails.take(frame.message);
    draw();
    onFrame?.(frame);
  };
  const onScreen = new IntersectionObserver(([entry]) => {
    if (entry.isIntersecting && !stop) stop = live.view(camera, take);
    if (!entry.isIntersecting && stop) stop = void stop();
  }, { rootMargin: "64px" });
  const sized = new ResizeObserver(() => {
    const ratio = devicePixelRatio || 1;
    const width = Math.round(canvas.clientWidth * ratio), height = Math.round(canvas.clientHeight * ratio);
    if (canvas.width === width && canvas.height === height) return;
    canvas.width = width;
    canvas.height = height;
    draw();
  });
  onScreen.observe(canvas);
  sized.observe(canvas);
  const unlayer = onLayers(draw);
  return () => {
    onScreen.disconnect();
    sized.disconnect();
    unlayer();
    stop?.();
    last?.bitmap.close();
  };
}
