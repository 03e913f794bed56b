// What the columns say in numbers: beneath the chart, and as a table.
import { Swatch } from "../lib/charts.js";
import { colourOf } from "../lib/colours.js";
import { html, useState } from "../lib/preact.js";
import { startWords } from "./count_columns.js";

const whole = (value) => value.toLocaleString("en");
const SHORT_S = 120;

/** The numbers of the column at `at`, else those of the whole span. */
export function CountLegend({ columns: { starts, classes, peak, staysS }, subject, per, at }) {
  const side = (one, name) => (at === null ? one.sums[name] : one[name][at]);
  return html`<ul class="legend count-legend" aria-live=${at === null ? "off" : "polite"}>
    <li class="when">${at === null ? "in all" : startWords(starts[at], per, true)}</li>
    ${classes.map((one) => html`<li key=${one.label}><${Swatch} colour=${colourOf(one.label)} />${one.label}
      <b>${whole(side(one, "up"))}</b>${subject.down && html`<span>${subject.up}</span> <b>${whole(side(one, "down"))}</b><span>${subject.down}</span>`}</li>`)}
    ${peak && html`<li>most at once <b>${whole(peak)}</b></li>`}
    ${staysS !== null && html`<li>mean stay <b>${staysWords(staysS)}</b></li>`}
  </ul>`;
}

const staysWords = (seconds) => (seconds < SHORT_S ? `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`);

/** The same as rows, newest first; those in which nothing was counted are left out. */
export function CountTable({ columns: { starts, classes }, subject, per, title }) {
  const [isOpen, open] = useState(false);
  const sides = subject.down ? ["up", "down"] : ["up"];
  const rows = starts.map((at, i) => ({ at, values: classes.flatMap((one) => sides.map((side) => one[side][i])) }))
    .filter(({ values }) => values.some(Boolean)).reverse();
  return html`<details class="count-table" onToggle=${(event) => open(event.currentTarget.open)}><summary>As a table</summary>
    ${isOpen && html`<div class="scroll" tabindex="0" role="region" aria-label=${title}><table><caption class="unseen">${title}</caption><thead><tr><th scope="col">${per === "day" ? "Day" : "Time"}</th>
      ${classes.flatMap((one) => sides.map((side) => html`<th scope="col" class="number">${one.label}${subject.down ? ` ${subject[side]}` : ""}</th>`))}</tr></thead>
      <tbody>${rows.map(({ at, values }) => html`<tr key=${at}><th scope="row">${startWords(at, per, true)}</th>
        ${values.map((value) => html`<td class="number">${whole(value)}</td>`)}</tr>`)}</tbody></table></div>`}
  </details>`;
}
