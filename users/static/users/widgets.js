// Small behaviours bound by data attributes: copy, dialogs, menus, fields that depend on another, typed confirmation.
"use strict";
(() => {
  const on = (name, selector, act) => document.addEventListener(name, (event) => {
    const element = event.target instanceof Element && event.target.closest(selector);
    if (element) act(element, event);
  });

  on("click", "[data-copy]", async (button) => {
    const text = document.querySelector(button.dataset.copy).textContent;
    const before = button.dataset.label || (button.dataset.label = button.textContent);
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Select the text and copy it";
    }
    setTimeout(() => { button.textContent = before; }, 2000);
  });

  // Puts data-fill-value into the field with the id data-fill.
  on("click", "[data-fill]", (button) => {
    const field = document.getElementById(button.dataset.fill);
    field.value = button.dataset.fillValue;
    field.dispatchEvent(new Event("input", {bubbles: true}));
    field.dispatchEvent(new Event("change", {bubbles: true}));
    field.focus();
  });

  on("click", "[data-opens]", (button) => document.getElementById(button.dataset.opens).showModal());
  on("click", "[data-closes]", (button) => button.closest("dialog").close());
  document.addEventListener("htmx:afterSwap", (event) => {
    for (const dialog of event.target.querySelectorAll("dialog[data-open-now]")) dialog.showModal();
  });

  const menus = () => document.querySelectorAll("details.menu[open]");
  document.addEventListener("click", (event) => {
    for (const menu of menus()) if (!menu.contains(event.target)) menu.open = false;
  });
  on("click", ".menu-items a, .menu-items button", (item) => {
    const menu = item.closest("details");
    menu.open = false;
    if (menu.contains(document.activeElement)) menu.querySelector("summary").focus();
  });
  document.addEventListener("keydown", (event) => {
    const menu = event.target instanceof Element && event.target.closest("details.menu[open]");
    if (!menu) return;
    const items = [...menu.querySelectorAll(".menu-items a, .menu-items button")];
    const at = items.indexOf(document.activeElement);
    if (event.key === "Escape") {
      menu.open = false;
      menu.querySelector("summary").focus();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      items[at < 0 && step < 0 ? items.length - 1 : (at + step + items.length) % items.length].focus();
    }
  });

  document.addEventListener("focusout", (event) => {
    const menu = event.target instanceof Element && event.target.closest("details.menu[open]");
    if (menu && event.relatedTarget && !menu.contains(event.relatedTarget)) menu.open = false;
  });

  // A part with data-if-field="auth_type" data-if-values="pat dbx_sp" is shown and sent only with one of these values.
  const valueOf = (field) => field.type === "checkbox" ? String(field.checked) : field.value;
  const depend = (root) => {
    for (const part of root.querySelectorAll("[data-if-field]")) {
      const field = part.closest("form").elements[part.dataset.ifField];
      if (!field) continue;
      const shown = part.dataset.ifValues.split(" ").includes(valueOf(field));
      part.hidden = !shown;
      for (const control of part.querySelectorAll("input, select, textarea")) control.disabled = !shown;
    }
  };
  on("change", "form", (form) => depend(form));
  document.addEventListener("DOMContentLoaded", () => depend(document));
  document.addEventListener("DOMContentLoaded", () => document.querySelector('[aria-invalid="true"]')?.focus());
  document.addEventListener("htmx:afterSettle", () => depend(document));

  // The button of a form is enabled once the text asked for has been typed.
  on("input", "[data-must-equal]", (field) => {
    field.form.querySelector("[type=submit]").disabled = field.value.trim() !== field.dataset.mustEqual;
  });
})();
