// What a camera's frames pass: a ready-made choice, or stages one by one.
import { numbered, same } from "./camera_values.js";
import { html, useLayoutEffect, useRef, useState } from "../lib/preact.js";
import { stagesFor } from "./sources.js";
import { Stage, inSentence } from "./stage_fields.js";
import { boxesBefore, modelsOf, nameOf, newStage } from "./stage_kinds.js";
import { Button } from "../lib/ui.js";

/** What a camera without stages runs, where its worker does not say. */
export const STANDARD = [{ model: "yolox-street" }, { track: "bytetrack" }];

/**
 * `ways`: lists of stages that do it, the best first; the first whose files the worker has is taken. `isStandard`: left to
 * the worker where it chooses. `isMade`: for what a kind of source shows, and offered with it alone.
 */
const PRESETS = [
  { id: "objects", title: "People and vehicles", words: "Boxes around each of them.", ways: [STANDARD], isStandard: true },
  { id: "accurate", title: "Accurate", words: "People, vehicles and 74 more classes.", ways: [[{ model: "deimv2-femto" }]] },
  { id: "road", title: "Road and lanes", words: "From a car: masks of road, drivable area, lane lines.",
    ways: [[{ model: "road" }]] },
  { id: "faces", title: "Faces with masks", words: "Each face, with its outline.",
    ways: ["yunet", "street"].map((model) => [{ model }, { model: "face", on: "face" }]) },
  { id: "test", title: "The test image", words: "What is drawn in it: three boxes and a lane.", isMade: true,
    ways: [[{ model: "test-boxes" }, { model: "test-lane" }]] },
];

/** The choice that the stages of a form are, or undefined. */
const presetOf = ({ stages, isStandard }) => PRESETS.find((one) => (isStandard && one.isStandard)
  || one.ways.some((way) => same(way, stages?.map(({ stage }) => stage))));

/**
 * `values`: {url, stages, custom, isStandard} of the form, `kinds` of stages, `zoo`: models of the worker, `standard`: the
 * stages that it runs where a camera names none, null where its defaults name some, `onChange` takes what changes,
 * `trouble`: words of the server.
 */
export function Pipeline({ values, kinds, zoo, standard, onChange, trouble }) {
  const chosen = values.custom ? null : presetOf(values);
  const offered = PRESETS.filter((one) => !one.isMade || same(one.ways[0], stagesFor(values.url)) || one === chosen);
  const isLeft = (preset) => preset.isStandard && standard !== null;
  const choose = (preset) => onChange({ custom: false, chose: true,
    stages: isLeft(preset) ? null : wayOf(preset, kinds, zoo).map(numbered) });
  return html`<fieldset class="pipeline-part">
    <legend>What to detect</legend>
    <div class="presets">
      ${offered.map((preset) => html`<${Card} key=${preset.id} title=${preset.title} words=${isLeft(preset) ? wordsOf(preset, standard, kinds, zoo) : wordsOf(preset, preset.ways[0], kinds, zoo)}
        missing=${isLeft(preset) ? "" : missing(preset, kinds, zoo)} checked=${preset === chosen} onChoose=${() => choose(preset)} />`)}
      <${Card} title="Custom" words="Models of your choice, in your order." checked=${!chosen}
        onChoose=${() => onChange({ custom: true, chose: true })} />
    </div>
    ${!chosen && kinds.length > 0 && html`<${StageList} stages=${values.stages ?? []} kinds=${kinds} zoo=${zoo}
      onChange=${(stages) => onChange({ stages, custom: true, chose: true })} />`}
    ${trouble?.map((words) => html`<p class="field-trouble" role="alert">${words}</p>`)}
  </fieldset>`;
}

/** The models of a list of stages whose files the worker does not have. */
function lackingOf(way, kinds, zoo) {
  return way.flatMap((stage) => modelsOf(stage, kinds)).filter((name) => !zoo.find((one) => one.name === name)?.ready);
}

/** The first list of stages that the worker can run, else the last. */
function wayOf({ ways }, kinds, zoo) {
  return ways.find((way) => !lackingOf(way, kinds, zoo).length) ?? ways.at(-1);
}

/** Why the worker cannot run a choice, in words, or "". */
function missing(preset, kinds, zoo) {
  if (!zoo.length) return "";
  const lacking = lackingOf(wayOf(preset, kinds, zoo), kinds, zoo);
  return lacking.length ? `The worker does not have the files: mirante models pull ${lacking.join(" ")}` : "";
}

/** What a choice finds by a list of stages, and what that costs where it is one model that was measured. */
function wordsOf({ words, isStandard }, way, kinds, zoo) {
  const [name, ...others] = way.flatMap((stage) => modelsOf(stage, kinds));
  const ms = others.length ? null : zoo.find((one) => one.name === name)?.ms;
  const less = isStandard && name && name !== STANDARD[0].model ? ` By ${name}, which finds fewer than ${STANDARD[0].model}.` : "";
  return `${words}${less}${ms ? ` About ${Math.round(ms)} ms an image.` : ""}`;
}

function Card({ title, words, missing = "", checked, onChoose }) {
  return html`<label class="preset-card ${missing ? "missing" : ""}">
    <input type="radio" name="pipeline" checked=${checked} disabled=${missing && !checked} onChange=${onChoose} />
    <span><strong>${title}</strong><small>${missing || words}</small></span>
  </label>`;
}

function StageList({ stages, kinds, zoo, onChange }) {
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
    say(`${nameOf(one.stage, kinds)} is stage ${at + by + 1} of ${stages.length}`);
    onChange(moved);
  };
  const drop = (at) => {
    const next = stages[at + 1] ?? stages[at - 1];
    focus.current = next ? `[data-stage="${next.id}"] [data-drop]` : ".add-stage";
    say(`${nameOf(stages[at].stage, kinds)} is removed`);
    onChange(stages.filter((_, i) => i !== at));
  };
  const offered = kinds.filter((kind) => kind.offered);
  const add = (kind) => {
    const one = numbered(newStage(kind, zoo));
    focus.current = `[data-stage="${one.id}"] select, [data-stage="${one.id}"] input`;
    say(`stage ${stages.length + 1} is added`);
    onChange([...stages, one]);
  };
  const replace = (at, stage) => onChange(stages.map((one, i) => (i === at ? { ...one, stage } : one)));
  return html`<div class="stage-list" ref=${list}>
    ${stages.length === 0 && html`<p class="hollow">No stage: no detection, video only.</p>`}
    <ol>${stages.map(({ id, stage }, at) => html`<li key=${id} data-stage=${id}>
      <${Stage} at=${at} stage=${stage} kinds=${kinds} zoo=${zoo} classes=${boxesBefore(stages, at, kinds, zoo)}
        onChange=${(changed) => replace(at, changed)} />
      <span class="stage-actions">
        <${Button} icon="up" kind="quiet" label="Move ${nameOf(stage, kinds)} up" data-move="-1" disabled=${at === 0}
          onClick=${() => move(at, -1)} />
        <${Button} icon="down" kind="quiet" label="Move ${nameOf(stage, kinds)} down" data-move="1"
          disabled=${at === stages.length - 1} onClick=${() => move(at, 1)} />
        <${Button} icon="remove" kind="quiet" label="Remove ${nameOf(stage, kinds)}" data-drop onClick=${() => drop(at)} />
      </span>
    </li>`)}</ol>
    <div class="stage-adders">${offered.map((kind) => html`<${Button} icon="add" class="button add-stage" key=${kind.kind} title=${kind.words}
      onClick=${() => add(kind)}>Add ${offered.length > 1 ? inSentence(kind.title) : "a stage"}</${Button}>`)}</div>
    <span class="unseen" aria-live="polite">${said}</span>
  </div>`;
}
