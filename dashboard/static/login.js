import { html } from "./preact.js";

export function Login() {
  return html`<main />`;
}
