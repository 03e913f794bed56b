// The workers that run, with the models that cameras may name on them, and the kinds of stages.
import { get } from "../lib/api.js";
import { same } from "./camera_values.js";
import { html, useEffect, useState } from "../lib/preact.js";
import { Notice } from "../lib/ui.js";

const EVERY_MS = 3000; // one that is started meanwhile is to be seen

/** {workers: [{worker, zoo, defaults, standard}] or null until it is known, kinds: of stages, failure}. */
export function useWorkers() {
  const [state, set] = useState({ workers: null, kinds: [], failure: null });
  useEffect(() => {
    let timer = 0, isOver = false, kinds = null;
    const look = async () => {
      try {
        kinds ??= await get("/stages");
        const workers = byWorker(await get("/models"));
        if (!isOver) set((before) => ({ workers: same(before.workers, workers) ? before.workers : workers, kinds, failure: null }));
      } catch (failure) {
        if (!isOver) set((before) => ({ ...before, failure }));
      }
      if (!isOver) timer = setTimeout(look, EVERY_MS);
    };
    look();
    return () => { isOver = true; clearTimeout(timer); };
  }, []);
  return state;
}

/** The models of each worker: `ready` where it has the file; `standard`: the stages that it chooses, null where its defaults name some. */
function byWorker({ zoo, defaults, standard }) {
  return Object.keys(defaults).sort().map((worker) => ({
    worker, defaults: defaults[worker], standard: standard[worker] ?? null, zoo: zoo.map((one) => ({ ...one, ready: one.ready_on.includes(worker) })),
  }));
}

/** `wanted`: the worker of a camera that is edited. */
export function NoWorker({ workers, failure, wanted }) {
  if (failure && workers === null) return html`<${Notice} icon="alert" tone="wait" title=${failure.message} />`;
  if (workers === null || (workers.length && (!wanted || workers.some((one) => one.worker === wanted)))) return null;
  const title = workers.length ? `Worker ${wanted} is not running` : "No worker is running";
  return html`<${Notice} icon="alert" tone="wait" title=${title}>
    ${"The camera is saved, and will start with its worker. Start it: "}<code>mirante up</code></${Notice}>`;
}
