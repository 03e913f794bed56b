// How the camera's own events are received over ONVIF.
import { html } from "../lib/preact.js";
import { Notice, moment } from "../lib/ui.js";

/** `onvif`: as the API says it, null where the camera is not listened to. */
export function OnvifNote({ onvif }) {
  if (!onvif) return null;
  if (onvif.state === "subscribed") return html`<p class="view-note onvif-note">${heardWords(onvif)}</p>`;
  if (!onvif.code) return html`<p class="view-note onvif-note">Events of the camera itself: connecting.</p>`;
  return html`<${Notice} icon="alert" tone="wait" title="Events of the camera itself: ${onvif.state}">
    ${[`${onvif.reason} (${onvif.code})`, onvif.advice].filter(Boolean).join("\n")}
  </${Notice}>`;
}

/** "Listening to the camera's own events: 12, the last camera:object person, 14:02:11. Its clock is 3600 s ahead." */
export function heardWords({ events, last, last_at: at, clock_off_s: off, unknown }) {
  const newest = last ? `, the last ${last}, ${moment(at)}` : "";
  const clock = off ? ` Its clock is ${Math.abs(Math.round(off))} s ${off > 0 ? "ahead" : "behind"}.` : "";
  const others = Object.keys(unknown);
  const more = others.length ? ` Not understood: ${others.join(", ")}.` : "";
  return `Listening to the camera’s own events: ${events}${newest}.${clock}${more}`;
}
