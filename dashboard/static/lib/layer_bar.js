// Buttons for the layers and the classes that are drawn.
import { areasOf, isTracked } from "./areas.js";
import { colourOf } from "./colours.js";
import { hasLanes } from "./lanes.js";
import { toggleClass, toggleLayer, useLayers } from "./layers.js";
import { html } from "./preact.js";

const LAYERS = [["boxes", "Boxes"], ["labels", "Labels"], ["masks", "Masks"], ["points", "Key points"]];
const MORE = [["trails", "Trails"], ["areas", "Zones"], ["lanes", "Lanes"]]; // offered where there is something to draw
const SHOWN_MOST = 14;

/** `labels`: the classes that may be seen; `cameras`: those whose images are shown. */
export function LayerBar({ labels, cameras }) {
  const layers = useLayers();
  const has = {
    trails: cameras.some(isTracked),
    areas: cameras.some((camera) => areasOf(camera) !== null),
    lanes: cameras.some(hasLanes),
  };
  return html`<div class="layers" role="group" aria-label="Layers">
    ${[...LAYERS, ...MORE.filter(([name]) => has[name])].map(([name, words]) => html`<button type="button" class="chip" aria-pressed=${layers[name]}
      onClick=${() => toggleLayer(name)}>${words}</button>`)}
    ${labels.length > 0 && html`<span class="divider" />`}
    ${labels.slice(0, SHOWN_MOST).map((label) => html`<${Class} key=${label} label=${label}
      shown=${!layers.hidden.has(label)} />`)}
  </div>`;
}

function Class({ label, shown }) {
  const paint = (element) => element?.style.setProperty("--class", colourOf(label));
  return html`<button type="button" class="chip class" ref=${paint} aria-pressed=${shown}
    onClick=${() => toggleClass(label)}>${label}</button>`;
}
