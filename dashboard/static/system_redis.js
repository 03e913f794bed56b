// Redis and what goes through it: streams, readers, losses, and the pages themselves.
import { html } from "./preact.js";
import { Meter } from "./system_workers.js";
import { Notice, State, bytes, count } from "./ui.js";

const KEY = /^mirante:\{(.+)\}:(\w+)$/;
const KINDS = ["detections", "masks", "status", "events"];

export function Redis({ redis }) {
  if (!redis.connected) {
    return html`<section class="card"><h2>Redis <small>${redis.url ?? ""}</small></h2>
      <${Notice} icon="alert" tone="bad" title=${redis.words}>
        Cameras go on and keep their results for a while; this page goes on by itself.</${Notice}></section>`;
  }
  const { used_memory_bytes: used, maxmemory_bytes: most } = redis;
  return html`<section class="card"><h2>Redis <small>${redis.url ?? ""}</small></h2>
    ${most > 0 && html`<div class="meters one"><${Meter} label="Memory" share=${used / most} words="${bytes(used)} of ${bytes(most)}" /></div>`}
    <dl class="readings">
      <div><dt>Version</dt><dd>${redis.version}</dd></div>
      ${most === 0 && html`<div><dt>Memory</dt><dd>${bytes(used)}, no limit</dd></div>`}
      <div><dt>Clients</dt><dd>${count(redis.clients)}</dd></div>
      <div><dt>Commands</dt><dd>${count(redis.ops_per_s)} /s</dd></div>
      <div><dt>Streams</dt><dd>${redis.streams.length}</dd></div>
    </dl>
    <${Streams} streams=${redis.streams} />
  </section>`;
}

/** Entries of each camera's streams. */
function Streams({ streams }) {
  const cameras = new Map();
  for (const { key, length } of streams) {
    const [, camera, kind] = KEY.exec(key) ?? [];
    if (camera) cameras.set(camera, { ...cameras.get(camera), [kind]: length });
  }
  if (!cameras.size) return html`<p class="nothing">No streams yet: nothing was published in the last minute.</p>`;
  const kinds = KINDS.filter((kind) => [...cameras.values()].some((one) => kind in one));
  return html`<div class="scroll"><table><thead><tr><th>Entries kept</th>${kinds.map((kind) => html`<th class="number">${kind}</th>`)}</tr></thead>
    <tbody>${[...cameras].sort().map(([camera, lengths]) => html`<tr key=${camera}><td><${Link} camera=${camera} /></td>
      ${kinds.map((kind) => html`<td class="number">${kind in lengths ? count(lengths[kind]) : "–"}</td>`)}</tr>`)}</tbody></table></div>`;
}

const Link = ({ camera }) => html`<a class="link" href="#/camera/${encodeURIComponent(camera)}">${camera}</a>`;

export function Groups({ groups }) {
  return html`<section class="card"><h2>Consumer groups <small>who reads, and how far behind</small></h2>
    ${groups.length === 0
      ? html`<p class="nothing">No group reads. One comes to be with <code>mirante.subscribe("gate", group="alarm", consumer="alarm-1")</code>;
          subscribers without a group read alone and leave no trace in Redis.</p>`
      : html`<div class="scroll"><table><thead><tr><th>Camera</th><th>Group</th><th class="number">Consumers</th><th class="number">Pending</th>
          <th class="number">Behind</th><th class="number">Lost</th></tr></thead>
        <tbody>${groups.map((one) => html`<tr key=${`${one.camera} ${one.stream} ${one.group}`}><td><${Link} camera=${one.camera} /></td><td>${one.group}${one.stream !== "detections" && html` <span class="soft">${one.stream}</span>`}</td>
          <td class="number">${count(one.consumers)}</td><td class="number">${count(one.pending)}</td>
          <td class="number" title=${one.lag === null ? "Redis cannot tell: entries were trimmed that it had not read" : ""}>${one.lag === null ? "unknown" : count(one.lag)}</td>
          <td class="number ${one.lost ? "bad-number" : ""}">${count(one.lost)}</td></tr>`)}</tbody></table></div>`}
  </section>`;
}

/** What waits on its way to Redis, and each camera's frames that did not arrive anywhere. */
export function Losses({ workers, cameras }) {
  const waits = workers.reduce((sum, one) => sum + one.outbox.depth, 0);
  const lostOf = (name) => workers.reduce((sum, one) => sum + (one.outbox.lost[name] ?? 0), 0);
  const refused = workers.reduce((sum, one) => sum + one.outbox.refused, 0);
  const known = cameras.filter((one) => one.counts);
  const lost = workers.flatMap((one) => Object.values(one.outbox.lost)).reduce((sum, frames) => sum + frames, 0); // of removed cameras too
  const fine = workers.length > 0 && lost === 0 && refused === 0;
  return html`<section class="card"><h2>Losses <small>and what waits for Redis</small></h2>
    ${workers.length > 0 && html`<p class="verdict"><span class="state ${fine ? "good" : "bad"}">${fine ? "Nothing was lost on its way to Redis" : lossWords(lost, refused)}</span>
      <span class="soft">${waits === 0 ? "outbox empty" : `${count(waits)} results wait in the outbox`}</span></p>`}
    ${known.length === 0
      ? html`<p class="nothing">No camera has counted a frame yet.</p>`
      : html`<div class="scroll"><table><thead><tr><th>Camera</th><th class="number">Decoded</th><th class="number">Published</th><th class="number">Dropped</th>
          <th class="number">Failed</th><th class="number">Lost</th></tr></thead>
        <tbody>${known.map((one) => html`<${Row} key=${one.name} camera=${one} lost=${lostOf(one.name)} />`)}</tbody></table></div>`}
  </section>`;
}

function Row({ camera, lost }) {
  const { decoded, published, dropped, failed } = camera.counts;
  const reasons = Object.entries(dropped).filter(([, frames]) => frames);
  const words = reasons.map(([reason, frames]) => `${reason} ${frames.toLocaleString("en")}`).join(", ");
  return html`<tr><td><${Link} camera=${camera.name} /> <${State} camera=${camera} /></td>
    <td class="number">${count(decoded)}</td><td class="number">${count(published)}</td>
    <td class="number" title=${words}>${count(reasons.reduce((sum, [, frames]) => sum + frames, 0))}</td>
    <td class="number ${failed ? "bad-number" : ""}">${count(failed)}</td><td class="number ${lost ? "bad-number" : ""}">${count(lost)}</td></tr>`;
}

function lossWords(lost, refused) {
  const parts = [];
  if (lost) parts.push(`${count(lost)} results lost: Redis was away for longer than the outbox holds`);
  if (refused) parts.push(`${count(refused)} refused by Redis`);
  return parts.join("; ");
}

export function Pages({ dashboard }) {
  const { pictures_sent: sent, pictures_skipped: skipped } = dashboard;
  return html`<section class="card"><h2>This dashboard <small>what its pages cost</small></h2>
    <dl class="readings">
      <div><dt>Pages open</dt><dd>${count(dashboard.pages)}</dd></div>
      <div><dt>Pictures sent</dt><dd>${count(sent)}</dd></div>
      <div><dt>Skipped</dt><dd title="a newer picture overtook them">${count(skipped)}</dd></div>
      <div><dt>Sent</dt><dd>${bytes(dashboard.bytes_sent)}</dd></div>
      <div><dt>CPU</dt><dd>${count(dashboard.cpu_percent)} %</dd></div>
      <div><dt>Memory</dt><dd>${bytes(dashboard.rss_bytes)}</dd></div>
    </dl>
  </section>`;
}
