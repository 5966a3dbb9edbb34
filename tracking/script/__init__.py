"""The script that a client's pages load, and its way from readable source to the browser.

`outward.js` is the source; `build.py` minifies it; `serve.py` puts a client's settings in and
compresses. Knows nothing of requests: the collector asks once per client and answers with the
result.

The snippet
===========
::

    <script>window.outward=window.outward||function(){(outward.q=outward.q||[]).push(arguments)}</script>
    <script defer src="https://CLIENTHOST/outward.js" data-site="KEY"></script>
    <noscript><img src="https://CLIENTHOST/pixel.gif?site=KEY" alt="" width="1" height="1"
      referrerpolicy="no-referrer-when-downgrade"></noscript>

The first line is needed only where a page calls `outward(...)` before the script has loaded: the
calls wait in the queue. `async` does as well as `defer`. Hits go to `collect` beside the script.
A page with a Content-Security-Policy allows CLIENTHOST in `script-src`, `connect-src`, `img-src`.
A second inclusion is ignored. Browsers since April 2018 (Chrome 66, Firefox 58, Safari 11.1) parse
it.

What a page can say
===================
| call or mark | meaning |
| --- | --- |
| `outward("event", "Newsletter", {place: "footer"})` | event; values: text, number, boolean |
| `outward("event", "Teaser seen", {}, false)` | an event that does not end a bounce |
| `outward("postcode", "SW1A 1AA")` | cut here to SW1A; the inward part is never sent |
| `<input data-outward-postcode>` | the same, each time its value changes |
| `outward("consent", true)` | sets the cookie, if the client's setting is consent or exempt |
| `outward("consent", false)` | deletes the cookie, and sets none on this page |
| `data-outward-404` on any element, the script's own tag too | this is the page for missing pages |

What it sends
=============
The wire format of POST /collect, as text/plain, which needs no preflight.

- **Page views**: 0.1 s after loading, after `pushState`, `replaceState` or `popstate` to another
  path (query and fragment do not count), and after a return from the back/forward cache. A
  prerendered page counts when the visitor gets to see it. The address goes without its query,
  but for `utm_*`, `ref` and `source`, and the *first character* of click ids (gclid, fbclid, ...),
  which tells the channel and not the person; the referrer goes without its query.
- **Engagement**: when the page is hidden or left, and before each navigation in the page:
  `engaged_s` are the whole seconds *since the last such ping* in which the page was visible and
  focused, with at most 30 s between two signs of life; `scroll` is the greatest depth *so far* in
  percent. Add the first, take the greatest of the second.
- **Outbound links and downloads** (by extension or `download` attribute), by left or middle button
  or keyboard, with the target's address without its query.
- **The outward code**: once, on the page view, or at once in an engagement ping.

It answers to nobody: without `fetch` it takes `sendBeacon` and the other way round; after a
network error, 429 or 5xx it tries once more after a second with the same nonce. A beacon sent
while leaving is not told how it went.

The cookie
==========
`outward_id`: 32 hexadecimal digits (128 random bits), host-only, path /, SameSite=Lax, Secure on
https, at most 33,900,000 s old (392 days and 8 hours; the shortest 13 months have 393 days).
Written once: a cookie that exists is used and never written again, so its age is never prolonged.
In mode *never* it is neither set nor read; in mode *exempt* it is set without asking, unless the
browser sends GPC or DNT (honoured or not: consent/permissions.py).

Where the client honours GPC or DNT and the browser says so, nothing is sent and no cookie set.
"""
