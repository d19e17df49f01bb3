// The characters on this computer, and the doctor who makes one of any drawing.

import { order, read } from "../api.js";
import { h, say } from "../dom.js";
import { t } from "../i18n.js";
import { Doctor } from "./doctor.js";

/** Returns what people call a character whose name may be a path. */
const titleOf = (name) => name.replace(/[\\/]+$/, "").replace(/^.*[\\/]/, "");

export class CharacterPanel {
  constructor(element, page) {
    this.page = page;
    this.list = h("ul", { class: "characters", "aria-label": t("tab.character") });
    this.coming = h("p", { class: "hint", role: "status" });
    this.doctor = new Doctor(page, (name) => this.choose(name));
    element.append(
      h("h2", {}, t("character.choose")),
      this.list,
      this.coming,
      h("h2", {}, t("doctor.title")),
      this.doctor.element,
    );
    page.connection.addEventListener("character", ({ detail }) => this.changed(detail));
  }

  async shown(chosen) {
    this.visible = chosen;
    this.doctor.shown(chosen);
    if (chosen) await this.load();
  }

  /** Takes a file that was dropped on the page. */
  take(file) {
    this.doctor.take(file);
  }

  async load() {
    const known = await this.page.attempt(() => read("characters"));
    if (known) this.show(known);
  }

  show({ characters }) {
    this.list.replaceChildren(...characters.map((one) =>
      h("li", {},
        h("button", { type: "button", "aria-pressed": one.shown, title: one.name, onclick: () => this.choose(one.name) }, titleOf(one.name)),
        h("small", {}, t(`kind.${one.kind}`)))));
  }

  async choose(name) {
    await this.page.attempt(() => order("PUT", "character", { name }));
    if (this.visible) await this.load();
  }

  changed({ coming }) {
    say(this.coming, coming ? t("character.coming", { name: titleOf(coming) }) : "");
    if (this.visible) this.load();
  }
}
