/* In place of d3-geo, for chartjs-chart-geo: it would bring every projection along, and our map has
   one (map.js). */

export { geoContains, geoGraticule, geoGraticule10, geoNaturalEarth1, geoPath } from "../../node_modules/d3-geo";

export const [
  geoAlbers, geoAlbersUsa, geoAzimuthalEqualArea, geoAzimuthalEquidistant, geoConicConformal, geoConicEqualArea,
  geoConicEquidistant, geoEqualEarth, geoEquirectangular, geoGnomonic, geoMercator, geoOrthographic, geoStereographic,
  geoTransverseMercator,
] = [];
