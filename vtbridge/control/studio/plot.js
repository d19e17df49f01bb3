// A small plot of one figure over the last minute.

import { h, s, say } from "./dom.js";
import { t } from "./i18n.js";

const POINTS = 120; // two a second
const WIDTH = 240;
const HEIGHT = 56;

export class Plot {
  /** floor: the least that the top of the plot stands for. */
  constructor(title, { unit, floor }) {
    this.unit = unit;
    this.floor = floor;
    this.values = [];
    this.line = s("polyline", { class: "line" });
    this.text = h("figcaption", {});
    this.title = title;
    this.svg = s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": title }, this.line);
    this.element = h("figure", { class: "plot" }, this.text, this.svg);
    this.add(undefined);
  }

  add(value) {
    this.values.push(value);
    if (this.values.length > POINTS) this.values.shift();
    const known = this.values.filter((one) => one !== undefined);
    const top = Math.max(this.floor, ...known) * 1.1;
    const at = (one, i) => `${((i + POINTS - this.values.length) * WIDTH) / (POINTS - 1)},${HEIGHT - (one / top) * HEIGHT}`;
    this.line.setAttribute("points", this.values.map((one, i) => (one === undefined ? "" : at(one, i))).join(" "));
    const newest = value === undefined ? "–" : `${value.toFixed(value < 10 ? 1 : 0)} ${this.unit}`.trim();
    say(this.text, t("plot.newest", { title: this.title, value: newest }));
    this.svg.setAttribute("aria-label", this.text.textContent);
  }
}
