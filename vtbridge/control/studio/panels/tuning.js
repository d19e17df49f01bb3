// How strongly each part answers (curves) and how calmly (filters); every step takes effect at once.

import { order, read } from "../api.js";
import { h, s } from "../dom.js";
import { t } from "../i18n.js";

const CURVES = ["brows", "eyelids", "mouth", "smile", "gaze", "head"];
const FILTERS = ["brows", "eyes", "mouth", "gaze", "head", "body"];
const CURVE_KEYS = { gain: [0, 3], dead_zone: [0, 0.5], full_at: [0.05, 1], gamma: [0.2, 5] };
const FILTER_KEYS = { min_cutoff_hz: [0.1, 20], beta: [0, 20] };
const SIZE = 64;

export class Tuning {
  constructor(page) {
    this.page = page;
    this.inputs = new Map(); // "retarget.smoothing.mouth.beta" -> the slider
    this.waiting = new Map();
    const table = (name, parts, keys, extra) =>
      h("details", { class: "tuning", "data-table": name }, h("summary", {}, t(`tuning.${name}`)),
        h("p", { class: "hint" }, t(`tuning.${name}_hint`)),
        ...parts.map((part) => h("fieldset", { class: "group" },
          h("legend", {}, t(`part.${part}`), " ", h("button", { type: "button", class: "small",
            "aria-label": t("tuning.reset", { part: t(`part.${part}`) }), onclick: () => this.reset(name, part, keys) }, "↺")),
          extra?.(part),
          ...Object.entries(keys).map(([key, bounds]) => this.row(name, part, key, bounds)))));
    this.curves = new Map();
    this.element = h("div", {},
      table("sensitivity", CURVES, CURVE_KEYS, (part) => this.curve(part)),
      table("smoothing", FILTERS, FILTER_KEYS));
  }

  row(name, part, key, [low, high]) {
    const id = `tune-${name}-${part}-${key}`;
    const output = h("output", { for: id });
    const slider = h("input", { type: "range", id, min: low, max: high, step: 0.01,
      oninput: () => this.set(name, part, key, slider.valueAsNumber) });
    this.inputs.set(`${name}.${part}.${key}`, { slider, output });
    return h("div", { class: "slider" }, h("label", { for: id }, t(`tuning.${key}`)), slider, output);
  }

  curve(part) {
    const path = s("polyline", { class: "line" });
    this.curves.set(part, path);
    return s("svg", { class: "curve", viewBox: `0 0 ${SIZE} ${SIZE}`, role: "img", "aria-label": t("tuning.curve", { part: t(`part.${part}`) }) },
      s("rect", { width: SIZE, height: SIZE, class: "frame" }), path);
  }

  async load() {
    const config = await this.page.attempt(() => read("config"));
    if (config) this.show(config.retarget);
  }

  show(retarget) {
    for (const [path, { slider, output }] of this.inputs) {
      const [name, part, key] = path.split(".");
      const value = retarget[name][part][key];
      slider.value = value;
      output.textContent = value.toFixed(2);
    }
    for (const part of CURVES) this.draw(part);
  }

  set(name, part, key, value) {
    this.inputs.get(`${name}.${part}.${key}`).output.textContent = value.toFixed(2);
    if (name === "sensitivity") this.draw(part);
    this.send({ retarget: { [name]: { [part]: { [key]: value } } } });
  }

  async reset(name, part, keys) {
    const cleared = Object.fromEntries(Object.keys(keys).map((key) => [key, null]));
    await this.send({ retarget: { [name]: { [part]: cleared } } });
    await this.load();
  }

  /** Sends one change at a time; of those that wait only the newest of each setting is kept. */
  async send(change) {
    const [name, parts] = Object.entries(change.retarget)[0];
    const [part, keys] = Object.entries(parts)[0];
    for (const [key, value] of Object.entries(keys)) this.waiting.set(`${name}.${part}.${key}`, value);
    if (this.sending) return this.sending;
    this.sending = this.flush();
    await this.sending;
    this.sending = null;
  }

  async flush() {
    while (this.waiting.size) {
      const retarget = {};
      for (const [path, value] of this.waiting) {
        const [name, part, key] = path.split(".");
        ((retarget[name] ??= {})[part] ??= {})[key] = value;
      }
      this.waiting.clear();
      if (!(await this.page.attempt(() => order("PATCH", "config", { retarget })))) return;
      await new Promise((resolve) => setTimeout(resolve, 120)); // ten orders a second are taken
    }
  }

  draw(part) {
    const value = (key) => this.inputs.get(`sensitivity.${part}.${key}`).slider.valueAsNumber;
    const [gain, zone, full, gamma] = ["gain", "dead_zone", "full_at", "gamma"].map(value);
    const points = [];
    for (let i = 0; i <= 32; i++) {
      const x = i / 32;
      const moved = Math.min(1, Math.max(0, (x - zone) / Math.max(0.01, full - zone)));
      points.push(`${x * SIZE},${SIZE - Math.min(1, gain * moved ** gamma) * SIZE}`);
    }
    this.curves.get(part).setAttribute("points", points.join(" "));
  }
}
