// What the timeline draws: its ruler, the way of a parameter, the parts of a point.

import { h, s } from "./dom.js";
import { round } from "./keyframes.js";

export const LANE = 64;
export const EDGE = 14; // room at either end and side for half a point

const RULER = 22;
const LEAST_APART = 40;
const SAMPLES_A_SECOND = 40;
const MOST_SAMPLES = 1200;

/** Returns the marks of time; scale: pixels a second. */
export function ruler(width, scale, t) {
  const every = [0.1, 0.5, 1, 5, 10].find((seconds) => seconds * scale >= LEAST_APART) ?? 10;
  const marks = [];
  for (let i = 0; EDGE + i * every * scale < width - EDGE; i += 1) {
    const x = EDGE + i * every * scale;
    marks.push(
      s("line", { x1: x, x2: x, y1: RULER - 5, y2: RULER }),
      s("text", { x, y: RULER - 8 }, t("timeline.seconds", { seconds: round(i * every) })),
    );
  }
  return s("svg", { class: "ruler", width, height: RULER, "aria-hidden": true }, marks);
}

/** Returns the path of a parameter as it is played; x and y place moments and values. */
export function way(keyframes, name, x, y) {
  const until = Math.max(keyframes.length, 0.01);
  const samples = Math.min(Math.ceil(until * SAMPLES_A_SECOND) + 1, MOST_SAMPLES);
  const moments = [...Array(samples).keys()].map((i) => (i / (samples - 1)) * until);
  moments.push(...keyframes.points(name).map((point) => point.at));
  const places = moments.sort((a, b) => a - b).map((at) => `${x(at).toFixed(1)},${y(keyframes.value(name, at)).toFixed(1)}`);
  return `M${places.join("L")}`;
}

/** Returns where the parts of a point are. */
export const places = (x, y) => ({ reach: { cx: x, cy: y }, dot: { x: x - 6, y: y - 6 } });

/** Asks for the style sheet, once. */
export function loadStyle() {
  const href = new URL("timeline.css", import.meta.url).href;
  if (!document.querySelector(`link[href="${href}"]`)) document.head.append(h("link", { rel: "stylesheet", href }));
}
