// Zones and lines of a camera, drawn over its picture with what they count now.

const EDGE = "#f1f5f9", SHADE = "#05080b", FILL = "#2dd4bf", FULL = "#fbbf24";
const ARROW = 15; // px: length of the arrow that shows a line's "in"
const WHOLE = [0, 0, 1, 1];
const WORDY = 420; // px of picture: below it a label is a name and one number

/** Whether a camera's objects keep their numbers. */
export const isTracked = ({ stages }) => (stages ?? []).some((stage) => "track" in stage);

/** {zones, lines, crop} by name as a camera's stages say, or null where none counts. */
export function areasOf({ stages, spec }) {
  const stage = (stages ?? []).find((one) => "zones" in one);
  return stage ? { zones: stage.zones ?? {}, lines: stage.lines ?? {}, crop: spec?.crop ?? WHOLE } : null;
}

/** Where a place of the whole image lies in the part of it that is seen, and back. */
export const intoCrop = ([x, y], [left, top, right, bottom]) => [(x - left) / (right - left), (y - top) / (bottom - top)];
export const outOfCrop = ([x, y], [left, top, right, bottom]) => [left + x * (right - left), top + y * (bottom - top)];

/** A unit vector towards a line's "in": its right, seen from its start; coordinates in pixels. */
export function inward([fromX, fromY], [toX, toY]) {
  const length = Math.hypot(toX - fromX, toY - fromY) || 1;
  return [-(toY - fromY) / length, (toX - fromX) / length];
}

/**
 * `areas`: as areasOf gives them; `message`: of the frame, with counts; `place`: of the picture on the canvas.
 * Returns a function that draws the words, which lie above boxes.
 */
export function drawAreas(context, areas, message, place, unit) {
  const toPlace = (whole) => {
    const [x, y] = intoCrop(whole, areas.crop ?? WHOLE);
    return [place.left + x * place.width, place.top + y * place.height];
  };
  const isWordy = place.width >= WORDY * unit;
  const words = [];
  for (const [name, { polygon = [] }] of Object.entries(areas.zones)) {
    if (polygon.length < 3) continue;
    const corners = polygon.map(toPlace), count = message.zones?.[name];
    drawZone(context, corners, count, unit);
    words.push([zoneWords(name, count, isWordy), corners.reduce((top, one) => (one[1] < top[1] ? one : top))]);
  }
  for (const [name, { from, to }] of Object.entries(areas.lines)) {
    const ends = [toPlace(from), toPlace(to)];
    drawLine(context, ends, unit);
    words.push([lineWords(name, message.lines?.[name], isWordy), ends.map((one) => one[1])[0] < ends[1][1] ? ends[0] : ends[1]]);
  }
  return () => words.forEach(([text, at]) => drawPlate(context, text, at, place, unit));
}

const zoneWords = (name, count, isWordy) => (count ? `${name}  ${count.inside}${isWordy ? " inside" : ""}` : name);

function lineWords(name, count, isWordy) {
  if (!count) return name;
  return isWordy ? `${name}  ${count.in} in, ${count.out} out` : `${name}  ${count.in + count.out}`;
}

function path(context, points) {
  context.beginPath();
  points.forEach(([x, y]) => context.lineTo(x, y));
}

/** A bright line with a dark seam, to be seen on any picture. */
function stroke(context, unit) {
  context.globalAlpha = 0.45;
  context.strokeStyle = SHADE;
  context.lineWidth = 3.5 * unit;
  context.stroke();
  context.globalAlpha = 0.9;
  context.strokeStyle = EDGE;
  context.lineWidth = 1.5 * unit;
  context.stroke();
}

function drawZone(context, corners, count, unit) {
  context.save();
  context.lineJoin = "round";
  path(context, corners);
  context.closePath();
  context.fillStyle = count?.crowded ? FULL : FILL;
  context.globalAlpha = count?.inside ? 0.22 : 0.1;
  context.fill();
  stroke(context, unit);
  context.restore();
}

function drawLine(context, [from, to], unit) {
  const [x, y] = [(from[0] + to[0]) / 2, (from[1] + to[1]) / 2];
  const [right, down] = inward(from, to);
  const tip = [x + right * ARROW * unit, y + down * ARROW * unit];
  const head = 5 * unit;
  context.save();
  context.lineJoin = context.lineCap = "round";
  path(context, [from, to]);
  stroke(context, unit);
  path(context, [[x, y], tip]);
  context.moveTo(tip[0] - (right - down) * head, tip[1] - (down + right) * head);
  context.lineTo(...tip);
  context.lineTo(tip[0] - (right + down) * head, tip[1] - (down - right) * head);
  stroke(context, unit);
  context.restore();
}

/** Words on a dark plate above a place, within the picture. */
export function drawPlate(context, text, [x, y], place, unit) {
  context.font = `600 ${11.5 * unit}px system-ui, sans-serif`;
  const width = context.measureText(text).width + 14 * unit, height = 20 * unit;
  const left = Math.max(place.left + 3 * unit, Math.min(x - width / 2, place.left + place.width - width - 3 * unit));
  const top = Math.max(place.top + 3 * unit, y - height - 5 * unit);
  context.save();
  context.globalAlpha = 0.82;
  context.fillStyle = SHADE;
  context.beginPath();
  context.roundRect(left, top, width, height, 5 * unit);
  context.fill();
  context.globalAlpha = 1;
  context.fillStyle = EDGE;
  context.textBaseline = "middle";
  context.fillText(text, left + 7 * unit, top + height / 2 + 0.5 * unit);
  context.restore();
}
