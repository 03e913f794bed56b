// The drawing surface over a picture: corners are added, moved and removed with a mouse, a finger or the keyboard.
import { inward } from "../lib/areas.js";
import { html, useEffect, useRef, useState } from "../lib/preact.js";
import { isFixed, moved, placeOf, withPoint, withPointAfter, withoutPoint, fewest } from "./zone_rules.js";

const STEP = 0.01, FINE = 0.002; // of the picture, for one press of an arrow key
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const DRAGGED = 0.012; // of the picture's width: a shorter way is a click

/**
 * `size`: of the picture; `shapes` as zone_rules.js has them, `selected`: the ID of one; `open`: whether corners are
 * still added to that one. `onPoints` takes its points, `onSelect` an ID or null, `onCorner` which point is touched,
 * `onClose` ends an open shape.
 */
export function Surface({ size, shapes, selected, open, onPoints, onSelect, onCorner, onClose }) {
  const svg = useRef(), drag = useRef(null);
  const [hover, setHover] = useState(null);
  const px = usePixel(svg, size);
  const chosen = shapes.find((one) => one.id === selected);
  const at = (event) => {
    const { x, y } = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.current.getScreenCTM().inverse());
    return placeOf([x / size[0], y / size[1]]);
  };
  const down = (event) => {
    if (event.button > 0) return;
    const place = at(event), { point, edge, shape } = event.target.dataset;
    event.preventDefault(); // no text is selected, no picture dragged
    svg.current.setPointerCapture(event.pointerId);
    drag.current = open ? begun(chosen, place, point, onPoints, onClose)
      : point !== undefined ? { point: Number(point), points: chosen.points }
      : edge !== undefined ? { point: Number(edge) + 1, points: withPointAfter(chosen.points, Number(edge)) }
      : shape !== undefined ? { from: place, points: shapes.find((one) => one.id === Number(shape)).points } : null;
    if (drag.current?.point !== undefined && !open) onCorner(drag.current.point);
    if (edge !== undefined && !open) onPoints(drag.current.points);
    if (!open && point === undefined && edge === undefined) onSelect(shape === undefined ? null : Number(shape));
    if (point !== undefined && !open) event.target.focus();
  };
  const move = (event) => {
    const place = at(event), held = drag.current;
    if (open && event.pointerType === "mouse") setHover(place);
    if (!held) return;
    held.far ||= Math.hypot(place[0] - held.start?.[0], place[1] - held.start?.[1]) > DRAGGED;
    if (held.from) onPoints(moved(held.points, [place[0] - held.from[0], place[1] - held.from[1]]));
    else if (held.second) held.far && onPoints([held.points[0], place]);
    else onPoints(withPoint(held.points, held.point, place));
  };
  const up = () => {
    const held = drag.current;
    drag.current = null;
    if (open && chosen.kind === "line" && (held?.far || chosen.points.length === 2)) onClose();
  };
  useEffect(() => setHover(null), [open, selected]);
  const marks = { px, size, onPoints };
  return html`<svg ref=${svg} class="surface ${open ? "is-drawing" : ""}" viewBox="0 0 ${size[0]} ${size[1]}" role="group"
      aria-label="Zones and lines on the image" onPointerDown=${down} onPointerMove=${move} onPointerUp=${up}
      onPointerCancel=${() => { drag.current = null; }} onDblClick=${() => open && chosen.points.length > fewest(chosen.kind) - 1 && onClose()}>
    ${shapes.filter((one) => one !== chosen).map((shape) => html`<${Shape} key=${shape.id} shape=${shape} ...${marks} />`)}
    ${chosen && html`<${Shape} key=${chosen.id} shape=${chosen} isChosen open=${open} hover=${hover} ...${marks} />`}
    ${chosen && html`<${Handles} shape=${chosen} open=${open} ...${marks} />`}
  </svg>`;
}

/** What a press does while corners are added: one more, the last one, or the second end of a line. */
function begun({ kind, points }, place, point, onPoints, onClose) {
  if (kind === "zone" && point === "0" && points.length >= fewest(kind)) {
    onClose();
    return null;
  }
  const added = [...points, place];
  onPoints(added);
  return { points: added, point: points.length, start: place, second: kind === "line" && points.length === 0 };
}

/** How many of the picture's pixels one of the screen is, so that handles keep their size. */
function usePixel(svg, size) {
  const [px, set] = useState(1);
  useEffect(() => {
    const measure = () => {
      const { width, height } = svg.current.getBoundingClientRect();
      if (width) set(Math.max(size[0] / width, size[1] / height));
    };
    const sized = new ResizeObserver(measure);
    sized.observe(svg.current);
    return () => sized.disconnect();
  }, [size.join()]);
  return px;
}

function Shape({ shape, isChosen, open, hover, px, size }) {
  const { kind, points, name, id } = shape;
  const places = (open && hover && points.length ? [...points, hover] : points).map(([x, y]) => [x * size[0], y * size[1]]);
  if (!places.length) return null;
  const line = places.map((place) => place.join(",")).join(" ");
  const [x, y] = places.reduce((top, one) => (one[1] < top[1] ? one : top));
  const anchor = x < 0.12 * size[0] ? "start" : x > 0.88 * size[0] ? "end" : "middle"; // the whole name is in the picture
  const outline = kind === "line" || (open && points.length < 3) ? "polyline" : "polygon";
  return html`<g class="shape ${kind} ${isChosen ? "is-chosen" : ""}">
    <${outline} class="seam" points=${line} />
    <${outline} class="edge" points=${line} data-shape=${open ? null : id} />
    ${kind === "line" && places.length === 2 && html`<${Arrow} ends=${places} px=${px} />`}
    ${!open && html`<text x=${x} y=${Math.max(16 * px, y - 12 * px)} font-size=${12.5 * px} text-anchor=${anchor}>${name}</text>`}
  </g>`;
}

/** Towards "in". */
function Arrow({ ends: [from, to], px }) {
  const [x, y] = [(from[0] + to[0]) / 2, (from[1] + to[1]) / 2];
  const [right, down] = inward(from, to);
  const [tipX, tipY] = [x + right * 26 * px, y + down * 26 * px];
  const wing = (side) => `${tipX - (right - side * down) * 8 * px},${tipY - (down + side * right) * 8 * px}`;
  const way = `M${x},${y} L${tipX},${tipY} M${wing(1)} L${tipX},${tipY} L${wing(-1)}`;
  return html`<path class="seam" d=${way} /><path class="arrow" d=${way} />
    <text x=${tipX + right * 12 * px} y=${tipY + down * 12 * px + 4 * px} font-size=${12 * px} text-anchor="middle">in</text>`;
}

/** A dot keeps its size on the screen: it is a line of no length with round ends. */
const dot = ([x, y], size) => `M${x * size[0]},${y * size[1]} h0.001`;

function Handles({ shape, open, px, size, onPoints }) {
  const { kind, name, points } = shape;
  const press = (event, at) => {
    const [right, down] = STEPS[event.key] ?? [];
    const by = event.shiftKey ? FINE : STEP;
    const isLess = event.key === "Delete" || event.key === "Backspace";
    if (right !== undefined) onPoints(withPoint(points, at, [points[at][0] + right * by, points[at][1] + down * by]));
    else if (isLess && !isFixed(kind) && points.length > fewest(kind)) onPoints(withoutPoint(points, at));
    else if (event.key === "Insert" && !isFixed(kind)) onPoints(withPointAfter(points, at));
    else return;
    event.preventDefault();
  };
  const part = { zone: "Corner", ground: "Place", line: "End" }[kind];
  const words = ([x, y], i) => `${part} ${i + 1} of ${name}, ${Math.round(x * 100)} % across, ${Math.round(y * 100)} % down`;
  const edges = open || isFixed(kind) ? [] : points;
  return html`
    ${edges.map((_, i) => html`<path key=${`edge${i}`} class="between" data-edge=${i} d=${dot(withPointAfter(points, i)[i + 1], size)} />`)}
    ${points.map((point, i) => html`<g key=${i} class="handle">
      <path class="ring" d=${dot(point, size)} /><path class="core" d=${dot(point, size)} />
      <path class="grip" data-point=${i} d=${dot(point, size)} role="button" tabindex=${open ? null : 0} aria-label=${words(point, i)}
        aria-keyshortcuts=${isFixed(kind) ? null : "Delete Insert"} onKeyDown=${(event) => press(event, i)} />
      ${kind === "ground" && html`<text class="count" x=${point[0] * size[0]} y=${point[1] * size[1]} dy="0.35em" font-size=${10 * px}>${i + 1}</text>`}</g>`)}`;
}
