// The characters on this computer, and which one is shown.

import { order, read } from "../api.js";
import { h } from "../dom.js";
import { t } from "../i18n.js";

export class CharacterPanel {
  constructor(element, page) {
    this.page = page;
    this.list = h("ul", { class: "characters", "aria-label": t("tab.character") });
    element.append(this.list);
  }

  async shown(chosen) {
    if (!chosen) return;
    const known = await this.page.attempt(() => read("characters"));
    if (known) this.show(known);
  }

  show({ characters }) {
    this.list.replaceChildren(...characters.map((one) =>
      h("li", {}, h("span", {}, one.name.replace(/^.*[\\/]/, "")), " ", h("small", {}, t(`kind.${one.kind}`)),
        one.shown ? h("span", { class: "badge" }, t("character.shown")) : "")));
  }
}
