// What a test of a camera showed: one frame with its boxes, or why there is none and what to try.
import { AreaDrawing } from "./area_drawing.js";
import { drawFrame } from "../lib/draw.js";
import { Mend } from "../lib/less.js";
import { html, useEffect, useRef, useState } from "../lib/preact.js";
import { Button, Notice, sentence } from "../lib/ui.js";

const LAYERS = { masks: false, boxes: true, labels: true, hidden: new Set() };
const PATIENCE_S = 4; // until it is said what it waits for

/**
 * `test`: {busy, trial, failure, started, stale}; `verb`: what can be done anyway, "added" or "saved", none for one that
 * exists; `drawing`: what AreaDrawing takes, if areas may be drawn.
 */
export function TrialView({ test, verb, drawing, onCancel }) {
  const { stale } = test;
  if (test.busy) return html`<${Busy} started=${test.started} onCancel=${onCancel} />`;
  if (test.failure) return html`<${Failed} title=${test.failure.message} verb=${verb} stale=${stale} />`;
  if (!test.trial) return null;
  if (!test.trial.connected) return html`<${Failed} title=${test.trial.words} advice=${test.trial.advice} verb=${verb} stale=${stale} />`;
  return html`<div class="trial-card ${stale ? "is-stale" : ""}" role="status">
    ${!test.trial.picture ? html`<p class="hollow">It sent no image.</p>`
      : stale || !drawing ? html`<${Shown} trial=${test.trial} />`
      : html`<${AreaDrawing} ...${drawing}><${Shown} trial=${test.trial} /></${AreaDrawing}>`}
    <${Facts} trial=${test.trial} stale=${stale} verb=${verb} />
  </div>`;
}

function Busy({ started, onCancel }) {
  const [now, tick] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => tick(Date.now()), 500);
    return () => clearInterval(timer);
  }, []);
  const passed = Math.max(0, Math.floor((now - started) / 1000));
  return html`<div class="trial-card busy">
    <div class="trial-wait"><span class="waiting-dot" /></div>
    <div class="trial-facts">
      <strong role="status">${passed < PATIENCE_S ? "Connecting" : "Waiting for the first good image"}</strong>
      <p>${passed} s. Some cameras take ten seconds; the test stops after 25 s.</p>
      <${Button} icon="close" onClick=${onCancel}>Cancel the test</${Button}>
    </div>
  </div>`;
}

function Failed({ title, advice, verb, stale }) {
  return html`<div class=${stale ? "is-stale" : ""}><${Notice} icon="alert" tone="bad" title=${title}>
    ${advice && `${advice}\n`}${verb ? `It can be ${verb} anyway: Mirante keeps trying until it connects.` : ""}
  </${Notice}></div>`;
}

/** The picture on a canvas of the size it is seen at, so that boxes and words are sharp. */
function Shown({ trial }) {
  const ref = useRef();
  const [broken, fail] = useState(false);
  useEffect(() => {
    const canvas = ref.current, image = new Image();
    const draw = () => {
      if (!image.complete || !image.width) return;
      const ratio = devicePixelRatio || 1;
      canvas.style.aspectRatio = `${image.width} / ${image.height}`;
      canvas.width = Math.round(canvas.clientWidth * ratio);
      canvas.height = Math.round(canvas.clientHeight * ratio);
      const message = { size: trial.size ?? [image.width, image.height], objects: trial.objects };
      drawFrame(canvas, { bitmap: image, masks: [], message }, LAYERS);
      canvas.dataset.drawn = trial.objects.length;
    };
    const sized = new ResizeObserver(draw);
    sized.observe(canvas);
    image.onload = draw;
    image.onerror = () => fail(true);
    image.src = trial.picture;
    return () => { sized.disconnect(); image.onload = image.onerror = null; };
  }, [trial]);
  if (broken) return html`<p class="hollow">Its image cannot be read.</p>`;
  return html`<canvas ref=${ref} class="trial-picture" role="img" aria-label="One frame of the camera: ${seen(trial.objects)}" />`;
}

/** "2 person, 1 car", or that nothing was found. */
function seen(objects) {
  const counts = new Map();
  for (const { label } of objects) counts.set(label, (counts.get(label) ?? 0) + 1);
  return [...counts].map(([label, n]) => `${n} ${label}`).join(", ") || "nothing found in this frame";
}

function Facts({ trial, stale, verb }) {
  const fact = (name, value) => value && html`<dt>${name}</dt><dd>${value}</dd>`;
  return html`<div class="trial-facts">
    <strong class="state good">Connected</strong>
    <dl>
      ${fact("Image", trial.size && `${trial.size[0]} × ${trial.size[1]}`)}
      ${fact("Frames", trial.fps && `${Number(trial.fps.toFixed(1))} per second`)}
      ${fact("Codec", trial.codec)}
      ${fact("Took", `${trial.seconds.toFixed(1)} s`)}
      ${fact("CPU", trial.cpu_percent && `${Math.round(trial.cpu_percent)} % of a core when busy`)}
      ${fact("Models", trial.models.join(", "))}
      ${fact("Found", seen(trial.objects))}
    </dl>
    ${trial.warning && html`<p class="state wraps wait" role="alert">${sentence(trial.warning)}</p>`}
    ${trial.hint && html`<p>${trial.hint}.</p>`}
    ${trial.less && html`<p>${trial.less.runs}: fewer ${trial.less.finds} found. <${Mend} choice=${trial.less} /></p>`}
    ${stale ? html`<p>Settings have changed: test again to see the result.</p>`
      : verb && html`<p class="keys">Press Enter again to ${verb === "saved" ? "save" : "add"} it.</p>`}
  </div>`;
}
