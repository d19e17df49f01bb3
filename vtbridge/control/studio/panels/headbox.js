// A drawing on which the head is marked by a square, with mouse, touch or keyboard.

import { h, showPicture } from "../dom.js";
import { t } from "../i18n.js";

const STEP = 0.01; // of the drawing's width
const LEAST = 8;

export class HeadBox {
  constructor() {
    this.image = h("img", { alt: t("doctor.drawing") });
    this.square = h("div", { class: "square", role: "group", tabindex: 0, "aria-label": t("doctor.square"),
      onpointerdown: (event) => this.grab(event), onkeydown: (event) => this.key(event) },
      h("span", { class: "corner" }));
    this.square.hidden = true;
    this.element = h("div", { class: "headbox" }, this.image, this.square);
    this.place = { x: 0, y: 0, side: 100 };
  }

  show(blob, width, height) {
    this.width = width;
    this.height = height;
    showPicture(this.image, blob);
    const side = Math.min(width, height) * 0.3;
    this.move({ x: (width - side) / 2, y: height * 0.1, side });
  }

  toggle(on) {
    this.square.hidden = !on;
  }

  /** Returns the square in the drawing's own pixels. */
  box() {
    return { ...this.place };
  }

  move({ x, y, side }) {
    side = Math.min(Math.max(side, LEAST), Math.max(this.width, this.height));
    this.place = { x: Math.min(Math.max(x, -side / 2), this.width - side / 2), y: Math.min(Math.max(y, -side / 2), this.height - side / 2), side };
    for (const [name, value, whole] of [["left", this.place.x, this.width], ["top", this.place.y, this.height], ["width", side, this.width]]) {
      this.square.style[name] = `${(100 * value) / whole}%`;
    }
  }

  grab(event) {
    event.preventDefault();
    this.square.focus();
    const scale = this.width / this.image.clientWidth;
    const begin = { ...this.place };
    const resizes = event.target.classList.contains("corner");
    const [fromX, fromY] = [event.clientX, event.clientY];
    const drag = (moved) => {
      const [dx, dy] = [(moved.clientX - fromX) * scale, (moved.clientY - fromY) * scale];
      this.move(resizes ? { ...begin, side: begin.side + Math.max(dx, dy) } : { ...begin, x: begin.x + dx, y: begin.y + dy });
    };
    const drop = () => {
      removeEventListener("pointermove", drag);
      removeEventListener("pointerup", drop);
    };
    addEventListener("pointermove", drag);
    addEventListener("pointerup", drop);
  }

  key(event) {
    const step = this.width * STEP * (event.shiftKey ? 5 : 1);
    const { x, y, side } = this.place;
    const moved = {
      ArrowLeft: { x: x - step, y, side },
      ArrowRight: { x: x + step, y, side },
      ArrowUp: { x, y: y - step, side },
      ArrowDown: { x, y: y + step, side },
      "+": { x, y, side: side + step },
      "-": { x, y, side: side - step },
    }[event.key];
    if (!moved) return;
    event.preventDefault();
    this.move(moved);
  }
}
