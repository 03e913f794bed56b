// The rules of what is drawn over a camera's live image, beside it.
import { cameraPath, get, put } from "../lib/api.js";
import { html, useRef } from "../lib/preact.js";
import { toast } from "../lib/toast.js";
import { Button, Icon, Notice } from "../lib/ui.js";
import { withShape } from "./zone_editor.js";
import { ShapeFields } from "./zone_fields.js";
import { Preview } from "./zone_preview.js";
import { bodyOf, fewest, nameTrouble, newName, placedShape, shapeOf, shapesOf, troubleKey, troubleOf } from "./zone_rules.js";

const WORDS = { zone: "a zone", line: "a line" };

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
