// Clips in words, and their IDs. Pure functions.
import { eventWords } from "../events/event_words.js";

const PARTS = /^(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)-(\d{3})$/;

/** Why a clip was made: "Person crossed gate", "Person entered door, and 2 more", "On request". */
export function causeWords({ causes }) {
  const events = causes.filter(({ kind }) => kind);
  if (!events.length) return "On request";
  const words = [...new Set(events.map(eventWords))];
  return words[0] + (words.length > 1 ? `, and ${words.length - 1} more` : "");
}

/** "12 s", "1:05 min". */
export function lengthWords({ began, ended }) {
  const s = Math.max(0, Math.round(ended - began));
  return s < 60 ? `${s} s` : `${Math.floor(s / 60)}:${String(s % 60).padStart(2, "0")} min`;
}

/** "0:07.3": a place in a clip. */
export function placeWords(seconds) {
  const tenths = Math.max(0, Math.round(seconds * 10));
  return `${Math.floor(tenths / 600)}:${String(Math.floor(tenths / 10) % 60).padStart(2, "0")}.${tenths % 10}`;
}

/** The ID of a clip that would have begun a millisecond later: those before it begin with this one. */
export function nextId(id) {
  const [, year, month, day, hour, minute, second, ms] = id.match(PARTS).map(Number);
  const later = new Date(Date.UTC(year, month - 1, day, hour, minute, second, ms + 1)).toISOString();
  return later.replace(/[-:Z]/g, "").replace(/[T.]/g, "-");
}
