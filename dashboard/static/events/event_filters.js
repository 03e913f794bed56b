// What is asked for on the page of events: camera, class, zone or line, kind and time. The address carries it.
import { areasOf } from "../lib/areas.js";
import { html } from "../lib/preact.js";
import { Button } from "../lib/ui.js";
import { GROUPS } from "./event_words.js";

const SPANS = { 3600: "Last hour", 21600: "Last 6 hours", 86400: "Last 24 hours" };
const KEYS = ["camera", "label", "place", "kind", "span", "from", "to"];
const ALL = Object.values(GROUPS).flatMap(({ kinds }) => kinds);

/** The filters of an address' query: {camera, label, place: "zone:door" or "line:gate", kind: a group, span, from, to}. */
export function filtersOf(search) {
  const given = new URLSearchParams(search);
  return Object.fromEntries(KEYS.map((key) => [key, given.get(key) ?? ""]));
}

/** The address of the page with filters. */
export function eventsHash(filters) {
  const given = Object.entries(filters).filter(([, value]) => value !== "");
  return given.length ? `#/events?${new URLSearchParams(given)}` : "#/events";
}

/** [[key, value]] of GET /events; `nowS`: that a span ends at. */
export function queryOf({ camera, label, place, kind, span, from, to }, nowS) {
  const [area, ...name] = place.split(":");
  const since = span === "between" ? unixS(from) : span && Math.floor(nowS - Number(span));
  const until = span === "between" ? unixS(to) : "";
  return [
    ["camera", camera], ["label", label], [area, name.join(":")], ["since", since], ["until", until],
    ...(GROUPS[kind]?.kinds ?? ALL).map((one) => ["kind", one]),
  ].filter(([key, value]) => key && value);
}

const unixS = (local) => (local ? String(new Date(local).getTime() / 1000) : "");

/** `cameras`: those that there are; `onChange` takes the filters that changed. */
export function Filters({ filters, cameras, onChange }) {
  const of = cameras.filter((one) => !filters.camera || one.name === filters.camera);
  const labels = [...new Set(of.flatMap((one) => one.labels ?? []))].sort();
  const places = [...new Set(of.flatMap(placesOf))].sort();
  const choice = (key, words, options, all) => html`<div class="field"><label for="filter-${key}">${words}</label>
    <select id="filter-${key}" value=${filters[key]} onChange=${(event) => onChange({ [key]: event.target.value })}>
      <option value="">${all}</option>
      ${filters[key] && !options.some(([value]) => value === filters[key]) && html`<option value=${filters[key]}>${filters[key].replace(/^\w+:/, "")}</option>`}
      ${options.map(([value, name]) => html`<option key=${value} value=${value}>${name}</option>`)}
    </select></div>`;
  const moment = (key, words) => html`<div class="field"><label for="filter-${key}">${words}</label>
    <input id="filter-${key}" type="datetime-local" value=${filters[key]} onChange=${(event) => onChange({ [key]: event.target.value })} /></div>`;
  const isSet = Object.values(filters).some((value) => value !== "");
  return html`<div class="event-filters" role="group" aria-label="Filters">
    ${choice("camera", "Camera", cameras.map(({ name }) => [name, name]), "All cameras")}
    ${choice("label", "Class", labels.map((label) => [label, label]), "All classes")}
    ${choice("place", "Zone or line", places.map((place) => [place, place.replace(/^\w+:/, "")]), "Anywhere")}
    ${choice("kind", "Kind", Object.entries(GROUPS).map(([key, { words }]) => [key, words]), "All kinds")}
    ${choice("span", "Time", [...Object.entries(SPANS), ["between", "Between…"]], "Any time")}
    ${filters.span === "between" && html`${moment("from", "From")}${moment("to", "To")}`}
    <${Button} kind="quiet" disabled=${!isSet} onClick=${() => onChange(filtersOf(""))}>Clear</${Button}>
  </div>`;
}

function placesOf(camera) {
  const { zones = {}, lines = {} } = areasOf(camera) ?? {};
  return [...Object.keys(zones).map((name) => `zone:${name}`), ...Object.keys(lines).map((name) => `line:${name}`)];
}
