// What a camera of the fleet asks of its worker; shown only where there is a fleet.
import { get } from "../lib/api.js";
import { html, useEffect, useState } from "../lib/preact.js";
import { Field, Trouble } from "./fields.js";

/** What the fleet's keeper said last; null where there is none, or it is not known yet. */
export function useFleet() {
  const [fleet, set] = useState(null);
  useEffect(() => {
    let isOver = false;
    get("/system").then(({ fleet: found }) => { if (!isOver) set(found); }).catch(() => {}); // what fails is said by the page
    return () => { isOver = true; };
  }, []);
  return fleet;
}

/** Whether the fleet is to decide: as chosen, else where it has a keeper, without which nobody would. */
const isFleetsOf = (fleet, found) => fleet ?? found.state === "running";

/** The needs that the form says; undefined for a camera of a worker that is named. */
export function needsOf({ fleet, gpu, zone, nodeLabels }, found) {
  if (!found || !isFleetsOf(fleet, found)) return undefined;
  return { gpu, zone: zone.trim() || null, labels: nodeLabels.split(/[\s,]+/).filter(Boolean) };
}

function roomOf({ state, more }) {
  if (state === "gone") return " Its keeper is gone: nobody gives it to a worker now.";
  if (more === null) return "";
  return more ? ` The fleet has room for ${more} more.` : " The fleet is full.";
}

/** `fleet`: what the keeper said. */
export function FleetFields({ values, fleet, onChange, lines }) {
  if (!fleet) return null;
  const isFleets = isFleetsOf(values.fleet, fleet);
  const room = roomOf(fleet);
  const text = (key, label, help) => html`<${Field} id=${key} label=${label} value=${values[key]} placeholder="any" help=${help}
    lines=${lines[key]} onInput=${(said) => onChange({ [key]: said })} />`;
  return html`<div class="fleet-fields">
    <label class="switch-row">
      <input type="checkbox" role="switch" id="fleet" checked=${isFleets} onChange=${() => onChange({ fleet: !isFleets })} />
      <span><strong>The fleet decides which worker runs it</strong><small>${`The camera moves when a worker is lost or added.${room}`}</small></span>
    </label>
    <${Trouble} id="fleet-trouble" lines=${lines.fleet} />
    ${isFleets && html`<label class="switch-row">
        <input type="checkbox" role="switch" id="gpu" checked=${values.gpu} onChange=${() => onChange({ gpu: !values.gpu })} />
        <span><strong>On a worker with a GPU</strong></span>
      </label>
      <div class="field-row">
        ${text("zone", "Zone of the network", "Its worker is in this zone.")}
        ${text("nodeLabels", "Labels", "Its worker has all of them; with commas between.")}
      </div>`}
  </div>`;
}
