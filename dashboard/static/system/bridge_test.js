// A test of a webhook: what its receiver answers, and how fast.
import { post } from "../lib/api.js";
import { html, useState } from "../lib/preact.js";
import { Button, Notice } from "../lib/ui.js";

/** `bridge`: its report. */
export function BridgeTest({ bridge }) {
  const [{ busy, answer, failure }, set] = useState({});
  const test = async () => {
    set({ busy: true });
    try {
      set({ answer: await post("/bridges/test", { bridge: bridge.name }) });
    } catch (error) {
      set({ failure: error });
    }
  };
  return html`<div class="bridge-test">
    <${Button} kind="quiet small" label="Test ${bridge.name}" disabled=${busy} onClick=${test}>
      ${busy ? "One moment" : "Test"}</${Button}>
    <span role="status">${answer && html`<${Answer} answer=${answer} />`}
      ${failure && html`<${Notice} icon="alert" tone="bad" title=${failure.message} />`}</span>
  </div>`;
}

function Answer({ answer: { taken, words, head, seconds } }) {
  const ms = `${Math.round(1000 * seconds)} ms`;
  return html`<span class="state wraps ${taken ? "good" : "bad"}">${words}</span> <span class="soft">in ${ms}</span>
    ${taken && head && html`<code class="wraps">${head}</code>`}`;
}
