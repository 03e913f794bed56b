// The workers that run, with the models that cameras may name on them.
import { get } from "./api.js";
import { html, useEffect, useState } from "./preact.js";
import { Notice } from "./ui.js";

const EVERY_MS = 3000; // one that is started meanwhile is to be seen

/** {workers: [{worker, host, zoo, defaults}] or null until it is known, failure}. */
export function useWorkers() {
  const [state, set] = useState({ workers: null, failure: null });
  useEffect(() => {
    let timer = 0, isOver = false;
    const look = async () => {
      try {
        const { workers } = await get("/system");
        if (!isOver) set((before) => ({ workers: keep(before.workers, workers), failure: null }));
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

/** What was known stays while nothing of it has changed. */
function keep(before, workers) {
  const now = workers.map(({ worker, host, zoo, defaults }) => ({ worker, host, zoo, defaults }));
  return JSON.stringify(now) === JSON.stringify(before) ? before : now;
}

/** `wanted`: the worker of a camera that is edited. */
export function NoWorker({ workers, failure, wanted }) {
  if (failure && workers === null) return html`<${Notice} icon="alert" tone="wait" title=${failure.message} />`;
  if (workers === null || (workers.length && (!wanted || workers.some((one) => one.worker === wanted)))) return null;
  const title = workers.length ? `Worker ${wanted} does not run` : "No worker is running";
  return html`<${Notice} icon="alert" tone="wait" title=${title}>
    ${"A camera is kept, and begins as soon as its worker runs. Start it: "}<code>mirante up</code></${Notice}>`;
}
