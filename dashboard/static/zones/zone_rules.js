// Zones, lines and the ground of a camera as shapes that are edited, and back. Pure functions.
import { intoCrop, outOfCrop } from "../lib/areas.js";

export const ANCHORS = { bottom: "Feet: middle of its lower edge", centre: "Centre of its box", mask: "Share of its mask" };
const DECIMALS = 1e4;
const GROUND = "ground"; // the name of the shape that has the places of the ground

let last = 0;

/** A shape: {id, kind: "zone" | "line" | "ground", name, points: [[x, y]] in 0..1, keys: the rest of its rule}. */
export const shapeOf = (kind, name, points, keys = {}) => ({ id: (last += 1), kind, name, points, keys });

/** The shapes of what GET …/zones answers, in the part of the image that is seen. */
export function shapesOf({ zones = {}, lines = {}, ground = null, area }) {
  const seen = (points) => points.map((point) => intoCrop(point, area));
  return [
    ...Object.entries(zones).map(([name, { polygon, ...keys }]) => shapeOf("zone", name, seen(polygon ?? []), keys)),
    ...Object.entries(lines).map(([name, { from, to, ...keys }]) => shapeOf("line", name, seen([from, to]), keys)),
    ...(ground ? [shapeOf("ground", GROUND, seen(ground.image), { metres: ground.metres })] : []),
  ];
}

/** The body of PUT …/zones; `area`: the part of the image that is seen. */
export function bodyOf(shapes, area) {
  const whole = (points) => points.map((point) => outOfCrop(point, area).map(rounded));
  const named = (kind, make) => Object.fromEntries(shapes.filter((one) => one.kind === kind).map((one) => [one.name, make(one)]));
  const [ground] = shapes.filter((one) => one.kind === "ground");
  return {
    zones: named("zone", ({ points, keys }) => ({ ...(keys.mask ? {} : { polygon: whole(points) }), ...keys })),
    lines: named("line", ({ points, keys }) => ({ from: whole(points)[0], to: whole(points)[1], ...keys })),
    ground: ground ? { image: whole(ground.points), metres: ground.keys.metres } : null,
  };
}

/** A name that no other shape of its kind has: zone-1, zone-2, … */
export function newName(kind, shapes) {
  const taken = new Set(shapes.map((one) => one.name));
  let n = 1;
  while (taken.has(`${kind}-${n}`)) n += 1;
  return `${kind}-${n}`;
}

/** Why a name cannot be taken, in words, or "". */
export function nameTrouble({ id, kind, name }, shapes) {
  if (kind === "ground") return "";
  if (name === "") return "Enter a name.";
  if (shapes.some((one) => one.id !== id && one.kind === kind && one.name === name)) return `Another ${kind} is called ${name}.`;
  return /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/.test(name) ? "" : "Letters A to Z, digits, _ . and - only, up to 64.";
}

/** A shape to start from where none is drawn by hand. */
export function placedShape(kind, shapes) {
  const points = {
    zone: [[0.3, 0.35], [0.7, 0.35], [0.7, 0.8], [0.3, 0.8]],
    line: [[0.25, 0.6], [0.75, 0.6]],
    ground: [[0.35, 0.5], [0.65, 0.5], [0.85, 0.9], [0.15, 0.9]],
  }[kind];
  return kind === "ground"
    ? shapeOf(kind, GROUND, points, { metres: [[0, 10], [5, 10], [5, 0], [0, 0]] })
    : shapeOf(kind, newName(kind, shapes), points);
}

/** The fewest points that a shape of a kind has. */
export const fewest = (kind) => ({ zone: 3, line: 2, ground: 4 })[kind];
export const isFixed = (kind) => kind !== "zone"; // its points can be moved, not added or removed

const rounded = (share) => Math.round(share * DECIMALS) / DECIMALS;
const clamped = (share) => Math.min(1, Math.max(0, rounded(share)));
export const placeOf = ([x, y]) => [clamped(x), clamped(y)];

export const withPoint = (points, at, place) => points.map((one, i) => (i === at ? placeOf(place) : one));
export const withoutPoint = (points, at) => points.filter((_, i) => i !== at);

/** With one more point in the middle of the edge that begins at `at`. */
export function withPointAfter(points, at) {
  const [from, to] = [points[at], points[(at + 1) % points.length]];
  return [...points.slice(0, at + 1), placeOf([(from[0] + to[0]) / 2, (from[1] + to[1]) / 2]), ...points.slice(at + 1)];
}

/** All points moved by as much, as far as all stay in the picture. */
export function moved(points, [right, down]) {
  const within = (by, values) => Math.min(1 - Math.max(...values), Math.max(-Math.min(...values), by));
  const [x, y] = [within(right, points.map((one) => one[0])), within(down, points.map((one) => one[1]))];
  return points.map((one) => placeOf([one[0] + x, one[1] + y]));
}

/**
 * Lines of the server by the shape and key that they name: {"zone door": {after_s: [words]}}; the others under "".
 * A line begins with its path, `zones.door.after_s: …`, as those of all forms.
 */
export function troubleOf(lines) {
  const found = {};
  for (const line of lines) {
    const [, path, words] = /^([^\s:]+): ([^]*)$/.exec(line) ?? [null, "", line];
    const [, kind, name, key] = /(?:^|\.)(zone|line)s\.([^.[]+)(?:\.([a-z_]+))?/.exec(path) ?? [];
    const shape = kind ? `${kind} ${name}` : /(^|\.)ground/.test(path) ? `ground ${GROUND}` : "";
    const keys = (found[shape] ??= {});
    (keys[key ?? ""] ??= []).push(shape ? words : line);
  }
  return found;
}

export const troubleKey = ({ kind, name }) => `${kind} ${name}`;
