// Workers: what each uses of its machine.
import { html } from "../lib/preact.js";
import { some } from "./system_models.js";
import { Notice, bytes, count, since } from "../lib/ui.js";

/** A share (0 to 1) of a whole as a bar; `full`: the tone of one that is full, "" for a good thing. */
export function Meter({ label, share, words, full = "bad" }) {
  const percent = Math.max(0, Math.min(100, 100 * (share || 0)));
  const tone = percent < 85 || !full ? "" : percent < 95 ? "wait" : full;
  return html`<div class="meter ${tone}"><span>${label}</span><b>${words}</b>
    <svg role="meter" aria-label=${label} aria-valuemin="0" aria-valuemax="100" aria-valuenow=${Math.round(percent)}
        aria-valuetext=${words}>
      <rect class="whole" width="100%" height="100%" rx="3" />
      <rect class="part" width="${percent.toFixed(1)}%" height="100%" rx="3" /></svg>
  </div>`;
}

export function Worker({ worker }) {
  const { process, machine, gpus, outbox } = worker;
  const cameras = Object.values(worker.cameras);
  const run = cameras.filter((one) => one.state === "running").length;
  return html`<section class="card">
    <h2>Worker ${worker.worker} <small>on ${worker.host}, up ${since(worker.started)}</small></h2>
    <div class="meters">
      <${Meter} label="Its CPU" share=${process.cpu_percent / 100 / machine.cores} full=""
        words="${Math.round(process.cpu_percent)} % of ${100 * machine.cores} %" />
      <${Meter} label="Its memory" share=${process.rss_bytes / machine.memory_bytes} words=${bytes(process.rss_bytes)} />
      <${Meter} label="Machine's CPU" full="wait" share=${machine.cpu_percent / 100}
        words="${Math.round(machine.cpu_percent)} % of ${machine.cores} cores" />
      <${Meter} label="Machine's memory" share=${machine.memory_used_bytes / machine.memory_bytes}
        words="${bytes(machine.memory_used_bytes)} of ${bytes(machine.memory_bytes)}" />
      ${gpus.map((gpu, i) => html`<${Gpu} key=${i} gpu=${gpu} />`)}
    </div>
    ${gpus.length === 0 && html`<p class="hint">No GPU here: models run on the CPU.</p>`}
    <dl class="readings">
      <div><dt>Cameras</dt><dd>${run} of ${cameras.length} running</dd></div>
      ${worker.room && html`<div><dt>Room</dt><dd>${roomOf(worker.room)}</dd></div>`}
      <div><dt>Results sent</dt><dd>${count(outbox.sent)}</dd></div>
      <div><dt>Threads</dt><dd>${process.threads}</dd></div>
      <div><dt>Process</dt><dd>${worker.pid}</dd></div>
      <div><dt>Version</dt><dd>${worker.version}</dd></div>
    </dl>
    ${cutsOf(outbox).map(({ camera, kind, entries, kept_s, max_mib }) => html`
      <${Notice} key="${camera} ${kind}" icon="alert" tone="wait" title="${camera}: its ${kind} do not fit into ${max_mib} MiB">
        The oldest leave Redis after ${kept_s} s, ${count(entries)} before their time so far. Raise <code>max_mib</code>, or
        lower the camera's fps or size.</${Notice}>`)}
    ${!outbox.connected && html`
      <${Notice} icon="alert" tone="bad" title="It cannot reach Redis">${outbox.words}</${Notice}>`}
  </section>`;
}

/** How many cameras more fit; what they cost is as of the last minute, quiet or not. */
function roomOf({ more, camera_percent, free_percent }) {
  const free = `${Math.round(free_percent)} % of a core`;
  if (more === null) return camera_percent === null ? `${free}, and no camera to measure by` : free;
  return `for ${count(more)} more like these: ${free}, and each takes ${camera_percent.toFixed(1)} % now`;
}

/** What left Redis before its time, as its stream was full. */
const cutsOf = ({ cut }) => Object.entries(cut ?? {}).flatMap(([camera, kinds]) =>
  Object.entries(kinds).map(([kind, one]) => ({ camera, kind, ...one })));

function Gpu({ gpu }) {
  const busy = gpu.utilisation_percent;
  return html`<${Meter} label=${gpu.name} share=${(busy ?? 0) / 100} full=""
      words=${busy === null ? "not reported by its driver" : `${Math.round(busy)} % busy`} />
    <${Meter} label="GPU memory" share=${gpu.memory_used_bytes / gpu.memory_bytes}
      words="${bytes(gpu.memory_used_bytes)} of ${bytes(gpu.memory_bytes)}" />`;
}

/** `worker`: {name, at: Unix s of its last report or null, cameras: names that wait for it}. */
export function Gone({ worker }) {
  const { name, at, cameras } = worker;
  const wait = {
    0: "",
    1: `Camera ${cameras[0]} is waiting for it. `,
  }[cameras.length] ?? `${cameras.length} cameras are waiting for it: ${some(cameras, 8)}. `;
  return html`<section class="card">
    <h2>Worker ${name} <small>${at ? `last seen ${since(at)} ago` : "never seen"}</small></h2>
    <${Notice} icon="alert" tone="bad" title="It is not running">
      ${wait}Start it: <code>mirante up FILE.yaml</code></${Notice}></section>`;
}
