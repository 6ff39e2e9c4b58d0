"""The plot of bench/peers: a row for each piece of work, a mark for each tool on a logarithmic scale of seconds, a panel for each round trip.

Text stays text, colours follow the reader's light or dark, and each tool has its own shape, so that colour is not needed.
"""

import math

LEFT, TOP, ROW, PANEL, GAP = 208, 84, 22, 250, 16
LOW, HIGH = 0.1, 1000.0
STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #24292f; }
  .small { font-size: 10.5px; fill: #57606a; }
  .head { font-weight: 600; }
  .grid { stroke: #d0d7de; stroke-width: 1; }
  .band { fill: #f6f8fa; }
  .homelab { fill: #0969da; stroke: #0969da; }
  .mitogen { fill: #bc4c00; stroke: #bc4c00; }
  .ansible { fill: #8250df; stroke: #8250df; }
  .pyinfra { fill: #1a7f37; stroke: #1a7f37; }
  .stopped { fill: none; stroke-width: 1.5; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .small { fill: #9198a1; }
    .grid { stroke: #3d444d; }
    .band { fill: #161b22; }
    .homelab { fill: #4493f8; stroke: #4493f8; }
    .mitogen { fill: #f0883e; stroke: #f0883e; }
    .ansible { fill: #ab7df8; stroke: #ab7df8; }
    .pyinfra { fill: #3fb950; stroke: #3fb950; }
    .stopped { fill: none; }
  }
"""


def mark(tool, x, y, stopped=False):
    kind = f'class="{tool} stopped"' if stopped else f'class="{tool}"'
    if tool == "homelab":
        return f'<circle {kind} cx="{x:.1f}" cy="{y:.1f}" r="5"/>'
    if tool == "mitogen":
        return f'<rect {kind} x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8"/>'
    corners = [(0, -5), (5, 4), (-5, 4)] if tool == "ansible" else [(0, -5.5), (5.5, 0), (0, 5.5), (-5.5, 0)]
    return f'<polygon {kind} points="{" ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in corners)}"/>'


def across(seconds):
    share = (math.log10(seconds) - math.log10(LOW)) / (math.log10(HIGH) - math.log10(LOW))
    return PANEL * min(max(share, 0), 1)


def svg(rows, tools, names, works):
    labels = []
    for (work, nodes, _, step), _ in rows:
        if (work, nodes, step) not in labels:
            labels.append((work, nodes, step))
    labels.sort(key=lambda one: (list(works).index(one[0]), one[1], one[2] != "first"))
    rtts = sorted({key[2] for key, _ in rows})
    width = LEFT + len(rtts) * (PANEL + GAP) + 8
    bottom = TOP + len(labels) * ROW
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {bottom + 40}" width="{width}" height="{bottom + 40}" role="img" aria-labelledby="title">',
        '<title id="title">Seconds that homelab, Ansible with Mitogen, Ansible and pyinfra take for the same work</title>',
        f"<style>{STYLE}</style>",
    ]
    x = 8
    for tool in tools:
        out += [mark(tool, x + 6, 18), f'<text x="{x + 18}" y="22">{names[tool]}</text>']
        x += 40 + 7 * len(names[tool])
    out.append(f'<text class="small" x="{x + 8}" y="22">hollow: stopped there, would take longer</text>')
    for number, (work, nodes, step) in enumerate(labels):
        y = TOP + number * ROW
        if number % 2 == 0:
            out.append(f'<rect class="band" x="0" y="{y}" width="{width}" height="{ROW}"/>')
        out.append(f'<text class="small" x="8" y="{y + 15}">{works[work]}, {nodes} {"node" if nodes == 1 else "nodes"}, {step}</text>')
    for number, rtt in enumerate(rtts):
        left = LEFT + number * (PANEL + GAP)
        out.append(f'<text class="head" x="{left}" y="{TOP - 34}">round trip {rtt} ms</text>')
        for power in range(-1, 4):
            at = left + across(10.0**power)
            out.append(f'<line class="grid" x1="{at:.1f}" y1="{TOP - 8}" x2="{at:.1f}" y2="{bottom}"/>')
            anchor = "start" if power == -1 else "end" if power == 3 else "middle"
            for y in (TOP - 14, bottom + 16):
                out.append(f'<text class="small" x="{at:.1f}" y="{y}" text-anchor="{anchor}">{10.0**power:g} s</text>')
    for (work, nodes, rtt, step), found in rows:
        y = TOP + labels.index((work, nodes, step)) * ROW + ROW / 2
        left = LEFT + rtts.index(rtt) * (PANEL + GAP)
        for tool in reversed(tools):
            if found[tool]:
                out.append(mark(tool, left + across(found[tool].seconds), y, found[tool].stopped))
    out.append("</svg>")
    return "\n".join(out) + "\n"
