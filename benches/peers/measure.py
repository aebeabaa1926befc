"""Times every engine on both loads, checks what they say, writes the table and the chart.

    measure.py measure   rounds of all programs in turn; to results.json
    measure.py write     the same results into docs/performance.md and docs/performance/peers.svg
    measure.py expect    what [expect.*] of loads.toml is made of; a minute

`run` calls it. Environment: WORK, the folder of the virtual environment and the Rust programs;
SLICEWISE, the program; ROUNDS (5); CPU_S (2), what a run should take of CPU time.
"""

import datetime
import json
import math
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import tomllib
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
WORK = Path(os.environ.get("WORK", ROOT / "target" / "peers"))
SLICEWISE = os.environ.get("SLICEWISE", str(ROOT / "target" / "release" / "slicewise"))
ROUNDS = int(os.environ.get("ROUNDS", "5"))
CPU_S = float(os.environ.get("CPU_S", "2"))
RESULTS = WORK / "results.json"
PAGE = ROOT / "docs" / "performance.md"
PICTURE = ROOT / "docs" / "performance" / "peers.svg"
LOADS = tomllib.loads((HERE / "loads.toml").read_text())

# Name, kind, language. A floor is no engine: it is what the loads cost anyhow.
ENGINES = {
    "recursion": ("recursion, no events", "floor", "Rust"),
    "heap": ("plain heap loop", "floor", "Rust"),
    "slicewise": ("slicewise", "ours", "Rust"),
    "simcore": ("simcore (DSLab)", "peer", "Rust"),
    "nexosim": ("NeXosim", "peer", "Rust"),
    "simpy": ("SimPy", "peer", "Python"),
    "ciw": ("Ciw", "peer", "Python"),
    "salabim": ("salabim", "peer", "Python"),
}
STATISTICS = ["mean_ms", "p50_ms", "p99_ms", "batch_mean"]


# What is run


def command(engine, load, queries, seed, out):
    """The program of an engine, with the figures of loads.toml."""
    figures = LOADS["load"][load]
    if engine == "slicewise":
        return [
            SLICEWISE, "run", str(HERE / f"{load}.toml"), "--configs", str(HERE / "configs"),
            "--replications", "1", "--seed", str(seed), "--json", "--quiet", "--out", out,
            "--set", f"vm.load.min_query_count={queries}",
        ]  # fmt: skip
    arguments = [
        load,
        str(figures["arrivals_per_s"]),
        str(figures["fixed_ms"] / 1e3),
        str(figures["each_ms"] / 1e3),
        str(figures["batch_max"]),
        str(queries),
        str(seed),
    ]
    if ENGINES[engine][2] == "Rust":
        return [str(WORK / "rust" / "release" / engine), *arguments]
    python = WORK / "venv" / "bin" / "python"
    return [str(python), str(HERE / "python" / f"{engine}_peer.py"), *arguments]


def run(engine, load, queries, seed):
    """What the program says, and its CPU time, user and system, from start to end."""
    with tempfile.TemporaryDirectory() as out:
        arguments = command(engine, load, queries, seed, out)
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE, cwd=out)
        text = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{engine}, {load}: exit code {process.returncode}: {' '.join(arguments)}")
    said = json.loads(text)
    if engine == "slicewise":
        vm = said["runs"][0]["vms"][0]
        latency = vm["latency_ms"]
        said = {
            "queries": vm["queries"],
            "mean_ms": latency["mean"],
            "p50_ms": latency["p50"],
            "p99_ms": latency["p99"],
            "batch_mean": vm["batch_mean"],
        }
    return said | {"cpu_s": usage.ru_utime + usage.ru_stime}


def size(engine, load, start_s):
    """So many queries, 1, 2 or 5 and zeros, that they take about CPU_S of CPU time."""
    queries = 2000
    while True:
        spent = run(engine, load, queries, 1)["cpu_s"] - start_s
        if spent > max(CPU_S / 10, start_s):
            break
        queries *= 10 if spent < CPU_S / 100 else 3
    wanted = min(queries / spent * CPU_S, 5e7)
    step = 10 ** math.floor(math.log10(wanted))
    return min((step * n for n in (1, 2, 5, 10)), key=lambda n: abs(math.log(n / wanted)))


def measure():
    """All programs in turn, as many rounds as asked; each round has a seed."""
    cases = []
    for engine in ENGINES:
        start_s = min(run(engine, load, 1, 1)["cpu_s"] for load in LOADS["load"] for _ in range(3))
        for load in LOADS["load"]:
            queries = size(engine, load, start_s)
            cases.append(
                {"engine": engine, "load": load, "queries": queries, "start_s": start_s, "runs": []}
            )
            print(f"{engine} {load}: {queries} queries, starts in {start_s:.2f} s", flush=True)
    for seed in range(1, ROUNDS + 1):
        for case in cases:
            case["runs"].append(run(case["engine"], case["load"], case["queries"], seed))
        print(f"round {seed} of {ROUNDS}", flush=True)
    versions = {engine: version(engine) for engine in ENGINES}
    RESULTS.write_text(json.dumps({"machine": machine(), "versions": versions, "cases": cases}))
    check(cases)


def version(engine):
    if engine == "slicewise":
        return subprocess.check_output([SLICEWISE, "--version"], text=True).split()[1]
    _, kind, language = ENGINES[engine]
    if kind == "floor":
        return ""
    if language == "Rust":
        lock = tomllib.loads((HERE / "rust" / "Cargo.lock").read_text())
        return next(p["version"] for p in lock["package"] if p["name"] == engine)
    (path,) = (WORK / "venv" / "lib").glob("python*/site-packages")
    return next(
        d.version for d in metadata.distributions(path=[str(path)]) if d.name.lower() == engine
    )


def machine():
    cpus = re.findall(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    rust = subprocess.check_output(["rustc", "--version"], text=True).split()[1]
    day = datetime.date.today().isoformat()
    return {
        "day": day,
        "cpu": cpus[0],
        "cores": len(cpus),
        "python": platform.python_version(),
        "rust": rust,
    }


# What is expected


def check(cases):
    """Every statistic of every program against theory: five standard deviations, and the thousandth
    that a histogram may be off."""
    wrong = []
    for case in cases:
        expect = LOADS["expect"][case["load"]]
        queries = sum(run["queries"] for run in case["runs"])
        for name in STATISTICS:
            found = statistics.fmean(run[name] for run in case["runs"])
            allowed = 5 * expect["sigma"][name] / math.sqrt(queries) + 0.001
            off = found / expect[name] - 1
            if abs(off) > allowed:
                wrong.append(
                    f"{case['engine']}, {case['load']}: {name} {found:.4f}, expected "
                    f"{expect[name]:.4f} within {100 * allowed:.2f} %, is {100 * off:+.2f} % off"
                )
    if wrong:
        sys.exit("\n".join(wrong))
    print(f"all {len(cases) * len(STATISTICS)} statistics are as expected")


def expect():
    """Theory where there is one, else 10^8 queries of the recursion; noise from 400 runs of it."""
    for load, figures in LOADS["load"].items():
        long = run("recursion", load, 10**8, 1)
        if load == "m-d-1":
            expected = {"batch_mean": 1.0} | m_d_1(figures["arrivals_per_s"], figures["fixed_ms"])
        else:
            expected = {name: long[name] for name in ("p50_ms", "p99_ms")} | bulk(figures)
        queries = 100_000
        short = [run("recursion", load, queries, seed) for seed in range(1, 401)]
        print(f"[expect.{load}]")
        sigma = []
        for name in STATISTICS:
            print(
                f"{name} = {expected[name]:.5g}  # 10^8 queries of the recursion: {long[name]:.5g}"
            )
            noise = statistics.stdev(run[name] for run in short) / expected[name]
            sigma.append(f"{name} = {noise * math.sqrt(queries):.2g}")
        print(f"sigma = {{ {', '.join(sigma)} }}\n")


def m_d_1(rate, service_ms):
    """Mean by Pollaczek and Khinchine; percentiles by Erlang's distribution of the waiting time."""
    rate /= 1e3
    load = rate * service_ms

    def waits_at_most(x):
        terms = (rate * (k * service_ms - x) for k in range(int(x / service_ms) + 1))
        return (1 - load) * math.fsum(
            (term**k / math.factorial(k)) * math.exp(-term) for k, term in enumerate(terms)
        )

    def quantile(q):
        low, high = 0.0, 20 * service_ms
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if waits_at_most(middle) < q else (low, middle)
        return service_ms + low

    mean = service_ms + load * service_ms / (2 * (1 - load))
    return {"mean_ms": mean, "p50_ms": quantile(0.5), "p99_ms": quantile(0.99)}


def bulk(figures):
    """Mean and batch of the server of batches: the chain of how many wait at the end of a batch
    (Bailey 1954), and Little's law."""
    rate, places = figures["arrivals_per_s"] / 1e3, figures["batch_max"]
    states = range(5 * places)

    def batch(waiting):
        size = min(max(waiting, 1), places)
        return size, figures["fixed_ms"] + figures["each_ms"] * size

    def poisson(mean):
        return [math.exp(n * math.log(mean) - mean - math.lgamma(n + 1)) for n in states]

    arrivals = {size: poisson(rate * batch(size)[1]) for size in range(1, places + 1)}
    chain = [1.0] + [0.0] * (len(states) - 1)
    for _ in range(100):
        after = [0.0] * len(states)
        for waiting, share in enumerate(chain):
            size = batch(waiting)[0]
            left = max(waiting, 1) - size
            for n in states[: len(states) - left]:
                after[left + n] += share * arrivals[size][n]
        chain = after
    length = here = sizes = 0.0
    for waiting, share in enumerate(chain):
        size, time = batch(waiting)
        length += share * (time + (1 / rate if waiting == 0 else 0))
        here += share * (max(waiting, 1) * time + rate * time**2 / 2)
        sizes += share * size
    return {"mean_ms": here / length / rate, "batch_mean": sizes}


# What is written


def write():
    results = json.loads(RESULTS.read_text())
    check(results["cases"])
    rates = {}
    for case in results["cases"]:
        each = [run["queries"] / (run["cpu_s"] - case["start_s"]) for run in case["runs"]]
        case["rate"], case["least"], case["most"] = statistics.median(each), min(each), max(each)
        rates.setdefault(case["engine"], {})[case["load"]] = case
    # Floors first, then the quickest on M/D/1.
    rates = dict(
        sorted(
            rates.items(),
            key=lambda case: (ENGINES[case[0]][1] != "floor", -case[1]["m-d-1"]["rate"]),
        )
    )
    page = PAGE.read_text()
    begin, end = "<!-- peers -->\n", "<!-- end of peers -->"
    head, rest = page.split(begin)
    tail = rest.split(end)[1]
    PAGE.write_text(head + begin + table(results, rates) + end + tail)
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(chart(rates))


def short(number):
    """Two digits, with k or M: 4.5 M, 60 k."""
    number = float(f"{number:.2g}")
    for unit, word in ((1e6, " M"), (1e3, " k"), (1, "")):
        if number >= unit:
            return f"{number / unit:.{1 if number < 10 * unit else 0}f}{word}"
    return "0"


def mark(power):
    return f"{10 ** (power % 3)}{['', ' k', ' M', ' G'][power // 3]}"


def table(results, rates):
    lines = [
        "| | M/D/1, queries/s | rounds | batches, queries/s | rounds | queries in a run | start |",
        "|---|---|---|---|---|---|---|",
    ]
    for engine, loads in rates.items():
        one, many = loads["m-d-1"], loads["batch"]
        label = " ".join([ENGINES[engine][0], results["versions"][engine]]).strip()
        if ENGINES[engine][1] == "ours":
            label = f"**{label}**"
        cells = [label]
        for case in (one, many):
            cells += [short(case["rate"]), f"{short(case['least'])} to {short(case['most'])}"]
        cells += [
            f"{short(one['queries'])}, {short(many['queries'])}",
            f"{1e3 * one['start_s']:.0f} ms",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    made, rounds = results["machine"], len(results["cases"][0]["runs"])
    lines += [
        "",
        f"{made['cpu']}, {made['cores']} cores, of which a run uses one; Rust {made['rust']}, "
        f"Python {made['python']}; {made['day']}; {rounds} rounds.",
        "",
    ]
    return "\n".join(lines)


COLOURS = {
    "ours": ("#00549E", "#3E96CE"),
    "peer": ("#C03800", "#F0A080"),
    "floor": ("#6A6A6A", "#B4B4B4"),
}


# The same on dark paper, as the charts of slicewise have it.
DARK = """<style>@media (prefers-color-scheme: dark) {
.paper { fill: #1A1B1E; } text { fill: #E8E8E8; } line { stroke: #47484B; }
rect[fill="#00549E"] { fill: #4D9CF0; } rect[fill="#3E96CE"] { fill: #A4DDF9; }
rect[fill="#C03800"] { fill: #FF7F50; } rect[fill="#F0A080"] { fill: #FFC5AC; }
rect[fill="#6A6A6A"] { fill: #9A9A9A; } rect[fill="#B4B4B4"] { fill: #D4D4D4; }
}</style>"""


def text(x, y, words, more=""):
    return f'<text x="{x:.1f}" y="{y}" fill="#222222"{more}>{words}</text>'


def bar(x, y, width, height, colour):
    return f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{height}" fill="{colour}"/>'


def chart(rates):
    """Bars on a logarithmic axis, one pair for each engine."""
    width, left, right, top, row = 760, 190, 90, 92, 50
    bottom = top + row * len(rates)
    every = [math.log10(case["rate"]) for loads in rates.values() for case in loads.values()]
    low, high = math.floor(min(every)), math.ceil(max(every))
    middle, last = ' text-anchor="middle"', ' text-anchor="end"'

    def x(rate):
        return left + (math.log10(rate) - low) / (high - low) * (width - left - right)

    head = "Queries simulated per second of CPU time"
    told = "; ".join(
        f"{ENGINES[engine][0]} {short(loads['m-d-1']['rate'])} and {short(loads['batch']['rate'])}"
        for engine, loads in rates.items()
    )
    parts = [
        f'<svg role="img" width="{width}" height="{bottom + 58}" '
        f'viewBox="0 0 {width} {bottom + 58}" xmlns="http://www.w3.org/2000/svg" '
        'font-family="Helvetica, Arial, sans-serif" font-size="16">',
        f"<title>{head}, by engine</title>",
        f"<desc>M/D/1 and batches, on a logarithmic axis: {told}.</desc>",
        DARK,
        f'<rect class="paper" width="{width}" height="{bottom + 58}" fill="#FFFFFF"/>',
        text(16, 30, head, ' font-size="20"'),
    ]
    for shade, words in enumerate(["M/D/1", "batches of up to 32"]):
        at = left + 150 * shade
        parts += [
            bar(at + 16 * n, 48, 14, 14, pair[shade]) for n, pair in enumerate(COLOURS.values())
        ]
        parts.append(text(at + 54, 61, words))
    for power in range(low, high + 1):
        at = x(10**power)
        line = f'<line x1="{at:.1f}" y1="{top - 8}" x2="{at:.1f}" y2="{bottom}" stroke="#DEDEDE"/>'
        parts += [line, text(at, bottom + 20, mark(power), middle)]
    words = "queries per second; logarithmic, each line is ten times the one before"
    parts.append(text((left + width - right) / 2, bottom + 44, words, middle))
    for n, (engine, loads) in enumerate(rates.items()):
        label, kind, _ = ENGINES[engine]
        weight = ' font-weight="bold"' if kind == "ours" else ""
        parts.append(text(left - 10, top + row * n + 25, label, last + weight))
        for shade, load in enumerate(["m-d-1", "batch"]):
            rate, y = loads[load]["rate"], top + row * n + 2 + 20 * shade
            parts.append(bar(left, y, x(rate) - left, 18, COLOURS[kind][shade]))
            parts.append(text(x(rate) + 6, y + 15, short(rate)))
    return "\n".join([*parts, "</svg>\n"])


if __name__ == "__main__":
    {"measure": measure, "write": write, "expect": expect}[sys.argv[1]]()
