// The fleet: its machines and workers, what moved and why, and how many more cameras fit.
import { html } from "../lib/preact.js";
import { Notice, bytes, count, since } from "../lib/ui.js";
import { some } from "./system_models.js";
import { Table } from "./system_redis.js";

const STATES = { draining: ["draining", "wait"], gone: ["gone", "bad"] };
const SHOWN = 8; // of waiting cameras, and of moves

/** `fleet`: what its keeper said last. */
export function Fleet({ fleet }) {
  const { nodes, workers, waiting, moves, cameras, placed } = fleet;
  const odd = workers.filter((one) => one.state !== "running");
  const gone = odd.filter((one) => one.state === "gone").map((one) => one.name);
  return html`<section class="card fleet"><h2>Fleet <small>${fleet.keeper && `kept by ${fleet.keeper}`}</small></h2>
    ${fleet.state === "gone" && html`<${Notice} icon="alert" tone="bad" title="Its keeper is gone">
      It said nothing for ${since(fleet.at)}. Cameras run where they are; until it is back none is moved.</${Notice}>`}
    <dl class="readings">
      <div><dt>Cameras</dt><dd>${count(cameras)}${placed < cameras && html`, <span class="bad-number">${count(cameras - placed)} without a worker</span>`}</dd></div>
      <div><dt>Workers</dt><dd title=${gone.length > 0 ? `gone: ${gone.join(", ")}` : null}>${count(workers.length)}${odd.length > 0 && `, ${odd.length} not running`}</dd></div>
      <div><dt>Machines</dt><dd>${count(nodes.length)}</dd></div>
      <div><dt>Room</dt><dd>${roomOf(fleet)}</dd></div>
    </dl>
    ${placed < cameras && html`<${Notice} icon="alert" tone="bad" title=${placed + 1 === cameras ? "A camera has no worker" : `${count(cameras - placed)} cameras have no worker`}>
      <ul>${waiting.slice(0, SHOWN).map((one) => html`<li key=${one.camera}><strong>${one.camera}</strong>: ${one.why}</li>`)}</ul>
      ${waiting.length > SHOWN && `and ${count(cameras - placed - SHOWN)} more`}</${Notice}>`}
    <${Table} words=${["Machine"]} numbers=${["Cameras", "CPU", "Memory", "GPU", "More fit"]}>
      ${nodes.map((one) => html`<${Node} key=${one.name} node=${one} workers=${workers} />`)}</${Table}>
    ${gone.length > 0 && html`<p class="hint">Gone: ${some(gone, SHOWN)}</p>`}
    ${moves.length > 0 && html`<h3>Moves <small>${count(fleet.moved)} so far, newest first</small></h3>
      <${Table} words=${["When", "Camera", "From, to", "Why"]} numbers=${[]}>
        ${moves.slice(0, SHOWN).map((one) => html`<${Move} key=${`${one.at} ${one.camera}`} move=${one} />`)}</${Table}>`}
  </section>`;
}

function Node({ node, workers }) {
  const own = workers.filter((one) => one.node === node.name);
  const share = (part) => (part === null ? "–" : `${Math.round(part)} %`);
  return html`<tr><td><strong>${node.name}</strong>
      ${own.map((one) => html`<br key=${`${one.name} br`} /><small class="soft">${one.name}</small>
        ${STATES[one.state] && html` <span class="state ${STATES[one.state][1]}">${STATES[one.state][0]}</span>`}`)}</td>
    <td class="number">${count(node.cameras)}</td>
    <td class="number" title="of ${node.cores} cores">${share(node.cpu_percent)}</td>
    <td class="number" title="of ${bytes(node.memory_bytes)}">${bytes(node.memory_used_bytes)}</td>
    <td class="number">${!node.gpus ? "–" : node.gpu_percent === null ? "not told" : share(node.gpu_percent)}</td>
    <td class="number" title=${node.limited_by && `limited by ${node.limited_by}`}>${node.more === null ? "–" : count(node.more)}</td></tr>`;
}

function Move({ move }) {
  return html`<tr><td>${since(move.at)} ago</td><td>${move.camera}</td>
    <td>${move.source ?? "none"} → ${move.target ?? "none"}</td><td>${move.why}</td></tr>`;
}

function roomOf({ more, limited_by, each_percent, each_bytes }) {
  if (more === null) return "no camera to measure by yet";
  const each = [each_percent !== null && `${each_percent.toFixed(1)} % of a core`, each_bytes !== null && bytes(each_bytes)];
  return `for ${count(more)} more like these (${limited_by}); each takes ${each.filter(Boolean).join(" and ")}`;
}
