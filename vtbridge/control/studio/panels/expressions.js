// Expressions: what is on, who keeps it on, the order to switch, and the editor.

import { order } from "../api.js";
import { h, say } from "../dom.js";
import { t } from "../i18n.js";
import { ExpressionEditor } from "./editor.js";

export class ExpressionsPanel {
  constructor(element, page) {
    this.page = page;
    this.rows = new Map();
    this.list = h("ul", { class: "expressions", "aria-label": t("tab.expressions") });
    this.trouble = h("p", { class: "hint", role: "status" });
    this.editor = new ExpressionEditor(page);
    element.append(
      h("div", { class: "row" },
        h("button", { type: "button", id: "clear", onclick: () => page.attempt(() => order("POST", "clear-expressions")) }, t("expressions.clear")),
        h("button", { type: "button", id: "new-expression", onclick: () => this.editor.begin() }, t("expressions.new"))),
      this.trouble,
      this.list,
      this.editor.element,
    );
    page.connection.addEventListener("expressions", ({ detail }) => this.show(detail));
    page.connection.addEventListener("status", ({ detail }) => {
      this.show(detail.expressions);
      say(this.trouble, detail.expressions_trouble || (detail.expressions.length ? "" : t("expressions.none")));
    });
  }

  show(expressions) {
    const names = new Set(expressions.map((one) => one.name));
    for (const [name, row] of this.rows) {
      if (names.has(name)) continue;
      row.item.remove();
      this.rows.delete(name);
    }
    for (const one of expressions) this.row(one);
  }

  row(expression) {
    const { name, label, active, amount, mode, triggers } = expression;
    let row = this.rows.get(name);
    if (!row) {
      const button = h("button", { type: "button", class: "toggle", onclick: () => this.toggle(name) });
      const edit = h("button", { type: "button", class: "small", "aria-label": t("expressions.edit", { name: label || name }), onclick: () => this.editor.open(name) }, "✎");
      const meter = h("meter", { min: 0, max: 1, "aria-label": t("expressions.amount", { name: label || name }) });
      const by = h("small", {});
      row = { item: h("li", { "data-name": name }, h("div", { class: "named" }, button, edit), meter, by), button, meter, by };
      this.rows.set(name, row);
      this.list.append(row.item);
    }
    say(row.button, label || name);
    row.button.setAttribute("aria-pressed", active);
    row.meter.value = amount;
    say(row.by, triggers.length ? t("expressions.by", { who: triggers.join(", ") }) : t(`mode.${mode}`));
  }

  toggle(name) {
    return this.page.attempt(() => order("POST", `expressions/${name}`, { action: "toggle" }));
  }
}
