// Bridges: where results are carried to, and how far behind each one is.
import { BridgeTest } from "./bridge_test.js";
import { html } from "../lib/preact.js";
import { mayOperateAll } from "../lib/rights.js";
import { count, since, span } from "../lib/ui.js";
import { Table } from "./system_redis.js";

const STATES = {
  connecting: ["connecting", "wait"],
  running: ["running", "good"],
  away: ["other side away", "bad"],
  stopped: ["stopped", "off"],
  failed: ["failed", "bad"],
  gone: ["no longer reports", "bad"],
};

export function Bridges({ bridges, session }) {
  return html`<section class="card bridges"><h2>Bridges <small>where results are carried to</small></h2>
    <${Table} words=${["Bridge", "State"]} numbers=${["Behind", "Delivered", "Failed", "Given up"]}>
      ${bridges.map((one) => html`<${Row} key=${one.name} bridge=${one} session=${session} />`)}</${Table}></section>`;
}

function Row({ bridge, session }) {
  const { name, kind, target, state, words, lag, lag_s: age, delivered, failed, dead } = bridge;
  const [said, tone] = STATES[state] ?? [state, "wait"];
  const isOver = state === "stopped" || state === "failed" || state === "gone";
  const behind = lag === null ? "unknown" : count(lag);
  const error = bridge.last_error && `${bridge.last_error} (${since(bridge.last_error_at)} ago)`;
  return html`<tr><td><strong>${name}</strong>${name !== kind && html` <span class="soft">${kind}</span>`}
      <br /><small class="soft wraps">${target}</small></td>
    <td><span class="state wraps ${tone}" title=${error || null}>${said}${words && `: ${words}`}</span>
      ${isOver && html` <span class="soft">${since(bridge.at)} ago</span>`}
      ${kind === "webhook" && !isOver && mayOperateAll(session) && html`<${BridgeTest} bridge=${bridge} />`}</td>
    <td class="number" title=${age ? "and since when the oldest waits" : null}>${behind}
      ${age >= 1 && html`<br /><small class="soft">${span(age)}</small>`}</td>
    <td class="number">${count(delivered)}</td><td class="number">${count(failed)}</td>
    <td class="number ${dead ? "bad-number" : ""}">${count(dead)}</td></tr>`;
}
