// Events in words, and as cards. Pure functions.

/** Kinds that are chosen together. */
export const GROUPS = {
  objects: { words: "Objects", kinds: ["object-new", "object-update", "object-end"] },
  zones: { words: "Zones", kinds: ["zone-entered", "zone-left", "zone-crowded"] },
  lines: { words: "Lines", kinds: ["line-crossed"] },
  lanes: { words: "Lanes", kinds: ["lane-departure"] },
  cameras: { words: "Cameras", kinds: ["camera-lost", "camera-back", "nothing-seen"] },
  told: { words: "By the camera", kinds: ["motion", "cell-motion", "line", "field", "object", "tamper", "input", "sound", "visitor"].map((one) => `camera:${one}`) },
};

const TOLD = {
  "camera:motion": "Motion", "camera:cell-motion": "Motion", "camera:line": "Line crossed", "camera:field": "Something in the area",
  "camera:object": "Object", "camera:tamper": "Tampering", "camera:input": "Input active", "camera:sound": "Sound", "camera:visitor": "Visitor",
};

/** "Person (yard), says the camera", "Motion ended after 12 s, says the camera". */
function toldWords({ kind, label, zone, line, active }, long) {
  const place = zone || line ? ` (${zone || line})` : "";
  const end = active === false ? ` ended${long && ` after ${long}`}` : "";
  return `${capital(label) || TOLD[kind]}${place}${end}, says the camera`;
}

const WAYS = { in: "inwards", out: "outwards", left: "to the left", right: "to the right" };
const capital = (words) => words && words[0].toUpperCase() + words.slice(1);

/** "Person left door · 12 s", "Car crossed gate inwards", "Camera lost". */
export function eventWords(event) {
  const { kind, label, zone, line, direction, count, dwell_s: dwell } = event;
  const who = capital(label) || "Object";
  const long = dwell >= 1 ? dwellWords(dwell) : "";
  if (kind in TOLD) return toldWords(event, long);
  switch (kind) {
    case "object-new": return `${who} appeared`;
    case "object-update": return `${who} here${long && ` for ${long}`}`;
    case "object-end": return `${who} was here${long && ` for ${long}`}`;
    case "zone-entered": return `${who} entered ${zone}`;
    case "zone-left": return `${who} left ${zone}${long && ` · ${long}`}`;
    case "zone-crowded": return `${capital(zone)} is crowded${count ? `: ${count}` : ""}`;
    case "line-crossed": return `${who} crossed ${line}${WAYS[direction] ? ` ${WAYS[direction]}` : ""}`;
    case "lane-departure": return `Left its lane${WAYS[direction] ? ` ${WAYS[direction]}` : ""}`;
    case "camera-lost": return "Camera lost";
    case "camera-back": return "Camera back";
    case "nothing-seen": return `No ${label || "object"} seen`;
    default: return capital(kind.replaceAll("-", " "));
  }
}

/** "12 s", "1 min 20 s" of the seconds that an object has been there; "" where that is unknown. */
export function dwellWords(seconds) {
  if (seconds === undefined || seconds === null) return "";
  const s = Math.round(seconds);
  if (s < 60) return `${s < 10 ? Number(seconds.toFixed(1)) : s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min${s % 60 ? ` ${s % 60} s` : ""}`;
  return `${Math.floor(s / 3600)} h ${Math.round((s % 3600) / 60)} min`;
}

/** "wait", "good" or "plain": how a kind is marked. */
export function toneOfKind(kind) {
  if (["camera-lost", "zone-crowded", "nothing-seen", "lane-departure"].includes(kind)) return "wait";
  return kind === "camera-back" ? "good" : "plain";
}

/** What a card is of: an object has one for its whole life, any other event one for itself. */
const keyOf = ({ camera, id, kind }) => `${camera}/${kind.startsWith("object-") ? id.split("-object-")[0] : id}`;

export const imagePath = ({ camera, entry }) => `/api/v1/cameras/${encodeURIComponent(camera)}/events/${entry}/image`;

const cardOf = (event) => ({ key: keyOf(event), event, image: event.image ? imagePath(event) : null });

/** A card with what another event of the same object says; its place is kept. */
function merged(card, event) {
  const isNewer = event.ts > card.event.ts;
  const image = event.image && (isNewer || !card.image) ? imagePath(event) : card.image;
  return { ...card, image, event: isNewer ? event : card.event };
}

/** Cards with more events, both newest first: `isNewer` ones go before them, others behind. None comes twice. */
export function withEvents(cards, events, isNewer) {
  const at = new Map(cards.map((card, i) => [card.key, i]));
  const kept = [...cards], more = [];
  const places = new Map();
  for (const event of events) {
    const key = keyOf(event);
    if (at.has(key)) kept[at.get(key)] = merged(kept[at.get(key)], event);
    else if (places.has(key)) more[places.get(key)] = merged(more[places.get(key)], event);
    else {
      places.set(key, more.length);
      more.push(cardOf(event));
    }
  }
  more.sort((one, other) => other.event.ts - one.event.ts); // that an object is gone is known later than it is so
  return isNewer ? [...more, ...kept] : [...kept, ...more];
}

/** How many cards that are not there yet some events make. */
export const newCards = (cards, events) => withEvents(cards, events, true).length - cards.length;
