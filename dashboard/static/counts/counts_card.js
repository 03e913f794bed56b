// What a camera counted over time: objects, entries and exits of zones, crossings of lines.
import { cameraPath, get } from "../lib/api.js";
import { areasOf, isTracked } from "../lib/areas.js";
import { live } from "../lib/live.js";
import { html, useEffect, useRef, useState } from "../lib/preact.js";
import { repeat } from "../lib/polled.js";
import { Notice } from "../lib/ui.js";
import { CountChart } from "./count_chart.js";
import { SPANS, columnsOf, firstOf, subjectsOf } from "./count_columns.js";
import { CountLegend, CountTable } from "./count_legend.js";

const PERIOD_MS = { minute: 5000, hour: 20_000, day: 60_000 };

const nowS = () => (Date.now() + (live.offset ?? 0)) / 1000;
const askedPer = (per) => (per === "minute" ? "minute" : "hour");

export function CountsCard({ camera }) {
  const [{ span, per }, choose] = useState({ span: "24h", per: "hour" });
  const [chosen, choseSubject] = useState(null);
  const { counted, error } = useCounts(camera.name, span, per);
  const subjects = subjectsOf(areasOf(camera), counted?.series ?? []);
  const subject = subjects.find(({ key }) => key === chosen) ?? subjects[0];
  const isOffered = useRef(false); // what was once shown stays, whatever is chosen
  isOffered.current ||= isTracked(camera) || counted?.series.length > 0;
  if (!isOffered.current) return null;
  const takeSpan = (event) => choose({ span: event.target.value, per: SPANS[event.target.value].per[0] });
  return html`<section class="card counts"><h2>Counts <small>over time</small></h2>
    <div class="count-choices">
      <${Choice} label="What" value=${subject.key} onChange=${(event) => choseSubject(event.target.value)}
        choices=${subjects.map(({ key, words }) => [key, words])} />
      <${Choice} label="Span" value=${span} onChange=${takeSpan} choices=${Object.entries(SPANS).map(([key, { words }]) => [key, words])} />
      <${Choice} label="Per" value=${per} onChange=${(event) => choose({ span, per: event.target.value })} choices=${SPANS[span].per.map((one) => [one, one])} />
      <a class="button" href=${csvPath(camera.name, span, per)} download title="All that was counted in this span, as CSV">CSV</a>
    </div>
    ${error && html`<${Notice} icon="alert" tone="wait" title="Counts cannot be read">${error.message}</${Notice}>`}
    ${counted && html`<${Counted} key="${subject.key} ${span} ${per}" counted=${counted} subject=${subject} span=${span} per=${per} />`}
  </section>`;
}

function Choice({ label, value, choices, onChange }) {
  return html`<label><span>${label}</span><select aria-label=${label} value=${value} onChange=${onChange} disabled=${choices.length < 2}>
    ${choices.map(([key, words]) => html`<option key=${key} value=${key}>${words}</option>`)}</select></label>`;
}

function Counted({ counted, subject, span, per }) {
  const [at, point] = useState(null);
  const columns = columnsOf(counted, subject, per);
  const title = `${subject.words}, last ${SPANS[span].words}, per ${per}`;
  if (!columns.classes.length) {
    return html`<p class="nothing count-nothing">Nothing was counted in the last ${SPANS[span].words}.</p>`;
  }
  const sums = columns.classes.map(({ label, sums: { up, down } }) => `${label} ${up}${down === null ? "" : ` ${subject.up}, ${down} ${subject.down}`}`);
  const shown = at !== null && at < columns.starts.length ? at : null;
  return html`<${CountChart} columns=${columns} subject=${subject} per=${per} label="${title}: ${sums.join("; ")}" at=${shown} onPoint=${point} />
    <${CountLegend} columns=${columns} subject=${subject} per=${per} at=${shown} />
    <${CountTable} columns=${columns} subject=${subject} per=${per} title=${title} />`;
}

function csvPath(name, span, per) {
  return `/api/v1${cameraPath(name, `/counts?format=csv&by=${askedPer(per)}&from=${firstOf(span, per, nowS())}`)}`;
}

/** {counted: the API's answer for a span, null until known or while another is asked for; error}. */
function useCounts(name, span, per) {
  const [state, set] = useState({ counted: null, error: null });
  useEffect(() => repeat(async (isOver) => {
    const counted = await get(cameraPath(name, `/counts?by=${askedPer(per)}&from=${firstOf(span, per, nowS())}`));
    if (!isOver()) set({ counted: { ...counted, of: `${span} ${per}` }, error: null });
  }, (error) => set((before) => ({ ...before, error })), PERIOD_MS[per]), [name, span, per]);
  const isAsked = state.counted?.of === `${span} ${per}`;
  return isAsked ? state : { ...state, counted: null };
}
