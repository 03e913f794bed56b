// One colour a class, the same on every page: well apart from one another, and readable on pictures.
const PALETTE = [
  "#38bdf8", "#fbbf24", "#a78bfa", "#34d399", "#fb7185", "#f97316",
  "#a3e635", "#22d3ee", "#e879f9", "#facc15", "#60a5fa", "#4ade80",
];
const TRACKS = 7; // of the palette's: those that nobody takes for one another
const KNOWN = {
  person: 0, car: 1, face: 2, bicycle: 3, bus: 4, truck: 5, motorcycle: 8,
  lane: 9, drivable: 6, road: 7, red: 4, green: 3, blue: 0,
};

export function colourOf(label) {
  if (Object.hasOwn(KNOWN, label)) return PALETTE[KNOWN[label]];
  let hash = 7;
  for (const letter of label) hash = (hash * 31 + letter.codePointAt(0)) >>> 0;
  return PALETTE[hash % PALETTE.length];
}

/** The colour of a track's trail: neighbours in number are well apart. */
export const colourOfTrack = (id) => PALETTE[Math.abs(id) % TRACKS];

export function rgbOf(label) {
  const hex = colourOf(label);
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}
