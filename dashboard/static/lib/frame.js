// A binary message of the WebSocket, to a picture, results, and masks as tinted canvases.
import { rgbOf } from "./colours.js";

const text = new TextDecoder();
export const TINT = 0.45; // how much of a mask's colour covers the picture
const WIDE = 0.15; // of the frame: a plane that covers more, such as a road, is tinted less
const WIDE_TINT = 0.22;

/** Header and parts of a message: length (4 bytes, big endian), JSON, parts one after another. */
export function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0);
  const header = JSON.parse(text.decode(new Uint8Array(buffer, 4, length)));
  let at = 4 + length;
  const parts = (header.parts ?? []).map((size) => {
    const part = new Uint8Array(buffer, at, size);
    at += size;
    return part;
  });
  return { header, parts };
}

/** A frame ready to draw: {camera, number, bitmap, message, masks: [{bbox, planes}], bytes}. */
export async function decodeFrame(header, parts) {
  const message = JSON.parse(text.decode(parts[1]));
  const [bitmap, ...masks] = await Promise.all([
    createImageBitmap(new Blob([parts[0]], { type: "image/jpeg" })),
    ...header.masks.map((mask, i) => decodeMask(mask, parts[2 + i])),
  ]);
  const bytes = parts.reduce((sum, part) => sum + part.length, 0);
  return { camera: header.camera, number: header.number, bitmap, message, masks, bytes };
}

/** Planes as canvases of their own size, each pixel clear or of the plane's colour. */
export async function decodeMask(mask, data) {
  const [width, height] = mask.size;
  const row = (width + 7) >> 3;
  const bits = await inflate(data, mask.labels.length * row * height);
  const planes = mask.labels.map((label, i) => {
    const plane = bits.subarray(i * row * height, (i + 1) * row * height);
    return { label, canvas: tinted(plane, row, width, height, tintOf(mask, plane), rgbOf(label)) };
  });
  return { bbox: mask.bbox, planes };
}

function tinted(plane, row, width, height, tint, [red, green, blue]) {
  const canvas = new OffscreenCanvas(width, height);
  const image = new ImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  const colour = ((Math.round(tint * 255) << 24) | (blue << 16) | (green << 8) | red) >>> 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const byte = plane[y * row + (x >> 3)];
      if (byte === 0) { x |= 7; continue; } // eight clear pixels at once
      if (byte & (128 >> (x & 7))) pixels[y * width + x] = colour;
    }
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

/** By how much of the frame the plane covers, known well enough from its bytes that are not 0. */
function tintOf({ object, size: [width, height] }, plane) {
  const share = (plane.reduce((n, byte) => n + (byte !== 0), 0) * 8) / (width * height);
  return object === undefined && share > WIDE ? WIDE_TINT : TINT;
}

/** zlib, as the wire packs planes, to so many bytes. Without a Blob: one costs more than all the rest. */
async function inflate(data, size) {
  const { readable, writable } = new DecompressionStream("deflate");
  const writer = writable.getWriter();
  const [bits] = await Promise.all([gathered(readable.getReader(), size), writer.write(data), writer.close()]);
  return bits;
}

async function gathered(reader, size) {
  const bytes = new Uint8Array(size);
  let at = 0;
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    bytes.set(read.value, at); // raises where there is more
    at += read.value.length;
  }
  if (at !== size) throw new RangeError(`a mask of ${size} bytes has ${at}`);
  return bytes;
}
