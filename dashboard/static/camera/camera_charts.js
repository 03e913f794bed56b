// A camera over time: where its frames went, how late they are, what was seen.
import { Chart, Swatch } from "../lib/charts.js";
import { colourOf } from "../lib/colours.js";
import { once } from "../lib/once.js";
import { html } from "../lib/preact.js";
import { count, ms } from "../lib/ui.js";

const FRAMES = {
  published: "--accent", failed: "--bad",
  rate: "--drop-rate", queue: "--drop-queue", stage: "--drop-stage", reconnect: "--drop-reconnect",
  duplicate_pts: "--drop-double", outbox: "--drop-outbox",
};
const reasons = once("/reasons");
const colourOfReason = (reason) => FRAMES[reason] ?? colourOf(reason);
const share = (part, all) => `${Math.min(100, Math.round((100 * part) / Math.max(1, all)))} %`;
const whole = (value) => (value === null || value === undefined ? "–" : value.toLocaleString("en"));

export function Frames({ history, counts }) {
  const dropped = Object.entries(history?.dropped ?? {})
    .filter(([reason, values]) => counts?.dropped[reason] || values.some(Boolean));
  const series = history ? [
    { label: "published", colour: FRAMES.published, values: history.published },
    ...dropped.map(([reason, values]) => ({ label: reason, colour: colourOfReason(reason), values })),
    { label: "failed", colour: FRAMES.failed, values: history.failed },
  ] : [];
  return html`<section class="card"><h2>Frames <small>per second, and where they went</small></h2>
    <${Chart} label="Frames per second: published, dropped by reason, failed" stacked total="decoded"
      times=${history?.t ?? []} series=${series} format=${count}
      empty="The chart appears as soon as frames are counted." />
    ${counts && html`<${Account} counts=${counts} />`}
  </section>`;
}

/** decoded = published + dropped (reason) + failed, with the totals since the camera started. */
function Account({ counts }) {
  const known = reasons.use() ?? [];
  const why = (name) => known.find(({ reason }) => reason === name)?.words;
  const dropped = Object.entries(counts.dropped).filter(([, frames]) => frames);
  const { still = 0, tracked = 0 } = counts.skipped ?? {};
  const lost = dropped.reduce((sum, [, frames]) => sum + frames, 0);
  const rest = counts.decoded - counts.published - lost - counts.failed;
  const term = (colour, value, words, title) => html`<span class="term" title=${title}>
    <${Swatch} colour=${colour} /><b>${whole(value)}</b> ${words}</span>`;
  return html`<p class="account"><span class="term"><b>${whole(counts.decoded)}</b> decoded</span> =
    ${" "}${term(FRAMES.published, counts.published, "published")}
    ${dropped.map(([reason, frames]) => html`${" "}+
      ${" "}${term(colourOfReason(reason), frames, `dropped: ${reason}`, why(reason))}`)}
    ${lost === 0 && html`${" "}+ <span class="term"><b>0</b> dropped</span>`}
    ${" "}+ ${term(FRAMES.failed, counts.failed, "failed")}
    ${counts.damaged > 0 && html`${" "}(${term("--wait", counts.damaged, "damaged", why("damaged"))})`}
    ${still > 0 && html`${" "}(${term("--off", still, `quiet, ${share(still, counts.published)}`, why("still"))})`}
    ${tracked > 0 && html`${" "}(${term("--off", tracked, `expected, ${share(tracked, counts.published)}`, why("tracked"))})`}
    ${rest > 0 && html`${" "}+ <span class="term"><b>${whole(rest)}</b> on their way</span>`}
  </p>`;
}

export function Latency({ history, screen }) {
  const times = history?.t ?? [];
  const series = history ? [
    { label: "to Redis", colour: "--accent", values: history.latency_ms },
    { label: "to this screen", colour: "--wait", values: times.map((t) => screen.get(Math.round(t)) ?? null) },
  ] : [];
  return html`<section class="card"><h2>Latency <small>since a frame was captured</small></h2>
    <${Chart} label="Milliseconds from capture to Redis and to this screen" times=${times} series=${series}
      format=${ms} empty="The chart appears as soon as a frame arrives." />
  </section>`;
}

export function Objects({ history }) {
  const series = Object.entries(history?.objects ?? {})
    .filter(([, values]) => values.some(Boolean))
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([label, values]) => ({ label, colour: colourOf(label), values }));
  return html`<section class="card"><h2>Objects <small>per class, one on top of another</small></h2>
    <${Chart} label="Objects per class" stacked stepped times=${history?.t ?? []} series=${series}
      format=${count} empty="No objects in the last 15 minutes." />
  </section>`;
}
