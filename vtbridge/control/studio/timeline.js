// The timeline editor: the points of each parameter in a lane over time.
//
//   const timeline = new Timeline(element, {
//     parameters: [{ name, title, low, high }],  // title: what people read, the name if left out
//     definition,                                // of an expression, as the API has it
//     onChange: (definition) => { ... },         // after each change
//     t,                                         // texts by key, with {slots}
//   });
//   timeline.show(definition); timeline.time = 1.5; // the moment that plays, null = none
//
// A click on a lane adds a point; points are dragged, or moved by the arrow keys: left and right
// in time, up and down in value, ten times as far with Shift. Delete removes, Page Up and Page Down
// go to the neighbours, Insert adds one behind, Ctrl+Z undoes.

import { h, s, say } from "./dom.js";
import { EASINGS, Keyframes, LATEST_S } from "./keyframes.js";
import { EDGE, LANE, loadStyle, places, ruler, way } from "./timeline_drawing.js";

const ROOM_S = 1; // behind the last point
const NEAREST = 30;
const FARTHEST = 800;
const DRAGGED = 4;
const STEP = 0.05;

export class Timeline {
  constructor(element, { parameters, definition, onChange, t }) {
    loadStyle();
    this.t = t;
    this.titles = new Map(parameters.map((one) => [one.name, one.title ?? one.name]));
    this.keyframes = new Keyframes({ parameters, definition, onChange });
    this.empty = new Set(); // lanes without points
    this.selected = null; // {name, at}
    this.grabbed = null; // the point that is dragged
    this.scale = 120; // pixels a second
    this.moment = null;
    this.build(element);
    this.draw();
    new ResizeObserver(() => this.view.clientWidth === this.drawn || this.draw()).observe(this.view);
  }

  get definition() {
    return structuredClone(this.keyframes.definition);
  }

  show(definition) {
    this.keyframes.show(definition);
    this.empty.clear();
    this.selected = null;
    this.draw();
  }

  set time(seconds) {
    this.moment = seconds;
    for (const head of this.view.querySelectorAll(".head")) this.placeHead(head);
  }

  build(element) {
    const { t } = this;
    const button = (text, act, label = text, shown = text) => {
      const made = h("button", { type: "button", onclick: act, "aria-label": label, title: label }, shown);
      return made;
    };
    this.chosen = h("select", { "aria-label": t("timeline.parameter") });
    this.undoing = button(t("timeline.undo"), () => this.back("undo"));
    this.redoing = button(t("timeline.redo"), () => this.back("redo"));
    const number = (act, attributes) => h("input", { type: "number", step: 0.01, onchange: act, ...attributes });
    this.at = number(() => this.place(Number(this.at.value), null), { min: 0, max: LATEST_S });
    this.value = number(() => this.place(null, Number(this.value.value)), {});
    this.easing = h("select", { onchange: () => this.ease() }, EASINGS.map((one) => h("option", { value: one }, t(`timeline.${one}`))));
    this.removing = button(t("timeline.remove"), () => this.remove());
    this.fields = h("fieldset", { class: "point-fields" }, h("legend", {}, t("timeline.point")),
      h("label", {}, t("timeline.time"), this.at),
      h("label", {}, t("timeline.value"), this.value),
      h("label", {}, t("timeline.easing"), this.easing),
      this.removing);
    this.view = h("div", { class: "lanes", role: "group", tabindex: 0, "aria-label": t("timeline.lanes"), onwheel: (event) => this.wheel(event) });
    this.told = h("p", { class: "unseen", role: "status" });
    this.element = h("div", { class: "timeline", role: "group", "aria-label": t("timeline.title"), onkeydown: (event) => this.shortcut(event) },
      h("div", { class: "row" },
        this.chosen,
        button(t("timeline.add_lane"), () => this.addLane()),
        this.undoing,
        this.redoing,
        button("", () => this.zoom(1 / 1.5), t("timeline.zoom_out"), "−"),
        button("", () => this.zoom(1.5), t("timeline.zoom_in"), "+")),
      this.view,
      this.fields,
      h("p", { class: "hint" }, t("timeline.hint")),
      this.told);
    element.append(this.element);
  }

  // What is seen.

  get names() {
    return [...new Set([...this.keyframes.names, ...this.empty])];
  }

  get seconds() {
    return Math.min(Math.max(this.keyframes.length + ROOM_S, 2), LATEST_S);
  }

  get width() {
    return Math.max(this.view.clientWidth, this.seconds * this.scale + 2 * EDGE);
  }

  x(at) {
    return EDGE + at * this.scale;
  }

  y(name, value) {
    const { low, high } = this.keyframes.range(name);
    return EDGE + ((high - value) / (high - low)) * (LANE - 2 * EDGE);
  }

  draw() {
    const { t } = this;
    const focused = this.focusedName();
    const { names, width } = this;
    this.view.replaceChildren(ruler(width, this.scale, t), ...names.map((name) => this.lane(name, width)));
    if (!names.length) this.view.append(h("p", { class: "hint" }, this.t("timeline.none")));
    const free = [...this.titles].filter(([name]) => !names.includes(name));
    const wanted = this.chosen.value;
    this.chosen.replaceChildren(...free.map(([name, title]) => h("option", { value: name }, title)));
    if (free.some(([name]) => name === wanted)) this.chosen.value = wanted;
    this.undoing.disabled = !this.keyframes.done.length;
    this.redoing.disabled = !this.keyframes.undone.length;
    this.drawFields();
    this.drawn = this.view.clientWidth;
    if (focused === null) return;
    if (focused === "") this.focus(false);
    else this.view.querySelector(`button[aria-label="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  }

  /** Draws the point that is dragged where it is; a finger loses one that is made anew. */
  drawGrabbed() {
    const { name } = this.selected;
    const point = this.point();
    const { reach, dot } = places(this.x(point.at), this.y(name, point.value));
    const set = (element, values) => Object.entries(values).forEach(([key, value]) => element.setAttribute(key, value));
    set(this.grabbed, { "data-at": point.at, "aria-valuenow": point.value, "aria-valuetext": this.words(point) });
    set(this.grabbed.querySelector(".reach"), reach);
    set(this.grabbed.querySelector(".dot"), dot);
    this.grabbed.parentNode.querySelector(".way").setAttribute("d", way(this.keyframes, name, (at) => this.x(at), (value) => this.y(name, value)));
    this.drawFields();
  }

  drawFields() {
    const point = this.point();
    this.fields.disabled = !point;
    if (!point) return;
    const { low, high } = this.keyframes.range(this.selected.name);
    Object.assign(this.value, { min: low, max: high });
    this.at.value = point.at;
    this.value.value = point.value;
    this.easing.value = point.easing;
  }

  lane(name, width) {
    const title = this.title(name);
    const svg = s("svg", { class: "lane", width, height: LANE, onclick: (event) => this.clicked(event, name, svg) },
      s("rect", { class: "ground", x: 1, y: 1, width: width - 2, height: LANE - 2, rx: 10 }),
      s("line", { class: "zero", x1: 0, x2: width, y1: this.y(name, 0), y2: this.y(name, 0) }),
      s("path", { class: "way", d: way(this.keyframes, name, (at) => this.x(at), (value) => this.y(name, value)) }),
      this.head(),
      this.keyframes.points(name).map((point, i, all) => this.handle(name, point, i, all)));
    const remove = h("button", { type: "button", class: "small", "aria-label": this.t("timeline.remove_lane", { parameter: title }), onclick: () => this.removeLane(name) }, "×");
    const add = h("button", { type: "button", class: "small", "aria-label": this.t("timeline.add", { parameter: title }), onclick: () => this.addBehind(name) }, "+");
    return h("div", { class: "lane-row", role: "group", "aria-label": title, "data-name": name },
      h("div", { class: "lane-name" }, h("span", {}, title), add, remove), svg);
  }

  head() {
    const head = s("line", { class: "head", y1: 4, y2: LANE - 4 });
    this.placeHead(head);
    return head;
  }

  placeHead(head) {
    head.toggleAttribute("hidden", this.moment === null);
    if (this.moment === null) return;
    const turn = this.keyframes.length || 1;
    const at = this.x(this.keyframes.definition.loop ? this.moment % turn : this.moment);
    head.setAttribute("x1", at);
    head.setAttribute("x2", at);
  }

  handle(name, point, i, all) {
    const chosen = this.selected?.name === name && this.selected.at === point.at;
    const reachable = chosen || (i === 0 && this.selected?.name !== name);
    const { reach, dot } = places(this.x(point.at), this.y(name, point.value));
    const { low, high } = this.keyframes.range(name);
    return s("g", {
      class: "point", role: "slider", tabindex: reachable ? 0 : -1, "data-at": point.at, "data-chosen": String(chosen),
      "aria-label": this.t("timeline.point_of", { parameter: this.title(name), number: i + 1, count: all.length }),
      "aria-valuemin": low, "aria-valuemax": high, "aria-valuenow": point.value,
      "aria-valuetext": this.words(point), "aria-orientation": "vertical",
      onpointerdown: (event) => this.grab(event, name, point.at),
      ontouchstart: (event) => event.preventDefault(), // browsers heed no touch-action inside SVG
      onclick: (event) => event.stopPropagation(),
      onfocus: () => this.select(name, point.at),
      onkeydown: (event) => this.key(event, name, point.at),
    }, s("circle", { class: "reach", r: EDGE, ...reach }), s("rect", { class: "dot", width: 12, height: 12, rx: 4, ...dot }));
  }

  // What is done.

  title(name) {
    return this.titles.get(name) ?? this.titles.get(`${name}_left`) ?? name;
  }

  words(point) {
    return this.t("timeline.words", { time: point.at.toFixed(2), value: point.value.toFixed(2), easing: this.t(`timeline.${point.easing}`) });
  }

  point() {
    return this.selected && this.keyframes.points(this.selected.name).find((one) => one.at === this.selected.at);
  }

  tell(text) {
    say(this.told, text);
  }

  tellPoint() {
    const point = this.point();
    if (point) this.tell(`${this.title(this.selected.name)}: ${this.words(point)}`);
  }

  pointElement({ name, at }) {
    return this.view.querySelector(`[data-name="${CSS.escape(name)}"] [data-at="${at}"]`);
  }

  /** Returns the name of the button in a lane that has the focus, "" for a point, null for none. */
  focusedName() {
    const active = document.activeElement;
    if (!this.view.contains(active) || active === this.view) return null;
    return active.matches("button") ? active.getAttribute("aria-label") : "";
  }

  focus(scroll = true) {
    if (!this.selected) return;
    this.pointElement(this.selected)?.focus({ preventScroll: !scroll });
  }

  select(name, at) {
    if (this.selected?.name === name && this.selected.at === at) return;
    if (this.selected) this.pointElement(this.selected)?.setAttribute("data-chosen", false);
    this.keyframes.settle();
    this.selected = { name, at };
    for (const one of this.view.querySelectorAll(`[data-name="${CSS.escape(name)}"] .point`)) one.setAttribute("tabindex", -1);
    const chosen = this.pointElement(this.selected);
    chosen?.setAttribute("data-chosen", true);
    chosen?.setAttribute("tabindex", 0);
    this.drawFields();
  }

  add(name, at, value) {
    const added = this.keyframes.add(name, at, value ?? this.keyframes.value(name, at));
    if (added === null) return this.tell(this.t("timeline.no_room"));
    this.empty.delete(name);
    this.selected = { name, at: added };
    this.draw();
    this.focus();
    this.tellPoint();
  }

  addBehind(name) {
    const points = this.keyframes.points(name);
    const behind = this.selected?.name === name ? points.find((one) => one.at > this.selected.at) : undefined;
    const from = this.selected?.name === name ? this.selected.at : (points.at(-1)?.at ?? -0.5);
    this.add(name, behind ? (from + behind.at) / 2 : from + 0.5);
  }

  place(at, value) {
    if (!this.point()) return;
    if ([at, value].some(Number.isNaN)) return this.drawFields();
    const { name } = this.selected;
    this.selected = { name, at: this.keyframes.move(name, this.selected.at, at ?? this.selected.at, value) };
    if (this.grabbed) this.drawGrabbed();
    else this.draw();
    this.tellPoint();
  }

  ease() {
    if (!this.point()) return;
    this.keyframes.ease(this.selected.at, this.easing.value);
    this.draw();
    this.tellPoint();
  }

  remove() {
    if (!this.point()) return;
    const { name, at } = this.selected;
    const place = this.keyframes.points(name).findIndex((one) => one.at === at);
    this.keyframes.remove(name, at);
    const left = this.keyframes.points(name);
    if (!left.length) this.empty.add(name);
    const next = left[Math.min(place, left.length - 1)];
    this.selected = next ? { name, at: next.at } : null;
    this.draw();
    if (next) this.focus();
    else this.view.querySelector(`[data-name="${CSS.escape(name)}"] button`)?.focus();
    this.tell(this.t("timeline.removed", { parameter: this.title(name), time: at.toFixed(2) }));
  }

  addLane() {
    if (!this.chosen.value) return;
    const name = this.chosen.value;
    this.empty.add(name);
    this.draw();
    this.view.querySelector(`[data-name="${CSS.escape(name)}"] button`).focus();
  }

  removeLane(name) {
    this.empty.delete(name);
    if (this.selected?.name === name) this.selected = null;
    this.keyframes.removeAll(name);
    this.draw();
    this.chosen.focus();
  }

  back(which) {
    if (!this.keyframes[which]()) return;
    if (!this.point()) this.selected = null;
    this.draw();
    this.tell(this.t(which === "undo" ? "timeline.undone" : "timeline.redone"));
  }

  zoom(factor) {
    const middle = (this.view.scrollLeft + this.view.clientWidth / 2 - EDGE) / this.scale;
    this.scale = Math.min(Math.max(this.scale * factor, NEAREST), FARTHEST);
    this.draw();
    this.view.scrollLeft = middle * this.scale + EDGE - this.view.clientWidth / 2;
  }

  // Where it comes from.

  clicked(event, name, svg) {
    const box = svg.getBoundingClientRect();
    const { low, high } = this.keyframes.range(name);
    const at = Math.max((event.clientX - box.left - EDGE) / this.scale, 0);
    const share = (event.clientY - box.top - EDGE) / (LANE - 2 * EDGE);
    this.add(name, at, high - Math.min(Math.max(share, 0), 1) * (high - low));
  }

  grab(event, name, at) {
    if (event.button) return;
    event.preventDefault();
    const { currentTarget: grabbed } = event;
    this.select(name, at);
    this.focus(false);
    const from = this.point();
    const { low, high } = this.keyframes.range(name);
    const scroll = this.view.scrollLeft;
    let moved = false;
    const drag = ({ clientX, clientY, pointerId }) => {
      if (pointerId !== event.pointerId) return;
      const [x, y] = [clientX - event.clientX + this.view.scrollLeft - scroll, clientY - event.clientY];
      if (!moved && Math.hypot(x, y) < DRAGGED) return;
      moved = true;
      this.grabbed = grabbed;
      this.place(from.at + x / this.scale, from.value - (y / (LANE - 2 * EDGE)) * (high - low));
    };
    const end = ({ pointerId }) => {
      if (pointerId !== event.pointerId) return;
      for (const [kind, act] of listeners) removeEventListener(kind, act);
      this.keyframes.settle();
      this.grabbed = null;
      if (moved) this.draw();
      // The point was drawn anew under the pointer: its click would add another.
      const swallow = (click) => click.stopPropagation();
      if (moved) addEventListener("click", swallow, { capture: true });
      setTimeout(() => {
        removeEventListener("click", swallow, { capture: true });
        this.focus(false);
      });
    };
    const listeners = [["pointermove", drag], ["pointerup", end], ["pointercancel", end]];
    for (const [kind, act] of listeners) addEventListener(kind, act);
  }

  key(event, name, at) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const far = event.shiftKey ? 10 : 1;
    const points = this.keyframes.points(name);
    const place = points.findIndex((one) => one.at === at);
    const beside = (i) => points[i] && (this.select(name, points[i].at), this.focus(), this.tellPoint());
    const acts = {
      ArrowLeft: () => this.place(at - STEP * far, null),
      ArrowRight: () => this.place(at + STEP * far, null),
      ArrowUp: () => this.place(null, points[place].value + STEP * far),
      ArrowDown: () => this.place(null, points[place].value - STEP * far),
      PageUp: () => beside(place - 1),
      PageDown: () => beside(place + 1),
      Home: () => beside(0),
      End: () => beside(points.length - 1),
      Delete: () => this.remove(),
      Backspace: () => this.remove(),
      Insert: () => this.addBehind(name),
    };
    if (!acts[event.key]) return;
    event.preventDefault();
    acts[event.key]();
  }

  shortcut(event) {
    if (!(event.ctrlKey || event.metaKey) || event.target.matches("input")) return;
    const key = event.key.toLowerCase();
    if (key !== "z" && key !== "y") return;
    event.preventDefault();
    this.back(key === "y" || event.shiftKey ? "redo" : "undo");
  }

  wheel(event) {
    if (!event.ctrlKey) return;
    event.preventDefault();
    this.zoom(event.deltaY < 0 ? 1.2 : 1 / 1.2);
  }
}
