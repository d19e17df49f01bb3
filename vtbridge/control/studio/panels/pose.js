// The manual poser: a slider for every parameter of the model.

import { read, send } from "../api.js";
import { h, save, showPicture } from "../dom.js";
import { t } from "../i18n.js";
import { Comparison } from "./comparison.js";

const STEP = 0.01;
const GROUPS = ["brows", "eyes", "mouth", "gaze", "head", "body"];

/** Returns what people call a parameter: its own name, and whose side it is on. */
export function title(name) {
  const side = name.match(/^(.*)_(left|right)$|^(left|right)_(.*)$/);
  if (!side) return t(`param.${name}`);
  return t("param.sided", { what: t(`param.${side[1] ?? side[4]}`), side: t(`side.${side[2] ?? side[3]}`) });
}

export class PosePanel {
  constructor(element, page) {
    this.element = element;
    this.page = page;
    this.parameters = [];
    this.rows = new Map(); // name -> {range, number}
    this.held = h("input", { type: "checkbox", role: "switch", id: "pose-held", onchange: () => this.hold(this.held.checked) });
    this.linked = h("input", { type: "checkbox", checked: true });
    this.groups = h("div", { class: "groups" });
    this.source = h("img", { class: "source", alt: t("pose.source"), width: 512, height: 512 });
    const button = (key, act) => h("button", { type: "button", id: key.replace(".", "-"), onclick: act }, t(key));
    element.append(
      h("p", { class: "hint" }, t("pose.hint")),
      h("div", { class: "row" },
        h("label", { class: "switch" }, this.held, t("pose.held")),
        h("label", { class: "switch" }, this.linked, t("pose.linked")),
      ),
      h("div", { class: "row", role: "group", "aria-label": t("pose.change") },
        button("pose.reset", () => this.reset()),
        button("pose.random", () => this.randomise()),
        button("pose.mirror", () => this.mirror()),
        button("pose.live", () => this.take()),
      ),
      h("div", { class: "row", role: "group", "aria-label": t("pose.keep") },
        button("pose.save", () => this.save()),
        button("pose.copy", () => this.copy(JSON.stringify(this.values(true), null, 2))),
        button("pose.copy_expression", () => this.copy(this.expression())),
        button("pose.paste", () => this.paste()),
      ),
      this.groups,
      h("details", { class: "drawing" }, h("summary", {}, t("pose.source")), this.source),
    );
    this.comparison = new Comparison(page, () => this.values());
    element.append(this.comparison.element);
    page.connection.addEventListener("state", ({ detail }) => {
      if (detail === "live" && this.parameters.length && this.held.checked) this.push();
    });
  }

  async shown(chosen) {
    if (!chosen) return;
    if (!this.parameters.length) await this.page.attempt(() => this.load());
    const picture = await this.page.attempt(() => send("GET", "picture"));
    if (picture) showPicture(this.source, await picture.blob());
  }

  async load() {
    const { parameters, model } = await read("parameters");
    this.parameters = parameters;
    this.model = model;
    for (const group of GROUPS) {
      const members = parameters.filter((one) => one.group === group);
      if (!members.length) continue;
      this.groups.append(
        h("fieldset", { class: "group", "data-group": group },
          h("legend", {}, t(`group.${group}`), " ",
            h("button", { type: "button", class: "small", "aria-label": t("pose.reset_group", { group: t(`group.${group}`) }),
              onclick: () => this.reset(members) }, "↺")),
          ...members.map((one) => this.row(one)),
        ),
      );
    }
  }

  row(parameter) {
    const { name, low, high, as_drawn: drawn } = parameter;
    const id = `value-${name}`;
    const bounds = { min: low, max: high, step: STEP, value: drawn };
    const range = h("input", { type: "range", id, name, ...bounds, oninput: () => this.set(parameter, range.valueAsNumber) });
    const number = h("input", { type: "number", "aria-label": t("pose.value_of", { name: title(name) }), ...bounds,
      onchange: () => this.set(parameter, number.valueAsNumber) });
    range.addEventListener("dblclick", () => this.set(parameter, drawn));
    this.rows.set(name, { range, number });
    return h("div", { class: "slider" }, h("label", { for: id, title: name }, title(name)), range, number);
  }

  /** Sets one parameter, and the other side's with it where both are linked. */
  set(parameter, value) {
    if (!Number.isFinite(value)) value = parameter.as_drawn;
    this.write(parameter.name, Math.min(parameter.high, Math.max(parameter.low, value)));
    if (this.linked.checked && parameter.mirrored !== parameter.name) this.write(parameter.mirrored, value);
    this.push();
  }

  write(name, value) {
    const { range, number } = this.rows.get(name);
    range.value = value;
    number.value = Math.round(value * 1000) / 1000;
  }

  /** Returns the pose; only what is not as it was drawn, if so wanted. */
  values(short = false) {
    const all = this.parameters.map(({ name, as_drawn: drawn }) => [name, this.rows.get(name).number.valueAsNumber, drawn]);
    return Object.fromEntries(all.filter(([, value, drawn]) => !short || value !== drawn).map(([name, value]) => [name, value]));
  }

  put(pose) {
    for (const { name, as_drawn: drawn } of this.parameters) this.write(name, pose[name] ?? drawn);
    this.push();
  }

  push() {
    this.held.checked = true;
    this.page.connection.pose(this.values());
  }

  hold(on) {
    if (on) this.push();
    else this.page.connection.releasePose();
  }

  reset(some = this.parameters) {
    for (const { name, as_drawn: drawn } of some) this.write(name, drawn);
    this.push();
  }

  /** Draws a pose that a face could make: one brow shape, one mouth shape, and a turn of the head. */
  randomise() {
    const pose = {};
    const random = (low, high) => low + Math.random() * (high - low);
    const pick = (list) => list[Math.floor(Math.random() * list.length)];
    const pairs = (group) => this.parameters.filter((one) => one.group === group && one.mirrored !== one.name && one.name < one.mirrored);
    const both = ({ name, mirrored, low, high }) => (pose[name] = pose[mirrored] = random(low, high));
    for (const group of ["brows", "eyes"]) if (pairs(group).length) both(pick(pairs(group)));
    const mouths = this.parameters.filter((one) => one.group === "mouth" && one.mirrored === one.name);
    if (mouths.length) pose[pick(mouths).name] = random(0, 1);
    for (const { name, group, low, high } of this.parameters) if (["gaze", "head", "body"].includes(group)) pose[name] = random(low, high);
    this.put(pose);
  }

  mirror() {
    const old = this.values();
    this.put(Object.fromEntries(this.parameters.map(({ name, mirrored, sideways }) => [name, sideways ? -old[mirrored] : old[mirrored]])));
  }

  async take() {
    const shown = await this.page.attempt(() => read("pose"));
    if (shown) this.put(shown.pose);
  }

  async save() {
    const body = { pose: this.values() };
    const answer = await this.page.attempt(() => send("POST", "stills", body), t("pose.saved"));
    if (answer) save(await answer.blob(), "pose.png");
  }

  /** Returns the pose as expressions.toml has it: both sides as one where they are equal. */
  expression() {
    const pose = this.values(true);
    const entries = this.parameters.filter(({ name }) => name in pose).flatMap(({ name, mirrored, in_expressions: written }) => {
      if (mirrored === name || pose[name] !== pose[mirrored]) return [`${written} = ${pose[name]}`];
      return name < mirrored ? [`${written.replace(/_(left|right)$/, "")} = ${pose[name]}`] : [];
    });
    return `[expressions.my_pose]\nlabel = "My pose"\nvalues = { ${entries.join(", ")} }\n`;
  }

  async copy(text) {
    try {
      await navigator.clipboard.writeText(text);
      this.page.tell(t("pose.copied"));
    } catch {
      this.page.tell(t("pose.not_copied"), true);
    }
  }

  async paste() {
    try {
      const pose = JSON.parse(await navigator.clipboard.readText());
      const wrong = Object.entries(pose).find(([name, value]) => !this.rows.has(name) || !Number.isFinite(value));
      if (wrong) throw new SyntaxError(t("pose.no_parameter", { name: wrong[0] }));
      this.put(pose);
    } catch (error) {
      this.page.tell(t("pose.not_pasted", { why: error.message }), true);
    }
  }
}
