// Which layers and classes are drawn: a choice of this browser, the same on every page.
import { useEffect, useState } from "./preact.js";

const KEY = "mirante.layers";
const listeners = new Set();

function load() {
  const kept = JSON.parse(localStorage.getItem(KEY) ?? "{}");
  const choice = { masks: true, boxes: true, labels: true, points: true, trails: true, areas: true, lanes: true, ...kept };
  return { ...choice, hidden: new Set(kept.hidden ?? []) };
}

export let layers = load();

function keep(changed) {
  layers = changed;
  localStorage.setItem(KEY, JSON.stringify({ ...layers, hidden: [...layers.hidden] }));
  for (const listener of listeners) listener();
}

export const toggleLayer = (name) => keep({ ...layers, [name]: !layers[name] });

export function toggleClass(label) {
  const hidden = new Set(layers.hidden);
  if (!hidden.delete(label)) hidden.add(label);
  keep({ ...layers, hidden });
}

/** Calls back at each change, until the function that this returns is called. */
export function onLayers(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useLayers() {
  const [, again] = useState(0);
  useEffect(() => onLayers(() => again((n) => n + 1)), []);
  return layers;
}
