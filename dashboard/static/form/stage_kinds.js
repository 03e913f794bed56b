// What a stage is, by the kinds that the server describes. Pure functions.

/** The kind of a stage: the one whose key it has; undefined for one that the server does not know. */
export function kindOf(stage, kinds) {
  const named = kinds.filter(({ kind }) => kind in stage);
  // A field of one kind may be called like another kind: a tracker may have a model.
  return named.find(({ fields }) => named.every(({ kind }) => fields.some(({ key }) => key === kind))) ?? named[0];
}

/** What a stage is called in words. */
export const nameOf = (stage, kinds) => String(stage[kindOf(stage, kinds)?.kind] ?? Object.values(stage)[0]);

const fieldsOf = (stage, kinds, control) => (kindOf(stage, kinds)?.fields ?? []).filter((field) => field.control === control);

/** The names of the models that a stage runs. */
export const modelsOf = (stage, kinds) => fieldsOf(stage, kinds, "model").map(({ key }) => stage[key]).filter(Boolean);

/** The class whose boxes a stage runs on, or undefined for the whole frame. */
export const classOf = (stage, kinds) => fieldsOf(stage, kinds, "class").map(({ key }) => stage[key]).find(Boolean);

/** What is read from a model's outputs: its heads, or the one that it is itself. */
export const headsOf = (model) => (model?.heads?.length ? model.heads : [model].filter(Boolean));

/** Labels of the models of stages, each once; of those heads that are `isMeant`. */
export function labelsOf(stages, kinds, zoo, isMeant = () => true) {
  const names = (stages ?? []).flatMap(({ stage }) => modelsOf(stage, kinds));
  const heads = names.flatMap((name) => headsOf(zoo.find((one) => one.name === name)));
  return [...new Set(heads.filter(isMeant).flatMap(({ labels }) => labels))];
}

/** Classes whose boxes a stage may run on: those that detectors before it find. */
export const boxesBefore = (stages, at, kinds, zoo) => labelsOf(stages.slice(0, at), kinds, zoo, (head) => head.finds_boxes);

/** A stage as it is added: what must be said, with the first value that there is. */
export function newStage(kind, zoo) {
  const required = kind.fields.filter((field) => field.required);
  return Object.fromEntries(required.map((field) => [field.key, firstValue(field, zoo)]));
}

function firstValue({ control, choices, minimum }, zoo) {
  if (control === "model") return firstModel(zoo);
  if (control === "number" || control === "score") return minimum ?? 0;
  if (control === "switch") return false;
  return choices[0] ?? "";
}

/** What a new stage runs until another model is chosen. */
function firstModel(zoo) {
  const ready = zoo.filter((one) => one.ready && one.runs_on === "frame").map((one) => one.name);
  return ["yolox-street", "street"].find((name) => ready.includes(name)) ?? ready[0] ?? "street";
}

/** A stage with another value of a field, without its key when there is none. */
export function withValue(stage, { key, required }, value) {
  const { [key]: _, ...rest } = stage;
  const isNothing = value === null || value === undefined || value === "";
  return isNothing && !required ? rest : { ...stage, [key]: value ?? "" };
}

/** A stage with another model: score and class that were chosen for the one before go; one for crops gets a class. */
export function withModel(stage, key, name, kinds, zoo, classes) {
  const about = [...fieldsOf(stage, kinds, "class"), ...fieldsOf(stage, kinds, "score")].filter((field) => !field.required);
  const kept = about.reduce((rest, field) => withValue(rest, field, null), stage);
  const changed = { ...kept, [key]: name };
  const on = fieldsOf(stage, kinds, "class")[0];
  if (!on || zoo.find((one) => one.name === name)?.runs_on !== "crops") return changed;
  return withValue(changed, on, stage[on.key] ?? (classes.includes("face") && name.includes("face") ? "face" : classes[0]));
}
