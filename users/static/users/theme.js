// Light, dark or as the system is set; kept in the cookie "theme", which the server reads to draw the next page alike.
"use strict";
(() => {
  const NAMES = {light: "Light", dark: "Dark", auto: "Auto"};
  const root = document.documentElement;
  const show = () => {
    for (const place of document.querySelectorAll("[data-theme-name]")) place.textContent = NAMES[root.dataset.theme];
    for (const button of document.querySelectorAll("[data-theme-toggle]")) {
      button.setAttribute("aria-label", `Theme: ${NAMES[root.dataset.theme]}. Change`);
    }
  };
  document.addEventListener("DOMContentLoaded", show);
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-theme-toggle]")) return;
    const order = ["auto", "light", "dark"];
    root.dataset.theme = order[(order.indexOf(root.dataset.theme) + 1) % order.length];
    document.cookie = `theme=${root.dataset.theme};path=/;max-age=31536000;samesite=lax`;
    show();
  });
})();
