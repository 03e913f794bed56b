import { html } from "./preact.js";

export function SystemPage() {
  return html`<main />`;
}
