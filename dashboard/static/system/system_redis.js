// Redis and what goes through it: streams, readers, losses, and the pages themselves.
import { html } from "../lib/preact.js";
import { Meter } from "./system_workers.js";
import { Notice, State, bytes, count } from "../lib/ui.js";

const KINDS = ["detections", "masks", "status", "events"];

export function Redis({ redis }) {
  if (!redis.connected) {
    return html`<section class="card"><h2>Redis <small>${redis.url ?? ""}</small></h2>
      <${Notice} icon="alert" tone="bad" title=${redis.words}>
        Cameras keep running and hold their results for a while; this page reconnects by itself.</${Notice}></section>`;
  }
  const { used_memory_bytes: used, maxmemory_bytes: most } = redis;
  return html`<section class="card"><h2>Redis <small>${redis.url ?? ""}</small></h2>
    ${redis.refused && html`<${Notice} icon="alert" tone="bad" title="It refuses writes">${redis.refused}</${Notice}>`}
    ${redis.evicts && html`<${Notice} icon="alert" tone="wait" title="It may delete what it holds">
      It ${redis.evicts}: <code>redis-cli CONFIG SET maxmemory-policy noeviction</code></${Notice}>`}
    ${most > 0 && html`<div class="meters one">
      <${Meter} label="Memory" share=${used / most} words="${bytes(used)} of ${bytes(most)}" /></div>`}
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
  for (const { camera, stream, length } of streams) {
    cameras.set(camera, { ...cameras.get(camera), [stream]: length });
  }
  if (!cameras.size) return html`<p class="nothing">No streams yet: nothing was published in the last minute.</p>`;
  const kinds = KINDS.filter((kind) => [...cameras.values()].some((one) => kind in one));
  return html`<${Table} words=${["Entries kept"]} numbers=${kinds}>
    ${[...cameras].sort().map(([camera, lengths]) => html`<tr key=${camera}><td><${Link} camera=${camera} /></td>
      ${kinds.map((kind) => html`<td class="number">${count(lengths[kind])}</td>`)}</tr>`)}</${Table}>`;
}

/** A table whose first columns are words, and all others numbers. */
export function Table({ words, numbers, children }) {
  return html`<div class="scroll"><table><thead><tr>
    ${words.map((one) => html`<th>${one}</th>`)}${numbers.map((one) => html`<th class="number">${one}</th>`)}
  </tr></thead><tbody>${children}</tbody></table></div>`;
}

const Link = ({ camera }) => html`<a class="link" href="#/camera/${encodeURIComponent(camera)}">${camera}</a>`;

export function Groups({ groups }) {
  return html`<section class="card"><h2>Consumer groups <small>who reads, and how far behind</small></h2>
    ${groups.length === 0
      ? html`<p class="nothing">No consumer groups yet. Create one with
          <code> mirante.subscribe("gate", group="alarm", consumer="alarm-1")</code>.
          Subscribers without a group are not listed: they leave no trace in Redis.</p>`
      : html`<${Table} words=${["Camera", "Group"]} numbers=${["Consumers", "Pending", "Behind", "Lost"]}>
          ${groups.map((one) => html`<${Group} key=${`${one.camera} ${one.stream} ${one.group}`} group=${one} />`)}
        </${Table}>`}
  </section>`;
}

const UNKNOWN_LAG = "Unknown to Redis: entries were trimmed before the group read them";

function Group({ group }) {
  const { camera, stream, consumers, pending, lag, lost } = group;
  return html`<tr><td><${Link} camera=${camera} /></td>
    <td>${group.group}${stream !== "detections" && html` <span class="soft">${stream}</span>`}</td>
    <td class="number">${count(consumers)}</td><td class="number">${count(pending)}</td>
    <td class="number" title=${lag === null ? UNKNOWN_LAG : null}>${lag === null ? "unknown" : count(lag)}</td>
    <td class="number ${lost ? "bad-number" : ""}">${count(lost)}</td></tr>`;
}

/** What waits on its way to Redis, and each camera's frames that did not arrive anywhere. */
export function Losses({ workers, cameras }) {
  const isWhole = workers.every((one) => one.outbox.depth !== null); // else some cameras are not told of
  const waits = workers.reduce((sum, one) => sum + one.outbox.depth, 0);
  const lostOf = (name) => workers.reduce((sum, one) => sum + (one.outbox.lost[name] ?? 0), 0);
  const refused = workers.reduce((sum, one) => sum + one.outbox.refused, 0);
  const known = cameras.filter((one) => one.counts);
  const losses = workers.flatMap((one) => Object.values(one.outbox.lost)); // of removed cameras too
  const lost = losses.reduce((sum, frames) => sum + frames, 0);
  const fine = workers.length > 0 && lost === 0 && refused === 0;
  return html`<section class="card"><h2>Losses <small>and what waits for Redis</small></h2>
    ${workers.length > 0 && html`<p class="verdict">
      <span class="state ${fine ? "good" : "bad"}">
        ${fine ? "Nothing was lost on its way to Redis" : lossWords(lost, refused)}</span>
      <span class="soft">${!isWhole ? "" : waits === 0 ? "outbox empty" : `in the outbox: ${count(waits)}`}</span></p>`}
    ${known.length === 0
      ? html`<p class="nothing">No camera has decoded a frame yet.</p>`
      : html`<${Table} words=${["Camera"]} numbers=${["Decoded", "Published", "Dropped", "Failed", "Lost"]}>
          ${known.map((one) => html`<${Row} key=${one.name} camera=${one} lost=${lostOf(one.name)} />`)}</${Table}>`}
  </section>`;
}

function Row({ camera, lost }) {
  const { decoded, published, dropped, failed } = camera.counts;
  const reasons = Object.entries(dropped).filter(([, frames]) => frames);
  const words = reasons.map(([reason, frames]) => `${reason} ${exact(frames)}`).join(", ");
  return html`<tr><td><${Link} camera=${camera.name} /> <${State} camera=${camera} /></td>
    <td class="number">${exact(decoded)}</td><td class="number">${exact(published)}</td>
    <td class="number" title=${words}>${exact(reasons.reduce((sum, [, frames]) => sum + frames, 0))}</td>
    <td class="number ${failed ? "bad-number" : ""}">${exact(failed)}</td>
    <td class="number ${lost ? "bad-number" : ""}">${exact(lost)}</td></tr>`;
}

const exact = (frames) => frames.toLocaleString("en");

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
      <div><dt>Images sent</dt><dd>${count(sent)}</dd></div>
      <div><dt>Skipped</dt><dd title="replaced by a newer image">${count(skipped)}</dd></div>
      <div><dt>Sent</dt><dd>${bytes(dashboard.bytes_sent)}</dd></div>
      <div><dt>CPU</dt><dd>${count(dashboard.cpu_percent)} %</dd></div>
      <div><dt>Memory</dt><dd>${bytes(dashboard.rss_bytes)}</dd></div>
    </dl>
  </section>`;
}
