import { html } from "./preact.js";

export function CameraPage() {
  return html`<main />`;
}
