"""From raw files of the probe to numbers: slice, switch, what stopping costs, SM limits, copies, batches.

    python3 probe/analyse.py DIR

reads gaps.csv (or slices.csv), samples.csv and cases.csv in DIR, each plain or with .gz, prints what they
tell and writes nothing. Standard library only. The columns are explained in README.md; the words (slice,
dry, save, restore, renewal) are those of docs/reference/scenario-files.md, "The hardware's turns". Times in the
files are ns (gaps) or us (samples, cases); results are ms.
"""
import csv
import gzip
import json
import math
import os
import re
import sys

GAP_FILES = ("gaps.csv", "gaps.csv.gz", "slices.csv", "slices.csv.gz")
SAMPLE_FILES = ("samples.csv", "samples.csv.gz")
CASE_FILES = ("cases.csv", "cases.csv.gz")


# ---------------------------------------------------------------- reading

def rows_of(folder, names):
    """Rows of the first of these files that is there, as dictionaries; a torn last line is left out."""
    for name in names:
        path = os.path.join(folder, name)
        if not os.path.exists(path):
            continue
        opened = gzip.open(path, "rt") if name.endswith(".gz") else open(path)
        with opened as file:
            reader = csv.reader(file)
            head = next(reader, [])
            # Columns at the end of a row may be missing: a reading of fewer figures.
            return [dict(zip(head, row)) for row in reader if len(row) >= min(5, len(head))]
    return []


def number(row, key):
    """A figure of a row, or None where the cell is empty, missing or torn."""
    try:
        return float(row.get(key) or "")
    except ValueError:
        return None


def notes(row):
    """`depth=4;all=227` of the last column."""
    return dict(part.split("=", 1) for part in (row.get("extra") or "").split(";") if "=" in part)


# ---------------------------------------------------------------- statistics

def rank(ordered, share):
    """Nearest rank: the smallest value that so large a share is not above."""
    return ordered[min(len(ordered) - 1, max(0, math.ceil(share * len(ordered)) - 1))]


def middle(values):
    return rank(sorted(values), 0.5)


def mean(values):
    return sum(values) / len(values)


def measured(values, low=None, high=None):
    """Median and the range in which nine of ten values lie, unless another is given."""
    ordered = sorted(values)
    return {
        "value": middle(ordered),
        "low": rank(ordered, 0.05) if low is None else low,
        "high": rank(ordered, 0.95) if high is None else high,
        "n": len(ordered),
    }


# ---------------------------------------------------------------- gaps that running kernels saw

class Watch:
    """What the watching kernels of one case saw: by process and SM, when they ran (ns)."""

    def __init__(self):
        self.blocks = {}   # process -> {SM: (start, end)}
        self.gaps = {}     # process -> {SM: [(last reading before, first after)]}
        self.others = set()  # processes that launched something else meanwhile


def watches(rows):
    """The cases of gaps.csv, and the SMs counted under limits as {percent: [SMs]}."""
    cases, limits = {}, {}
    for row in rows:
        kind, a, b = row["type"], number(row, "a"), number(row, "b")
        if a is None or b is None:
            continue
        if kind == "L":
            limits.setdefault(int(a), []).append(int(b))
            continue
        case, process, sm = cases.setdefault(row["case"], Watch()), int(row["proc"]), int(row["sm"])
        if kind == "H" and b > a:
            case.blocks.setdefault(process, {}).setdefault(sm, (a, b))
        elif kind == "G":
            case.gaps.setdefault(process, {}).setdefault(sm, []).append((a, b))
        elif kind == "S":
            case.others.add(process)
    return cases, limits


def runs(block, gaps):
    """When a process ran on one SM: between the gaps its block saw."""
    found, since = [], block[0]
    for gone, back in sorted(gaps):
        if block[0] <= gone and back <= block[1]:
            found.append((since, gone))
            since = back
    found.append((since, block[1]))
    return found


def turns(case):
    """Visible slices and switches between processes, in ms, over the time in which all of them ran."""
    watching = {process: sms for process, sms in case.blocks.items() if process in case.gaps}
    if len(watching) < 2:
        return [], []
    start = max(min(block[0] for block in sms.values()) for sms in watching.values())
    end = min(max(block[1] for block in sms.values()) for sms in watching.values())
    # Processes with few blocks may sit on different SMs; time is the same on all of them.
    common = set.intersection(*(set(case.gaps[process]) for process in watching))
    places = sorted(common)[:4] or [None]
    slices, switches = [], []
    for place in places:
        line = []
        for process, sms in watching.items():
            sm = min(case.gaps[process]) if place is None else place
            if sm not in sms:
                continue
            own = runs(sms[sm], case.gaps[process][sm])
            slices += [(b - a) / 1e6 for a, b in own[1:-1] if a >= start and b <= end]
            line += [(a, b, process) for a, b in own if a >= start and b <= end]
        line.sort()
        for (_, gone, one), (back, _, other) in zip(line, line[1:]):
            if one != other and back > gone:
                switches.append((back - gone) / 1e6)
    return slices, switches


# ---------------------------------------------------------------- kernels on the GPU, in order of time

class Launch:
    """One kernel: whose, when it was launched (host), when it ran (GPU); us on one zero."""

    __slots__ = ("process", "launched", "start", "end")

    def __init__(self, process, launched, start, end):
        self.process, self.launched, self.start, self.end = process, launched, start, end


def timelines(rows):
    """Kernels of each (case, number of processes) in turns, in the order in which they started."""
    cases = {}
    for row in rows:
        if row["mode"] != "ts" or row["case"].startswith("server"):
            continue
        start, end, launched = number(row, "gstart_us"), number(row, "gend_us"), number(row, "launch_us")
        if start is None or end is None or launched is None or end <= start:
            continue
        launch = Launch(int(row["proc"]), launched, start, end)
        cases.setdefault((row["case"], int(row["nproc"])), []).append(launch)
    for launches in cases.values():
        launches.sort(key=lambda one: one.start)
    return cases


def dry_switches(line, longest):
    """Time from the end of one process's kernel to the start of another's that waited for it, in ms.

    Only between whole kernels that fit a slice: nothing is stopped, nothing goes on.
    """
    found = []
    for before, after in zip(line, line[1:]):
        waited = after.launched < before.end and before.end <= after.start
        short = before.end - before.start < longest and after.end - after.start < longest
        if before.process != after.process and waited and short:
            found.append((after.start - before.end) / 1e3)
    return found


def lone_lengths(cases):
    """Length in ms of each case's kernel alone on the GPU."""
    return {case: middle([one.end - one.start for one in line]) / 1e3
            for (case, processes), line in cases.items() if processes == 1}


def stopping(line, processes, alone, dry, slice_ms):
    """What stopping and going on cost together, in ms, from equal kernels in closed loops of depth 1.

    With k slices a kernel, a round of all processes takes P (alone + k dry + (k - 1)(save + restore)).
    None where k is not certain: a kernel that ends near the end of a slice.
    """
    by_process = {}
    for one in line:
        by_process.setdefault(one.process, []).append(one)
    steady = [own[max(1, len(own) // 10):-1] for own in by_process.values()]
    if len(steady) != processes or alone <= slice_ms or min(len(own) for own in steady) < 4:
        return None
    own = [(part[-1].start - part[0].start) / (len(part) - 1) / 1e3 for part in steady]
    cost = 0.06
    for _ in range(4):  # the slices that a kernel takes depend on restore, here half of both
        in_slices = (alone - slice_ms) / (slice_ms - cost / 2)
        if not 0.1 < in_slices % 1 < 0.97:
            return None
        stops = math.ceil(in_slices)
        cost = (mean(own) / processes - alone - (stops + 1) * dry) / stops
    return cost


def lone_turns(line, slice_ms, dry):
    """(slices after the first, length of a lone holder's turn to the next owner's start), in ms.

    Process 0 has launches behind the running one all the time; process 1 launches short kernels one at a
    time, with pauses. Between two of them process 0 is selected once, `dry` after the first has ended, and
    stopped at the end of a slice: so the length is slice + n renewals + save + dry.
    """
    shorts = [one for one in line if one.process == 1]
    found = []
    for one, following in zip(shorts, shorts[1:]):
        held = (following.start - one.end) / 1e3 - dry
        found.append((max(0, round((held - slice_ms - dry) / slice_ms)), held))
    return found


def slope(points):
    """Least squares: slope and its standard error."""
    n = len(points)
    mx, my = mean([x for x, _ in points]), mean([y for _, y in points])
    sxx = sum((x - mx) ** 2 for x, _ in points)
    if n < 8 or sxx == 0:
        return None
    steep = sum((x - mx) * (y - my) for x, y in points) / sxx
    rest = sum((y - my - steep * (x - mx)) ** 2 for x, y in points)
    return steep, math.sqrt(rest / (n - 2) / sxx)


# ---------------------------------------------------------------- limits of SMs under MPS

PERCENTAGES = (12, 25, 50, 75)


def sms_of(percent, sms, step):
    """SMs that a percentage of threads is, where limits come in steps of so many SMs, rounded down."""
    return max(step, math.floor(percent / 100 * sms / step) * step)


def misfit(series, sms, step):
    """How far batch times lie from a + b / SMs, each series with its own a and b: rms of relative errors."""
    errors = []
    for times in series:
        points = [(1 / (sms if percent == 100 else sms_of(percent, sms, step)), ms, ms ** -2)
                  for percent, ms in times.items()]
        weight = sum(w for _, _, w in points)
        mx, my = (sum(w * x for x, _, w in points) / weight, sum(w * y for _, y, w in points) / weight)
        steep = (sum(w * (x - mx) * (y - my) for x, y, w in points)
                 / sum(w * (x - mx) ** 2 for x, _, w in points))
        errors += [((my + steep * (x - mx)) / y - 1) ** 2 for x, y, _ in points]
    return math.sqrt(sum(errors) / len(errors))


def limits_of_batches(rows, sms):
    """The step that batch times under limits fit best: (step, rms of each step), or None."""
    series = {}
    for row in rows:
        if row["phase"] == "alone" and row["case"] == "alone" and row["mode"].startswith("mps"):
            ms = number(row, "mean_us")
            if ms:
                series.setdefault((row["what"], row["batch"]), {})[int(row["mode"][3:])] = ms / 1e3
    usable = [times for times in series.values() if len(times) >= 4]
    if len(usable) < 2:
        return None
    found = {step: misfit(usable, sms, step) for step in (1, 2, 4, 6, 8)}
    return min(found, key=found.get), found


# ---------------------------------------------------------------- everything

def turns_of(cases, lines):
    """What is told of turns."""
    told = {}
    visible, gaps = {}, {}
    for name, case in cases.items():
        slices, switches = turns(case)
        if len(slices) >= 10 and switches and not case.others:
            visible[name], gaps[name] = slices, switches
    if not visible:
        return told
    # Restoring is part of a slice, so a kernel sees the less of it the more it has to restore. The kernel
    # with the least state sees nearly all; what it lacks is at most its own save and restore.
    least = max(visible, key=lambda name: middle(visible[name]))
    slice_ms = middle(visible[least])

    alone = lone_lengths(lines)
    by_case = {}
    for (case, processes), line in lines.items():
        length = alone.get(case)
        if processes > 1 and length and length < slice_ms:
            found = dry_switches(line, slice_ms * 1e3)
            if len(found) >= 10 and rank(sorted(found), 0.9) < 2 * rank(sorted(found), 0.1):
                by_case[case, processes] = (length, found)
    if by_case:
        every = sorted(gap for _, found in by_case.values() for gap in found)
        # A kernel's end and start are read in one block or over all; blocks end apart by a part of the
        # kernel's length. So the switch is what is left at length zero.
        points = [(length, middle(found)) for length, found in by_case.values()]
        mx, my = mean([x for x, _ in points]), mean([y for _, y in points])
        sxx = sum((x - mx) ** 2 for x, _ in points)
        steep = sum((x - mx) * (y - my) for x, y in points) / sxx if sxx else 0
        value = my - steep * mx
        told["dry_ms"] = measured(every, low=min(value, rank(every, 0.05)), high=max(y for _, y in points))
        told["dry_ms"]["value"] = value
        dry = value
        low = rank(sorted(visible[least]), 0.05)
        high = slice_ms + max(0, middle(gaps[least]) - dry)
        told["slice_ms"] = measured(visible[least], low=low, high=high)
        told["slice_ms"]["kernel"] = least
    else:
        told["slice_ms"] = measured(visible[least])
        return told

    kinds = {}
    for name in visible:
        both = middle(gaps[name]) - dry
        restore = max(0.0, slice_ms - middle(visible[name]))
        kinds[name] = {"save_restore_ms": both, "restore_ms": min(restore, max(both, 0.0))}
    for (case, processes), line in lines.items():
        if processes > 1 and case in alone and not case.startswith("o"):
            cost = stopping(line, processes, alone[case], dry, slice_ms)
            if cost is not None:
                kinds["%s, %d processes" % (case, processes)] = {"save_restore_ms": cost}
    told["stopping"] = kinds
    # The mean over kinds of kernels, each kind once: "small2" and "small3" are the same kernel.
    same = {}
    for name, kind in kinds.items():
        same.setdefault(re.match(r"[a-z]+", name).group(), []).append(kind["save_restore_ms"])
    every = [mean(costs) for costs in same.values()]
    # Of kinds of which both are known; by their sums, since little of little says nothing.
    both = [kind for kind in kinds.values() if "restore_ms" in kind and kind["save_restore_ms"] > 0]
    told["save_restore_ms"] = {"value": mean(every), "low": max(0.0, min(every)), "high": max(every), "n": len(every)}
    whole = sum(kind["save_restore_ms"] for kind in both)
    told["restore_part"] = min(1.0, sum(kind["restore_ms"] for kind in both) / whole) if whole else 0.5

    points = [point for (case, _), line in lines.items() if case.startswith("behind")
              for point in lone_turns(line, slice_ms, dry)]
    steep = slope(points) if points else None
    if steep:
        value, error = steep
        told["renewal_ms"] = {"value": value, "low": value - 2 * error, "high": value + 2 * error, "n": len(points)}
    return told


def analyse(folder):
    """Everything that the raw files of a folder tell, as plain data."""
    cases, counted = watches(rows_of(folder, GAP_FILES))
    lines = timelines(rows_of(folder, SAMPLE_FILES))
    rows = rows_of(folder, CASE_FILES)
    told = {"turns": turns_of(cases, lines)}

    sms = None
    meta = os.path.join(folder, "meta.json")
    if os.path.exists(meta):
        with open(meta) as file:
            sms = json.load(file).get("sms")
    if counted:
        told["limits"] = {"sms": {str(p): middle(found) for p, found in sorted(counted.items())}, "how": "counted"}
        whole = counted.get(100) and middle(counted[100]) or sms
        steps = [step for step in (8, 6, 4, 2, 1)
                 if whole and all(sms_of(p, whole, step) == middle(found)
                                  for p, found in counted.items() if p != 100)]
        if steps:
            told["limits"]["step"] = steps[0]
    elif sms:
        fitted = limits_of_batches(rows, sms)
        if fitted:
            step, misfits = fitted
            told["limits"] = {
                "step": step,
                "sms": {str(p): sms_of(p, sms, step) for p in PERCENTAGES},
                "how": "batch times under limits lie on a + b / SMs within %.1f %%; with steps of %s"
                       % (100 * misfits[step],
                          ", ".join("%d: %.1f" % (other, 100 * miss) for other, miss in misfits.items() if other != step)),
            }

    batches, copies, alone = {}, {}, {}
    for row in rows:
        us, kind = number(row, "mean_us"), (row["phase"], row["mode"])
        if not us:
            continue
        if kind == ("alone", "ts") and row["case"] == "alone" and row["batch"]:
            batches.setdefault(row["what"], {})[row["batch"]] = {
                "mean_ms": us / 1e3, "p50_ms": number(row, "p50_us") / 1e3, "n": int(row["n"])}
        elif row["phase"] == "copy":
            rate = number(notes(row) and {"gbps": notes(row).get("gbps")} or {}, "gbps")
            copies.setdefault("%s x%s" % (row["case"], row["nproc"]), []).append(
                {"what": row["what"], "gbps": rate} if rate else {"what": row["what"]})
        elif kind == ("closed", "ts") and row["nproc"] == "1" and row["what"] == "kernel":
            alone[row["case"]] = us / 1e3
    told["batches"] = {name: dict(sorted(times.items(), key=lambda item: int(item[0]))) for name, times in batches.items()}
    told["copies"] = copies
    on_gpu = lone_lengths(lines)
    host = [(alone[case] - on_gpu[case]) for case in alone if case in on_gpu and on_gpu[case] < 5]
    if host:
        told["host_ms"] = measured(host)
    return told


def shown(told):
    """The findings as lines for a terminal."""
    lines = []

    def line(name, figure, more=""):
        if figure:
            lines.append("%-16s %8.4f ms   %.4f to %.4f, n %d%s" % (
                name, figure["value"], figure["low"], figure["high"], figure["n"], more))

    turn = told["turns"]
    if not turn:
        lines.append("turns            not measured")
    line("slice", turn.get("slice_ms"), "  (%s)" % turn["slice_ms"]["kernel"] if "kernel" in turn.get("slice_ms", {}) else "")
    line("renewal", turn.get("renewal_ms"))
    line("dry", turn.get("dry_ms"))
    line("save + restore", turn.get("save_restore_ms"), "  kinds of kernels")
    for kind, cost in turn.get("stopping", {}).items():
        lines.append("    %-22s %.4f ms%s" % (kind, cost["save_restore_ms"],
                     ", restore %.4f" % cost["restore_ms"] if "restore_ms" in cost else ""))
    line("host per launch", told.get("host_ms"))
    if "limits" in told:
        lines.append("SMs of limits    %s   (%s)" % (
            ", ".join("%s %%: %d" % one for one in told["limits"]["sms"].items()), told["limits"]["how"]))
    for name, times in told["batches"].items():
        lines.append("%-16s %s" % (name, ", ".join("%s: %.3f ms" % (b, t["mean_ms"]) for b, t in times.items())))
    for case, ends in told["copies"].items():
        rates = ["%s %.1f" % (end["what"], end["gbps"]) for end in ends if "gbps" in end]
        if rates:
            lines.append("copies %-9s %s GB/s" % (case, ", ".join(rates)))
    return lines


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit("usage: python3 analyse.py DIR    (raw files of the probe)")
    if not any(os.path.exists(os.path.join(sys.argv[1], name)) for name in GAP_FILES + SAMPLE_FILES + CASE_FILES):
        sys.exit("%s has no gaps.csv, samples.csv or cases.csv" % sys.argv[1])
    print("\n".join(shown(analyse(sys.argv[1]))))
