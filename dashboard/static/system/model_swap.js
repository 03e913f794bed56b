// Another model in the place of one, on one worker.
import { post } from "../lib/api.js";
import { html, useState } from "../lib/preact.js";
import { toast } from "../lib/toast.js";
import { Button, Dialog, Notice } from "../lib/ui.js";

/** `worker`: its report; `model`: one that runs there. */
export function ModelSwap({ worker, model }) {
  const [isOpen, open] = useState(false);
  return html`<${Button} kind="quiet small" label="Swap ${model.name}" onClick=${() => open(true)}>Swap</${Button}>
    ${isOpen && html`<${Choice} worker=${worker} model=${model} onClose=${() => open(false)} />`}`;
}

function Choice({ worker, model, onClose }) {
  const offered = worker.zoo.filter((one) => one.name !== model.runs && one.task === taskOf(worker, model));
  const [to, choose] = useState(offered[0]?.name ?? "");
  const [{ busy, failure }, set] = useState({});
  const swap = async (name) => {
    set({ busy: true });
    try {
      const { words } = await post("/models/swap", { worker: worker.worker, model: model.name, to: name });
      onClose();
      toast(name ? `${model.name} now runs ${name}.` : `${model.name}: ${words}.`);
    } catch (error) {
      set({ failure: error });
    }
  };
  return html`<${Dialog} title="Swap ${model.name}" onClose=${onClose}>
    <p>Every camera of worker ${worker.worker} with ${model.name} changes between two frames, and stays so after a restart.</p>
    <div class="field"><label for="swap-to">Run instead</label>
      <select id="swap-to" value=${to} onChange=${(event) => choose(event.target.value)}>
        ${offered.map((one) => html`<option key=${one.name} value=${one.name}>${one.name}</option>`)}
      </select></div>
    ${offered.length === 0 && html`<p class="nothing">This worker has no other model for the same task.</p>`}
    ${failure && html`<${Notice} icon="alert" tone="bad" title=${failure.message} />`}
    <div class="dialog-foot">
      <${Button} onClick=${onClose}>Cancel</${Button}>
      ${model.before.length > 0 && html`<${Button} disabled=${busy} onClick=${() => swap(null)}>Back to ${model.before.at(-1)}</${Button}>`}
      <${Button} kind="primary" disabled=${busy || !to} onClick=${() => swap(to)}>${busy ? "One moment" : "Swap"}</${Button}>
    </div>
  </${Dialog}>`;
}

/** What the model is for, as far as its worker tells. */
const taskOf = (worker, model) => worker.zoo.find((one) => one.name === model.runs || one.name === model.name)?.task;
