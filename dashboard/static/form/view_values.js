// The part of a camera's keys that says how its image is shown, as text of the form and back.

/** Select options: key of the form → the words of each value; the first is the default. */
export const CHOICES = {
  rotate: { 0: "None", 90: "90° clockwise", 180: "180°, upside down", 270: "90° anticlockwise" },
  mirror: { false: "No", true: "Left and right swapped" },
  deinterlace: { auto: "Automatic", on: "Always", off: "Never" },
};

export const VIEW_KEYS = [...Object.keys(CHOICES), "crop", "mask", "thermal_range"];

const joined = (numbers) => numbers.map(String).join(", ");

/** The crop as "left, top, right, bottom"; a line per area, its corners as "x,y x,y x,y". */
export function viewTexts(spec) {
  const texts = { crop: spec.crop ? joined(spec.crop) : "", mask: maskText(spec.mask ?? []), thermal_range: thermalText(spec.thermal_range) };
  for (const key of Object.keys(CHOICES)) texts[key] = String(spec[key] ?? "");
  return texts;
}

/** "auto", or "low, high". */
export const thermalText = (range) => (Array.isArray(range) ? joined(range) : range ?? "");

export const maskText = (zones) => zones.map((zone) => zone.map(([x, y]) => `${x},${y}`).join(" ")).join("\n");

const words = (text, between) => text.split(between).filter((word) => word !== "");
const numeric = (word) => (Number.isNaN(Number(word)) ? word : Number(word)); // the server refuses others in words

const READ = {
  rotate: numeric,
  mirror: (text) => text === "true",
  deinterlace: (text) => text,
  crop: (text) => words(text, /[\s,;]+/).map(numeric),
  thermal_range: (text) => (text.toLowerCase() === "auto" ? "auto" : words(text, /[\s,;]+/).map(numeric)),
  mask: (text) => text.split("\n").filter((line) => line.trim() !== "")
    .map((line) => words(line, /[\s;]+/).map((corner) => words(corner, ",").map(numeric))),
};

/** The key's value, null for the default; what was not touched stays as `before` has it. */
export function viewValue(key, text, before) {
  if (text === viewTexts(before)[key]) return before[key] ?? null;
  return text.trim() === "" ? null : READ[key](text.trim());
}

/** What drawing an area on the image of a test needs: the crop that it shows, and where the area goes. */
export function drawingOf(values, defaults, onChange) {
  const mask = values.mask.trim() === "" ? maskText(defaults.mask ?? []) : values.mask.trimEnd();
  return {
    crop: viewValue("crop", values.crop, {}) ?? defaults.crop,
    onArea: (corners) => onChange({ mask: [mask, maskText([corners])].filter(Boolean).join("\n") }),
  };
}
