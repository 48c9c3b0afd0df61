// What parts of pages that refresh themselves need: they rest in hidden tabs, and an unreachable server is told.
"use strict";
(() => {
  const banner = () => document.getElementById("offline");
  const reachable = (yes) => { banner().hidden = yes; };
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (document.hidden && event.target.hasAttribute("data-poll")) event.preventDefault();
  });
  document.addEventListener("htmx:sendError", () => reachable(false));
  document.addEventListener("htmx:timeout", () => reachable(false));
  const polls = (event) => event.target.hasAttribute("data-poll");
  document.addEventListener("htmx:afterOnLoad", (event) => {
    const told = document.getElementById("failed"), status = event.detail.xhr.status;
    reachable(status < 502);
    if (told && status < 400 && told.hasAttribute("data-polled") === polls(event)) told.remove();
  });
  document.addEventListener("htmx:responseError", (event) => {
    const status = event.detail.xhr.status;
    if (status >= 502) return reachable(false);
    const place = document.getElementById("content");
    let told = document.getElementById("failed");
    if (!told) {
      told = document.createElement("p");
      told.id = "failed";
      told.className = "banner error";
      told.setAttribute("role", "alert");
      place.prepend(told);
    }
    told.toggleAttribute("data-polled", polls(event));
    const stale = event.detail.xhr.getResponseHeader("X-Page") === "stale";
    told.textContent = stale ? "This page is too old: somebody signed in again in this browser. Reload it." : status === 403 || status === 404
      ? "This is gone, or you may not see it any more. Reload the page."
      : `The server could not do this (${status}). Reload the page and try again; its log says more.`;
  });
})();
