// Pause, resume, test, edit and remove one camera, as far as whoever looks may.
import { cameraPath, post, remove } from "../lib/api.js";
import { lazy } from "../lib/lazy.js";
import { html, useState } from "../lib/preact.js";
import { mayChange, mayOperate } from "../lib/rights.js";
import { Button, Dialog, Notice } from "../lib/ui.js";

const CameraTest = lazy(() => import("./camera_test.js").then(({ CameraTest: Test }) => Test));

/** `words`: with the names of the actions, else as icons. */
export function CameraActions({ camera, session, onEdit, words = false }) {
  const [failure, fail] = useState(null);
  const [removing, askRemoval] = useState(false);
  const [testing, test] = useState(false);
  const [busy, setBusy] = useState(false);
  if (!mayOperate(session)) return null;
  const attempt = async (work) => {
    setBusy(true);
    try {
      await work();
    } catch (error) {
      fail(error);
    }
    setBusy(false);
  };
  const pause = () => attempt(() => post(cameraPath(camera.name, camera.paused ? "/resume" : "/pause")));
  const action = (icon, label, onClick, kind = "quiet") => html`<${Button} icon=${icon} kind=${kind}
    label="${label} ${camera.name}" disabled=${busy} onClick=${onClick}>${words && label}</${Button}>`;
  return html`<span class="actions">
    ${camera.paused ? action("play", "Resume", pause) : action("pause", "Pause", pause)}
    ${words && action("eye", "Test", () => test(true))}
    ${mayChange(session) && action("edit", "Edit", () => onEdit(camera))}
    ${mayChange(session) && action("remove", "Remove", () => askRemoval(true))}
    ${testing && html`<${CameraTest} camera=${camera} onClose=${() => test(false)} />`}
    ${removing && html`<${Removal} camera=${camera} onClose=${() => askRemoval(false)} />`}
    ${failure && html`<${Dialog} title="That did not work" onClose=${() => fail(null)}>
      <${Notice} icon="alert" tone="bad" title=${failure.message} /></${Dialog}>`}
  </span>`;
}

function Removal({ camera, onClose }) {
  const [failure, fail] = useState(null);
  const go = async () => {
    try {
      await remove(cameraPath(camera.name));
      onClose();
      if (location.hash.startsWith("#/camera/")) location.hash = "#/";
    } catch (error) {
      fail(error);
    }
  };
  return html`<${Dialog} title="Remove ${camera.name}?" onClose=${onClose}>
    <p>It stops at once and its password is deleted. Results in Redis stay until they expire.</p>
    ${camera.origin === "config" && html`<${Notice} icon="alert" title="It is in the configuration of worker ${camera.worker}">
      It will come back when that worker restarts; remove it from the file as well.</${Notice}>`}
    ${failure && html`<${Notice} icon="alert" tone="bad" title=${failure.message} />`}
    <div class="dialog-foot">
      <${Button} onClick=${onClose}>Keep it</${Button}>
      <${Button} icon="remove" kind="danger" onClick=${go}>Remove</${Button}>
    </div>
  </${Dialog}>`;
}
