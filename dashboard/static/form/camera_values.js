// What the form of a camera holds, as the camera's keys and back.
import { fieldAt, sectionValues, sectionsOf } from "./sections.js";
import { endpointOf, schemeOf, sourceOf } from "./sources.js";
import { VIEW_KEYS, viewTexts, viewValue } from "./view_values.js";

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;
const SAYS_NOTHING = /^(stream|streaming|live|ch|channels?|cam|h26|video|media|mjpe?g|av|main|sub|axis|profile|\d)/i;
const HIDDEN = "***@"; // what an address is shown with instead of its user and password

/** Number options: key of the form → where it lies in a camera's keys. */
const NUMBERS = { width: ["width"], height: ["height"], previewFps: ["preview", "fps"] };
/** Options of a few words, each a key of the camera; "" is the default. */
const CHOICES = ["transport", "gate", "sleep"];

let stageNumber = 0;

/** A stage of the form: the stage's own keys, and an id that stays when it is moved. */
export const numbered = (stage) => ({ id: ++stageNumber, stage: said(stage) });

/** Without the keys that say nothing. */
const said = (stage) => Object.fromEntries(Object.entries(stage).filter(([, value]) => value !== null));

export const EMPTY = {
  url: "", view: "", onvif_url: "", user: "", password: "", name: "", named: false, worker: "", stages: null, custom: false, chose: false,
  fps: "", quietFps: "", width: "", height: "", previewFps: "", transport: "", gate: "", sleep: "", blur: [], sections: {},
  fleet: null, gpu: false, zone: "", nodeLabels: "",
  ...viewTexts({}),
};

/** The form of a camera that exists. */
export function valuesOf({ url, name, worker, spec }) {
  const values = { ...EMPTY, url, view: spec.view ?? "", onvif_url: spec.onvif_url ?? "", name, worker, named: true, chose: true, stages: spec.stages?.map(numbered) ?? null,
    ...viewTexts(spec), blur: spec.preview?.blur ?? [], sections: sectionsOf(spec) };
  for (const [key, path] of Object.entries(NUMBERS)) {
    values[key] = String(path.reduce((part, step) => part?.[step], spec) ?? "");
  }
  for (const key of CHOICES) values[key] = spec[key] ?? "";
  return { ...values, ...ratesOf(spec.fps) };
}

/** The maximum rates of a camera as texts: while nothing moves, and else. */
export const ratesOf = (fps) => {
  const { quiet, busy } = typeof fps === "object" && fps ? fps : { busy: fps };
  return { quietFps: String(quiet ?? ""), fps: String(busy ?? "") };
};

function fpsOf({ quietFps, fps }) {
  const quiet = number(quietFps), busy = number(fps);
  if (quiet === null) return busy;
  return busy === null ? { quiet } : { quiet, busy };
}

/** Whether user and password can be said beside the address: on the network, where it holds none. */
export const takesLogin = (url) => (endpointOf(url)?.has_login ?? endpointOf(url) !== null) && (url.includes(HIDDEN) || !authority(url).includes("@"));

const behindScheme = (url) => url.replace(/^[^:]*:\/\//, "");
const authority = (url) => behindScheme(url).split(/[/?#]/)[0];

const hostOf = (url) => authority(url).split("@").at(-1);

/** An address with user and password in it, escaped as an address needs it. */
function wholeUrl(url, { user, password }) {
  const plain = url.trim();
  if (!(user || password) || !takesLogin(plain)) return plain;
  const login = `${encodeURIComponent(user)}:${encodeURIComponent(password)}@`;
  return plain.includes(HIDDEN) ? plain.replace(HIDDEN, login) : plain.replace("://", `://${login}`);
}

/** The camera's keys that the form says; `before`: those of the camera that is edited. */
export function specOf(values, before = {}) {
  const spec = { ...before, url: wholeUrl(values.url, values) };
  const isSameCamera = hostOf(values.view.trim()) === hostOf(values.url.trim());
  put(spec, "view", wholeUrl(values.view, isSameCamera ? values : {}) || null);
  put(spec, "onvif_url", values.onvif_url.trim() || null);
  const preview = { ...before.preview };
  for (const [key, path] of Object.entries(NUMBERS)) {
    const part = path.length > 1 ? preview : spec;
    put(part, path.at(-1), number(values[key]));
  }
  put(spec, "fps", fpsOf(values));
  for (const key of CHOICES) put(spec, key, values[key] || null);
  for (const key of VIEW_KEYS) put(spec, key, viewValue(key, values[key], before));
  put(spec, "stages", values.stages?.map((one) => one.stage) ?? null);
  put(preview, "blur", values.blur.length ? values.blur : null);
  put(spec, "preview", Object.keys(preview).length ? preview : null);
  for (const [key, value] of sectionValues(values.sections, before)) put(spec, key, value);
  return spec;
}

function put(part, key, value) {
  if (value === null) delete part[key];
  else part[key] = value;
}

/** What was typed as a number, or as it stands for the server to refuse in words; null for nothing. */
export function number(text) {
  const typed = text.trim().replace(",", ".");
  return typed === "" ? null : Number.isNaN(Number(typed)) ? text : Number(typed);
}

/** The keys that differ from the camera's, null for those that are its default again. */
export function changesOf(values, camera) {
  const spec = specOf(values, camera.spec);
  const changes = {};
  for (const key of new Set([...Object.keys(spec), ...Object.keys(camera.spec)])) {
    if (key !== "url" && !same(spec[key], camera.spec[key])) changes[key] = spec[key] ?? null;
  }
  if (spec.url !== camera.url) changes.url = spec.url;
  return changes;
}

export const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

/** Why a camera cannot have that name, in words, or "". */
export function nameTrouble(name, taken) {
  if (taken.includes(name)) return `A camera named “${name}” already exists.`;
  if (NAME.test(name)) return "";
  if (name === "") return "";
  if (name.length > 64) return `Maximum 64 characters; this has ${name.length}.`;
  if (!/^[A-Za-z0-9]/.test(name)) return "The first character must be a letter A to Z or a digit.";
  const wrong = [...new Set(name.replace(/[A-Za-z0-9_.-]/g, ""))].map((one) => (one === " " ? "a space" : one));
  return `Letters A to Z, digits, _ . and - only, not ${wrong.join(" ")}`;
}

/** A name that nobody has, from an address: its host, or its file's or path's last part. */
export function suggestedName(url, taken) {
  return freeName(baseName(url.trim()), taken);
}

/** A name that nobody has, from words. */
export function freeName(words, taken) {
  const base = words.normalize("NFD").replace(/\p{M}/gu, "").replace(/[^A-Za-z0-9_.-]+/g, "-").replace(/^[^A-Za-z0-9]+|[-.]+$/g, "").slice(0, 60);
  if (!base) return "";
  let name = base;
  for (let n = 2; taken.includes(name); n++) name = `${base}-${n}`;
  return name;
}

function baseName(url) {
  if (!endpointOf(url)) {
    const path = sourceOf(url) && schemeOf(url) ? url.slice(url.indexOf(":") + 1).replace(/^\/\//, "") : url;
    return /^(\?|$)/.test(path) ? schemeOf(url) ?? "" : path.split("/").at(-1).replace(/\.\w+$/, "");
  }
  const path = behindScheme(url).split("@").at(-1);  // all before it may be a password
  const authority = path.split(/[/?#]/)[0];
  const host = authority.replace(/:\d+$/, "").replace(/[[\]]/g, "");
  const isAddress = /^[\d.]+$|:|^localhost$/.test(host);
  if (host && !isAddress) return host.split(".")[0];
  const last = path.slice(authority.length).split(/[?#]/)[0].split("/").filter(Boolean).at(-1) ?? "";
  const said = last.replace(/\.\w+$/, "");
  if (said && !SAYS_NOTHING.test(said)) return said;
  return /^[\d.]+$/.test(host) && host.split(".").length === 4 ? `camera-${host.split(".")[3]}` : host && "camera";
}

const FIELDS = {
  name: "name", url: "url", view: "view", onvif_url: "onvif_url", worker: "worker", stages: "stages", fps: "fps", "fps.quiet": "quietFps", "fps.busy": "fps", width: "width", height: "height",
  "preview.fps": "previewFps", "preview.blur": "blur", needs: "fleet", "needs.zone": "zone", "needs.labels": "nodeLabels",
  ...Object.fromEntries([...CHOICES, ...VIEW_KEYS].map((key) => [key, key])),
};

/** Lines of the server about a camera by the field that they name: {field: [words]}; the others under "top". */
export function byField(lines, name) {
  const found = {};
  for (const line of lines) {
    const [, key, words] = /^([^\s:]+): ([^]*)$/.exec(line) ?? [null, "", line];
    const short = key === name ? "name" : name && key.startsWith(`${name}.`) ? key.slice(name.length + 1) : key;
    const [field, rest] = fieldAt(short) ?? [FIELDS[short.replace(/\[.*/, "")] ?? "top", ""];
    const at = ["stages", "mask"].includes(field) && short !== field ? `${inWords(short)}: ` : rest.startsWith(".") ? `${rest.slice(1)}: ` : "";
    (found[field] ??= []).push(field === "top" ? line : at + words);
  }
  return found;
}

/** stages[0].model → stage 1, model; mask[0][2] → area 1, corner 3. */
const inWords = (path) => path.replace(/^stages\[(\d+)\]\.?/, (_, n) => `stage ${Number(n) + 1}, `)
  .replace(/^mask\[(\d+)\](?:\[(\d+)\].*)?$/, (_, area, n) => `area ${Number(area) + 1}${n ? `, corner ${Number(n) + 1}` : ""}`).replace(/, $/, "");
