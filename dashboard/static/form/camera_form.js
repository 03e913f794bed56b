// Adds or edits a camera: an address, a name, a test that shows one frame, and what is looked for.
import { cameraPath, patch, post } from "../lib/api.js";
import { Address, BlurFaces, Name, Options, Worker } from "./camera_fields.js";
import { EMPTY, byField, changesOf, freeName, nameTrouble, number, numbered, same, specOf, suggestedName, valuesOf } from "./camera_values.js";
import { NO_ADDRESS, useTrial } from "./camera_trial.js";
import { ConfiguredCamera } from "../camera/configured_camera.js";
import { Discovery } from "./discovery.js";
import { FleetFields, needsOf, useFleet } from "./fleet_fields.js";
import { draft } from "./form_draft.js";
import { live } from "../lib/live.js";
import { html, useEffect, useMemo, useRef, useState } from "../lib/preact.js";
import { sources, stagesFor, useSources } from "./sources.js";
import { labelsOf } from "./stage_kinds.js";
import { Pipeline, STANDARD } from "./stage_list.js";
import { toast } from "../lib/toast.js";
import { SectionFields } from "./section_fields.js";
import { sections, useSections } from "./sections.js";
import { TrialView } from "./trial_view.js";
import { drawingOf } from "./view_values.js";
import { Button, Dialog, Notice } from "../lib/ui.js";
import { NoWorker, useWorkers } from "./workers.js";

/** Adds a camera when `camera` is undefined, else edits it. */
export function CameraForm({ camera, session, onClose }) {
  const Form = camera?.origin === "config" ? ConfiguredCamera : FreeForm;
  const areKnown = [useSources(), useSections()].every(Boolean);
  return areKnown && html`<${Form} camera=${camera} session=${session} onClose=${onClose} />`;
}

function FreeForm({ camera, session, onClose }) {
  const [values, setValues] = useState(() => (camera ? valuesOf(camera) : draft.values ?? EMPTY));
  const [finding, find] = useState(false);
  const [trouble, setTrouble] = useState({});
  const models = useModels(values);
  const taken = camera ? [] : (live.cameras ?? []).map((one) => one.name);
  const fleet = useFleet();
  const needs = camera ? undefined : needsOf(values, fleet);
  const said = camera ? changesOf(values, camera)
    : { ...(models.shown.worker && { worker: models.shown.worker }), ...specOf(values) };
  const trial = useTrial(camera ? { name: camera.name, ...said } : said, models.workers, setTrouble);
  const close = () => { trial.cancel(); onClose(); };
  const { worker: _, ...spec } = said;
  const saving = useSaving({ camera, values, said: needs ? { ...spec, needs } : said, taken, setTrouble, onDone: close });
  const opener = useRef(document.activeElement); // it gets the focus back, after other dialogues too
  useEffect(() => () => queueMicrotask(() => opener.current?.focus?.()), []);
  useEffect(() => { if (!camera) draft.values = values; }, [values]);

  useEffect(() => { // an address may be typed before the models are known
    setValues((before) => ({ ...before, stages: suggestedStages(before, models.zoo) }));
  }, [models.zoo.length > 0]);
  const change = (part, mended = Object.keys(part)) => {
    setValues((before) => settled({ ...before, ...part }, part, taken, models.zoo));
    setTrouble((before) => Object.fromEntries(Object.entries(before).filter(([field]) => !mended.includes(field))));
  };
  const choose = ({ suggestion, ...rest }) => {
    change({ ...rest, ...(values.named ? {} : { name: freeName(suggestion, taken) }) });
    find(false);
  };
  const clear = () => { trial.cancel(); trial.forget(); setTrouble({}); setValues(EMPTY); document.getElementById("url").focus(); };
  if (finding) {
    return html`<${Dialog} key="find" wide title="Find cameras" onClose=${() => find(false)}>
      <${Discovery} size=${sizeOf(values, models.defaults)} onChoose=${choose} onBack=${() => find(false)} /></${Dialog}>`;
  }
  const shared = { camera, session, values, trial, saving };
  return html`<${Dialog} key="form" wide title=${camera ? `Edit ${camera.name}` : "Add a camera"} onClose=${close}>
    <form class="camera-form" onSubmit=${saving.save} novalidate>
      <${Fields} ...${shared} models=${models} fleet=${camera ? null : fleet} taken=${taken} trouble=${trouble} onChange=${change} onFind=${() => find(true)} />
      <${Foot} ...${shared} onClose=${close} onClear=${clear} />
    </form>
  </${Dialog}>`;
}

/** The size that the form asks for, to choose streams by. */
function sizeOf(values, defaults) {
  const side = (key) => [number(values[key]), defaults[key]].find(Number.isInteger);
  return { ...(side("width") && { width: side("width") }), ...(side("height") && { height: side("height") }) };
}

function Fields({ camera, session, values, models, fleet, taken, trial, saving, trouble, onChange, onFind }) {
  const { workers, kinds, failure, zoo, defaults, shown, findable } = models;
  const labels = labelsOf(findable, kinds, zoo);
  const url = useRef();
  useEffect(() => { // the first thing that is wrong
    if (saving.refusals) document.querySelector("dialog [aria-invalid]")?.focus();
    if (saving.refusals) document.querySelector("dialog [aria-invalid], dialog [role=alert]")?.scrollIntoView({ block: "center" });
  }, [saving.refusals]);
  const test = (isEnter) => (isEnter && trial.isGood ? saving.save() : trial.run());
  return html`
    ${trouble.top && html`<${Notice} icon="alert" tone="bad" title=${trouble.top.join("\n")} />`}
    <${NoWorker} workers=${workers} failure=${failure} wanted=${camera?.worker} />
    <${Address} values=${values} kept=${camera?.url} onChange=${onChange} onTest=${test} onFind=${onFind}
      busy=${trial.busy} lines=${trouble.url} input=${url} />
    <div aria-live="polite" class="trial-place"><${TrialView} test=${trial} verb=${camera ? "saved" : "added"}
      drawing=${drawingOf(values, defaults, onChange)} onCancel=${trial.cancel} /></div>
    ${!camera && html`<${Name} values=${values} session=${session} taken=${taken} onChange=${onChange} lines=${trouble.name} />`}
    <${Pipeline} values=${shown} kinds=${kinds} zoo=${zoo} standard=${models.standard} onChange=${onChange} trouble=${trouble.stages} />
    <${BlurFaces} values=${values} labels=${labels} onChange=${onChange} />
    <${FleetFields} values=${values} fleet=${fleet} onChange=${onChange} lines=${trouble} />
    ${!camera && !needsOf(values, fleet) && html`<${Worker} values=${shown} workers=${workers ?? []} onChange=${onChange} lines=${trouble.worker} />`}
    <${Options} values=${values} labels=${labels} defaults=${defaults} onChange=${onChange} lines=${trouble} />
    ${sections().map((form) => html`<${SectionFields} key=${form.key} form=${form} own=${values.sections[form.key]} inherited=${defaults[form.key]}
      labels=${labels} lines=${trouble} onChange=${(said, mended) => onChange({ sections: { ...values.sections, [form.key]: said } }, mended)} />`)}`;
}

/**
 * The workers, the models and defaults of the one that is chosen; `shown`: the form with what it inherits, `isStandard`
 * where its worker chooses the stages; `findable`: stages whose classes may be blurred.
 */
function useModels(values) {
  const { workers, kinds, failure } = useWorkers();
  const named = (name) => workers?.find((one) => one.worker === name);
  const worker = named(values.worker) ?? named("main") ?? workers?.[0];
  const { zoo = [], defaults = {} } = worker ?? {};
  const standard = worker ? worker.standard : { stages: STANDARD, with_faces: STANDARD };
  const inherited = JSON.stringify(standard?.[values.blur.includes("face") ? "with_faces" : "stages"] ?? defaults.stages ?? []);
  const stages = useMemo(() => JSON.parse(inherited).map(numbered), [inherited]);
  const isStandard = !values.stages && standard !== null;
  const shown = { ...values, stages: values.stages ?? stages, isStandard, worker: values.worker || (worker?.worker ?? "") };
  const findable = isStandard ? standard.with_faces.map((stage) => ({ stage })) : shown.stages;
  return { workers, kinds, failure, zoo, defaults, shown, findable, standard: standard?.stages ?? null };
}

/** {save, busy, refusals: how often it was refused}; what is wrong goes to `setTrouble`, by field. */
function useSaving({ camera, values, said, taken, setTrouble, onDone }) {
  const [state, set] = useState({ busy: false, refusals: 0 });
  const refuse = (trouble) => {
    setTrouble(trouble);
    set((before) => ({ ...before, busy: false, refusals: before.refusals + 1 }));
  };
  const save = async (event) => {
    event?.preventDefault();
    if (state.busy) return;
    const early = missing(values, taken);
    if (Object.keys(early).length) return refuse(early);
    setTrouble({});
    set((before) => ({ ...before, busy: true }));
    try {
      if (!camera) await post("/cameras", { name: values.name, ...said });
      else if (Object.keys(said).length) await patch(cameraPath(camera.name), said);
    } catch (error) {
      return refuse(byField(error.lines ?? [error.message], values.name));
    }
    if (!camera) {
      draft.values = null;
      location.hash = "#/";
    }
    toast(camera ? `${camera.name} saved.` : `${values.name} added; it is on the wall.`);
    onDone();
  };
  return { ...state, save };
}

function Foot({ camera, values, trial, saving, onClose, onClear }) {
  const isTyped = !camera && !same(values, EMPTY);
  const words = camera ? "Save" : trial.hasFailed ? "Add anyway" : "Add camera";
  return html`<div class="dialog-foot foot-stick">
    ${isTyped && html`<${Button} kind="quiet" onClick=${onClear}>Clear</${Button}>`}
    <small>${trial.hasFailed && !camera ? "It keeps trying." : ""}</small>
    <${Button} onClick=${onClose}>Cancel</${Button}>
    <${Button} type="submit" kind="primary" icon=${camera ? "check" : "add"} disabled=${saving.busy}>${saving.busy ? "One moment" : words}</${Button}>
  </div>`;
}

/** What follows from a change: a name and stages that were only suggested go with the address. */
function settled(values, part, taken, zoo) {
  if (part.url === undefined) return values;
  const name = values.named ? values.name : part.name ?? suggestedName(values.url, taken);
  return { ...values, name, stages: suggestedStages(values, zoo) };
}

/** The stages made for what an address shows, where nothing else was chosen and the worker has their models. */
function suggestedStages(values, zoo) {
  if (values.chose || values.custom) return values.stages;
  const made = stagesFor(values.url)?.filter(({ model }) => zoo.some((one) => one.name === model));
  const isMade = made?.length > 0 && made.length === stagesFor(values.url).length;
  const before = values.stages?.map((one) => one.stage);
  const wasMade = before && sources().some((one) => same(before, stagesFor(one.start)));
  return isMade ? (same(before, made) ? values.stages : made.map(numbered)) : wasMade ? null : values.stages;
}

/** What need not be asked of the server, by field. */
function missing(values, taken) {
  const found = {};
  if (!values.url.trim()) found.url = [NO_ADDRESS];
  if (!values.name) found.name = ["Enter a name."];
  else if (nameTrouble(values.name, taken)) found.name = [nameTrouble(values.name, taken)];
  return found;
}
