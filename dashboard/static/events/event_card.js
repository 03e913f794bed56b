// One event as a card: its best image, what happened, where and when.
import { ClipButton } from "../clips/clip_link.js";
import { colourOf } from "../lib/colours.js";
import { html, useState } from "../lib/preact.js";
import { Button, Dialog, Icon, moment } from "../lib/ui.js";
import { dwellWords, eventWords, toneOfKind } from "./event_words.js";

const NO_IMAGE = {
  "camera-lost": "alert", "camera-back": "check", "nothing-seen": "eye", "lane-departure": "lane", "line-crossed": "line",
  "zone-entered": "shape", "zone-left": "shape", "zone-crowded": "shape",
  "camera:line": "line", "camera:field": "shape", "camera:tamper": "alert",
};

export function EventCard({ card, onOpen }) {
  const { event, image } = card;
  const words = eventWords(event);
  return html`<article class="event ${toneOfKind(event.kind)}" data-event=${event.id} data-kind=${event.kind}>
    <button type="button" class="event-image" onClick=${onOpen} aria-label="${words}, ${event.camera}, ${moment(event.ts)}">
      <${Best} image=${image} event=${event} /></button>
    <${ClipButton} event=${event} kind="event-clip" />
    <div class="event-words">
      <strong>${words}</strong>
      <span class="event-where"><a class="link" href="#/camera/${encodeURIComponent(event.camera)}">${event.camera}</a>
        ${event.label && html`<${Class} label=${event.label} />`}</span>
      <time datetime=${new Date(event.ts * 1000).toISOString()}>${moment(event.ts)}</time>
    </div>
  </article>`;
}

function Class({ label }) {
  const paint = (element) => element?.style.setProperty("--class", colourOf(label));
  return html`<span class="event-class"><span class="swatch" ref=${paint} />${label}</span>`;
}

/** The best image; a quiet sign in its place where none is kept. */
export function Best({ image, event }) {
  const [broken, fail] = useState(null);
  if (!image || broken === image) return html`<span class="no-image"><${Icon} name=${NO_IMAGE[event.kind] ?? "eye"} /></span>`;
  return html`<img src=${image} alt="" loading="lazy" decoding="async" onError=${() => fail(image)} />`;
}

const speedWords = ({ speed_kmh: speed, speed_error_kmh: error }) => `${speed.toFixed(1)} km/h${error === undefined ? "" : `, ± ${error.toFixed(1)}`}`;

/** All that is known of an event, with its image as large as can be. */
export function EventDetail({ card, onClose }) {
  const { event, image } = card;
  const fact = (name, value) => value && html`<dt>${name}</dt><dd>${value}</dd>`;
  const votes = Object.entries(event.votes ?? {}).sort(([, a], [, b]) => b - a).map(([label, share]) => `${label} ${Math.round(share * 100)} %`);
  return html`<${Dialog} wide title=${eventWords(event)} onClose=${onClose}>
    <div class="event-detail">
      <div class="event-large"><${Best} image=${image} event=${event} /></div>
      <dl class="camera-facts">
        ${fact("Camera", html`<a class="link" href="#/camera/${encodeURIComponent(event.camera)}" onClick=${onClose}>${event.camera}</a>`)}
        ${fact("Time", new Date(event.ts * 1000).toLocaleString("en-GB"))}
        ${fact("Class", event.label && `${event.label}${event.score ? ` ${event.score.toFixed(2)}` : ""}`)}
        ${fact("Object", event.track_id && `#${event.track_id}`)}
        ${fact("Zone", event.zone)}${fact("Line", event.line && [event.line, event.direction].filter(Boolean).join(", "))}
        ${fact("Stayed", event.track_id && dwellWords(event.dwell_s))}
        ${fact("Speed", event.speed_kmh !== undefined && speedWords(event))}
        ${fact("Way", event.distance_m !== undefined && `${event.distance_m.toFixed(1)} m`)}
        ${fact("In it", event.count > 0 && String(event.count))}
        ${fact("Seen as", votes.length > 1 && votes.join(", "))}
        ${fact("Reason", !event.track_id && event.reason)}
        ${fact("ID", html`<code>${event.id}</code>`)}
      </dl>
    </div>
    <div class="dialog-foot">
      <${ClipButton} event=${event} kind="primary">Play the clip</${ClipButton}>
      <${Button} onClick=${onClose}>Close</${Button}>
    </div>
  </${Dialog}>`;
}
