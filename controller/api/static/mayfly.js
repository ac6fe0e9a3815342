// The pages work without this. With it they stay true by themselves: when something changes, the page is fetched again
// and only what differs is put in its place, so that focus, scrolling, open folds and half-written words stay.
"use strict";

const $ = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const main = () => $("#main");

// --- Putting a new page in place of the old one ---------------------------------------------------------------------

function attributes(from, to) {
  for (const { name, value } of [...to.attributes]) {
    if (from.getAttribute(name) !== value && !(name === "open" && from.nodeName === "DETAILS")) from.setAttribute(name, value);
  }
  for (const { name } of [...from.attributes]) {
    if (!to.hasAttribute(name) && name !== "open") from.removeAttribute(name);
  }
}

function same(from, to) {
  return from && from.nodeType === to.nodeType && from.nodeName === to.nodeName && (from.id || "") === (to.id || "");
}

function morph(from, to) {
  if (!same(from, to)) return from.replaceWith(to);
  if (from.nodeType !== Node.ELEMENT_NODE) {
    if (from.data !== to.data) from.data = to.data;
    return undefined;
  }
  if (from.dataset.keep !== undefined && from.dataset.keep === to.dataset.keep) return undefined;
  attributes(from, to);
  return children(from, to);
}

function children(from, to) {
  const named = new Map([...from.children].filter((child) => child.id).map((child) => [child.id, child]));
  let at = from.firstChild;
  for (const wanted of [...to.childNodes]) {
    const known = wanted.id ? named.get(wanted.id) : undefined;
    if (known && known !== at) from.insertBefore(known, at);
    const here = known || at;
    if (same(here, wanted)) {
      at = here.nextSibling;
      morph(here, wanted);
    } else {
      from.insertBefore(wanted, at);
    }
  }
  while (at) {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  }
}

function put(html, keepSaid) {
  const page = new DOMParser().parseFromString(html, "text/html");
  const fresh = $("#main", page);
  if (!fresh) return location.reload();
  if (keepSaid) $("#said", fresh).replaceWith($("#said").cloneNode(true));
  const before = new Map(all("[data-say]").map((element) => [element.id, element.dataset.say]));
  const focused = document.activeElement;
  document.title = page.title;
  morph(main(), document.adoptNode(fresh));
  if (focused && focused.isConnected && focused !== document.activeElement) focused.focus({ preventScroll: true });
  filter();
  follow();
  return tell(before);
}

function tell(before) {
  const changed = all("[data-say]").filter((element) => before.get(element.id) !== element.dataset.say);
  if (changed.length) $("#spoken").textContent = changed.slice(0, 3).map((element) => element.dataset.say).join(". ");
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  changed.forEach((element) => element.animate([{ opacity: 0.35 }, { opacity: 1 }], { duration: 500, easing: "ease-out" }));
}

// --- Staying true ---------------------------------------------------------------------------------------------------

let fetching = false, stale = false;

async function refresh() {
  stale = true;
  if (fetching || document.hidden) return;
  fetching = true;
  while (stale && !document.hidden) {
    stale = false;
    try {
      const answer = await fetch(location.pathname + location.search, { headers: { "Mayfly-Refresh": "1" } });
      put(await answer.text(), true);
    } catch {
      say("offline");
    }
    await new Promise((done) => setTimeout(done, 300));
  }
  fetching = false;
}

function say(state) {
  const live = $("#live");
  live.hidden = false;
  live.className = `live ${state}`;
  live.textContent = state === "online" ? "live" : "not connected, trying again";
}

// A change names what it is about (repo and number, or target), as the page does; null stands for any.
function about(change) {
  const page = main().dataset;
  const fits = ([name, value]) => page[name] !== undefined && (value === null || String(value) === page[name]);
  return page.live === "all" || !change || Object.entries(change).every(fits);
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

let events = null;

function listen() {
  if (!main().dataset.live || events || document.hidden) return;
  events = new EventSource("/api/v1/events");
  events.onopen = () => {
    say("online");
    refresh(); // for what changed while nobody listened
  };
  events.onerror = () => {
    say("offline");
    if (events && events.readyState === EventSource.CLOSED) {
      events = null;
      refresh(); // whose session is over is led to the login
      setTimeout(listen, 3000);
    }
  };
  events.onmessage = (event) => about(parsed(event.data)) && refresh();
}

// A hidden page holds no connection: a browser has six for each host, and people have many tabs.
function look() {
  if (!document.hidden) return listen(), refresh();
  if (events) events.close();
  events = null;
  return unfollow();
}

// --- The log --------------------------------------------------------------------------------------------------------

const MOST_LINES = 2000, MOST_TEXT = 400000;
const ANSI = /\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0b-\x1f\x7f]/g;
let reader = null, followed = null;

function unfollow() {
  if (reader) reader.abort();
  reader = null;
  followed = null;
}

async function follow() {
  const log = $("[data-follow]");
  if (followed === log && (!log || reader)) return;
  unfollow();
  if (!log || document.hidden) return;
  followed = log;
  reader = new AbortController();
  log.scrollTop = log.scrollHeight;
  const mine = reader;
  try {
    await stream(log, mine.signal);
  } catch {
    // the connection went away; it is tried again below
  }
  setTimeout(() => {
    if (reader === mine) {
      unfollow();
      follow();
    }
  }, 3000);
}

async function stream(log, signal) {
  const answer = await fetch(log.dataset.follow, { signal });
  if (!answer.ok) return;
  const text = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let kept = "", due = 0;
  const show = () => {
    due = 0;
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    log.textContent = kept;
    if (atEnd) log.scrollTop = log.scrollHeight;
  };
  for (let part = await text.read(); !part.done; part = await text.read()) {
    kept = (kept + part.value.replace(ANSI, "")).slice(-MOST_TEXT).split("\n").slice(-MOST_LINES).join("\n");
    due = due || setTimeout(show, 100);
  }
}

// --- Forms ----------------------------------------------------------------------------------------------------------

async function send(event) {
  const form = event.target;
  if (!form.matches("[data-swap]")) return;
  event.preventDefault();
  const body = new URLSearchParams(new FormData(form, event.submitter));
  const buttons = all("button:not([disabled])", form);
  buttons.forEach((button) => (button.disabled = true));
  try {
    const answer = await fetch(form.action, { method: "POST", body });
    const html = (answer.headers.get("Content-Type") || "").startsWith("text/html");
    if (html) put(await answer.text(), false);
    else $("#said").textContent = `That was refused (${answer.status}).`;
    if (html && answer.ok && form.isConnected) form.reset();
    all(".down[open]").forEach((fold) => (fold.open = false));
  } catch {
    $("#said").textContent = "That did not reach the server; nothing was done.";
  } finally {
    buttons.forEach((button) => (button.disabled = false));
    if (event.submitter && event.submitter.isConnected) event.submitter.focus({ preventScroll: true });
  }
}

// --- The filter and the keys ----------------------------------------------------------------------------------------

function filter() {
  const box = $("#filter");
  if (!box) return;
  const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
  const rows = all("#rows .row");
  rows.forEach((row) => (row.hidden = !words.every((word) => row.dataset.search.includes(word))));
  $("#no-match").hidden = rows.some((row) => !row.hidden);
}

function typed(event) {
  if (event.target.id !== "filter") return;
  filter();
  const query = event.target.value.trim();
  history.replaceState(null, "", query ? `/?q=${encodeURIComponent(query)}` : "/");
}

function step(by) {
  const links = all(".row:not([hidden]) .row-link");
  const now = links.findIndex((link) => link.closest(".row").contains(document.activeElement));
  const next = links[now < 0 ? (by > 0 ? 0 : links.length - 1) : Math.min(Math.max(now + by, 0), links.length - 1)];
  if (next) next.focus();
}

const KEYS = {
  "/": () => $("#filter") && $("#filter").focus(),
  "?": () => $("#help").showModal(),
  j: () => step(1),
  k: () => step(-1),
  o: () => ($(".row:focus-within .open") || $(".hero .open") || { click() {} }).click(),
  u: () => location.assign("/"),
};

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || $("dialog[open]")) return;
  if (event.target.matches("input, textarea, select")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const act = KEYS[event.key];
  if (!act) return;
  event.preventDefault();
  act();
}

// --- Time -----------------------------------------------------------------------------------------------------------

function roughly(seconds) {
  if (seconds < 5) return "";
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3570) return `${Math.round(seconds / 60)} min`;
  if (seconds < 47.5 * 3600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} days`;
}

function tick() {
  for (const time of all("time[datetime]")) {
    const seconds = Math.trunc((Date.now() - Date.parse(time.dateTime)) / 1000);
    const words = roughly(Math.abs(seconds));
    const said = !words ? "just now" : seconds > 0 ? `${words} ago` : `in ${words}`;
    if (time.textContent !== said) time.textContent = said;
  }
}

document.addEventListener("submit", send);
document.addEventListener("input", typed);
document.addEventListener("keydown", pressed);
document.addEventListener("visibilitychange", look);
$("#help-button").hidden = false;
$("#help-button").addEventListener("click", KEYS["?"]);
filter();
listen();
follow();
setInterval(tick, 5000);
