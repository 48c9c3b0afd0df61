// A form on its way to the server shows that it is, and is not sent twice; what was typed is there again after signing in
// anew, and behind the back button of a page that failed.
"use strict";
(() => {
  const LONGEST = 30000;  // milliseconds; who waited longer, or stopped the browser, may send again
  const KEPT = 600000;  // milliseconds
  const PREFIX = "typed ";
  let sent = new WeakMap();

  // Of each form what a person sees of it: no password, no other secret, nothing hidden. Kept in this tab alone.
  const who = () => document.querySelector(".account .who")?.textContent;
  const controls = (form) => [...form.elements].filter((one) => one.name && one.matches(
    "input:not([type=password], [type=hidden], [type=file], [type=submit]), select, textarea:not([data-secret])"));
  const names = (form) => controls(form).map((one) => one.name).join();
  const keep = (form) => {
    if (!who() || form?.getAttribute("method") !== "post") return;
    const values = controls(form).map((one) => one.matches("[type=checkbox], [type=radio]") ? one.checked : one.value);
    const kept = {who: who(), at: Date.now(), form: [...document.forms].indexOf(form), names: names(form), values};
    try {
      sessionStorage.setItem(PREFIX + location.pathname, JSON.stringify(kept));
    } catch {
      // the tab has no room for it, so it is typed again
    }
  };
  const bring = () => {
    if (!who()) return;
    const signed = document.referrer.startsWith(`${location.origin}/user/login/`);
    const back = performance.getEntriesByType("navigation")[0]?.type === "back_forward";
    const kept = JSON.parse(sessionStorage.getItem(PREFIX + location.pathname));
    sessionStorage.removeItem(PREFIX + location.pathname);
    const form = kept && (signed || back) && document.forms[kept.form];
    if (!form || kept.who !== who() || kept.names !== names(form) || Date.now() - kept.at > KEPT) return;
    controls(form).forEach((one, at) => { one[typeof kept.values[at] === "boolean" ? "checked" : "value"] = kept.values[at]; });
    form.dispatchEvent(new Event("change", {bubbles: true}));
  };

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.getAttribute("method") !== "post") return;
    if (Date.now() - (sent.get(form) || 0) < LONGEST) return event.preventDefault();
    sent.set(form, Date.now());
    event.submitter?.setAttribute("aria-busy", "true");
    keep(form);
  });
  document.addEventListener("htmx:beforeRequest", (event) => keep(event.target.closest("form")));
  document.addEventListener("DOMContentLoaded", bring);
  addEventListener("pageshow", () => {
    sent = new WeakMap();
    for (const button of document.querySelectorAll("button[aria-busy]")) button.removeAttribute("aria-busy");
  });
})();
