"""Pages of the demo websites. They carry the script just as a client's own website would."""

from typing import Any
from urllib.parse import urlencode

from csp.decorators import csp
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from agency.demo.art import picture
from agency.demo.clients import find_demo_client
from agency.demo.pages import DemoClient, DemoPage
from agency.hosts import DEMO_SUFFIX, host_of
from tenants.models import Site


# A form without a log-in has nothing to forge, and a token would need a cookie before consent.
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest, path: str) -> HttpResponse:
    """A page, or the website's own 404 page. A posted form is thanked for and forgotten."""
    demo = _demo_of(request)
    found = demo.page_at("/" + path.rstrip("/"))
    thanks = request.method == "POST" and found is not None and found.layout == "contact"
    context = _context(request, demo, found) | {"thanks": thanks}
    template = f"demo/{found.layout}.html" if found else "demo/not_found.html"
    response = render(request, template, context, status=200 if found else 404)
    return _with_policy(request, demo, response)


@require_safe
def download(request: HttpRequest, name: str) -> HttpResponse:
    """A file to take away."""
    demo = _demo_of(request)
    for file in demo.downloads:
        if file.path == f"/downloads/{name}":
            return HttpResponse(
                file.text,
                content_type=f"{file.content_type}; charset=utf-8",
                headers={"Content-Disposition": f'attachment; filename="{name}"'},
            )
    raise Http404("There is no such file.")


def _demo_of(request: HttpRequest) -> DemoClient:
    demo = find_demo_client(host_of(request).partition(".")[0].removesuffix(DEMO_SUFFIX))
    if demo is None:
        raise Http404("No demo website is served at this address.")
    return demo


def collector_origin(request: HttpRequest, demo: DemoClient) -> str:
    """Scheme and host of the client, whose collector takes this website's hits."""
    port = request.get_port()
    name = f"{demo.slug}.{settings.BASE_DOMAIN}"
    return f"{request.scheme}://{name}" + ("" if port in {"80", "443"} else f":{port}")


def _context(request: HttpRequest, demo: DemoClient, found: DemoPage | None) -> dict[str, Any]:
    origin = collector_origin(request, demo)
    site = Site.objects.filter(client__slug=demo.slug).order_by("pk").first()
    key = site.key if site else ""
    pixel = urlencode({"site": key, "kind": "pageview", "url": request.build_absolute_uri()})
    cards = [demo.page_at(path) for path in found.cards] if found else []
    return {
        "demo": demo,
        "page": found,
        "menu": [
            {"path": path, "words": words, "here": request.path.startswith(path)}
            for path, words in demo.menu
        ],
        "cards": [
            {"page": card, "picture": picture(demo.slug, card.path)} for card in cards if card
        ],
        "picture": picture(demo.slug, found.path if found else "/404"),
        "style_url": static(f"demo/{demo.slug}.css"),
        "site_key": key,
        "script_url": f"{origin}/outward.js",
        "pixel_url": f"{origin}/pixel.gif?{pixel}",
        "report_url": f"{origin}/",
    }


def _with_policy(request: HttpRequest, demo: DemoClient, response: HttpResponse) -> HttpResponse:
    """What a client's developer has to allow: the script, its beacons, and the pixel."""
    origin = collector_origin(request, demo)
    policy = {
        "default-src": ["'self'"],
        "script-src": ["'self'", origin],
        "connect-src": [origin],
        "img-src": ["'self'", "data:", origin],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        "object-src": ["'none'"],
    }
    # The decorator takes its policy at import, and this one depends on the request.
    csp(policy)(lambda _request: response)(request)
    return response
