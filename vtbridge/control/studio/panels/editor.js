// The editor of one expression: its words, its values, its triggers, and its timeline.

import { order, read } from "../api.js";
import { h } from "../dom.js";
import { t } from "../i18n.js";
import { Timeline } from "../timeline.js";
import { title } from "./pose.js";

const MODES = ["toggle", "hold", "timed", "one_shot"];
const NAME = /^[a-z][a-z0-9_]{0,31}$/;

export class ExpressionEditor {
  constructor(page) {
    this.page = page;
    const field = (key, input) => h("label", { class: "field" }, h("span", {}, t(`editor.${key}`)), input);
    const text = (id, max) => h("input", { type: "text", id: `expression-${id}`, maxlength: max });
    const number = (id, max) => h("input", { type: "number", id: `expression-${id}`, min: 0, max, step: 0.05 });
    this.name = text("name", 32);
    this.label = text("label", 40);
    this.mode = h("select", { id: "expression-mode" }, ...MODES.map((one) => h("option", { value: one }, t(`mode.${one}`))));
    this.fadeIn = number("fade-in", 10);
    this.fadeOut = number("fade-out", 10);
    this.duration = number("duration", 600);
    this.key = text("key", 60);
    this.midi = text("midi", 60);
    this.obs = text("obs", 260);
    this.when = text("when", 400);
    this.values = h("textarea", { id: "expression-values", rows: 4, spellcheck: "false" });
    this.place = h("div", {});
    const button = (text, id, act, kind = "") => h("button", { type: "button", id: `expression-${id}`, class: kind, onclick: act }, text);
    this.removeButton = button(t("editor.remove"), "remove", () => this.remove());
    this.element = h("section", { class: "editor", "aria-label": t("editor.title") },
      h("h2", {}, t("editor.title")),
      h("div", { class: "fields" },
        field("name", this.name), field("label", this.label), field("mode", this.mode),
        field("fade_in", this.fadeIn), field("fade_out", this.fadeOut), field("duration", this.duration),
        field("key", this.key), field("midi", this.midi), field("obs", this.obs), field("when", this.when)),
      field("values", this.values),
      h("div", { class: "row" }, button(t("editor.take_pose"), "take-pose", () => this.takePose())),
      h("h3", {}, t("editor.timeline")),
      this.place,
      h("div", { class: "row" },
        button(t("editor.save"), "save", () => this.save(), "main"), button(t("editor.try"), "try", () => this.try()), this.removeButton,
        button(t("editor.close"), "close", () => (this.element.hidden = true))),
    );
    this.element.hidden = true;
  }

  begin() {
    return this.show("", { label: "", mode: "toggle", fade_in_s: 0.25, fade_out_s: 0.35, values: {}, keyframes: [], loop: false, obs: [] }, false);
  }

  async open(name) {
    const found = await this.page.attempt(() => read(`expressions/${name}/definition`));
    if (found) await this.show(name, found.definition, found.own);
  }

  async show(name, definition, own) {
    const known = await this.page.attempt(() => read("parameters"));
    if (!known) return;
    this.definition = definition;
    this.own = own;
    this.name.value = name;
    this.name.readOnly = Boolean(name);
    this.label.value = definition.label;
    this.mode.value = definition.mode;
    this.fadeIn.value = definition.fade_in_s;
    this.fadeOut.value = definition.fade_out_s;
    this.duration.value = definition.duration_s ?? "";
    this.key.value = definition.key ?? "";
    this.midi.value = definition.midi ?? "";
    this.obs.value = (definition.obs ?? []).join(", ");
    this.when.value = definition.when ?? "";
    this.values.value = Object.entries(definition.values).map(([label, value]) => `${label} = ${value}`).join("\n");
    this.removeButton.disabled = !own;
    const parameters = known.expressions.map((one) => ({ ...one, title: title(one.name) }));
    this.place.replaceChildren();
    this.timeline = new Timeline(this.place, { parameters, definition, onChange: () => {}, t });
    this.element.hidden = false;
    this.element.scrollIntoView({ block: "nearest" });
    (name ? this.label : this.name).focus();
  }

  /** Returns what the fields say; what is not among them stays as it was. */
  written() {
    const values = {};
    for (const line of this.values.value.split(/[\n,]/).map((one) => one.trim()).filter(Boolean)) {
      const [label, value] = line.split("=").map((one) => one.trim());
      if (!label || value === undefined || !Number.isFinite(Number(value))) throw new SyntaxError(t("editor.no_value", { line }));
      values[label] = Number(value);
    }
    const numberOr = (input, otherwise) => (Number.isFinite(input.valueAsNumber) ? input.valueAsNumber : otherwise);
    const { keyframes, loop, length_s: length } = this.timeline.definition;
    return {
      ...this.definition, keyframes, loop: loop ?? false, length_s: length ?? null,
      label: this.label.value, mode: this.mode.value, values,
      fade_in_s: numberOr(this.fadeIn, 0.25), fade_out_s: numberOr(this.fadeOut, 0.35), duration_s: numberOr(this.duration, null),
      key: this.key.value.trim() || null, midi: this.midi.value.trim() || null, when: this.when.value.trim() || null,
      obs: this.obs.value.split(",").map((one) => one.trim()).filter(Boolean),
    };
  }

  /** Returns the fields' definition, or null after it told what is wrong. */
  checked() {
    try {
      if (!NAME.test(this.name.value)) throw new SyntaxError(t("editor.bad_name"));
      return this.written();
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      this.page.tell(error.message, true);
      return null;
    }
  }

  async takePose() {
    const shown = await this.page.attempt(() => read("pose"));
    if (!shown) return;
    const moved = Object.entries(shown.pose).filter(([label, value]) => Math.abs(value) >= 0.02 && label !== "breathing");
    this.values.value = moved.map(([label, value]) => `${label} = ${Math.round(value * 100) / 100}`).join("\n");
  }

  async save() {
    const definition = this.checked();
    if (!definition) return;
    const name = this.name.value;
    const saved = await this.page.attempt(() => order("PUT", `expressions/${name}/definition`, definition), t("editor.saved", { name }));
    if (saved) await this.open(name);
  }

  async try() {
    const definition = this.checked();
    if (definition) await this.page.attempt(() => order("POST", `expressions/${this.name.value}/preview`, { definition }));
  }

  async remove() {
    const name = this.name.value;
    const gone = await this.page.attempt(() => order("DELETE", `expressions/${name}/definition`), t("editor.removed", { name }));
    if (gone) this.element.hidden = true;
  }
}
