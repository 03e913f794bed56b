// Who did what: the newest entries of the audit log, for admins.
import { get } from "../lib/api.js";
import { html, useEffect, useState } from "../lib/preact.js";
import { Button, Notice } from "../lib/ui.js";

const PERIOD_MS = 10_000, ROWS = 12;

export function Audit() {
  const [pages, setPages] = useState([]);
  const [error, setError] = useState(null);
  const load = async (before, kept) => {
    try {
      const page = await get(`/audit?limit=${ROWS}${before ? `&before=${before}` : ""}`);
      setPages([...kept, page]);
      setError(null);
    } catch (failure) {
      setError(failure);
    }
  };
  useEffect(() => { // what is older stays as it is read
    if (pages.length > 1) return undefined;
    if (!pages.length) load(null, []);
    const timer = setInterval(() => document.hidden || load(null, []), PERIOD_MS);
    return () => clearInterval(timer);
  }, [pages.length > 1]);
  const entries = pages.flatMap((page) => page.entries), next = pages.at(-1)?.next;
  return html`<section class="card"><h2>Audit log <small>who changed what, newest first</small></h2>
    ${error && html`<${Notice} icon="alert" tone="wait" title="The audit log is unavailable">${error.message}</${Notice}>`}
    ${!error && pages.length > 0 && !entries.length && html`<p class="nothing">Nothing has been changed yet.</p>`}
    ${entries.length > 0 && html`<div class="scroll"><table><thead><tr>
      <th>Time</th><th>Who</th><th>What</th><th>Result</th></tr></thead>
      <tbody>${entries.map((one) => html`<${Row} key=${one.id} entry=${one} />`)}</tbody></table></div>`}
    ${next && html`<p><${Button} onClick=${() => load(next, pages)}>Older entries</${Button}></p>`}
  </section>`;
}

function Row({ entry }) {
  const target = entry.camera ?? entry.user ?? entry.token ?? entry.model ?? "";
  const who = entry.how === "nobody" ? "nobody" : entry.who || "this machine";
  const why = [entry.words, entry.times > 1 && `${entry.times} times`].filter(Boolean).join("; ");
  return html`<tr>
    <td>${new Date(entry.at * 1000).toLocaleString()}</td>
    <td title=${[entry.how, entry.role].filter(Boolean).join(", ")}>${who}${entry.address && html` <small>${entry.address}</small>`}</td>
    <td title=${entry.detail}>${entry.action} ${target}</td>
    <td title=${why}>${entry.result}${entry.code && entry.result !== "ok" ? ` (${entry.code})` : ""}</td></tr>`;
}
