// Fields of a camera's form: its address, its name, and what is folded away.
import { nameTrouble, ratesOf, takesLogin } from "./camera_values.js";
import { ClassChip } from "../lib/chips.js";
import { html, useEffect, useRef } from "../lib/preact.js";
import { seesAll } from "../lib/rights.js";
import { Button } from "../lib/ui.js";
import { Field, Select, Trouble } from "./fields.js";
import { endpointOf, sourceOf, sources } from "./sources.js";
import { ViewFields } from "./view_fields.js";
import { VIEW_KEYS } from "./view_values.js";

/** `onTest` for Enter and the button; `kept`: the address of a camera that is edited, else undefined. */
export function Address({ values, kept, onChange, onTest, onFind, busy, lines, input }) {
  const { url } = values;
  const kind = sourceOf(url);
  const isKept = kept !== undefined && url === kept;
  const isHidden = !isKept && url.includes("***");
  const start = (text) => { onChange({ url: text }); input.current.focus(); };
  const enter = (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    onTest(true);
  };
  return html`<div class="url-part">
    <div class="field">
      <div class="label-row"><label for="url">Address</label>
        <${Button} icon="search" kind="quiet small" onClick=${onFind}>Find cameras</${Button}></div>
      <div class="with-button">
        <input id="url" ref=${input} value=${url} autofocus inputmode="url" spellcheck=${false} autocomplete="off" autocapitalize="off"
          placeholder=${(kind ?? sources()[0])?.example} aria-invalid=${lines?.length ? "true" : null} aria-describedby="url-trouble url-help"
          onInput=${(event) => onChange({ url: event.target.value })} onKeyDown=${enter} />
        <${Button} icon="play" onClick=${() => onTest(false)} disabled=${busy || !url.trim()}>Test</${Button}>
      </div>
      <${Trouble} id="url-trouble" lines=${isHidden ? ["*** hides part of the address: type the whole address."] : lines} />
      <small id="url-help">${isKept ? "Address and password stay unchanged unless you edit them."
        : kind ? kind.hint : "The address of the camera's stream."}</small>
      ${url.trim() === "" && html`<div class="url-kinds">${sources().map(({ title, start: text }) => html`<button type="button" class="chip" aria-pressed="true"
        key=${title} onClick=${() => start(text)}>${title}</button>`)}</div>`}
    </div>
    ${takesLogin(url.trim()) && html`<div class="field-row">
      <${Field} id="user" label="User" value=${values.user} onInput=${(user) => onChange({ user })}
        placeholder=${isKept ? "kept" : "if required"} />
      <${Field} id="password" label="Password" type="password" autocomplete="new-password" value=${values.password}
        onInput=${(password) => onChange({ password })} placeholder=${isKept ? "kept" : ""} />
    </div>`}
  </div>`;
}

export function Name({ values, session, taken, onChange, lines }) {
  const trouble = nameTrouble(values.name, taken);
  return html`<${Field} id="name" label="Name" value=${values.name} maxlength="80" placeholder="gate"
    lines=${trouble ? [trouble] : lines} help=${`${named(session)}Results are published under this name; it cannot be changed.`}
    onInput=${(name) => onChange({ name, named: name !== "" })} />`;
}

/** The names that somebody may give whose rights reach some cameras. */
const named = (session) => (seesAll(session) ? "" : `Allowed names: ${session.cameras.join(", ")}. `);

/** Only where there is a choice. */
export function Worker({ values, workers, onChange, lines }) {
  if (workers.length < 2) return null;
  return html`<div class="field"><label for="worker">Worker that runs it</label>
    <select id="worker" value=${values.worker} onChange=${(event) => onChange({ worker: event.target.value })}>
      ${workers.map(({ worker }) => html`<option key=${worker} value=${worker}>${worker}</option>`)}
    </select><${Trouble} lines=${lines} /></div>`;
}

/** Faces are what is asked for most; other classes stand among the options. */
export function BlurFaces({ values, labels, onChange }) {
  if (!labels.includes("face") && !values.blur.includes("face")) return null;
  const isFound = labels.includes("face");
  return html`<label class="switch-row">
    <input type="checkbox" role="switch" checked=${values.blur.includes("face")} onChange=${() => onChange({ blur: toggled(values.blur, "face") })} />
    <span><strong>Blur faces</strong><small>${isFound ? "Made unrecognisable before an image leaves the worker." : "No model above finds faces: switch it off, or choose one that does."}</small></span>
  </label>`;
}

const toggled = (list, one) => (list.includes(one) ? list.filter((each) => each !== one) : [...list, one]);

const FOLDED = ["view", "onvif_url", "fps", "quietFps", "width", "height", "previewFps", "transport", "gate", "sleep", ...VIEW_KEYS];
const TRANSPORTS = { auto: "AUTO: TCP, else UDP", tcp: "TCP", udp: "UDP" };
const GATES = { auto: "Automatic: frames with motion, of live cameras", on: "Frames with motion", off: "All frames" };
const SLEEPS = { auto: "Key frames while nothing moves and nobody watches", on: "Key frames while nothing moves", off: "All frames" };

/** `defaults`: what the worker takes for what is left empty. */
export function Options({ values, labels, defaults, onChange, lines }) {
  const option = (key, label, standard, help) => html`<${Field} id=${key} label=${label} value=${values[key]} inputmode="decimal"
    placeholder=${standard ?? "no limit"} help=${help} lines=${lines[key]} onInput=${(text) => onChange({ [key]: text })} />`;
  const choice = (key, label, standard, choices, help) => html`<${Select} id=${key} label=${label} value=${values[key]}
    standard=${standard} choices=${choices} help=${help} lines=${lines[key]} onInput=${(one) => onChange({ [key]: one })} />`;
  const rates = ratesOf(values.fps || values.quietFps ? null : defaults.fps);  // one value: inherited as a whole
  const set = FOLDED.filter((key) => values[key] !== "").length;
  const isWrong = [...FOLDED, "blur"].some((key) => lines[key]);
  const chips = [...new Set([...labels, ...values.blur])];
  const fold = useRef();
  useEffect(() => { if (isWrong) fold.current.open = true; }, [isWrong]);
  return html`<details class="more-options" ref=${fold}>
    <summary>More options${set > 0 && html` <small>${set} set</small>`}</summary>
    <${Field} id="view" label="Stream of the image shown" value=${values.view} inputmode="url" placeholder="the same as analysed"
      help="The URL of a larger stream of the same camera. It is read only while someone is watching; user and password are those above."
      lines=${lines.view} onInput=${(view) => onChange({ view })} />
    <${Field} id="onvif_url" label="ONVIF service, for events of the camera itself" value=${values.onvif_url} inputmode="url" placeholder="http://HOST/onvif/device_service"
      help="Where it is at another port or path, or has a user of its own: http://USER:PASSWORD@HOST:PORT/PATH." lines=${lines.onvif_url}
      onInput=${(url) => onChange({ onvif_url: url })} />
    <div class="field-row">
      ${option("fps", "Frames analysed per second", rates.fps || null, "Maximum.")}
      ${option("quietFps", "The same while nothing moves", rates.quietFps || "no other limit", "Maximum; the frame that shows the first motion is analysed.")}
      ${option("previewFps", "Images shown per second", defaults.preview?.fps ?? 8, "Only while someone is watching.")}
      ${option("width", "Analysed width", defaults.width ?? 640, "Maximum in pixels; the aspect ratio is kept.")}
      ${option("height", "Analysed height", defaults.height ?? 640, "Pixels, at most; never enlarged.")}
      ${endpointOf(values.url)?.transports.length > 0
        && choice("transport", "RTP transport", (defaults.transport ?? "auto").toUpperCase(), TRANSPORTS)}
      ${choice("gate", "Models look at", GATES[defaults.gate ?? "auto"], GATES,
        "While nothing moves, what was found before is published again and no model runs.")}
      ${choice("sleep", "Decoded", SLEEPS[defaults.sleep ?? "auto"], SLEEPS,
        "The rest is kept, and decoded when something happens. Only with a gate, and key frames at most 4.5 s apart.")}
    </div>
    <${ViewFields} values=${values} defaults=${defaults} onChange=${onChange} lines=${lines} />
    ${chips.length > 0 && html`<div class="field" role="group" aria-labelledby="blur-label">
      <span id="blur-label">Blurred in images</span>
      <div class="chip-choices">${chips.map((label) => html`<${ClassChip} key=${label} label=${label} on=${values.blur.includes(label)}
        onToggle=${() => onChange({ blur: toggled(values.blur, label) })} />`)}</div>
      <${Trouble} lines=${lines.blur} /></div>`}
  </details>`;
}
