// Draws and edits the zones and lines of a camera: over its live image, with their rules beside it.
import { cameraPath, get, put } from "../lib/api.js";
import { html, useEffect, useLayoutEffect, useRef, useState } from "../lib/preact.js";
import { toast } from "../lib/toast.js";
import { Button, Icon, Notice } from "../lib/ui.js";
import { ShapeFields } from "./zone_fields.js";
import { Preview } from "./zone_preview.js";
import { bodyOf, fewest, isFixed, nameTrouble, newName, placedShape, shapeOf, shapesOf, troubleKey, troubleOf, withoutPoint } from "./zone_rules.js";

const WORDS = { zone: "a zone", line: "a line" };

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

const withShape = (id, part) => ({ shapes, trouble }) => {
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

/** The panel beside the image. `planes`: labels of the masks that the camera shows. */
export function ZonePanel({ editor, planes }) {
  const { name, change, shapes, selected, open, trouble, area, classes, failure, busy } = editor;
  const shape = shapes.find((one) => one.id === selected);
  const panel = useRef();
  const isWhole = !open && shapes.every((one) => one.points.length >= fewest(one.kind) || one.keys.mask);
  const isNamed = shapes.every((one) => !nameTrouble(one, shapes));
  const body = bodyOf(shapes, area);
  const add = (kind) => change({
    ...(kind === "ground" ? { open: false } : { open: true }), failure: null, corner: null,
    ...((one) => ({ shapes: [...shapes, one], selected: one.id }))(kind === "ground" ? placedShape(kind, shapes) : shapeOf(kind, newName(kind, shapes), [])),
  });
  const propose = async () => {
    change({ busy: true, failure: null });
    try {
      const { name: found, rules, words } = await get(cameraPath(name, "/zones/proposal"));
      if (found) {
        change(({ shapes: drawn }) => {
          const called = drawn.some((one) => one.name === found) ? newName("zone", drawn) : found;
          const [zone] = shapesOf({ zones: { [called]: rules.zones[found] }, area });
          return { shapes: [...drawn, zone], selected: zone.id, corner: null };
        });
        toast(words);
      }
      change({ busy: false, failure: found ? null : [words] });
    } catch (error) {
      change({ busy: false, failure: error.lines ?? [error.message] });
    }
  };
  const drop = (one) => change({ shapes: shapes.filter((other) => other !== one), selected: one.id === selected ? null : selected, corner: null, open: false });
  const save = async () => {
    change({ busy: true, failure: null });
    try {
      const { words } = await put(cameraPath(name, "/zones"), body);
      editor.stop();
      toast(`Saved: ${words}.`);
    } catch (error) {
      const found = troubleOf(error.lines ?? [error.message]);
      const wrong = shapes.find((one) => found[troubleKey(one)]);
      change({ busy: false, trouble: found, failure: found[""]?.[""] ?? null, ...(wrong && { selected: wrong.id }) });
      queueMicrotask(() => panel.current?.querySelector("[aria-invalid]")?.focus());
    }
  };
  return html`<section class="card zone-panel" ref=${panel}><h2>Zones and lines</h2>
    <div class="zone-adders">${Object.entries(WORDS).map(([kind, words]) => html`<${Button} icon="add" key=${kind} disabled=${open} onClick=${() => add(kind)}>Add ${words}</${Button}>`)}
      <${Button} icon="add" disabled=${open || busy} onClick=${propose}>Propose a zone</${Button}>
      ${!shapes.some((one) => one.kind === "ground") && html`<${Button} icon="add" disabled=${open} onClick=${() => add("ground")}>Ground</${Button}>`}</div>
    <div class="zone-scroll">
    ${shapes.length === 0 && html`<p class="nothing">An area that objects enter and leave, or a line that they cross. Draw one on the image.</p>`}
    <ul class="shape-list">${shapes.map((one) => html`<li key=${one.id} class=${one === shape ? "is-chosen" : ""}>
      <div class="shape-head"><button type="button" class="shape-name" aria-expanded=${one === shape} disabled=${open && one !== shape} onClick=${() => change({ selected: one === shape ? null : one.id, corner: null })}>
        <i class="mark ${one.kind}" aria-hidden="true" />${one.kind === "ground" ? "Ground in metres" : one.name || "…"}</button>
      ${trouble[troubleKey(one)] && html`<${Icon} name="alert" />`}
      <${Button} icon="remove" kind="quiet" label="Remove ${one.name}" onClick=${() => drop(one)} /></div>
      ${one === shape && html`<${ShapeFields} shape=${one} classes=${classes} planes=${planes} trouble=${trouble[troubleKey(one)] ?? {}}
        nameWords=${nameTrouble(one, shapes)} onChange=${(part) => change(withShape(one.id, part))} />`}
    </li>`)}</ul>
    ${failure && html`<${Notice} icon="alert" tone="bad" title=${failure.join("\n")} />`}</div>
    <${Preview} name=${name} body=${isWhole && isNamed && shapes.some((one) => one.kind !== "ground") ? body : null} />
    <div class="dialog-foot"><${Button} onClick=${editor.stop}>Cancel</${Button}>
      <${Button} icon="check" kind="primary" disabled=${busy || !isWhole || !isNamed} onClick=${save}>${busy ? "One moment" : "Save"}</${Button}></div>
  </section>`;
}
