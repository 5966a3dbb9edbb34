/* In place of d3-scale-chromatic, which chartjs-chart-geo would bring along with 30 kB of colour
   scales: our map has tints of the accent (map.js), so none of these is ever called. */

export const [
  interpolateYlOrRd, interpolateYlOrBr, interpolateYlGnBu, interpolateYlGn, interpolateWarm, interpolateViridis, interpolateTurbo,
  interpolateSpectral, interpolateSinebow, interpolateReds, interpolateRdYlGn, interpolateRdYlBu, interpolateRdPu, interpolateRdGy,
  interpolateRdBu, interpolateRainbow, interpolatePurples, interpolatePuRd, interpolatePuOr, interpolatePuBuGn, interpolatePuBu,
  interpolatePlasma, interpolatePiYG, interpolatePRGn, interpolateOranges, interpolateOrRd, interpolateMagma, interpolateInferno,
  interpolateGreys, interpolateGreens, interpolateGnBu, interpolateCubehelixDefault, interpolateCool, interpolateCividis,
  interpolateBuPu, interpolateBuGn, interpolateBrBG, interpolateBlues,
] = [];
