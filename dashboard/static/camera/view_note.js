// Which stream of a camera the image is of, why it is not the larger one, and what a large one costs.
import { html } from "../lib/preact.js";
import { Notice, ms } from "../lib/ui.js";

const CALM = new Set(["idle", "connecting"]);

/** `view`: the camera's second stream or null; `hint`: that it decodes more than it needs, or null. */
export function ViewNote({ view, hint }) {
  return html`<${Shown} view=${view} />${hint && html`<p class="view-note">${hint}.</p>`}`;
}

function Shown({ view }) {
  if (!view) return null;
  if (view.state === "running" && !view.code) {
    const size = view.size ? `, ${view.size.join(" × ")}` : "";
    const off = view.off_ms === null ? "" : ` Its results are of the analysed stream, ${ms(view.off_ms)} apart.`;
    return html`<p class="view-note">Image of the view stream${size}.${off}</p>`;
  }
  if (CALM.has(view.state)) return html`<p class="view-note">Image of the analysed stream, until the view stream has connected.</p>`;
  return html`<${Notice} icon="alert" tone="wait" title="View stream ${view.state === "running" ? "not shown" : view.state}; the image is that of the analysed stream">
    ${[`${view.url}: ${view.reason}`, view.advice].filter(Boolean).join("\n")}
  </${Notice}>`;
}
