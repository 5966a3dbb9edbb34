/*
 * Outward's script. What it sends, when, and what a page can tell it: see __init__.py beside it.
 *
 * House rules of this file: ES2015 syntax only (a browser that cannot parse it would report an
 * error in the page's name), nothing reaches the page's own errors (everything that the browser
 * or the page calls goes through `safe`), and every byte is paid for by every visitor.
 *
 * OUTWARD_OBJECTION (an expression: did the browser object?) and OUTWARD_COOKIE (0 never,
 * 1 consent, 3 exempt) stand for the client's settings; serve.py puts them in.
 */
{
  // Whatever the page has done to the browser's objects, it is not told by an exception.
  const safe =
    (work) =>
    (...args) => {
      try {
        work(...args);
      } catch {}
    };

  safe(() => {
    const RETRY_MS = 1000;
    const IDLE_MS = 30000;
    // A single-page application changes the address first and the page next: look afterwards.
    const SETTLE_MS = 100;
    // 392 days and 8 hours: the shortest 13 months there are (1 February to 1 March) have 393 days.
    const COOKIE_S = 33900000;

    const { q: queue = [] } = window.outward || {};
    if (!queue) return; // included twice
    const outward = (window.outward = safe((name, ...args) => {
      page ? commands[name](...args) : queue.push([name, ...args]);
    }));
    outward.q = 0;

    const script = document.currentScript;
    const collector = new URL("collect", script.src);
    const silent = OUTWARD_OBJECTION;
    let cookieMode = OUTWARD_COOKIE;

    // `location` has moved on when a visitor has left a page: its address is kept here, ...
    let page;
    let url; // ... and here with what names the campaign.
    let referrer = document.referrer.split(/[?#]/)[0];
    let pending; // timer of a page view that waits for the page to settle
    let outcode;
    let engagedMs;
    let sentDepth;
    let bottom; // greatest pixel seen
    let lookedAt; // engaged time is counted up to here
    let watching;

    // In the capturing phase every event of the page passes the window, whoever stops it later.
    const on = (types, work) =>
      types.split(" ").forEach((type) => addEventListener(type, safe(work), true));

    const bare = (address) => address.origin + address.pathname;

    const hex = (bytes) =>
      crypto
        .getRandomValues(new Uint8Array(bytes))
        .reduce((text, byte) => text + (byte + 256).toString(16).slice(1), "");

    const readCookie = () => (/\boutward_id=(\w{32})/.exec(cookieMode && document.cookie) || [])[1];

    const writeCookie = (value, seconds) => {
      document.cookie =
        `outward_id=${value};path=/;samesite=lax;max-age=${seconds}` +
        (location.protocol == "https:" ? ";secure" : "");
    };

    // An existing cookie is never written again: that would prolong it.
    const identify = () => silent || !cookieMode || readCookie() || writeCookie(hex(16), COOKIE_S);

    const post = async (body, leaving, again) => {
      try {
        // A string goes out as text/plain, which needs no preflight.
        if (
          (leaving && navigator.sendBeacon(collector, body)) ||
          (
            await fetch(collector, {
              method: "POST",
              body: body,
              keepalive: true,
              credentials: "omit",
              referrerPolicy: "origin",
            })
          ).status < 429
        )
          return;
      } catch {}
      // By the other way: one of the two may be missing, or broken by the page.
      again || safe(setTimeout)(post, RETRY_MS, body, !leaving, 1);
    };

    const hit = (kind, more, leaving) => {
      if (pending) view();
      if (silent) return;
      post(
        JSON.stringify({
          ...more,
          site: script.dataset.site,
          kind: kind,
          url: url,
          referrer: referrer,
          nonce: hex(8),
          cookie: readCookie(),
          outcode: outcode,
        }),
        leaving,
      );
      referrer = outcode = undefined;
    };

    // Adds the time since the last call, if it was spent looking. Called at each sign of life.
    const look = () => {
      const now = performance.now();
      if (watching) engagedMs += Math.min(now - lookedAt, IDLE_MS);
      lookedAt = now;
      watching = !document.hidden && document.hasFocus();
      bottom = Math.max(bottom, scrollY + innerHeight);
    };

    // What was looked at since the last ping: seconds are a difference, depth the greatest so far.
    const flush = (leaving) => {
      look();
      const seconds = (engagedMs / 1000) | 0;
      const depth = Math.min(100, (100 * bottom) / document.documentElement.scrollHeight + 0.5) | 0;
      if (seconds || outcode || depth > sentDepth) {
        sentDepth = depth;
        engagedMs %= 1000;
        hit("engagement", { engaged_s: seconds, scroll: depth }, leaving);
      }
    };

    const open = () => {
      page = bare(location);
      // Of the query only what names the campaign. That there was a click id names the channel; its
      // value would name the visitor: its first character will do.
      url =
        page +
        "?" +
        (
          location.search
            .replace("?", "&")
            .match(/&((utm_\w+|ref|source)=[^&]*|\w+clk?id=\w)/g) || []
        ).join("");
      look();
      engagedMs = bottom = sentDepth = 0;
      pending = setTimeout(view, SETTLE_MS);
      queue.splice(0).forEach((call) => outward(...call));
    };

    const view = safe(() => {
      pending = clearTimeout(pending);
      if (cookieMode > 1) identify();
      hit(document.querySelector("[data-outward-404]") ? "not_found" : "pageview");
    });

    const navigated = safe(() => {
      if (page && page != bare(location)) {
        flush();
        open();
      }
    });

    const commands = {
      event: (name, props, interactive) => hit("event", { name, props, interactive }),
      postcode: (value) => {
        // Group 1 is what may leave the browser; what the look-ahead sees never does: a British
        // inward code, or the like of Canada or Ireland. Of numbers (US ZIP, Netherlands,
        // Australia) the first four or five. The collector checks which letters may stand where:
        // here only the cut must be right.
        outcode = (/^\s*([A-Z]{1,2}\d\w?(?=\s*(\d[A-Z]\w|[A-Z]\w{3})?\s*$)|\d{4,5}(?!\d))/i.exec(
          value,
        ) || [])[1];
        pending || flush();
      },
      consent: (given) => {
        if (given) identify();
        else {
          cookieMode &= 1; // no longer exempt
          writeCookie("", 0);
        }
      },
    };

    for (const name of ["pushState", "replaceState"]) {
      const original = history[name];
      history[name] = (...args) => {
        original.apply(history, args); // the page's own errors stay its own
        navigated();
      };
    }
    on("popstate", navigated);
    on("pageshow prerenderingchange", (event) => event.persisted == 0 || open());
    on("focus blur pointermove pointerdown keydown scroll", look);
    on("visibilitychange pagehide", () => flush(1));
    on("change", (event) => {
      if (event.target.matches("[data-outward-postcode]")) commands.postcode(event.target.value);
    });
    on("click auxclick", (event) => {
      // The path reaches into open shadow roots; only links have a protocol.
      const link = event.composedPath().find((node) => /^http/.test(node.protocol));
      const kind =
        link.hasAttribute("download") ||
        /\.(pdf|zip|rar|7z|gz|dmg|exe|msi|apk|docx?|xlsx?|pptx?|csv|epub|mp[34])$/i.test(
          link.pathname,
        )
          ? "download"
        : link.host != location.host && "outbound";
      if (kind && event.button < 2) hit(kind, { name: bare(link) });
    });

    document.prerendering || open();
  })();
}
