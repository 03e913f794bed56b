// What zones and lines count now, under the picture, and the way into their editor.
import { areasOf } from "../lib/areas.js";
import { html } from "../lib/preact.js";
import { mayOperate } from "../lib/rights.js";
import { Button } from "../lib/ui.js";
import { dwellWords } from "../events/event_words.js";

/** `message`: the newest one, `onEdit` opens the editor. */
export function ZonesNow({ camera, message, session, onEdit }) {
  const { zones, lines } = areasOf(camera) ?? { zones: {}, lines: {} };
  const isAny = Object.keys(zones).length + Object.keys(lines).length > 0;
  const isOperator = mayOperate(session), mayEdit = isOperator && camera.origin === "api";
  if (!isAny && !isOperator) return null;
  return html`<div class="zone-now">
    ${isAny && html`<dl aria-label="Counts of zones and lines">
      ${Object.keys(zones).map((name) => html`<${Zone} key=${`z${name}`} name=${name} count=${message?.zones?.[name]} />`)}
      ${Object.keys(lines).map((name) => html`<${Line} key=${`l${name}`} name=${name} count=${message?.lines?.[name]} />`)}</dl>`}
    ${mayEdit && html`<${Button} icon="shape" kind="quiet" onClick=${onEdit}>${isAny ? "Edit zones" : "Draw zones and lines"}</${Button}>`}
    ${isOperator && !mayEdit && html`<p class="hint">Zones and lines of this camera are changed in worker ${camera.worker}'s configuration file.</p>`}
  </div>`;
}

function Zone({ name, count }) {
  const now = count && [`${count.inside} inside`, count.inside > 0 && count.dwell_s >= 1 && dwellWords(Math.round(count.dwell_s)), count.queue > 0 && `${count.queue} waiting`];
  return html`<div data-zone=${name} class=${count?.crowded ? "crowded" : ""}><dt>${name}</dt>
    <dd>${count ? `${now.filter(Boolean).join(", ")} · ${count.entered} entered, ${count.left} left` : "–"}</dd></div>`;
}

function Line({ name, count }) {
  return html`<div data-line=${name}><dt>${name}</dt><dd>${count ? `${count.in} in, ${count.out} out` : "–"}</dd></div>`;
}
