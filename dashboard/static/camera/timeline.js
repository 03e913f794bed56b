// What a camera's state was, and why: a band of the last while, and the changes in words.
import { eventWords, toneOfKind } from "../events/event_words.js";
import { html } from "../lib/preact.js";
import { clock, since, toneOf } from "../lib/ui.js";

const SPANS_S = [300, 900, 1800, 3600, 10800, 21600, 43200, 86400]; // what the band may show; the shortest that holds all
const THINNEST = 0.5; // per cent: a moment of trouble is seen in a day of calm

/**
 * `changes`: newest first, [{state, reason, at}]; `events`: likewise, of the same time. `lostAt`: Unix s from which on nobody knows, as
 * the camera's worker is gone; null while it runs.
 */
export function Timeline({ changes, lostAt, events }) {
  const now = Date.now() / 1000;
  if (!changes.length) {
    return html`<p class="nothing">No state changes yet.
      Each change of state will be listed here with its reason.</p>`;
  }
  const runs = merged(changes, now, lostAt);
  return html`<${Band} runs=${runs} now=${now} events=${events} />
    <ol class="changes" tabindex="0" aria-label="Changes of its state, newest first">
      ${runs.map((run) => html`<${Change} key=${run.at} run=${run} />`)}
    </ol>`;
}

/** Changes as spans of time, newest first; the same again and again is one. */
function merged(changes, now, lostAt) {
  const runs = [];
  let until = lostAt ?? now;
  if (lostAt !== null) {
    runs.push({ state: "unknown", reason: "its worker is not running", at: lostAt, until: now, times: 1 });
  }
  for (const { state, reason, at } of changes) {
    const later = runs.at(-1);
    if (later?.state === state && later.reason === reason) {
      later.at = at;
      later.times += 1;
    } else {
      runs.push({ state, reason, at, until: Math.max(at, until), times: 1 });
    }
    until = at;
  }
  return runs;
}

function Band({ runs, now, events }) {
  const oldest = now - runs.at(-1).at;
  const length = SPANS_S.find((one) => one >= oldest) ?? SPANS_S.at(-1);
  const place = (at) => Math.max(0, 100 * (1 - (now - at) / length));
  const said = runs.slice(0, 5).map((run) => `${run.state} for ${lasted(run)}`).join(", before that ");
  return html`<div class="band">
    <svg role="img" aria-label="The last ${span(length)}: ${said}">
      ${[...runs].reverse().map((run) => {
        const left = Math.min(place(run.at), 100 - THINNEST), width = Math.max(THINNEST, place(run.until) - left);
        return html`<rect key=${run.at} class=${run.state === "unknown" ? "lost" : toneOf(run.state)}
          x="${left.toFixed(2)}%" width="${width.toFixed(2)}%" height="100%"><title>${wordsOf(run)}</title></rect>`;
      })}
    </svg>
    <${Marks} events=${events.filter(({ ts }) => ts > now - length)} place=${place} />
    <div class="scale"><span>${span(length)} ago</span><span>${span(length / 2)}</span><span>now</span></div>
  </div>`;
}

/** A mark for each event; those that lie on one place are one, and say how many they are. */
function Marks({ events, place }) {
  if (!events.length) return null;
  const at = new Map();
  for (const event of events) {
    const key = place(event.ts).toFixed(1);
    at.set(key, [...(at.get(key) ?? []), event]);
  }
  const words = (of) => of.slice(0, 4).map((event) => `${eventWords(event)}, ${clock(event.ts)}`).join("; ") + (of.length > 4 ? ` and ${of.length - 4} more` : "");
  return html`<svg class="marks" role="img" aria-label="${events.length} events">
    ${[...at].map(([left, of]) => html`<rect key=${left} class=${of.some(({ kind }) => toneOfKind(kind) === "wait") ? "wait" : "plain"}
      x="${left}%" width="2" height="100%" rx="1"><title>${words(of)}</title></rect>`)}</svg>`;
}

function Change({ run }) {
  return html`<li>
    <span class="state ${toneOf(run.state)}">${run.state}</span>
    <time>${clock(run.at)}</time>
    <span class="lasted">${lasted(run)}</span>
    <p>${run.reason}${run.times > 1 && html` <em>· ${run.times} times</em>`}</p>
  </li>`;
}

const lasted = ({ at, until }) => (until - at < 2 ? "a moment" : since(at, until));
const span = (seconds) => (seconds < 3600 ? `${+(seconds / 60).toFixed(1)} min` : `${seconds / 3600} h`);
const wordsOf = (run) => `${run.state}, ${clock(run.at)} for ${lasted(run)}: ${run.reason}`;
