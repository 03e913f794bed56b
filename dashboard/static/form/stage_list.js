// What a camera's frames pass: a ready-made choice, or stages one by one.
import { numbered, same } from "./camera_values.js";
import { html, useLayoutEffect, useRef, useState } from "../lib/preact.js";
import { Button, Notice } from "../lib/ui.js";
import { stagesFor } from "./sources.js";

/** `isMade`: for what a kind of source shows, and offered with it alone. */
const PRESETS = [
  { id: "street", title: "People, vehicles, faces", words: "Boxes around each of them.", stages: [{ model: "street" }] },
  { id: "road", title: "Road and lanes", words: "From a car: masks of road, drivable area, lane lines.",
    stages: [{ model: "road" }] },
  { id: "faces", title: "Faces with masks", words: "Faces are found, and each one's outline with them.",
    stages: [{ model: "street" }, { model: "face", on: "face" }] },
  { id: "test", title: "The test picture", words: "What is drawn in it: three boxes and a lane.", isMade: true,
    stages: [{ model: "test-boxes" }, { model: "test-lane" }] },
];

/** The choice that these stages are, or undefined. */
const presetOf = (stages) => PRESETS.find((one) => same(one.stages, stages?.map(({ stage }) => stage)));

/** All classes that the stages may find, each once. */
export const labelsOf = (stages, zoo) =>
  [...new Set((stages ?? []).flatMap(({ stage }) => zoo.find((one) => one.name === stage.model)?.labels ?? []))];

/**
 * `values`: {url, stages, custom} of the form, `zoo`: models of the worker, `onChange` takes what changes,
 * `trouble`: words of the server.
 */
export function Pipeline({ values, zoo, onChange, trouble }) {
  const chosen = values.custom ? null : presetOf(values.stages);
  const offered = PRESETS.filter((one) => !one.isMade || same(one.stages, stagesFor(values.url)) || one === chosen);
  const choose = (preset) => onChange({ custom: false, stages: preset.stages.map(numbered), chose: true });
  return html`<fieldset class="pipeline-part">
    <legend>What is looked for</legend>
    <div class="presets">
      ${offered.map((preset) => html`<${Card} key=${preset.id} title=${preset.title} words=${preset.words}
        missing=${missing(preset, zoo)} checked=${preset === chosen} onChoose=${() => choose(preset)} />`)}
      <${Card} title="Custom" words="Models of your choice, in your order." checked=${!chosen}
        onChoose=${() => onChange({ custom: true, chose: true })} />
    </div>
    ${!chosen && html`<${StageList} stages=${values.stages ?? []} zoo=${zoo}
      onChange=${(stages) => onChange({ stages, custom: true, chose: true })} />`}
    ${trouble?.map((words) => html`<p class="field-trouble" role="alert">${words}</p>`)}
  </fieldset>`;
}

/** Why the worker cannot run a choice, in words, or "". */
function missing(preset, zoo) {
  if (!zoo.length) return "";
  const lacking = preset.stages.map(({ model }) => model).filter((name) => !zoo.find((one) => one.name === name)?.ready);
  return lacking.length ? `The worker has no file of ${lacking.join(" and ")}.` : "";
}

function Card({ title, words, missing = "", checked, onChoose }) {
  return html`<label class="preset-card ${missing ? "missing" : ""}">
    <input type="radio" name="pipeline" checked=${checked} disabled=${missing && !checked} onChange=${onChoose} />
    <span><strong>${title}</strong><small>${missing || words}</small></span>
  </label>`;
}

function StageList({ stages, zoo, onChange }) {
  const [said, say] = useState("");
  const list = useRef();
  const focus = useRef(null); // what gets the focus after the next drawing
  useLayoutEffect(() => {
    if (focus.current) list.current.querySelector(focus.current)?.focus();
    focus.current = null;
  });
  const move = (at, by) => {
    const moved = [...stages];
    const [one] = moved.splice(at, 1);
    moved.splice(at + by, 0, one);
    const isEnd = at + by === (by < 0 ? 0 : stages.length - 1); // where the same button is off
    focus.current = `[data-stage="${one.id}"] [data-move="${isEnd ? -by : by}"]`;
    say(`${nameOf(one.stage)} is stage ${at + by + 1} of ${stages.length}`);
    onChange(moved);
  };
  const drop = (at) => {
    const next = stages[at + 1] ?? stages[at - 1];
    focus.current = next ? `[data-stage="${next.id}"] [data-drop]` : ".add-stage";
    say(`${nameOf(stages[at].stage)} is removed`);
    onChange(stages.filter((_, i) => i !== at));
  };
  const add = () => {
    const one = numbered({ model: firstModel(zoo) });
    focus.current = `[data-stage="${one.id}"] select, [data-stage="${one.id}"] input`;
    say(`stage ${stages.length + 1} is added`);
    onChange([...stages, one]);
  };
  const replace = (at, stage) => onChange(stages.map((one, i) => (i === at ? { ...one, stage } : one)));
  return html`<div class="stage-list" ref=${list}>
    ${stages.length === 0 && html`<p class="hollow">No stage: pictures are shown, and nothing is looked for in them.</p>`}
    <ol>${stages.map(({ id, stage }, at) => html`<li key=${id} data-stage=${id}>
      <${Stage} number=${at + 1} stage=${stage} zoo=${zoo} classes=${boxesBefore(stages, at, zoo)}
        onChange=${(changed) => replace(at, changed)} />
      <span class="stage-actions">
        <${Button} icon="up" kind="quiet" label="Move ${nameOf(stage)} up" data-move="-1" disabled=${at === 0}
          onClick=${() => move(at, -1)} />
        <${Button} icon="down" kind="quiet" label="Move ${nameOf(stage)} down" data-move="1"
          disabled=${at === stages.length - 1} onClick=${() => move(at, 1)} />
        <${Button} icon="remove" kind="quiet" label="Remove ${nameOf(stage)}" data-drop onClick=${() => drop(at)} />
      </span>
    </li>`)}</ol>
    <${Button} icon="add" class="button add-stage" onClick=${add}>Add a stage</${Button}>
    <span class="unseen" aria-live="polite">${said}</span>
  </div>`;
}

/** What a new stage runs until another model is chosen. */
function firstModel(zoo) {
  const ready = zoo.filter((one) => one.ready && one.runs_on === "frame").map((one) => one.name);
  return ready.length && !ready.includes("street") ? ready[0] : "street";
}

const nameOf = (stage) => stage.model ?? stage.python;

/** Classes whose boxes a stage may run on: those that detectors before it find. */
function boxesBefore(stages, at, zoo) {
  const finds = ({ stage }) => zoo.find((one) => one.name === stage.model && one.finds_boxes)?.labels ?? [];
  return [...new Set(stages.slice(0, at).flatMap(finds))];
}

function Stage({ number, stage, zoo, classes, onChange }) {
  if (stage.python) return html`<div class="stage-row"><b>${number}</b><code>${stage.python}</code><small>a stage of your own</small></div>`;
  const model = zoo.find((one) => one.name === stage.model);
  const choose = (name) => {
    const wantsCrops = zoo.find((one) => one.name === name)?.runs_on === "crops";
    const on = wantsCrops ? stage.on ?? (classes.includes("face") && name.includes("face") ? "face" : classes[0]) : undefined;
    onChange(on ? { model: name, on } : { model: name });
  };
  return html`<div class="stage-row">
    <b aria-hidden="true">${number}</b>
    <label class="field stage-model"><span>Model</span><${Models} value=${stage.model} zoo=${zoo} onChoose=${choose} /></label>
    <label class="field stage-on"><span>Runs on</span><select value=${stage.on ?? ""} onChange=${(event) => onChange(withOn(stage, event.target.value))}>
      <option value="">the whole frame</option>
      ${[...new Set([...classes, stage.on].filter(Boolean))].map((label) => html`<option value=${label} key=${label}>each ${label}</option>`)}
    </select></label>
    <${Threshold} stage=${stage} onChange=${onChange} />
    <${StageWords} stage=${stage} model=${model} classes=${classes} known=${zoo.length > 0} />
  </div>`;
}

function withOn(stage, on) {
  const { on: _, ...rest } = stage;
  return on ? { ...rest, on } : rest;
}

function Models({ value, zoo, onChoose }) {
  if (!zoo.length) return html`<input value=${value} spellcheck=${false} onInput=${(event) => onChoose(event.target.value)} />`;
  const option = ({ name, ready }) => html`<option value=${name} key=${name}>${name}${ready ? "" : " (no file here)"}</option>`;
  const isKnown = zoo.some((one) => one.name === value);
  return html`<select value=${value} onChange=${(event) => onChoose(event.target.value)}>
    ${!isKnown && html`<option value=${value}>${value}</option>`}
    <optgroup label="On the frame">${zoo.filter((one) => one.runs_on === "frame").map(option)}</optgroup>
    <optgroup label="On boxes of an earlier stage">${zoo.filter((one) => one.runs_on === "crops").map(option)}</optgroup>
  </select>`;
}

/** One least score for all classes, or the model's own. What was said per class is kept until it is moved. */
function Threshold({ stage, onChange }) {
  const { threshold, ...rest } = stage;
  const isOne = typeof threshold === "number";
  const words = isOne ? threshold.toFixed(2) : threshold ? "per class" : "default";
  return html`<div class="field stage-threshold"><span>Least score: <output>${words}</output></span><div>
    <input type="range" min="0" max="1" step="0.05" value=${isOne ? threshold : 0.5} aria-label="Least score of ${stage.model}"
      aria-valuetext=${words} class=${isOne ? "" : "unset"}
      onInput=${(event) => onChange({ ...stage, threshold: Number(event.target.value) })} />
    ${threshold !== undefined && html`<${Button} icon="close" kind="quiet" label="The model's own least score" onClick=${() => onChange(rest)} />`}
  </div></div>`;
}

function StageWords({ stage, model, classes, known }) {
  if (!known) return null;
  if (!model) return html`<${Notice} icon="alert" tone="wait" title="The worker knows no model “${stage.model}”" />`;
  if (!model.ready) return html`<${Notice} icon="alert" tone="wait" title="The worker has no file of this model" />`;
  if (stage.on && !classes.includes(stage.on)) {
    return html`<${Notice} icon="alert" tone="wait" title="No stage before it finds “${stage.on}”">Move it behind one that does.</${Notice}>`;
  }
  if (model.runs_on === "crops" && !stage.on) {
    return html`<${Notice} icon="alert" tone="wait" title="It is made for boxes that a stage before it finds">
      ${classes.length ? "Choose their class." : "Put a stage before it that finds some."}</${Notice}>`;
  }
  const shown = model.labels.slice(0, 8).join(", ");
  return html`<small>${model.verb} ${shown}${model.labels.length > 8 ? ` and ${model.labels.length - 8} more` : ""}</small>`;
}
