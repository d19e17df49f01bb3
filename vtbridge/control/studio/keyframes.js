// The keyframes of one expression while they are edited: pure data, with undo.
// A moment of the file moves several parameters with one easing; here each parameter has points.

export const LATEST_S = 60;
export const MOST_KEYFRAMES = 200;
export const EASINGS = ["linear", "smooth", "ease_in", "ease_out", "ease_in_out"];

const CURVES = {
  linear: (u) => u,
  smooth: (u) => u * u * (3 - 2 * u),
  ease_in: (u) => u * u,
  ease_out: (u) => u * (2 - u),
  ease_in_out: (u) => (u < 0.5 ? 4 * u ** 3 : 1 - 4 * (1 - u) ** 3),
};
const MOST_UNDONE = 100;

/** Returns a number with two digits after the point: a moment in seconds, or a value. */
export const round = (number) => Math.round(number * 100) / 100;

const clamp = (number, low, high) => Math.min(Math.max(number, low), high);

export class Keyframes {
  /** parameters: {name, low, high} of each; onChange gets the definition after each change. */
  constructor({ parameters, definition, onChange }) {
    this.parameters = new Map(parameters.map((one) => [one.name, one]));
    this.onChange = onChange;
    this.show(definition);
  }

  /** Goes over to another definition; what was done to the one before cannot be undone. */
  show(definition) {
    this.definition = structuredClone(definition);
    this.definition.keyframes ??= [];
    this.undone = [];
    this.done = [];
    this.step = null;
  }

  /** Returns the parameters that move, in the order of their first points. */
  get names() {
    return [...new Set(this.definition.keyframes.flatMap((frame) => Object.keys(frame.values)))];
  }

  /** Returns the seconds of one turn. */
  get length() {
    const frames = this.definition.keyframes;
    return this.definition.length_s ?? (frames.length ? frames.at(-1).at_s : 0);
  }

  /** Returns the least and the greatest value of a parameter. */
  range(name) {
    const known = this.parameters.get(name) ?? this.parameters.get(`${name}_left`);
    const low = this.definition.blend === "add" ? -1 : (known?.low ?? 0);
    return { low, high: known?.high ?? 1 };
  }

  /** Returns the points of a parameter: {at, value, easing}, in order of time. */
  points(name) {
    return this.definition.keyframes
      .filter((frame) => name in frame.values)
      .map((frame) => ({ at: frame.at_s, value: frame.values[name], easing: frame.easing ?? "smooth" }));
  }

  /** Returns the value of a parameter at a moment, as the engine plays it. */
  value(name, moment) {
    const points = this.points(name);
    const begin = this.definition.values?.[name] ?? 0;
    if (!points.length) return begin;
    if (points[0].at > 0) points.unshift({ at: 0, value: begin, easing: "smooth" });
    const last = points.at(-1);
    if (this.definition.loop && last.at < this.length) {
      points.push({ at: this.length, value: points[0].value, easing: "smooth" });
    }
    const next = points.findIndex((point) => point.at > moment);
    if (next === 0) return points[0].value;
    if (next < 0) return points.at(-1).value;
    const [from, to] = [points[next - 1], points[next]];
    return from.value + (to.value - from.value) * CURVES[to.easing]((moment - from.at) / (to.at - from.at));
  }

  /** Adds a point and returns its moment; null where there is one already, or no room. */
  add(name, at, value) {
    at = clamp(round(at), 0, LATEST_S);
    if (this.taken(name, at) || (!this.frame(at) && this.definition.keyframes.length >= MOST_KEYFRAMES)) return null;
    this.change(null, () => this.put(name, at, value, "smooth"));
    return at;
  }

  /** Moves a point and returns its moment; it does not pass onto another of its parameter. */
  move(name, from, to, value) {
    const point = this.points(name).find((one) => one.at === from);
    to = clamp(round(to), 0, LATEST_S);
    if (to !== from && this.taken(name, to)) to = from;
    // A move is one step to undo, however many events it takes, and moments that it crosses leave
    // it as it was.
    const step = `${name} ${from}`;
    const easing = step === this.step ? this.carried : point.easing;
    const changed = this.change(step, () => {
      this.take(name, from);
      this.put(name, to, value ?? point.value, easing);
    });
    if (changed) [this.step, this.carried] = [`${name} ${to}`, easing];
    return to;
  }

  remove(name, at) {
    this.change(null, () => this.take(name, at));
  }

  removeAll(name) {
    this.change(null, () => this.points(name).forEach((point) => this.take(name, point.at)));
  }

  /** Sets how all that has a point at a moment comes there. */
  ease(at, easing) {
    this.change(null, () => (this.frame(at).easing = easing));
  }

  undo() {
    return this.back(this.done, this.undone);
  }

  redo() {
    return this.back(this.undone, this.done);
  }

  /** Ends a move: the next one is a step of its own. */
  settle() {
    this.step = null;
  }

  frame(at) {
    return this.definition.keyframes.find((frame) => frame.at_s === at);
  }

  taken(name, at) {
    return name in (this.frame(at)?.values ?? {});
  }

  put(name, at, value, easing) {
    const frames = this.definition.keyframes;
    const { low, high } = this.range(name);
    if (!this.frame(at)) {
      frames.push({ at_s: at, values: {}, easing });
      frames.sort((one, other) => one.at_s - other.at_s);
    }
    this.frame(at).values[name] = clamp(round(value), low, high);
    const { length_s: length } = this.definition;
    if (length !== null && length !== undefined) this.definition.length_s = Math.max(length, frames.at(-1).at_s);
  }

  take(name, at) {
    delete this.frame(at).values[name];
    this.definition.keyframes = this.definition.keyframes.filter((frame) => Object.keys(frame.values).length);
  }

  change(step, act) {
    const before = JSON.stringify(this.definition);
    act();
    if (JSON.stringify(this.definition) === before) return false;
    if (step === null || step !== this.step) {
      this.done.push(before);
      if (this.done.length > MOST_UNDONE) this.done.shift();
    }
    this.step = null;
    this.undone = [];
    this.onChange(structuredClone(this.definition));
    return true;
  }

  back(from, to) {
    if (!from.length) return false;
    to.push(JSON.stringify(this.definition));
    this.definition = JSON.parse(from.pop());
    this.step = null;
    this.onChange(structuredClone(this.definition));
    return true;
  }
}
