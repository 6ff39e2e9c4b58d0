# From bench/scale's rows to a plot: what a node costs the controller, by how many there are. Straight lines are good.
# nodes, at a time, load, wall, user, system (ms), peak memory (KiB), …

function x(nodes) { return 60 + 320 * nodes / most }
function nice(top,    step) { step = 10 ^ int(log(top) / log(10)); return (int(top / step) + 1) * step }
function panel(at, title, unit, series,    i, top, y, points) {
  for (i = 1; i <= n; i++) if (value[series, i] > top) top = value[series, i]
  top = nice(top)
  printf "<g transform=\"translate(%d 0)\">\n<text x=\"60\" y=\"24\" class=\"title\">%s</text>\n", at, title
  for (i = 0; i <= 4; i++) {
    y = 240 - 190 * i / 4
    printf "<line x1=\"60\" y1=\"%d\" x2=\"380\" y2=\"%d\" class=\"grid\"/><text x=\"52\" y=\"%d\" text-anchor=\"end\">%g</text>\n", y, y, y + 4, top * i / 4
  }
  for (i = 1; i <= n; i++) if (at_once[i] == forks || nodes[i] < 200) {
    y = 240 - 190 * value[series, i] / top
    points = points sprintf("%.1f,%.1f ", x(nodes[i]), y)
    printf "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" class=\"dot\"/>\n", x(nodes[i]), y
    if (nodes[i] >= most / 10) printf "<text x=\"%.1f\" y=\"258\" text-anchor=\"middle\">%d</text>\n", x(nodes[i]), nodes[i]
  }
  printf "<polyline points=\"%s\" class=\"line\"/>\n", points
  for (i = 1; i <= n; i++) if (at_once[i] != forks && nodes[i] >= 200)
    printf "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" class=\"ring\"/>\n", x(nodes[i]), 240 - 190 * value[series, i] / top
  printf "<text x=\"220\" y=\"278\" text-anchor=\"middle\">nodes</text>\n<text x=\"60\" y=\"42\">%s</text>\n</g>\n", unit
}
# One node is the program's start, and little else.
$1 > 1 {
  n++
  nodes[n] = $1; at_once[n] = $2
  value["cpu", n] = ($5 + $6) / $1
  value["memory", n] = $7 / 1024
  if ($1 > most) most = $1
}
END {
  print "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 820 310\" font-family=\"sans-serif\" font-size=\"12\">"
  print "<style>text{fill:#444}.title{font-size:14px;font-weight:bold}.grid{stroke:#ccc}.line{fill:none;stroke:#06c;stroke-width:2}.dot{fill:#06c}.ring{fill:none;stroke:#c60;stroke-width:2}"
  print "@media(prefers-color-scheme:dark){text{fill:#ccc}.grid{stroke:#444}.line{stroke:#6bf}.dot{fill:#6bf}.ring{stroke:#fa5}}</style>"
  panel(0, "Controller: processor time of a node", "ms", "cpu")
  panel(410, "Controller: peak memory", "MiB", "memory")
  printf "<circle cx=\"66\" cy=\"298\" r=\"4\" class=\"dot\"/><text x=\"76\" y=\"302\">%d nodes at a time</text><circle cx=\"236\" cy=\"298\" r=\"4\" class=\"ring\"/><text x=\"246\" y=\"302\">all at once</text>\n</svg>\n", forks
}
