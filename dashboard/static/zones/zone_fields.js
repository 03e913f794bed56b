// The rule of one zone, line or ground as fields.
import { number } from "../form/camera_values.js";
import { Trouble } from "../form/fields.js";
import { ClassChip } from "../lib/chips.js";
import { html, useState } from "../lib/preact.js";
import { Button } from "../lib/ui.js";
import { ANCHORS, placedShape, troubleKey } from "./zone_rules.js";

const without = (keys, key) => Object.fromEntries(Object.entries(keys).filter(([one]) => one !== key));
const NAMES = { zone: "Zone", line: "Line" };

/** `classes` and `planes` that the camera finds; `trouble`: {key: [words]} of this shape; `onChange` takes a part of it. */
export function ShapeFields({ shape, classes, planes, trouble, nameWords, onChange }) {
  const { kind, keys } = shape;
  const set = (key, value) => {
    const rest = without(keys, key);
    onChange({ keys: value === null || value === "" ? rest : { ...rest, [key]: value } });
  };
  const shared = { id: troubleKey(shape).replace(" ", "-"), keys, trouble, set };
  if (kind === "ground") return html`<${Ground} shape=${shape} trouble=${trouble} onChange=${onChange} />`;
  return html`<div class="shape-fields">
    <div class="field"><label for="shape-name">${NAMES[kind]}</label>
      <input id="shape-name" value=${shape.name} maxlength="64" spellcheck=${false} autocomplete="off" autocapitalize="off"
        aria-invalid=${nameWords ? "true" : null} onInput=${(event) => onChange({ name: event.target.value })} />
      <${Trouble} lines=${nameWords ? [nameWords] : []} /></div>
    <${Classes} ...${shared} classes=${classes} />
    ${kind === "zone" && planes.length > 0 && html`<${Plane} ...${shared} planes=${planes} onDrawn=${() => onChange({ keys: without(keys, "mask"), points: shape.points.length ? shape.points : placedShape("zone", []).points })} />`}
    <div class="field"><label for="shape-anchor">What has to be ${kind === "zone" ? "inside" : "across"}</label>
      <select id="shape-anchor" value=${keys.anchor ?? "bottom"} onChange=${(event) => set("anchor", event.target.value === "bottom" ? null : event.target.value)}>
        ${Object.entries(ANCHORS).filter(([key]) => kind === "zone" || key !== "mask").map(([key, words]) => html`<option key=${key} value=${key}>${words}</option>`)}
      </select><${Trouble} lines=${trouble.anchor} /></div>
    ${keys.anchor === "mask" && html`<${Share} ...${shared} name="share" words="Share of the mask inside" standard=${0.5} />`}
    <div class="field-row">
      <${Typed} ...${shared} name="after_s" words="Counts after, s" standard=${kind === "zone" ? 0.5 : 0} />
      ${kind === "zone" && html`<${Typed} ...${shared} name="crowded" words="Crowded above" standard="never" />`}
      ${kind === "zone" && keys.crowded !== undefined && html`<${Typed} ...${shared} name="crowded_s" words="… for, s" standard=${5} />`}
    </div>
    <details class="more-options"><summary>More</summary><div class="field-row">
      <${Share} ...${shared} name="score" words="Minimum score" standard=${0} />
      <${Share} ...${shared} name="size" words="Minimum height" standard=${0} />
      <${Typed} ...${shared} name="lost_s" words="Gone after, s" standard=${1} />
      ${kind === "zone" && html`<label class="switch-row"><input type="checkbox" role="switch" checked=${keys.enabled !== false}
        onChange=${(event) => set("enabled", event.target.checked ? null : false)} /> Objects count in it</label>`}
      ${kind === "line" && html`<${Share} ...${shared} name="band" words="Width of the line" standard=${0.02} most=${0.1} />`}
    </div></details>
    <${Trouble} lines=${[...(trouble[""] ?? []), ...(trouble.polygon ?? []), ...(trouble.from ?? []), ...(trouble.to ?? [])]} />
    ${kind === "line" && html`<div><${Button} kind="small" onClick=${() => onChange({ points: [...shape.points].reverse() })}>Swap in and out</${Button}></div>`}
  </div>`;
}

/** None chosen means all. */
function Classes({ keys, trouble, set, classes }) {
  const chosen = keys.classes ?? [];
  const all = [...new Set([...classes, ...chosen])];
  if (!all.length) return null;
  const toggle = (label) => {
    const next = chosen.includes(label) ? chosen.filter((one) => one !== label) : [...chosen, label];
    set("classes", next.length ? next : null);
  };
  return html`<div class="field" role="group" aria-label="Classes"><span>Classes: ${chosen.length ? chosen.join(", ") : "all"}</span>
    <div class="chip-choices">${all.map((label) => html`<${ClassChip} key=${label} label=${label} on=${chosen.includes(label)} onToggle=${() => toggle(label)} />`)}</div>
    <${Trouble} lines=${trouble.classes} /></div>`;
}

/** A plane of the camera's masks in the place of a drawn area. */
function Plane({ keys, trouble, set, planes, onDrawn }) {
  return html`<div class="field"><label for="shape-mask">Area</label>
    <select id="shape-mask" value=${keys.mask ?? ""} onChange=${(event) => (event.target.value ? set("mask", event.target.value) : onDrawn())}>
      <option value="">as drawn</option>${[...new Set([...planes, keys.mask].filter(Boolean))].map((plane) => html`<option key=${plane} value=${plane}>the mask ${plane}</option>`)}
    </select><${Trouble} lines=${trouble.mask} /></div>`;
}

/** A number; what is typed stands as it is until it is left. */
function Typed({ id, keys, trouble, set, name, words, standard }) {
  const [typed, type] = useState(null);
  return html`<div class="field"><label for="${id}-${name}">${words}</label>
    <input id="${id}-${name}" value=${typed ?? keys[name] ?? ""} inputmode="decimal" placeholder=${standard} autocomplete="off"
      aria-invalid=${trouble[name] ? "true" : null} onBlur=${() => type(null)}
      onInput=${(event) => { type(event.target.value); set(name, event.target.value.trim() === "" ? null : number(event.target.value)); }} />
    <${Trouble} lines=${trouble[name]} /></div>`;
}

function Share({ id, keys, trouble, set, name, words, standard, most = 1 }) {
  const value = keys[name] ?? standard;
  return html`<div class="field"><label for="${id}-${name}">${words}: <output>${Math.round(value * 100)} %</output></label>
    <input id="${id}-${name}" type="range" min="0" max=${most} step=${most / 50} value=${value} onInput=${(event) => set(name, Number(event.target.value))} />
    <${Trouble} lines=${trouble[name]} /></div>`;
}

/** Where each place of the ground is, in metres. */
function Ground({ shape, trouble, onChange }) {
  const { metres } = shape.keys;
  const put = (at, axis, text) => {
    const value = number(text);
    onChange({ keys: { metres: metres.map((one, i) => (i === at ? one.map((old, j) => (j === axis ? value ?? 0 : old)) : one)) } });
  };
  return html`<div class="shape-fields"><p class="hint">Move the four places onto the ground, and say where they are in metres.
    Zones and lines then know speeds and distances.</p>
    <table class="ground"><thead><tr><th>Place</th><th>x, m</th><th>y, m</th></tr></thead>
      <tbody>${metres.map((place, i) => html`<tr key=${i}><td>${i + 1}</td>${place.map((value, axis) => html`<td key=${axis}>
        <${Metres} value=${value} label="Place ${i + 1}, ${"xy"[axis]} in metres" onChange=${(text) => put(i, axis, text)} /></td>`)}</tr>`)}</tbody></table>
    <${Trouble} lines=${Object.values(trouble).flat()} /></div>`;
}

function Metres({ value, label, onChange }) {
  const [typed, type] = useState(null);
  return html`<input value=${typed ?? value} inputmode="decimal" aria-label=${label} onBlur=${() => type(null)}
    onInput=${(event) => { type(event.target.value); onChange(event.target.value); }} />`;
}
