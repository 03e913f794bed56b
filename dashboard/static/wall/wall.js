// The wall: every camera, live.
import { CameraActions } from "../camera/camera_actions.js";
import { useGrid } from "./grid.js";
import { areasOf } from "../lib/areas.js";
import { asleep, cpu } from "../lib/asleep.js";
import { LayerBar } from "../lib/layer_bar.js";
import { useLive } from "../lib/live.js";
import { Picture } from "../lib/picture.js";
import { html, useState } from "../lib/preact.js";
import { mayChange } from "../lib/rights.js";
import { Button, Icon, Notice, State, count, ms, toneOf } from "../lib/ui.js";

const SEARCH_FROM = 7; // cameras

export function Wall({ session, onAdd, onEdit }) {
  const { cameras } = useLive();
  const [sought, seek] = useState("");
  if (cameras === null) return html`<${Waiting} />`;
  if (!cameras.length) return html`<${Empty} session=${session} onAdd=${onAdd} />`;
  const shown = cameras.filter((one) => one.name.toLowerCase().includes(sought.toLowerCase()));
  const labels = [...new Set(cameras.flatMap((one) => one.labels ?? []))].sort();
  return html`<main class="wall-page">
    <div class="bar">
      <h1>${summary(cameras)}</h1>
      ${cameras.length >= SEARCH_FROM && html`<label class="search"><${Icon} name="search" />
        <input type="search" placeholder="Find a camera" aria-label="Find a camera" value=${sought}
          onInput=${(event) => seek(event.target.value)} /></label>`}
      <${LayerBar} labels=${labels} cameras=${cameras} />
    </div>
    ${shown.length === 0 && html`<${Notice} icon="search" title="No camera is named “${sought}”" />`}
    <${Tiles} cameras=${shown} session=${session} onAdd=${onAdd} onEdit=${onEdit} />
  </main>`;
}

/** The tiles, and where their last row has room an invitation to add one more. */
function Tiles({ cameras, session, onAdd, onEdit }) {
  const [ref, { columns }] = useGrid(cameras.length);
  const room = mayChange(session) && columns > 1 && cameras.length % columns !== 0;
  return html`<div class="wall" ref=${ref}>
    ${cameras.map((one) => html`<${Tile} key=${one.name} camera=${one} session=${session} onEdit=${onEdit} />`)}
    ${room && html`<button type="button" class="tile add" onClick=${onAdd}><${Icon} name="add" />Add a camera</button>`}
  </div>`;
}

/** "3 cameras, all running", "16 cameras: 14 running, 1 failed, 1 paused". */
function summary(cameras) {
  const states = new Map();
  for (const one of cameras) {
    const words = one.paused ? "paused" : one.state;
    states.set(words, (states.get(words) ?? 0) + 1);
  }
  const all = cameras.length === 1 ? "1 camera" : `${cameras.length} cameras`;
  if (states.size === 1) {
    const [words] = states.keys();
    return cameras.length === 1 ? `${all}, ${words}` : `${all}, all ${words}`;
  }
  return `${all}: ${[...states].map(([words, n]) => `${n} ${words}`).join(", ")}`;
}

function Tile({ camera, session, onEdit }) {
  const href = `#/camera/${encodeURIComponent(camera.name)}`;
  const quiet = camera.paused || camera.state !== "running";
  return html`<article class="tile ${quiet ? "quiet" : ""}" data-camera=${camera.name}>
    <a href=${href} class="screen" aria-label="${camera.name}: ${camera.paused ? "paused" : camera.state}">
      <${Picture} camera=${camera.name} areas=${areasOf(camera)} />
      ${quiet && html`<${Why} camera=${camera} />`}
    </a>
    <footer>
      <a href=${href} class="name">${camera.name}</a>
      <${State} camera=${camera} />
      <span class="figures">
        ${asleep(camera) && html`<span class="asleep" title="nothing happens: key frames alone are decoded">asleep, ${cpu(camera)} of a core</span>`}
        ${!asleep(camera) && camera.rate && html`<span title="frames published per second">${count(camera.rate.published)} fps</span>`}
        ${!asleep(camera) && camera.latency_ms && html`<span title="capture to Redis, median">${ms(camera.latency_ms.p50)}</span>`}
      </span>
      <${CameraActions} camera=${camera} session=${session} onEdit=${onEdit} />
    </footer>
  </article>`;
}

/** Why there is no live picture, over the last one that there was. */
function Why({ camera }) {
  const title = camera.paused ? "Paused" : camera.state;
  const tone = camera.paused ? "off" : toneOf(camera.state);
  return html`<div class="why ${tone}"><div>
    <strong>${title}</strong>
    ${!camera.paused && camera.reason && html`<p>${camera.reason}</p>`}
  </div></div>`;
}

function Waiting() {
  const [ref] = useGrid(4);
  return html`<main class="wall-page"><div class="wall" ref=${ref} aria-busy="true">
    ${[0, 1, 2, 3].map(() => html`<article class="tile ghost"><div class="screen" /><footer /></article>`)}
  </div></main>`;
}

function Empty({ session, onAdd }) {
  return html`<main class="middle"><div class="empty">
    <img src="/static/icon.svg" alt="" width="64" height="64" />
    <h1>No cameras yet</h1>
    <p>RTSP, MJPEG over HTTP, a webcam, a file, or the built-in test image.</p>
    ${mayChange(session)
      ? html`<${Button} icon="add" kind="primary" onClick=${onAdd}>Add a camera</${Button}>`
      : html`<p>Ask an admin to add one.</p>`}
    <p class="or">or on the command line</p>
    <code>mirante camera add gate rtsp://user:password@192.0.2.10/stream</code>
  </div></main>`;
}
