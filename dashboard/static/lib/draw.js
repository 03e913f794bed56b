// A frame onto a canvas: the picture, masks at the region they cover, boxes with their words, key points.
import { drawAreas } from "./areas.js";
import { colourOf } from "./colours.js";
import { drawLanes } from "./lanes.js";

const DAMAGED = "#ffb020";
const STILL = 0.6; // opacity of what has not moved for some time

/** Where the picture lies on a canvas, whole and centred: {left, top, width, height} in pixels. */
export function placed(canvas, picture) {
  const scale = Math.min(canvas.width / picture.width, canvas.height / picture.height);
  const width = Math.round(picture.width * scale), height = Math.round(picture.height * scale);
  return { left: (canvas.width - width) >> 1, top: (canvas.height - height) >> 1, width, height };
}

/**
 * `layers`: {masks, boxes, labels, points, trails, areas, lanes: booleans, hidden: Set of classes};
 * `over`: {areas, trails}, the camera's zones and lines and where its objects came from, null for none.
 */
export function drawFrame(canvas, frame, layers, { areas = null, trails = null } = {}) {
  const context = canvas.getContext("2d", { alpha: false });
  const place = placed(canvas, frame.bitmap);
  context.fillStyle = "#05080b";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingEnabled = true;
  context.drawImage(frame.bitmap, place.left, place.top, place.width, place.height);
  drawResults(canvas, frame.bitmap, frame, layers, { areas, trails });
}

/** What was found, over a picture of the size of `picture` that is on the canvas, or behind it, already. */
export function drawResults(canvas, picture, frame, layers, { areas = null, trails = null } = {}) {
  const context = canvas.getContext("2d");
  const place = placed(canvas, picture);
  const [width, height] = frame.message.size;
  const toX = (x) => place.left + (x * place.width) / width;
  const toY = (y) => place.top + (y * place.height) / height;
  context.save();
  context.beginPath();
  context.rect(place.left, place.top, place.width, place.height);
  context.clip();
  if (layers.masks) drawMasks(context, frame.masks, toX, toY, layers.hidden);
  const unit = Math.max(1, Math.min(devicePixelRatio || 1, 3));
  const { lanes } = frame.message;
  const drawLaneWords = lanes && layers.lanes ? drawLanes(context, lanes, toX, toY, place, unit) : null;
  const drawAreaWords = areas && layers.areas ? drawAreas(context, areas, frame.message, place, unit) : null;
  if (trails && layers.trails) trails.draw(context, toX, toY, unit, layers.hidden);
  const objects = frame.message.objects.filter((object) => !layers.hidden.has(object.label));
  if (layers.boxes) {
    for (const object of objects) drawBox(context, object, toX, toY, unit, layers.labels);
  }
  if (layers.points) {
    const skeletons = new Map((frame.message.skeletons ?? []).map((one) => [one.class_id, one]));
    for (const object of objects) drawPoints(context, object, skeletons.get(object.class_id), toX, toY, unit);
  }
  drawLaneWords?.();
  drawAreaWords?.();
  if (frame.message.damaged) drawDamaged(context, place, unit);
  context.restore();
}

/** The decoder made up a part of the picture, so nothing in it is evidence. */
function drawDamaged(context, { left, top, width, height }, unit) {
  context.strokeStyle = DAMAGED;
  context.lineWidth = 6 * unit;
  context.strokeRect(left, top, width, height);
  drawWords(context, "damaged image", left + 3 * unit, top + 19 * unit, DAMAGED, unit);
}

function drawMasks(context, masks, toX, toY, hidden) {
  context.imageSmoothingEnabled = false; // a plane's pixel is a fact, not a shade
  for (const { bbox: [x, y, width, height], planes } of masks) {
    for (const { label, canvas } of planes) {
      if (hidden.has(label)) continue;
      context.drawImage(canvas, toX(x), toY(y), toX(x + width) - toX(x), toY(y + height) - toY(y));
    }
  }
}

function drawBox(context, object, toX, toY, unit, labels) {
  const [x, y, width, height] = object.bbox;
  const left = Math.round(toX(x)), top = Math.round(toY(y));
  const right = Math.round(toX(x + width)), bottom = Math.round(toY(y + height));
  const colour = colourOf(object.label);
  context.globalAlpha = object.still ? STILL : 1;
  context.strokeStyle = colour;
  context.lineWidth = (object.still ? 1 : 2) * unit;
  if (object.rotated) strokeRotated(context, object, toX, toY);
  else context.strokeRect(left, top, right - left, bottom - top);
  if (labels) drawWords(context, wordsOf(object), left - unit, top, colour, unit);
  context.globalAlpha = 1;
}

/** The angle is that of the width, clockwise as y points down. */
function strokeRotated(context, { rotated: [x, y, width, height], angle }, toX, toY) {
  const cos = Math.cos(angle) / 2, sin = Math.sin(angle) / 2;
  context.beginPath();
  for (const [i, j] of [[-1, -1], [1, -1], [1, 1], [-1, 1]]) {
    context.lineTo(toX(x + i * width * cos - j * height * sin), toY(y + i * width * sin + j * height * cos));
  }
  context.closePath();
  context.stroke();
}

/** A disc at each key point that is there, and the lines of its class's skeleton. */
function drawPoints(context, { label, keypoints = [] }, skeleton, toX, toY, unit) {
  const there = keypoints.map(([x, y, score]) => (score > 0 ? [toX(x), toY(y)] : null));
  context.strokeStyle = context.fillStyle = colourOf(label);
  context.lineWidth = 2 * unit;
  context.beginPath();
  for (const [from, to] of skeleton?.edges ?? []) {
    if (!there[from] || !there[to]) continue;
    context.moveTo(...there[from]);
    context.lineTo(...there[to]);
  }
  context.stroke();
  for (const point of there.filter(Boolean)) {
    context.beginPath();
    context.arc(...point, 3 * unit, 0, 2 * Math.PI);
    context.fill();
  }
}

/** `person 0.91 #12 red`: label, score, track where there is one, and what classifiers say. */
export function wordsOf(object) {
  const track = (object.track_id ?? -1) === -1 ? "" : ` #${object.track_id}`;
  const said = Object.values(object.attributes ?? {}).map((one) => ` ${one.label}`).join("");
  return `${object.label} ${object.score.toFixed(2)}${track}${said}`;
}

function drawWords(context, words, left, top, colour, unit) {
  context.font = `600 ${11 * unit}px system-ui, sans-serif`;
  const width = context.measureText(words).width + 8 * unit, height = 16 * unit;
  const y = top >= height ? top - height : top; // inside the box where there is no room above
  context.fillStyle = colour;
  context.fillRect(left, y, width, height);
  context.fillStyle = "#0b1015";
  context.textBaseline = "middle";
  context.fillText(words, left + 4 * unit, y + height / 2 + 0.5 * unit);
}
