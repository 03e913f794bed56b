// What is drawn over a camera's live image: its zones and lines while they are edited. Their rules: zone_panel.js.
import { cameraPath, get } from "../lib/api.js";
import { html, useEffect, useLayoutEffect, useState } from "../lib/preact.js";
import { toast } from "../lib/toast.js";
import { Button } from "../lib/ui.js";
import { fewest, isFixed, placedShape, shapesOf, troubleKey, withoutPoint } from "./zone_rules.js";

/** What is edited: null while nothing is, else all that the surface and the panel need. `name`: of the camera. */
export function useZoneEditor(name) {
  const [state, set] = useState(null);
  const change = (part) => set((before) => before && { ...before, ...(typeof part === "function" ? part(before) : part) });
  const start = async () => {
    try {
      const rules = await get(cameraPath(name, "/zones"));
      const shapes = shapesOf(rules);
      set({ shapes, selected: shapes[0]?.id ?? null, corner: null, open: false, trouble: {}, ...rules });
    } catch (error) {
      toast(error.message);
    }
  };
  useEffect(() => set(null), [name]);
  return state && { ...state, name, change, start, stop: () => set(null) } || { start, shapes: null };
}

export const withShape = (id, part) => ({ shapes, trouble }) => {
  const shape = shapes.find((one) => one.id === id);
  const { [troubleKey(shape)]: _, ...rest } = trouble; // what was wrong with it is being mended
  return { shapes: shapes.map((one) => (one.id === id ? { ...one, ...part } : one)), trouble: rest };
};

/** The handlers of the surface. */
export function surfaceOf(editor) {
  const { change, selected, shapes, open } = editor;
  return {
    shapes, selected, open,
    onSelect: (id) => change({ selected: id, corner: null }),
    onPoints: (points) => change(withShape(selected, { points })),
    onCorner: (corner) => change({ corner }),
    onClose: () => change({ open: false }),
  };
}

/** The words below the image while corners are added, and what ends that. */
export function DrawingHint({ editor }) {
  const { change, shapes, selected, open } = editor;
  const shape = shapes.find((one) => one.id === selected);
  const drop = () => change({ open: false, shapes: shapes.filter((one) => one !== shape), selected: null });
  const undo = () => (shape.points.length ? change(withShape(selected, { points: shape.points.slice(0, -1) })) : drop());
  const place = () => change({ ...withShape(selected, { points: placedShape(shape.kind, []).points })(editor), open: false });
  useLayoutEffect(() => { // before the next key: useEffect waits until a frame is drawn
    if (!open) return undefined;
    const press = (event) => {
      if (event.key === "Escape") drop();
      else if (event.key === "Backspace" && event.target.tagName !== "INPUT") undo();
      else if (event.key === "Enter" && event.target.tagName !== "BUTTON" && shape.points.length >= fewest(shape.kind)) change({ open: false });
      else return;
      event.preventDefault();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  });
  if (!open) return null;
  const { kind, points: { length } } = shape;
  const words = kind === "line" ? ["Click where the line begins.", "Click where it ends."][length]
    : length < 3 ? "Click the corners of the zone, in order." : "Click the first corner to close it.";
  return html`<div class="drawing-hint"><span role="status">${words}</span>
    ${length === 0 && html`<${Button} kind="small" onClick=${place}>Place one</${Button}>`}
    ${length > 0 && html`<${Button} kind="small" onClick=${undo}>Undo</${Button}>`}
    ${kind === "zone" && length >= 3 && html`<${Button} kind="small primary" onClick=${() => change({ open: false })}>Done</${Button}>`}
    <${Button} icon="close" kind="small quiet" label="Cancel drawing" onClick=${drop} /></div>`;
}

/** Takes away the corner that was touched last, where no key can; nothing where there is none to take. */
export function CornerRemoval({ editor }) {
  const { change, shapes, selected, open, corner } = editor;
  const shape = shapes?.find((one) => one.id === selected);
  if (open || !shape || isFixed(shape.kind) || !(corner < shape.points.length) || shape.points.length <= fewest(shape.kind)) return null;
  const remove = () => change((before) => ({ ...withShape(selected, { points: withoutPoint(shape.points, corner) })(before), corner: null }));
  return html`<div class="corner-removal"><${Button} icon="remove" kind="small" onClick=${remove}>Remove corner ${corner + 1}</${Button}></div>`;
}
