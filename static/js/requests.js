/* What requests of htmx carry, and what is said when one fails. */

const TRY_AGAIN = "Try again";

/* Unsafe requests carry the token; polls rest while nobody looks. */
document.addEventListener("htmx:config:request", (event) => {
  const { ctx } = event.detail;
  if (ctx.request.method.toUpperCase() !== "GET") {
    ctx.request.headers["X-CSRFToken"] = document.body.dataset.csrf ?? "";
  }
  if (document.hidden && ctx.sourceElement.closest("[data-rests]")) { event.preventDefault(); }
});

/* An answer that turns out to be another page is shown as that page: after a form was saved, or when
   the session has ended (then by reloading, so that the log-in leads back here). */
document.addEventListener("htmx:after:request", (event) => {
  const { ctx } = event.detail;
  const { raw } = ctx.response;
  if (raw.redirected && /^\s*<!doctype html/i.test(ctx.text)) {
    event.preventDefault();
    const isLogIn = new URL(raw.url).searchParams.has("next");
    if (isLogIn) { window.location.reload(); } else { window.location.assign(raw.url); }
    return;
  }
  if (raw.ok) { settle(ctx.sourceElement); }
});

document.addEventListener("htmx:response:error", (event) => {
  const { ctx } = event.detail;
  if (ctx.response.status !== 422) { tell(ctx, reason(ctx.response.status)); }
});

document.addEventListener("htmx:error", (event) => {
  if (event.detail.ctx) { tell(event.detail.ctx, "The connection failed, or took too long."); }
});

function reason(status) {
  if (status === 403) { return "Your account may not do this. Ask the agency if it should."; }
  if (status === 404) { return "This is gone. Reload the page to see what is there now."; }
  if (status === 429) { return "Too many requests. Wait a minute, then try again."; }
  return "The server could not answer. Nothing was lost.";
}

function tell(ctx, words) {
  const element = ctx.sourceElement;
  const quiet = element.closest("[data-rests]");
  if (quiet) { quiet.dataset.away = ""; return; }
  const notice = document.createElement("div");
  notice.className = "notice";
  notice.dataset.tone = "bad";
  const said = document.createElement("span");
  said.className = "notice-words";
  said.textContent = words;
  notice.append(said);
  if (element.isConnected) { notice.append(button(TRY_AGAIN, () => { notice.remove(); again(element); })); }
  notice.append(button("Close", () => notice.remove()));
  settle(element);
  notice.source = element;
  document.getElementById("page-notices").append(notice);
}

function settle(element) {
  const away = element.closest("[data-away]");
  if (away) { delete away.dataset.away; }
  document.querySelectorAll("#page-notices .notice").forEach((notice) => {
    if (notice.source === element) { notice.remove(); }
  });
}

function again(element) {
  if (element instanceof HTMLFormElement) { element.requestSubmit(); return; }
  if (element.matches("a, button")) { element.click(); return; }
  window.htmx.ajax("GET", element.getAttribute("hx-get"), { source: element, target: element });
}

function button(words, action) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "button quiet small";
  made.textContent = words;
  made.addEventListener("click", action);
  return made;
}
