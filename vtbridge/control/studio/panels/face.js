// Trackers and what they see, the neutral face, and how strongly and calmly each part answers.

import { order, read } from "../api.js";
import { h, say } from "../dom.js";
import { t } from "../i18n.js";
import { Tuning } from "./tuning.js";

const PERIOD_MS = 250;

export class FacePanel {
  constructor(element, page) {
    this.page = page;
    this.sources = h("ul", { class: "sources", "aria-label": t("face.sources") });
    this.bars = h("dl", { class: "bars", "aria-label": t("face.values") });
    this.head = h("p", { class: "hint" });
    this.values = new Map();
    this.tuning = new Tuning(page);
    element.append(
      h("div", { class: "row" },
        h("button", { type: "button", id: "calibrate", title: t("face.calibrate_title"), onclick: () => this.calibrate() }, t("face.calibrate")),
      ),
      h("h2", {}, t("face.sources")),
      this.sources,
      this.tuning.element,
      h("h2", {}, t("face.values")),
      this.head,
      this.bars,
    );
  }

  shown(chosen) {
    clearInterval(this.timer);
    if (!chosen) return;
    this.tuning.load();
    this.look();
    this.timer = setInterval(() => !document.hidden && this.look(), PERIOD_MS);
  }

  calibrate() {
    return this.page.attempt(() => order("POST", "calibrate"), t("face.hold_still"));
  }

  async look() {
    if (this.looking) return;
    this.looking = true;
    try {
      this.show(await read("trackers"));
    } catch {
      // the connection's own state tells that nobody is there
    } finally {
      this.looking = false;
    }
  }

  show({ sources, face, movers }) {
    const told = JSON.stringify(sources.map(({ source, state, trouble, fps }) => [source, state, trouble, Math.round(fps)]));
    if (told !== this.told) {
      this.told = told;
      this.sources.replaceChildren(...sources.map((one) => this.source(one, movers)));
      if (!sources.length) this.sources.append(h("li", {}, t("face.no_source")));
    }
    const values = { ...face?.blendshapes, ...face?.presets };
    for (const [name, value] of Object.entries(values)) this.bar(name, value);
    for (const [name, row] of this.values) row.hidden = !(name in values);
    const head = face?.head_deg;
    say(this.head, head ? t("face.head", { pitch: head.pitch.toFixed(0), yaw: head.yaw.toFixed(0), roll: head.roll.toFixed(0) }) : t("face.none"));
  }

  source({ source, title, place, state, fps, trouble }, movers) {
    const moves = Object.entries(movers).filter(([, by]) => by === source).map(([part]) => t(`part.${part}`));
    return h("li", { "data-state": state },
      h("strong", {}, title), ` ${place} `,
      h("span", { class: "badge" }, t(`source.${state.replace(" ", "_")}`)),
      state === "live" ? ` ${fps.toFixed(0)} fps` : "",
      moves.length ? h("small", {}, " ", t("face.moves", { parts: moves.join(", ") })) : "",
      trouble ? h("p", { class: "hint" }, trouble) : "");
  }

  bar(name, value) {
    let row = this.values.get(name);
    if (!row) {
      row = h("div", {}, h("dt", {}, name), h("dd", {}, h("meter", { min: 0, max: 1, "aria-label": name })));
      this.values.set(name, row);
      this.bars.append(row);
    }
    row.querySelector("meter").value = value;
  }
}
