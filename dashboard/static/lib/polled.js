// Answers of the API that are asked for again and again, while somebody looks at the page.
import { get } from "./api.js";
import { useEffect, useState } from "./preact.js";

const PERIOD_MS = 2000;
const KEPT = 900; // samples: the server keeps no more

/** {data, error}: the newest answer of `load`, and why there is none newer; asked anew for each `key`. */
export function usePolled(load, key) {
  const [answer, setAnswer] = useState({ data: null, error: null });
  useEffect(() => repeat(async (isOver) => {
    const data = await load();
    if (!isOver()) setAnswer({ data, error: null });
  }, (error) => setAnswer((before) => ({ data: before.data, error }))), [key]);
  return answer;
}

/**
 * Calls `ask` at once and again and again, one call at a time, while somebody looks; `failed` gets its error.
 * Ends when the function that it returns is called, which `ask` sees by the `isOver()` that it is given.
 */
export function repeat(ask, failed, everyMs = PERIOD_MS) {
  let timer = null, busy = false, over = false;
  const turn = async () => {
    if (busy || over || document.hidden) return;
    clearTimeout(timer);
    busy = true;
    try {
      await ask(() => over);
    } catch (error) {
      if (!over) failed(error);
    }
    busy = false;
    if (!over) timer = setTimeout(turn, everyMs);
  };
  turn();
  document.addEventListener("visibilitychange", turn);
  return () => {
    over = true;
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", turn);
  };
}

/** A camera's last 15 minutes in columns; after the first answer only what is new is fetched. */
export function historyOf(path) {
  let kept = null, askedMs = 0;
  return async () => {
    const passed = Math.ceil((performance.now() - askedMs) / 1000) + 3;
    const fresh = await get(`${path}?seconds=${kept ? Math.min(KEPT, passed) : KEPT}`);
    askedMs = performance.now();
    kept = kept ? joined(kept, fresh) : fresh;
    return kept;
  };
}

function joined(kept, fresh) {
  const last = kept.t.at(-1) ?? 0;
  const first = fresh.t.findIndex((t) => t > last);
  if (first < 0) return kept;
  const before = kept.t.length, after = fresh.t.length - first;
  return joinedParts(kept, fresh, first, before, after);
}

function joinedParts(kept, fresh, first, before, after) {
  const parts = {};
  for (const name of new Set([...Object.keys(kept), ...Object.keys(fresh)])) {
    const one = kept[name], other = fresh[name];
    if (Array.isArray(one ?? other)) {
      const old = one ?? Array(before).fill(null);
      const more = other?.slice(first) ?? Array(after).fill(null);
      parts[name] = [...old, ...more].slice(-KEPT);
    } else {
      parts[name] = joinedParts(one ?? {}, other ?? {}, first, before, after);
    }
  }
  return parts;
}
