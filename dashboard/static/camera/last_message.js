// The newest message of a camera, as it is on the wire.
import { Copy } from "./code_lines.js";
import { html, useMemo, useState } from "../lib/preact.js";
import { Button } from "../lib/ui.js";

const WIDTH = 84; // characters that a list or object may have on one line
const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|\b(?:true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?/g;

export function LastMessage({ message }) {
  const [held, hold] = useState(null);
  const shown = held ?? message;
  const text = useMemo(() => (shown ? pretty(shown) : ""), [shown]);
  return html`<section class="card message">
    <h2>Last message <small>${held ? "held" : "live"}</small><span class="grow" />
      <${Button} icon=${held ? "play" : "pause"} kind="quiet" disabled=${!shown}
        aria-pressed=${held !== null} onClick=${() => hold(held ? null : message)}>${held ? "Resume" : "Hold"}</${Button}>
      <${Copy} text=${() => text} label="the message" /></h2>
    ${shown
      ? html`<pre class="json" tabindex="0" aria-label="The message as JSON"><code>${coloured(text)}</code></pre>`
      : html`<p class="nothing">Nothing published yet, or it has expired: Redis keeps the last minute.</p>`}
  </section>`;
}

/** JSON with what is short on one line. */
function pretty(value, indent = "") {
  const flat = JSON.stringify(value);
  if (value === null || typeof value !== "object") return flat;
  const spaced = flat.replace(/("(?:[^"\\]|\\.)*")|[:,]/g, (mark, text) => text ?? `${mark} `);
  if (indent && spaced.length + indent.length <= WIDTH) return spaced;
  const deeper = `${indent}  `;
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  const lines = Array.isArray(value)
    ? value.map((one) => deeper + pretty(one, deeper))
    : Object.entries(value).map(([key, one]) => `${deeper}${JSON.stringify(key)}: ${pretty(one, deeper)}`);
  return lines.length ? `${open}\n${lines.join(",\n")}\n${indent}${close}` : open + close;
}

/** Keys, texts and numbers in their colours. */
function coloured(text) {
  const parts = [];
  let at = 0;
  for (const found of text.matchAll(TOKEN)) {
    parts.push(text.slice(at, found.index));
    const [whole, string, colon] = found;
    if (colon) parts.push(html`<i class="key">${string}</i>`, colon);
    else parts.push(html`<i class=${string ? "text" : "number"}>${whole}</i>`);
    at = found.index + whole.length;
  }
  return [...parts, text.slice(at)];
}
