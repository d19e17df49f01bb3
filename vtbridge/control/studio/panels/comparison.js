// Two runtimes, models or qualities side by side: their pictures, their difference, their time.

import { read, send } from "../api.js";
import { h, say } from "../dom.js";
import { t } from "../i18n.js";

const GAIN = 8; // a difference of 32 of 255 shows white
const KINDS = ["runtime", "quality", "weights"];

export class Comparison {
  constructor(page, values) {
    this.page = page;
    this.values = values;
    this.sides = [this.side("a"), this.side("b")];
    this.difference = h("canvas", { width: 512, height: 512, role: "img", "aria-label": t("compare.difference") });
    this.verdict = h("figcaption", { role: "status" });
    this.element = h("details", { class: "comparison", ontoggle: () => this.element.open && this.load() },
      h("summary", {}, t("compare.title")),
      h("p", { class: "hint" }, t("compare.hint")),
      h("div", { class: "row" }, h("button", { type: "button", id: "compare", onclick: () => this.compare() }, t("compare.draw"))),
      h("div", { class: "sides" }, ...this.sides.map((one) => one.figure),
        h("figure", {}, this.difference, this.verdict)),
    );
  }

  side(name) {
    const canvas = h("canvas", { width: 512, height: 512, role: "img", "aria-label": t("compare.side", { side: name.toUpperCase() }) });
    const caption = h("figcaption", { role: "status" });
    const selects = Object.fromEntries(KINDS.map((kind) => [kind, h("select", { id: `compare-${name}-${kind}` })]));
    const figure = h("figure", {},
      ...KINDS.map((kind) => h("label", {}, h("span", {}, t(`compare.${kind}`)), selects[kind])), canvas, caption);
    return { name, canvas, caption, selects, figure };
  }

  async load() {
    if (this.sides[0].selects.runtime.options.length) return;
    const choices = await this.page.attempt(() => read("stills"));
    if (!choices) return;
    const lists = { runtime: choices.runtimes, quality: choices.qualities, weights: choices.weights };
    for (const [number, { selects }] of this.sides.entries()) {
      for (const kind of KINDS) selects[kind].append(...lists[kind].map((one) => h("option", { value: one }, one)));
      selects.runtime.value = lists.runtime.at(number ? -1 : 0); // the slowest, which is the plainest
    }
  }

  async compare() {
    const pixels = [];
    for (const side of this.sides) {
      const wanted = Object.fromEntries(KINDS.map((kind) => [kind, side.selects[kind].value]));
      say(side.caption, t("compare.drawing"));
      const answer = await this.page.attempt(() => send("POST", "stills", { pose: this.values(), ...wanted }));
      if (!answer) return say(side.caption, "");
      const bitmap = await createImageBitmap(await answer.blob(), { premultiplyAlpha: "none" });
      const context = side.canvas.getContext("2d", { willReadFrequently: true });
      context.clearRect(0, 0, 512, 512);
      context.drawImage(bitmap, 0, 0);
      pixels.push(context.getImageData(0, 0, 512, 512).data);
      const took = Number(answer.headers.get("X-Vtbridge-Milliseconds")).toFixed(0);
      say(side.caption, t("compare.took", { ms: took, runtime: answer.headers.get("X-Vtbridge-Runtime") }));
    }
    this.show(pixels);
  }

  /** Shows where the two differ, brightened, and by how much in dB (premultiplied, all four channels). */
  show([a, b]) {
    const context = this.difference.getContext("2d");
    const picture = context.createImageData(512, 512);
    let squares = 0;
    for (let i = 0; i < a.length; i += 4) {
      let most = 0;
      for (let c = 0; c < 4; c++) {
        const scale = c === 3 ? [1, 1] : [a[i + 3] / 255, b[i + 3] / 255];
        const off = Math.abs(a[i + c] * scale[0] - b[i + c] * scale[1]);
        squares += off * off;
        most = Math.max(most, off);
      }
      picture.data.fill(Math.min(255, most * GAIN), i, i + 3);
      picture.data[i + 3] = 255;
    }
    context.putImageData(picture, 0, 0);
    const mean = squares / a.length;
    say(this.verdict, mean === 0 ? t("compare.equal") : t("compare.psnr", { db: (10 * Math.log10((255 * 255) / mean)).toFixed(1), gain: GAIN }));
  }
}
