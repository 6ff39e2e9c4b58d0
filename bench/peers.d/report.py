"""What bench/peers has measured, as a table on standard output; with --write DIR also in DIR/performance.md, between its markers, and as a plot.

    report.py RESULTS CURRENT [--write DIR]

CURRENT names, for each tool and work, the digest whose figures count: others are of other versions or settings. Where a peer is faster, WHY
has to say why; a win without an explanation is an error, after everything is written.
"""

import os
import sys

import plot

TOOLS = ["homelab", "mitogen", "ansible", "pyinfra"]
NAMES = {"homelab": "homelab", "mitogen": "Ansible + Mitogen", "ansible": "Ansible", "pyinfra": "pyinfra"}
WORKS = {"files100": "100 files", "base": "A base playbook", "files1000": "1,000 files"}
PASSES = ["first", "steady"]
# (work, pass, tool): why that peer is faster there.
WHY = {}


class Cell:
    def __init__(self, fields):
        self.when, self.tool, self.work, nodes, rtt, self.step, seconds, rounds, self.load, _, self.version, self.commit = fields
        self.nodes, self.rtt, self.rounds = int(nodes), int(rtt), int(rounds)
        self.stopped = seconds.startswith(">")
        self.seconds = float(seconds.lstrip(">"))
        self.tried = self.load != "-"

    def text(self, best=None):
        if self.stopped:
            return f"> {self.seconds:.0f} s (stopped)" if self.tried else f"> {self.seconds:.0f} s (not tried)"
        said = seconds(self.seconds)
        return said if best is None else f"{said}, {times(self.seconds / best)}"


def seconds(value):
    return f"{value:.2f} s" if value < 10 else f"{value:.1f} s" if value < 100 else f"{value:.0f} s"


def times(ratio):
    return f"{ratio:.1f} ×" if ratio < 10 else f"{ratio:.0f} ×"


def read(results, current):
    with open(current) as file:
        wanted = {tuple(line.rstrip("\n").split("\t")) for line in file}
    cells = {}
    with open(results) as file:
        for line in file:
            fields = line.rstrip("\n").split("\t")
            if (fields[1], fields[2], fields[9]) in wanted:
                cell = Cell(fields)
                cells[cell.work, cell.nodes, cell.rtt, cell.step, cell.tool] = cell
    return cells


def rows(cells):
    """(work, nodes, rtt, step) and its cells by tool, in the order of the tables."""
    for work in WORKS:
        for nodes, rtt in sorted({(key[1], key[2]) for key in cells if key[0] == work}):
            for step in PASSES:
                found = {tool: cells.get((work, nodes, rtt, step, tool)) for tool in TOOLS}
                if any(found.values()):
                    yield (work, nodes, rtt, step), found


def table(cells, work):
    yield "| nodes | round trip | pass | " + " | ".join(NAMES[tool] for tool in TOOLS) + " | load |"
    yield "|---|---|---|" + "---|" * (len(TOOLS) + 1)
    for (one, nodes, rtt, step), found in rows(cells):
        if one != work:
            continue
        ours = found["homelab"]
        texts = []
        for tool in TOOLS:
            cell = found[tool]
            best = ours.seconds if ours and not ours.stopped and tool != "homelab" else None
            texts.append(cell.text(best) if cell else "")
        yield f"| {nodes} | {rtt} ms | {step} | " + " | ".join(texts) + f" | {loads(found.values())} |"


def loads(cells):
    seen = sorted(float(cell.load) for cell in cells if cell and cell.tried)
    return "" if not seen else f"{seen[0]:.0f}" if round(seen[0]) == round(seen[-1]) else f"{seen[0]:.0f}–{seen[-1]:.0f}"


def goals(cells):
    """What was promised of 100 files at 50 ms, and what came of it."""
    for nodes in sorted({key[1] for key in cells}):
        at = {(step, tool): cells.get(("files100", nodes, 50, step, tool)) for step in PASSES for tool in TOOLS}
        for step, tools, goal in [("steady", ["mitogen"], 25), ("steady", ["pyinfra"], 60), ("first", TOOLS[1:], 10)]:
            ours, theirs = at[step, "homelab"], [at[step, tool] for tool in tools if at[step, tool]]
            if not ours or ours.stopped or not theirs:
                continue
            best = min(theirs, key=lambda cell: cell.seconds)
            ratio = best.seconds / ours.seconds
            bound = "more than " if best.stopped else ""
            verdict = "kept" if ratio >= goal else "missed"
            yield f"- {step} pass, {nodes} {'node' if nodes == 1 else 'nodes'}: {bound}{times(ratio)} faster than {NAMES[best.tool]}; at least {goal} × was the goal: {verdict}."


def wins(cells):
    for (work, nodes, rtt, step), found in rows(cells):
        ours = found["homelab"]
        for tool in TOOLS[1:]:
            theirs = found[tool]
            if ours and theirs and not theirs.stopped and theirs.seconds <= ours.seconds:
                yield (work, step, tool), f"{NAMES[tool]}, {WORKS[work].lower()}, {nodes} nodes, {rtt} ms, {step} pass: {seconds(theirs.seconds)} against {seconds(ours.seconds)}"


def document(cells):
    versions = {cell.tool: cell.version for cell in cells.values()}
    commits = sorted({cell.commit for cell in cells.values() if cell.tool == "homelab"})
    days = sorted(cell.when[:10] for cell in cells.values())
    span = days[0] if days[0] == days[-1] else f"{days[0]} to {days[-1]}"
    told = "; ".join(f"{NAMES[tool]} {versions[tool]}" for tool in TOOLS if tool in versions)
    yield f"{told}. Measured {span}, homelab as of commit {', '.join(commits)}. Behind a peer's time: how many times homelab's that is. *Load* is the load average of the machine, which has {os.cpu_count()} processors, when a figure was taken; far above that number, other work was going on, and the figure is preliminary. An empty cell has not been measured."
    for work, title in WORKS.items():
        if any(key[0] == work for key in cells):
            yield from ["", f"**{title}**", "", *table(cells, work)]
    yield from ["", "![Times of all tools on a logarithmic scale](performance-peers.svg)", ""]
    if kept := list(goals(cells)):
        yield from ["Of 100 files at 50 ms:", "", *kept, ""]
    won = list(wins(cells))
    if won:
        yield from ["Where a peer is faster:", ""]
        for key, text in won:
            yield f"- {text}. {WHY.get(key, 'Not explained yet.')}"
    else:
        yield "In no cell is a peer faster."


def main():
    cells = read(sys.argv[1], sys.argv[2])
    if not cells:
        sys.exit("bench/peers: nothing has been measured yet")
    lines = list(document(cells))
    print("\n".join(lines))
    if "--write" in sys.argv:
        docs = sys.argv[sys.argv.index("--write") + 1]
        with open(f"{docs}/performance.md") as file:
            text = file.read()
        begin, end = "<!-- bench/peers writes from here -->", "<!-- to here -->"
        before, _, rest = text.partition(begin)
        _, found, after = rest.partition(end)
        if not found:
            sys.exit(f"bench/peers: docs/performance.md has no `{begin}` … `{end}`")
        with open(f"{docs}/performance.md", "w") as file:
            file.write(before + begin + "\n" + "\n".join(lines) + "\n" + end + after)
        with open(f"{docs}/performance-peers.svg", "w") as file:
            file.write(plot.svg(list(rows(cells)), TOOLS, NAMES, WORKS))
    unexplained = [text for key, text in wins(cells) if key not in WHY]
    if unexplained:
        sys.exit("bench/peers: a peer is faster, and WHY in report.py does not say why: " + "; ".join(unexplained))


main()
