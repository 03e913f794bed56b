// What fields of any form are made of: a label, a control, why it is wrong, and a hint.
import { html } from "../lib/preact.js";

/** Why a field is wrong, under it; several fields have none. */
export function Trouble({ id, lines }) {
  return lines?.length ? html`<p class="field-trouble" id=${id} role="alert">${lines.join("\n")}</p>` : null;
}

/** An input with its label; `more` goes to the input. */
export function Field({ id, label, value, onInput, lines, help, ...more }) {
  const told = `${id}-trouble ${id}-help`;
  return html`<div class="field">
    <label for=${id}>${label}</label>
    <input id=${id} value=${value} spellcheck=${false} autocomplete="off" autocapitalize="off"
      aria-invalid=${lines?.length ? "true" : null} aria-describedby=${told}
      onInput=${(event) => onInput(event.target.value)} ...${more} />
    <${Trouble} id="${id}-trouble" lines=${lines} />
    ${help && html`<small id="${id}-help">${help}</small>`}
  </div>`;
}

/** One of `choices`, {value: words}, or "" for the default, which `standard` says in words. */
export function Select({ id, label, value, standard, choices, onInput, lines, help }) {
  return html`<div class="field">
    <label for=${id}>${label}</label>
    <select id=${id} value=${value} aria-invalid=${lines?.length ? "true" : null} aria-describedby="${id}-trouble ${id}-help"
      onChange=${(event) => onInput(event.target.value)}>
      <option value="">${standard} (default)</option>
      ${Object.entries(choices).map(([one, words]) => html`<option key=${one} value=${one}>${words}</option>`)}
    </select>
    <${Trouble} id="${id}-trouble" lines=${lines} />
    ${help && html`<small id="${id}-help">${help}</small>`}
  </div>`;
}
