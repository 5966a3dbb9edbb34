/* Every page: htmx, notices, popovers, copying, the choice of light or dark; charts where there are any. */
import htmx from "htmx.org";
import "./requests.js";
import "./popovers.js";
import "./copying.js";
import "./theme.js";
import { whenPresent } from "./present.js";

window.htmx = htmx;

/* On a phone the settings are a strip: the page's own item may be beyond its edge. */
document.querySelector(".side-nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

whenPresent("canvas[data-chart][data-src]:not([data-chart=map])", () => import("./charts.js"));
whenPresent("canvas[data-chart=map][data-src]", () => import("./map.js"));
