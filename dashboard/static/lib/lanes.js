// The lanes of a road over its picture: lines, the lane that the camera is in, the drivable area.
import { drawPlate } from "./areas.js";

const BESIDE = "#fbbf24", FURTHER = "#fef3c7", LANE = "#38bdf8", AREA = "#a3e635", SHADE = "#05080b";
const FAINTEST = 0.35; // opacity of a line without confidence

/** Whether a camera's results have lanes. */
export const hasLanes = ({ stages }) => (stages ?? []).some((stage) => "lanes" in stage);

/** Draws a message's `lanes`; returns a function that draws the words, which lie above boxes. */
export function drawLanes(context, { lines = [], ego, drivable = [] }, toX, toY, place, unit) {
  const trace = (points) => points.forEach(([x, y]) => context.lineTo(toX(x), toY(y)));
  context.save();
  context.lineJoin = context.lineCap = "round";
  for (const outline of drivable) {
    context.beginPath();
    trace(outline);
    context.closePath();
    stroke(context, AREA, 1.5 * unit, 0.8);
  }
  const beside = [-1, 1].map((number) => lines.find((line) => line.number === number));
  if (beside.every(Boolean)) {
    context.beginPath();
    trace([...beside[0].points, ...beside[1].points.toReversed()]);
    context.fillStyle = LANE;
    context.globalAlpha = 0.22;
    context.fill();
  }
  for (const { number, points, confidence } of lines) {
    const isBeside = Math.abs(number) === 1, width = (isBeside ? 3.5 : 2) * unit;
    const opacity = FAINTEST + (1 - FAINTEST) * confidence;
    context.beginPath();
    trace(points);
    stroke(context, SHADE, width + 2 * unit, 0.5 * opacity);
    stroke(context, isBeside ? BESIDE : FURTHER, width, opacity);
  }
  context.restore();
  const foot = [place.left + place.width / 2, place.top + place.height];
  return () => ego && drawPlate(context, offsetWords(ego), foot, place, unit);
}

function stroke(context, colour, width, opacity) {
  context.globalAlpha = opacity;
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.stroke();
}

/** `0.31 m right of centre`, in shares of the lane's width where metres are unknown. */
export function offsetWords({ offset, offset_m: metres }) {
  const words = metres === undefined ? `${Math.round(Math.abs(offset) * 100)} %` : `${Math.abs(metres).toFixed(2)} m`;
  return /[1-9]/.test(words) ? `${words} ${offset > 0 ? "right" : "left"} of centre` : "in the lane's centre";
}
