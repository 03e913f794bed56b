// What it all runs on: models and engines, workers, Redis, who reads, what was lost.
import { get } from "../lib/api.js";
import { mayChange } from "../lib/rights.js";
import { useLive } from "../lib/live.js";
import { Audit } from "./system_audit.js";
import { Bridges } from "./system_bridges.js";
import { Fleet } from "./system_fleet.js";
import { Models } from "./system_models.js";
import { Groups, Losses, Pages, Redis } from "./system_redis.js";
import { usePolled } from "../lib/polled.js";
import { html, useRef } from "../lib/preact.js";
import { Gone, Worker } from "./system_workers.js";
import { Notice } from "../lib/ui.js";

const CARDS = 6; // of workers, above which they fold

export function SystemPage({ session }) {
  const { cameras } = useLive();
  const { data: system, error } = usePolled(() => get("/system"), "system");
  const gone = useGone(system, cameras ?? []);
  if (!system) {
    return html`<main class="system-page" aria-busy=${!error}>${error && html`
      <${Notice} icon="alert" tone="bad" title="System status unavailable">${error.message}</${Notice}>`}</main>`;
  }
  const { workers, redis } = system;
  return html`<main class="system-page">
    <div class="bar"><h1>${summary(system)}</h1></div>
    ${error && html`
      <${Notice} icon="alert" tone="wait" title="This data is out of date">${error.message}</${Notice}>`}
    <div class="cards">
      <div class="column">
        ${redis.connected && html`<${Models} workers=${workers} session=${session} />`}
        <${Losses} workers=${workers} cameras=${cameras ?? []} />
        ${system.bridges.length > 0 && html`<${Bridges} bridges=${system.bridges} session=${session} />`}
        ${redis.connected && html`<${Groups} groups=${system.groups} />`}
        <${Pages} dashboard=${system.dashboard} />
        ${mayChange(session) && html`<${Audit} />`}
      </div>
      <div class="column">
        ${system.fleet && html`<${Fleet} fleet=${system.fleet} />`}
        <${Workers} workers=${workers} />
        ${gone.map((one) => html`<${Gone} key=${one.name} worker=${one} />`)}
        ${!workers.length && !gone.length && html`<${NoWorker} known=${redis.connected && !redis.refused} />`}
        <${Redis} redis=${redis} />
      </div>
    </div>
  </main>`;
}

function summary({ workers, redis }) {
  if (!redis.connected) return "Redis is away";
  if (redis.refused) return "Redis refuses writes";
  const models = new Set(workers.flatMap((worker) => worker.models.map((model) => model.name))).size;
  const many = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;
  return `${many(workers.length, "worker")}, ${many(models, "model")}, Redis ${redis.version}`;
}

/** Workers that cameras belong to, or that were here a while ago, and tell nothing now. */
function useGone(system, cameras) {
  const seen = useRef(new Map());
  if (!system?.redis.connected || system.redis.refused) return []; // workers run, and cannot report
  const alive = new Set(system.workers.map((one) => one.worker));
  for (const one of system.workers) seen.current.set(one.worker, one.at);
  const wanted = cameras.filter((one) => one.worker && !alive.has(one.worker));
  const names = new Set([...seen.current.keys(), ...wanted.map((one) => one.worker)]);
  return [...names].filter((name) => !alive.has(name)).sort().map((name) => ({
    name,
    at: seen.current.get(name) ?? null,
    cameras: wanted.filter((one) => one.worker === name).map((one) => one.name),
  }));
}

/** A card for each; of many workers only when they are asked for. */
function Workers({ workers }) {
  const cards = workers.map((worker) => html`<${Worker} key=${worker.worker} worker=${worker} />`);
  if (workers.length <= CARDS) return cards;
  return html`<details class="column"><summary>Each of ${workers.length} workers</summary>${cards}</details>`;
}

function NoWorker({ known }) {
  return html`<section class="card"><h2>Workers</h2>
    <${Notice} icon="system" title=${known ? "No worker is running" : "Worker status unavailable"}>
      ${known
        ? html`Start one with its cameras: <code>mirante up street.yaml</code>`
        : "Workers report through Redis, and keep running without it."}
    </${Notice}></section>`;
}
