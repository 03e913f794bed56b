import { html } from "./preact.js";

export function CameraForm() {
  return html`<main />`;
}
