// The sections of a camera's keys that the form shows, as the API tells them.
import { once } from "../lib/once.js";

const known = once("/sections");

/** [{key, title, words, optional, fields}], null until they are known; [] without them. */
export const useSections = known.use;

export const sections = known.now;

/** What a camera says of each section, null for nothing. */
export const sectionsOf = (spec) => Object.fromEntries(sections().map(({ key }) => [key, spec[key] ?? null]));

/** The keys of a camera for what the form says of its sections: null where that is nothing, and was not `{}` before. */
export function sectionValues(said, before) {
  const value = ({ key, optional }) => (optional || Object.keys(said[key] ?? {}).length || before[key] ? said[key] ?? null : null);
  return sections().map((form) => [form.key, value(form)]);
}

/** Where a path of the server belongs: [field, rest] as ["events.classes", "[0]"], ["clips", ""]; null for none of a section. */
export function fieldAt(path) {
  const [, key, field, rest] = /^(\w+)\.?(\w*)(.*)$/.exec(path) ?? [];
  const form = sections().find((one) => one.key === key);
  if (!form) return null;
  return form.fields.some((one) => one.key === field) ? [`${key}.${field}`, rest] : [key, ""];
}
