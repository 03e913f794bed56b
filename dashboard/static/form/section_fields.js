// One section of a camera's keys, folded away: a control for each of its fields.
import { number, same } from "./camera_values.js";
import { Field, Select, Trouble } from "./fields.js";
import { Chip, ClassChip } from "../lib/chips.js";
import { html, useEffect, useRef, useState } from "../lib/preact.js";
import { sentence } from "../lib/ui.js";
import { withValue } from "./stage_kinds.js";

const CONTROLS = { number: Typed, text: Typed, by_class: Typed, switch: Choice, choice: Choice, classes: Chips, choices: Chips };

/**
 * `own`: the keys that the camera sets, null for none; `inherited`: those that its worker sets; `labels`: the classes that
 * its stages find; `lines`: what is wrong, by field; `onChange` takes the section, null for none, and the
 * fields whose refusals no longer stand.
 */
export function SectionFields({ form, own, inherited, labels, lines, onChange }) {
  const { key, title, words, optional, fields } = form;
  const isWrong = [key, ...fields.map((field) => `${key}.${field.key}`)].some((field) => lines[field]);
  const fold = useRef();
  useEffect(() => { if (isWrong) fold.current.open = true; }, [isWrong]);
  const isOn = !optional || own || inherited;
  const set = Object.keys(own ?? {}).length;
  const control = (field) => html`<${CONTROLS[field.control]} key=${field.key} id="${key}.${field.key}" field=${field} value=${own?.[field.key]}
    standard=${inherited?.[field.key] ?? field.default} labels=${labels} lines=${lines[`${key}.${field.key}`]} help=${sentence(field.description)}
    onChange=${(value) => onChange(withValue(own ?? {}, field, value), [key, `${key}.${field.key}`])} />`;
  return html`<details class="more-options" ref=${fold}>
    <summary>${title}${(set > 0 || !isOn) && html` <small>${isOn ? `${set} set` : "off"}</small>`}</summary>
    <div class="section-fields">
      ${optional && !inherited ? html`<label class="switch-row"><input type="checkbox" role="switch" checked=${Boolean(own)}
          onChange=${(event) => onChange(event.target.checked ? {} : null, [key])} /><span>${words}</span></label>`
        : html`<p class="lead-words">${words}</p>`}
      <${Trouble} lines=${lines[key]} />
      ${isOn && fields.filter((field) => CONTROLS[field.control]).map(control)}
    </div>
  </details>`;
}

/** {person: 3600, car: 60} as "person: 3600, car: 60". */
const byClassText = (numbers) => Object.entries(numbers).map(([label, value]) => `${label}: ${value}`).join(", ");

/** The numbers of such a text; the server refuses, in words, what is not a number. */
function byClass(text) {
  const parts = text.replace(/[{}]/g, "").split(/[,;\n]/).map((part) => part.trim()).filter(Boolean);
  const pair = (part) => /^(.+?)[\s:=]+(\S+)$/.exec(part)?.slice(1) ?? [part, ""];
  return Object.fromEntries(parts.map(pair).map(([label, value]) => [label, number(value) ?? ""]));
}

const TEXTS = { number: String, text: String, by_class: byClassText };
const READ = { number, text: (text) => text.trim(), by_class: (text) => (text.trim() === "" ? null : byClass(text)) };

/** What is typed is shown as it was typed until the field is left. */
function Typed({ id, field: { control, label, empty }, value, standard, lines, help, onChange }) {
  const [typed, type] = useState(null);
  const text = (one) => (one === undefined || one === null ? "" : TEXTS[control](one));
  return html`<${Field} id=${id} label=${label} value=${typed ?? text(value)} lines=${lines} help=${help} inputmode=${control === "number" ? "decimal" : null}
    placeholder=${text(standard) || empty} onInput=${(said) => { type(said); onChange(READ[control](said)); }} onBlur=${() => type(null)} />`;
}

const ANSWERS = { true: "Yes", false: "No" };

function Choice({ id, field, value, standard, lines, help, onChange }) {
  const isSwitch = field.control === "switch";
  const choices = isSwitch ? ANSWERS : Object.fromEntries(field.choices.map((one) => [one, one]));
  const take = (text) => onChange(isSwitch && text !== "" ? text === "true" : text);
  return html`<${Select} id=${id} label=${field.label} value=${String(value ?? "")} standard=${choices[standard] ?? standard} choices=${choices}
    lines=${lines} help=${help} onInput=${take} />`;
}

/** Several of the classes that are found, or of the field's own choices. A choice equal to the default is not saved. */
function Chips({ id, field, value, standard, labels, lines, help, onChange }) {
  const chosen = value ?? standard ?? [];
  const isOfClasses = field.control === "classes";
  const all = [...new Set([...(isOfClasses ? labels : field.choices), ...chosen])];
  const toggle = (one) => {
    const next = all.filter((each) => (each === one) !== chosen.includes(each));
    onChange(same(next, standard ?? []) ? null : next);
  };
  return html`<div class="field wide-field" role="group" aria-labelledby="${id}-label" aria-describedby="${id}-trouble ${id}-help">
    <span id="${id}-label">${field.label}${chosen.length ? "" : `: ${field.empty}`}</span>
    <div class="chip-choices">${all.map((one) => html`<${isOfClasses ? ClassChip : Chip} key=${one} label=${isOfClasses ? one : one.replaceAll("-", " ")}
      on=${chosen.includes(one)} onToggle=${() => toggle(one)} />`)}</div>
    <${Trouble} id="${id}-trouble" lines=${lines} /><small id="${id}-help">${help}</small></div>`;
}
