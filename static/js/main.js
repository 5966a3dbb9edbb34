/* Every page: htmx, notices, popovers, copying, the choice of light or dark; charts where there are any. */
import htmx from "htmx.org";
import "./requests.js";
import "./popovers.js";
import "./copying.js";
import "./theme.js";
import { whenPresent } from "./present.js";

window.htmx = htmx;

whenPresent("canvas[data-chart][data-src]:not([data-chart=map])", () => import("./charts.js"));
whenPresent("canvas[data-chart=map][data-src]", () => import("./map.js"));
