// One camera tried as it is: what its worker sees now, or why it sees nothing.
import { useTrial } from "../form/camera_trial.js";
import { TrialView } from "../form/trial_view.js";
import { html, useEffect } from "../lib/preact.js";
import { Button, Dialog } from "../lib/ui.js";

const NO_FIELDS = () => {}; // there is no form whose fields could be wrong

export function CameraTest({ camera, onClose }) {
  const trial = useTrial({ name: camera.name }, null, NO_FIELDS);
  useEffect(() => { trial.run(); }, []);
  const close = () => { trial.cancel(); onClose(); };
  return html`<${Dialog} wide title="Test ${camera.name}" onClose=${close}>
    <div aria-live="polite" class="trial-place"><${TrialView} test=${trial} onCancel=${close} /></div>
    <div class="dialog-foot">
      <${Button} onClick=${close}>Close</${Button}>
      <${Button} icon="play" kind="primary" disabled=${trial.busy} onClick=${trial.run}>Test again</${Button}>
    </div>
  </${Dialog}>`;
}
