// The sections of a camera's keys that the form shows, as the API describes them.
import { once } from "../lib/once.js";

const known = once("/sections");

/** [{key, title, words, optional, fields}], null until they are known; [] without them. */
export const useSections = known.use;

export const sections = known.now;

/** The keys that a camera sets in each section, null for none. */
export const sectionsOf = (spec) => Object.fromEntries(sections().map(({ key }) => [key, spec[key] ?? null]));

/** [[key, value]]: a camera's sections as the form sets them; null for one that sets nothing and was not there before. */
export function sectionValues(said, before) {
  const value = ({ key, optional }) => (optional || Object.keys(said[key] ?? {}).length || before[key] ? said[key] ?? null : null);
  return sections().map((form) => [form.key, value(form)]);
}

/** The field that a path in a refusal names: [field, rest] as ["events.classes", "[0]"], ["clips", ""]; null outside all sections. */
export function fieldAt(path) {
  const [, key, field, rest] = /^(\w+)\.?(\w*)(.*)$/.exec(path) ?? [];
  const form = sections().find((one) => one.key === key);
  if (!form) return null;
  return form.fields.some((one) => one.key === field) ? [`${key}.${field}`, rest] : [key, ""];
}
