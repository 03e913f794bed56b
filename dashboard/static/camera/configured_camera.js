// A camera that stands in its worker's file: what can be done about it here.
import { cameraPath, post } from "../lib/api.js";
import { html, useState } from "../lib/preact.js";
import { toast } from "../lib/toast.js";
import { Button, Dialog, Notice, State } from "../lib/ui.js";

export function ConfiguredCamera({ camera, onClose }) {
  const [failure, fail] = useState(null);
  const verb = camera.paused ? "resume" : "pause";
  const go = async () => {
    try {
      await post(cameraPath(camera.name, `/${verb}`));
      onClose();
      toast(camera.paused ? `${camera.name} runs again.` : `${camera.name} is paused.`);
    } catch (error) {
      fail(error);
    }
  };
  return html`<${Dialog} title=${`Edit ${camera.name}`} onClose=${onClose}>
    <${Notice} icon="edit" title="Defined in worker ${camera.worker}'s configuration file">
      Change it there and restart the worker. Here you can pause it; it stays paused until resumed.</${Notice}>
    <dl class="camera-facts">
      <dt>Address</dt><dd><code>${camera.url}</code></dd>
      ${camera.spec.view && html`<dt>View</dt><dd><code>${camera.spec.view}</code></dd>`}
      <dt>State</dt><dd><${State} camera=${camera} /></dd>
      <dt>Models</dt><dd>${(camera.models ?? []).join(", ") || "none"}</dd>
    </dl>
    ${failure && html`<${Notice} icon="alert" tone="bad" title=${failure.message} />`}
    <div class="dialog-foot">
      <${Button} onClick=${onClose}>Close</${Button}>
      <${Button} icon=${camera.paused ? "play" : "pause"} kind="primary" onClick=${go}>${camera.paused ? "Resume" : "Pause"}</${Button}>
    </div>
  </${Dialog}>`;
}
