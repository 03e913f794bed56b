// Adds or edits a camera: an address, a name, a test that shows one frame, and what is looked for.
import { cameraPath, patch, post } from "./api.js";
import { Address, BlurFaces, Name, Options, Trouble, Worker } from "./camera_fields.js";
import { EMPTY, byField, changesOf, nameTrouble, numbered, same, specOf, suggestedName, valuesOf } from "./camera_values.js";
import { ConfiguredCamera } from "./configured_camera.js";
import { Discovery } from "./discovery.js";
import { draft } from "./form_draft.js";
import { live } from "./live.js";
import { html, useEffect, useMemo, useRef, useState } from "./preact.js";
import { PRESETS, Pipeline, labelsOf } from "./stage_list.js";
import { toast } from "./toast.js";
import { TrialView } from "./trial_view.js";
import { Button, Dialog, Notice } from "./ui.js";
import { NoWorker, useWorkers } from "./workers.js";

const STANDARD = [{ model: "street" }]; // what a camera without stages runs, where its worker does not say
const NO_ADDRESS = "Where are its pictures? An address is needed.";
const NO_WORKER = "It is a worker that connects, and none is running.";
const TEST_STAGES = PRESETS.find((one) => one.id === "test");

/** Adds a camera when `camera` is undefined, else edits it. */
export function CameraForm({ camera, onClose }) {
  const Form = camera?.origin === "config" ? ConfiguredCamera : FreeForm;
  return html`<${Form} camera=${camera} onClose=${onClose} />`;
}

function FreeForm({ camera, onClose }) {
  const [values, setValues] = useState(() => (camera ? valuesOf(camera) : draft.values ?? EMPTY));
  const [finding, find] = useState(false);
  const [trouble, setTrouble] = useState({});
  const [busy, setBusy] = useState(false);
  const { workers, failure } = useWorkers();
  const taken = camera ? [] : (live.cameras ?? []).map((one) => one.name);
  const worker = workers?.find((one) => one.worker === values.worker) ?? workers?.find((one) => one.worker === "main") ?? workers?.[0];
  const zoo = worker?.zoo ?? [], defaults = worker?.defaults ?? {};
  const standard = useMemo(() => (defaults.stages ?? STANDARD).map(numbered), [worker?.worker]);
  const shown = { ...values, stages: values.stages ?? standard, worker: values.worker || (worker?.worker ?? "") };
  const change = (part) => {
    setValues((before) => settled({ ...before, ...part }, part, taken, zoo));
    setTrouble((before) => Object.fromEntries(Object.entries(before).filter(([field]) => part[field] === undefined)));
  };
  const spec = specOf(values, camera?.spec);
  const trial = useTrial(camera ? { name: camera.name, ...changesOf(values, camera) }
    : { ...(shown.worker && { worker: shown.worker }), ...spec }, workers, setTrouble);
  const url = useRef();
  const opener = useRef(document.activeElement); // it gets the focus back, after other dialogues too

  useEffect(() => () => queueMicrotask(() => opener.current?.focus?.()), []);
  useEffect(() => { if (!camera) draft.values = values; }, [values]);
  useEffect(() => { if (!finding) url.current?.focus(); }, [finding]);
  useEffect(() => { // the first thing that is wrong
    const wrong = document.querySelector("dialog [aria-invalid], dialog .field-trouble, dialog .notice.bad");
    if (Object.keys(trouble).length) wrong?.scrollIntoView({ block: "center" });
  }, [trouble]);

  const save = async (event) => {
    event?.preventDefault();
    if (busy) return;
    const early = missing(values, taken);
    setTrouble(early);
    if (Object.keys(early).length) return;
    setBusy(true);
    try {
      await (camera ? edit(camera, values) : post("/cameras", { name: values.name, ...(shown.worker && { worker: shown.worker }), ...spec }));
      trial.cancel();
      if (!camera) draft.values = null;
      onClose();
      if (!camera) location.hash = "#/";
      toast(camera ? `${camera.name} is changed.` : `${values.name} is added: it is on the wall.`);
    } catch (error) {
      setTrouble(error.lines ? byField(error.lines, values.name) : { top: [error.message] });
      setBusy(false);
    }
  };
  const test = (isEnter) => (isEnter && trial.isGood ? save() : trial.run());
  const close = () => { trial.cancel(); onClose(); };
  if (finding) {
    const choose = ({ suggestion, ...rest }) => {
      const name = suggestedName(`file:${suggestion}`, taken);
      change({ ...rest, ...(values.named ? {} : { name }) });
      find(false);
    };
    return html`<${Dialog} key="find" wide title="Find cameras" onClose=${() => find(false)}>
      <${Discovery} onChoose=${choose} onBack=${() => find(false)} /></${Dialog}>`;
  }
  return html`<${Dialog} key="form" wide title=${camera ? `Edit ${camera.name}` : "Add a camera"} onClose=${close}>
    <form class="camera-form" onSubmit=${save} novalidate>
      ${trouble.top && html`<${Notice} icon="alert" tone="bad" title=${trouble.top.join("\n")} />`}
      <${NoWorker} workers=${workers} failure=${failure} wanted=${camera?.worker} />
      <${Address} values=${values} kept=${camera?.url} onChange=${change} onTest=${test} onFind=${() => find(true)}
        busy=${trial.busy} lines=${trouble.url} input=${url} />
      <div aria-live="polite" class="trial-place"><${TrialView} test=${trial} stale=${trial.stale} onCancel=${trial.cancel} /></div>
      ${!camera && html`<${Name} values=${values} taken=${taken} onChange=${change} lines=${trouble.name} />`}
      <${Pipeline} values=${shown} zoo=${zoo} onChange=${change} trouble=${trouble.stages} />
      <${BlurFaces} values=${values} labels=${labelsOf(shown.stages, zoo)} onChange=${change} />
      ${!camera && html`<${Worker} values=${shown} workers=${workers ?? []} onChange=${change} lines=${trouble.worker} />`}
      <${Options} values=${values} labels=${labelsOf(shown.stages, zoo)} defaults=${defaults} onChange=${change} lines=${trouble} />
      <${Foot} camera=${camera} values=${values} trial=${trial} busy=${busy} onClose=${close}
        onClear=${() => { trial.cancel(); trial.forget(); setTrouble({}); setValues(EMPTY); url.current.focus(); }} />
    </form>
  </${Dialog}>`;
}

function Foot({ camera, values, trial, busy, onClose, onClear }) {
  const isTyped = !camera && !same({ ...values, worker: "" }, EMPTY);
  const words = camera ? "Save" : trial.hasFailed ? "Add anyway" : "Add camera";
  return html`<div class="dialog-foot foot-stick">
    ${isTyped && html`<${Button} kind="quiet" onClick=${onClear}>Clear</${Button}>`}
    <small>${trial.hasFailed && !camera ? "It keeps trying." : ""}</small>
    <${Button} onClick=${onClose}>Cancel</${Button}>
    <${Button} type="submit" kind="primary" icon=${camera ? "check" : "add"} disabled=${busy}>${busy ? "One moment" : words}</${Button}>
  </div>`;
}

/** What follows from a change: a name and stages that were only suggested go with the address. */
function settled(values, part, taken, zoo) {
  if (part.url === undefined) return values;
  const name = values.named ? values.name : part.name ?? suggestedName(values.url, taken);
  if (values.chose || values.custom) return { ...values, name };
  const isTest = TEST_STAGES.only.test(values.url) && TEST_STAGES.stages.every(({ model }) => zoo.some((one) => one.name === model));
  const wasTest = same(values.stages?.map((one) => one.stage), TEST_STAGES.stages);
  const stages = isTest ? (wasTest ? values.stages : TEST_STAGES.stages.map(numbered)) : wasTest ? null : values.stages;
  return { ...values, name, stages };
}

/** What need not be asked of the server, by field. */
function missing(values, taken) {
  const found = {};
  if (!values.url.trim()) found.url = [NO_ADDRESS];
  if (!values.name) found.name = ["It needs a name."];
  else if (nameTrouble(values.name, taken)) found.name = [nameTrouble(values.name, taken)];
  return found;
}

async function edit(camera, values) {
  const changes = changesOf(values, camera);
  if (Object.keys(changes).length) await patch(cameraPath(camera.name), changes);
}

/**
 * A test of the keys in `body`, which without an address are those of a camera that exists:
 * {busy, trial, failure, stale, isGood, hasFailed, run, cancel, forget}.
 */
function useTrial(body, workers, setTrouble) {
  const [state, set] = useState({});
  const running = useRef(null);
  const said = JSON.stringify(body);
  useEffect(() => () => running.current?.abort(), []);
  const cancel = () => running.current?.abort();
  const run = async () => {
    if (body.url === "") return setTrouble({ url: [NO_ADDRESS] });
    if (workers?.length === 0) return set({ failure: new Error(NO_WORKER), said });
    cancel();
    const mine = (running.current = new AbortController());
    setTrouble({});
    set({ busy: true, started: Date.now() });
    try {
      const trial = await post("/cameras/test", body, mine.signal);
      if (mine === running.current && !mine.signal.aborted) set({ trial, said });
    } catch (failure) {
      if (mine !== running.current) return;
      if (mine.signal.aborted) return set({});
      const found = failure.status === 422 ? byField(failure.lines, body.name ?? "test") : {};
      const isOfField = Object.keys(found).some((field) => field !== "top");
      if (isOfField) setTrouble(found);
      set(isOfField ? {} : { failure, said });
    }
  };
  const stale = state.said !== undefined && state.said !== said;
  return {
    ...state, stale, run, cancel, forget: () => set({}),
    isGood: Boolean(state.trial?.connected) && !stale,
    hasFailed: Boolean(state.failure || (state.trial && !state.trial.connected)) && !stale,
  };
}
