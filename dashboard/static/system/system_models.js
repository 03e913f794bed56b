// Models, and the engine that each runs on.
import { Build } from "../lib/build.js";
import { Mend, lessOf } from "../lib/less.js";
import { html } from "../lib/preact.js";
import { mayOperateAll } from "../lib/rights.js";
import { Notice } from "../lib/ui.js";
import { ModelSwap } from "./model_swap.js";

const RUNTIMES = {
  onnxruntime: "ONNX Runtime", openvino: "OpenVINO", tensorrt: "TensorRT", "tensorrt-lean": "TensorRT (lean)",
  "tensorrt-rtx": "TensorRT-RTX",
  triton: "Triton",
};
const PARITY = {
  source: ["the model itself", "off"],
  proved: ["proved on camera frames", "good"],
  pending: ["being proved", "wait"],
};

export function Models({ workers, session }) {
  const rows = workers.flatMap((worker) => worker.models.map((model) => ({ worker, model })));
  const several = workers.length > 1;
  return html`<section class="card"><h2>Models <small>and the engine each runs on</small></h2>
    ${rows.length === 0
      ? html`<p class="nothing">No model is running. Add one with a camera stage <code>model: yolox-street</code>.</p>`
      : html`<table class="stacks"><thead><tr><th>Model</th>${several && html`<th>Worker</th>`}
          <th>Engine</th><th>Precision</th><th>Parity</th><th>Build</th>${mayOperateAll(session) && html`<th />`}</tr></thead>
        <tbody>${rows.map(({ worker, model }) => html`<${Row} key=${`${worker.worker} ${model.name}`} model=${model}
          swap=${mayOperateAll(session) && html`<${ModelSwap} worker=${worker} model=${model} />`}
          worker=${several ? worker.worker : null} build=${worker.builds[model.name]} />`)}</tbody></table>`}
    ${workers.map((worker) => html`<${Less} key=${worker.worker} worker=${worker} name=${several} />`)}
    <${Ready} workers=${workers} used=${new Set(rows.map(({ model }) => model.name))} />
  </section>`;
}

function Row({ model, worker, build, swap }) {
  const [parity, tone] = PARITY[model.parity] ?? [model.parity, "off"];
  return html`<tr>
    <td data-words="Model"><strong>${basename(model.name)}</strong>
      ${model.runs !== model.name && html`<small title=${model.runs}>runs ${basename(model.runs)}</small>`}</td>
    ${worker !== null && html`<td data-words="Worker">${worker}</td>`}
    <td data-words="Engine">${RUNTIMES[model.runtime] ?? model.runtime}</td>
    <td data-words="Precision">${model.precision}</td>
    <td data-words="Parity"><span class="state wraps ${tone}">${parity}</span></td>
    <td data-words="Build"><div><${Build} build=${build} model=${model.name} /></div></td>
    ${swap && html`<td class="swap">${swap}</td>`}
  </tr>`;
}

/** Models that run in the place of better ones, and what to do about it; `name`: say which worker's. */
function Less({ worker, name }) {
  return lessOf(worker.standard).map((one) => html`<${Notice} key=${one.finds} icon="alert" tone="wait"
    title="${name ? `Worker ${worker.worker}, ` : ""}${one.runs}: fewer ${one.finds} found">
    <${Mend} choice=${one} />
    <details><summary>Where ${one.wanted} was looked for</summary>
      <ul>${one.tried.map((line) => html`<li key=${line}>${line}</li>`)}</ul></details>
  </${Notice}>`);
}

/** Models that a camera could run and none does. */
function Ready({ workers, used }) {
  const all = workers.flatMap((worker) => worker.zoo).filter((one) => !used.has(one.name));
  const idle = new Map(all.map((one) => [one.name, one]));
  if (!idle.size) return null;
  return html`<details class="idle"><summary>${idle.size} more available</summary>
    <ul>${[...idle.values()].map((one) => html`<li key=${one.name}><strong>${basename(one.name)}</strong>
      <span class="soft">${one.task}: ${some(one.labels, 6)}. ${one.licence}${one.ready ? "" : ". Not fetched yet"}</span>
    </li>`)}</ul></details>`;
}

/** The first few of many names. */
export const some = (names, most) => names.slice(0, most).join(", ") + (names.length > most ? ", …" : "");
const basename = (name) => name.split("/").at(-1);
