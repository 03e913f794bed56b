// One stage of a camera: a control for each field of its kind, and what is to be known of its models.
import { number } from "./camera_values.js";
import { html, useState } from "../lib/preact.js";
import { classOf, headsOf, kindOf, modelsOf, nameOf, withModel, withValue } from "./stage_kinds.js";
import { Button, Notice } from "../lib/ui.js";

const CONTROLS = { model: Model, embedder: Embedder, class: Class, score: Score, number: Typed, text: Typed, choice: Choice, switch: Switch, vectors: Vectors };

/** A kind's title within a sentence. */
export const inSentence = (title) => title[0].toLowerCase() + title.slice(1);

/** `classes`: those that stages before it find. */
export function Stage({ at, stage, kinds, zoo, classes, onChange }) {
  const kind = kindOf(stage, kinds);
  const place = html`<b aria-hidden="true">${at + 1}</b>`;
  if (!kind?.offered) {
    return html`<div class="stage-row">${place}<div class="stage-fields"><code>${nameOf(stage, kinds)}</code>
      <small>${kind && inSentence(kind.title)}</small></div></div>`;
  }
  const name = nameOf(stage, kinds);
  const models = modelsOf(stage, kinds);
  return html`<div class="stage-row">${place}
    <div class="stage-fields">${kind.fields.filter(({ control }) => CONTROLS[control]).map((field) => html`
      <${CONTROLS[field.control]} key=${field.key} field=${field} value=${stage[field.key]} name=${name} zoo=${zoo} classes=${classes}
        onChange=${(value) => onChange(field.control === "model"
          ? withModel(stage, field.key, value, kinds, zoo, classes) : withValue(stage, field, value))} />`)}</div>
    ${models.map((model) => html`<${ModelWords} key=${model} name=${model} on=${classOf(stage, kinds)} zoo=${zoo} classes=${classes} />`)}
    ${models.length === 0 && html`<small>${kind.words}</small>`}
  </div>`;
}

function Model({ field, value, zoo, onChange }) {
  return html`<label class="field"><span>${field.label}</span>${zoo.length
    ? html`<${Models} value=${value} zoo=${zoo} onChange=${onChange} />`
    : html`<input value=${value} spellcheck=${false} onInput=${(event) => onChange(event.target.value)} />`}</label>`;
}

function Models({ value, zoo, onChange }) {
  const option = ({ name, ready }) => html`<option value=${name} key=${name}>${name}${ready ? "" : " (no file here)"}</option>`;
  const isKnown = zoo.some((one) => one.name === value);
  return html`<select value=${value} onChange=${(event) => onChange(event.target.value)}>
    ${!isKnown && html`<option value=${value}>${value}</option>`}
    <optgroup label="On the frame">${zoo.filter((one) => one.runs_on === "frame").map(option)}</optgroup>
    <optgroup label="On boxes of an earlier stage">${zoo.filter((one) => one.runs_on === "crops").map(option)}</optgroup>
  </select>`;
}

/** A model that gives embeddings, or none. */
function Embedder({ field, value, zoo, onChange }) {
  const names = zoo.filter((one) => one.gives_vectors).map((one) => one.name);
  return html`<label class="field"><span>${field.label}</span><select value=${value ?? ""} title=${field.description}
    onChange=${(event) => onChange(event.target.value)}>
    <option value="">${field.empty}</option>
    ${[...new Set([...names, value].filter(Boolean))].map((name) => html`<option value=${name} key=${name}>${name}</option>`)}
  </select></label>`;
}

function Class({ field, value, classes, onChange }) {
  return html`<label class="field"><span>${field.label}</span><select value=${value ?? ""} onChange=${(event) => onChange(event.target.value)}>
    ${!(field.required && value) && html`<option value="">${field.empty}</option>`}
    ${[...new Set([...classes, value].filter(Boolean))].map((label) => html`<option value=${label} key=${label}>each ${label}</option>`)}
  </select></label>`;
}

/** One score, or what no value means. What was said per class is kept until it is moved. */
function Score({ field, value, name, onChange }) {
  const isOne = typeof value === "number";
  const low = field.minimum ?? 0, high = field.maximum ?? 1;
  const words = isOne ? value.toFixed(2) : value ? "per class" : field.empty;
  return html`<div class="field stage-score"><span>${field.label}: <output>${words}</output></span><div>
    <input type="range" min=${low} max=${high} step="0.05" value=${isOne ? value : (low + high) / 2} aria-label="${field.label} of ${name}"
      aria-valuetext=${words} class=${isOne ? "" : "unset"} onInput=${(event) => onChange(Number(event.target.value))} />
    ${value !== undefined && !field.required && html`<${Button} icon="close" kind="quiet" label="Back to ${field.empty || "nothing"}"
      onClick=${() => onChange(null)} />`}
  </div></div>`;
}

/** What is typed stands as it is until it is left: 2. is not put right to 2. */
function Typed({ field, value, onChange }) {
  const [typed, type] = useState(null);
  const isNumber = field.control === "number";
  const take = (text) => { type(text); onChange(isNumber ? number(text) : text.trim()); };
  return html`<label class="field"><span>${field.label}</span><input value=${typed ?? value ?? ""} inputmode=${isNumber ? "decimal" : null}
    placeholder=${field.empty} title=${field.description} spellcheck=${false} autocomplete="off"
    onInput=${(event) => take(event.target.value)} onBlur=${() => type(null)} /></label>`;
}

function Choice({ field, value, onChange }) {
  return html`<label class="field"><span>${field.label}</span>
    <select value=${value ?? ""} title=${field.description} onChange=${(event) => onChange(event.target.value)}>
      ${!field.required && html`<option value="">${field.empty || "default"}</option>`}
      ${field.choices.map((one) => html`<option value=${one} key=${one}>${one}</option>`)}
    </select></label>`;
}

/** Offered for models that give embeddings, and where it is on already. */
function Vectors({ field, value, name, zoo, onChange }) {
  if (!value && !zoo.find((one) => one.name === name)?.gives_vectors) return null;
  return html`<${Switch} field=${field} value=${value} onChange=${onChange} />`;
}

function Switch({ field, value, onChange }) {
  return html`<label class="switch-row" title=${field.description}>
    <input type="checkbox" role="switch" checked=${value ?? false} onChange=${(event) => onChange(event.target.checked)} />
    <span>${field.label}</span></label>`;
}

/** `finds car, person; masks of lane`: what each head of a model does. */
function headWords({ verb, labels }) {
  return `${verb} ${labels.slice(0, 8).join(", ")}${labels.length > 8 ? ` and ${labels.length - 8} more` : ""}`;
}

function ModelWords({ name, on, zoo, classes }) {
  if (!zoo.length) return null;
  const model = zoo.find((one) => one.name === name);
  if (!model) return html`<${Notice} icon="alert" tone="wait" title="The worker has no model “${name}”" />`;
  if (!model.ready) return html`<${Notice} icon="alert" tone="wait" title="The worker does not have this model's file" />`;
  if (on && !classes.includes(on)) {
    return html`<${Notice} icon="alert" tone="wait" title="No earlier stage finds “${on}”">Move it after one that does.</${Notice}>`;
  }
  if (model.runs_on === "crops" && !on) {
    return html`<${Notice} icon="alert" tone="wait" title="This model needs boxes from an earlier stage">
      ${classes.length ? "Choose their class." : "Add a detector before it."}</${Notice}>`;
  }
  return html`<small>${headsOf(model).map(headWords).join("; ")}</small>`;
}
