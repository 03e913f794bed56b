// Fields of a camera's form that say how its image is shown, and what nothing may see.
import { html } from "../lib/preact.js";
import { Select, Trouble } from "./fields.js";
import { CHOICES, maskText, thermalText } from "./view_values.js";

const LABELS = { rotate: "Rotation", mirror: "Mirror", deinterlace: "Deinterlacing" };

/** `defaults`: the worker's; `lines`: what is wrong, by field. */
export function ViewFields({ values, defaults, onChange, lines }) {
  const attributes = (key) => ({
    id: key, value: values[key], "aria-invalid": lines[key]?.length ? "true" : null, "aria-describedby": `${key}-trouble ${key}-help`,
  });
  const choice = (key) => html`<${Select} key=${key} id=${key} label=${LABELS[key]} value=${values[key]} choices=${CHOICES[key]}
    standard=${CHOICES[key][defaults[key]] ?? Object.values(CHOICES[key])[0]} lines=${lines[key]} onInput=${(one) => onChange({ [key]: one })} />`;
  return html`
    <div class="field-row choices">${["rotate", "mirror", "deinterlace"].map(choice)}</div>
    <div class="field-row">
      <div class="field"><label for="crop">Crop</label>
        <input ...${attributes("crop")} spellcheck=${false} autocomplete="off"
          placeholder=${defaults.crop?.join(", ") ?? "the whole image"} onInput=${(event) => onChange({ crop: event.target.value })} />
        <${Trouble} id="crop-trouble" lines=${lines.crop} />
        <small id="crop-help">Left, top, right, bottom, each 0 to 1 of the image as shown: 0, 0.2, 1, 1 cuts the upper fifth off.</small></div>
      <div class="field"><label for="thermal_range">Thermal range</label>
        <input ...${attributes("thermal_range")} spellcheck=${false} autocomplete="off"
          placeholder=${thermalText(defaults.thermal_range) || "0, 65535"} onInput=${(event) => onChange({ thermal_range: event.target.value })} />
        <${Trouble} id="thermal_range-trouble" lines=${lines.thermal_range} />
        <small id="thermal_range-help">16-bit grey of thermal cameras: the counts shown as black and white, or auto.</small></div>
    </div>
    <div class="field"><label for="mask">Blackout areas</label>
      <textarea ...${attributes("mask")} rows="2" spellcheck=${false} placeholder=${maskText(defaults.mask ?? []) || "none"}
        onInput=${(event) => onChange({ mask: event.target.value })} />
      <${Trouble} id="mask-trouble" lines=${lines.mask} />
      <small id="mask-help">Painted black before anything sees the image. A line per area, its corners as x,y, each 0 to 1 of the whole image:
        0,0 0.3,0 0.3,0.2 0,0.2 is a rectangle at the top left.</small></div>`;
}
