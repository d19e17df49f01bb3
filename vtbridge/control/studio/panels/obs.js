// The connection to OBS, and setting up its scene.

import { order } from "../api.js";
import { h, say } from "../dom.js";
import { t } from "../i18n.js";

export class ObsPanel {
  constructor(element, page) {
    this.page = page;
    this.made = h("ul", { class: "made", "aria-label": t("obs.made") });
    this.state = h("p", { id: "obs-state", role: "status" });
    element.append(
      this.state,
      h("p", { class: "hint" }, t("obs.hint")),
      h("div", { class: "row" }, h("button", { type: "button", class: "main", id: "obs-setup", onclick: () => this.setUp() }, t("obs.set_up"))),
      h("div", { role: "status" }, this.made),
      h("p", { class: "hint" }, t("obs.dock")),
    );
    page.connection.addEventListener("obs", ({ detail }) => this.show(detail));
  }

  async setUp() {
    const report = await this.page.attempt(() => order("POST", "obs-setup"));
    if (!report) return;
    const told = report.changes.length ? report.changes : [t("obs.as_wanted")];
    this.made.replaceChildren(...[...told, t("obs.transport", { transport: report.transport }), report.advice].filter(Boolean).map((one) => h("li", {}, one)));
  }

  show({ state, trouble }) {
    say(this.state, trouble || t(`obs.${state}`));
    this.state.dataset.state = state;
  }
}
