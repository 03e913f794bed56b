// Small round buttons, of which several may be on.
import { colourOf } from "./colours.js";
import { html } from "./preact.js";

/** A choice that is on or off. */
export const Chip = ({ label, on, onToggle }) => html`<button type="button" class="chip" aria-pressed=${on} onClick=${onToggle}>${label}</button>`;

/** A class in its colour, on or off. */
export function ClassChip({ label, on, onToggle }) {
  const paint = (element) => element?.style.setProperty("--class", colourOf(label));
  return html`<button type="button" class="chip class" ref=${paint} aria-pressed=${on} onClick=${onToggle}>${label}</button>`;
}
