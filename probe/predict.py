"""What slicewise says before anything is measured of sharing, its hash, and the score afterwards.

Known beforehand are the kernels alone (length on the GPU, and what the host adds), who launches when, and
the facts of the GPU in slicewise's catalogue. Everything about turns comes from the catalogue.
"""
import hashlib
import json
import math
import os
import shutil
import subprocess

import analyse

PREDICTION = "slicewise-probe-prediction 1"

WORKLOAD = """name = "kernel of the probe"
usual_preset = "triton-no-batching"
target_latency = {{ value = "1 s", source = "probe", standing = "assumed" }}
sizes = {{ distribution = "fixed", source = "probe", standing = "measured" }}
weights = {{ value = "1 MiB", source = "probe", standing = "assumed" }}
workspace_per_sample = {{ value = "1 MiB", source = "probe", standing = "assumed" }}
input_per_sample = {{ value = "0 B", source = "probe", standing = "measured" }}
output_per_sample = {{ value = "0 B", source = "probe", standing = "measured" }}

[cpu]
launch_per_batch = {{ value = "{host:.6f} ms", source = "probe", standing = "measured" }}
queue_per_batch = {{ value = "0 ms", source = "probe", standing = "measured" }}
launch_per_sample = {{ value = "0 us", source = "probe", standing = "measured" }}
finish_per_batch = {{ value = "0 ms", source = "probe", standing = "measured" }}
finish_per_sample = {{ value = "0 us", source = "probe", standing = "measured" }}

[service.{gpu}]
launch = {{ value = "0 ms", source = "probe", standing = "measured" }}
host_floor = {{ value = "0 ms", source = "probe", standing = "measured" }}
spread = {{ value = 0, source = "probe", standing = "measured" }}
phi = {{ value = 1, source = "probe", standing = "assumed" }}
work = {{ value = {{ 1 = "{length:.6f} ms" }}, source = "probe", standing = "measured" }}

[sources]
probe = "a kernel of slicewise's probe, timed alone"
"""

# A closed loop is simulated for so long, s: its rate is that of many kernels.
LOOP_S = 20

# A GPU's clock steps by 15 MHz of about 2 GHz, and nothing says which step the loops will have: kernels
# alone took 0.7 % longer than in the loops on an H100 and an H200 (docs/explanation/probe.md, 2026-11-27).
CLOCK_STEP = 0.008

# One launch a query; all that are due have been launched and wait in one stream.
PROCESS = """
[[vm]]
name = "p{number}"
vcpus = 4
process = "time-slicing"
workload = "kernel-{number}"
server = {{ preset = "triton-no-batching", batch_max = 1, streams = 1, slots = 64, launches = "graph" }}
load = {{ {load} }}
"""


class NoSlicewise(Exception):
    pass


class Slicewise:
    """The program, called with time limits; it writes under a folder of its own in the output."""

    def __init__(self, path, folder):
        self.path = shutil.which(path)
        if not self.path:
            raise NoSlicewise("no slicewise here (%s): measured without prediction; --slicewise PATH names it" % path)
        self.folder = folder
        self.version = self.call("--version").splitlines()[0].strip()

    def call(self, *arguments, limit=60):
        try:
            done = subprocess.run([self.path] + list(arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, timeout=limit, cwd=self.folder)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NoSlicewise("slicewise: %s" % error)
        if done.returncode:
            raise NoSlicewise("slicewise %s: %s" % (arguments[0], done.stderr.decode(errors="replace").strip()[:2000]))
        return done.stdout.decode(errors="replace")

    def gpu_of(self, pci_id, name):
        """The catalogue's id of a card: by its PCI id, or by its name."""
        entries = [one for one in json.loads(self.call("list", "--json")) if one["kind"] == "gpu"]
        plain = lambda text: "".join(c for c in (text or "").lower() if c.isalnum()).replace("nvidia", "").replace("tesla", "")
        ids = [one["id"] for one in entries if plain(one["name"]) == plain(name)]
        if pci_id:
            found = [one["id"] for one in entries
                     if pci_id.lower() in self.call("show", "gpus/" + one["id"]).lower()]
            both = [one for one in found if one in ids]
            if both or len(found) == 1:
                return (both or found)[0]
        if len(ids) == 1:
            return ids[0]
        raise NoSlicewise("the catalogue has no GPU with PCI id %s called %r: --gpu ID names the one that is alike "
                          "(slicewise list)" % (pci_id, name))

    def run(self, case, gpu, sharing=""):
        """Rate and latencies of each process of a case: as slicewise has them, and the interval that it states
        over a clock one step slower to one step faster."""
        runs = [self.run_at(case, gpu, sharing, 1 + step) for step in (0, -CLOCK_STEP, CLOCK_STEP)]
        return [{figure: [process[figure][0], min(one[at][figure][1] for one in runs), max(one[at][figure][2] for one in runs)]
                 for figure in process} for at, process in enumerate(runs[0])]

    def run_at(self, case, gpu, sharing, longer):
        """As `run`, with kernels `longer` times as long as they were alone."""
        processes = case["processes"]
        configs = os.path.join(self.folder, "workloads")
        os.makedirs(configs, exist_ok=True)
        text = ('host = { logical_processors = 64, memory = "128 GiB" }\ngpus = { model = "%s", count = 1 }\n'
                'seed = 1\nbaseline = { kind = "none" }\n%s' % (gpu, sharing))
        trace = []
        for number, one in enumerate(processes):
            with open(os.path.join(configs, "kernel-%d.toml" % number), "w") as file:
                file.write(WORKLOAD.format(gpu=gpu, length=one["length_ms"] * longer, host=one["host_ms"]))
            if one.get("arrivals_us") is not None:
                trace += [(us, number) for us in one["arrivals_us"]]
                load = 'scenario = "server", arrivals = { trace = "trace.csv", vm = "p%d" }, rules = "none"' % number
            else:
                load = ('scenario = "closed-loop", clients = %d, rules = "none", min_duration = "%g s", min_query_count = 1'
                        % (one["depth"], LOOP_S))
            text += PROCESS.format(number=number, load=load)
        with open(os.path.join(self.folder, "trace.csv"), "w") as file:
            file.write("arrival_s,vm\n" + "".join("%.7f,p%d\n" % (us / 1e6, number) for us, number in sorted(trace)))
        with open(os.path.join(self.folder, "case.toml"), "w") as file:
            file.write(text)
        told = json.loads(self.call("run", "case.toml", "--configs", ".", "--out", "result", "--force",
                                    "--replications", "1", "--json", "--quiet"))
        found = []
        for vm in told["runs"][0]["vms"]:
            fits = vm.get("fits") or {}
            figures = {}
            for name in ("mean", "p50", "p90", "p99"):
                ends = (fits.get("latency_ms") or {}).get(name) or [vm["latency_ms"][name]] * 2
                figures[name + "_ms"] = [vm["latency_ms"][name], min(ends), max(ends)]
            ends = fits.get("completed_per_s") or [vm["completed_per_s"]] * 2
            figures["per_s"] = [vm["completed_per_s"], min(ends), max(ends)]
            found.append(figures)
        return found


# ---------------------------------------------------------------- what is to be predicted

def planned(folder):
    """The cases of recorded files: what was known of them beforehand, and nothing that came out."""
    rows = [row for row in analyse.rows_of(folder, analyse.CASE_FILES)
            if row["what"] == "kernel" and row["mode"] == "ts" and row["width"] == "full" and row["phase"] in ("closed", "open")]
    lines = analyse.lone_lengths(analyse.timelines(analyse.rows_of(folder, analyse.SAMPLE_FILES)))
    alone = {}
    for row in rows:
        if row["nproc"] == "1" and row["phase"] == "closed" and row["case"] in lines:
            length = lines[row["case"]]
            alone[float(row["len_ms"])] = (length, analyse.number(row, "mean_us") / 1e3 - length)
    arrivals = {}
    for row in analyse.rows_of(folder, analyse.SAMPLE_FILES):
        if row["mode"] == "ts" and row["case"].startswith("o"):
            arrivals.setdefault((row["case"], row["nproc"], row["proc"]), []).append(float(row["sched_us"]))
    cases = {}
    for row in rows:
        length = alone.get(float(row["len_ms"]))
        if row["nproc"] == "1" or length is None or row["case"] in ("behind",):
            continue
        key = (row["case"], row["nproc"])
        case = cases.setdefault(key, {"case": row["case"], "seconds": float(row["seconds"]), "processes": []})
        one = {"length_ms": length[0], "host_ms": length[1], "asked_ms": float(row["len_ms"])}
        if row["phase"] == "open":
            one["arrivals_us"] = arrivals.get((row["case"], row["nproc"], row["proc"]))
            if one["arrivals_us"] is None:
                del cases[key]["processes"][:]
                continue
        else:
            one["depth"] = int(analyse.notes(row).get("depth", 1))
        case["processes"].append(one)
    return [case for (_, count), case in sorted(cases.items()) if len(case["processes"]) == int(count)]


def name_of(case):
    return "%s, %d processes" % (case["case"], len(case["processes"]))


def predicted(slicewise, gpu, cases, sharing=""):
    """The document that is hashed: what went in, and what slicewise makes of it."""
    document = {"format": PREDICTION, "slicewise": slicewise.version, "gpu": gpu, "cases": []}
    for case in cases:
        known = []
        for one in case["processes"]:
            line = {key: one[key] for key in ("length_ms", "host_ms", "depth") if key in one}
            if one.get("arrivals_us") is not None:
                arrivals = " ".join("%.1f" % us for us in one["arrivals_us"])
                line["arrivals"] = len(one["arrivals_us"])
                line["arrivals_sha256"] = hashlib.sha256(arrivals.encode()).hexdigest()
            known.append(line)
        document["cases"].append({"case": name_of(case), "seconds": case["seconds"], "known": known,
                                  "predicted": slicewise.run(case, gpu, sharing)})
    return document


def bytes_of(document):
    return (json.dumps(document, indent=1, sort_keys=True) + "\n").encode()


def seal(document, folder):
    """Writes the prediction and its hash, and returns the hash. `sha256sum -c prediction.sha256` checks it."""
    data = bytes_of(document)
    digest = hashlib.sha256(data).hexdigest()
    with open(os.path.join(folder, "prediction.json"), "wb") as file:
        file.write(data)
    with open(os.path.join(folder, "prediction.sha256"), "w") as file:
        file.write("%s  prediction.json\n" % digest)
    return digest


# ---------------------------------------------------------------- the score

def measured_of(folder):
    """Figures of each case and process of cases.csv."""
    found = {}
    for row in analyse.rows_of(folder, analyse.CASE_FILES):
        if row["phase"] in ("closed", "open") and row["mode"] == "ts" and row["what"] == "kernel" and row["width"] == "full":
            found.setdefault("%s, %s processes" % (row["case"], row["nproc"]), {})[int(row["proc"])] = row
    return found


def scored(document, folder):
    """Predicted beside measured, with the relative error in %: of closed loops the rate, of open ones the
    mean, and percentiles beyond which each process has ten queries. Processes alike count together."""
    rows, measured = [], measured_of(folder)
    for case in document["cases"]:
        own = measured.get(case["case"])
        if not own or len(own) != len(case["predicted"]):
            continue
        alike = len({one["length_ms"] for one in case["known"]}) == 1
        groups = [sorted(own)] if alike else [[process] for process in sorted(own)]
        for group in groups:
            name = case["case"] if alike else "%s: %d" % (case["case"].split(" ")[0].rstrip(","), group[0])
            fewest = min(int(own[process]["n"]) for process in group)
            if own[0]["phase"] == "open":
                wanted = ["mean"] + ["p%d" % q for q in (50, 90, 99) if fewest * (100 - q) >= 1000]
                wanted = [(figure + "_ms", lambda row, of=figure: analyse.number(row, of + "_us") / 1e3) for figure in wanted]
            else:
                # From one end to the next, not a count in a window, which is one more or less.
                wanted = [("per_s", lambda row: 1e6 / analyse.number(row, "mean_us"))]
            for figure, seen_in in wanted:
                told = [analyse.mean([case["predicted"][process][figure][end] for process in group]) for end in range(3)]
                seen = analyse.mean([seen_in(own[process]) for process in group])
                rows.append({"case": name, "figure": figure, "predicted": told[0], "low": told[1], "high": told[2],
                             "measured": seen, "error_percent": 100 * (told[0] / seen - 1),
                             "inside": told[1] <= seen <= told[2]})
    return rows


def summary(rows):
    """Mean and largest absolute error of rates and of latencies, and how many lie in the stated interval."""
    told = {}
    for name, figures in (("rates", ("per_s",)), ("mean", ("mean_ms",)), ("p50", ("p50_ms",)), ("p90", ("p90_ms",)), ("p99", ("p99_ms",))):
        errors = [abs(row["error_percent"]) for row in rows if row["figure"] in figures]
        if errors:
            told[name] = {"rows": len(errors), "mean_percent": analyse.mean(errors), "worst_percent": max(errors)}
    told["inside"] = sum(row["inside"] for row in rows)
    told["of"] = len(rows)
    return told


def sharing_of(turn):
    """[sharing] of a scenario with what was measured, for a second look that is no prediction."""
    if not all(key in turn for key in ("slice_ms", "dry_ms", "save_restore_ms")):
        return None
    # The kernels of the loops, not the mean over kinds: those fill each SM.
    own = [cost["save_restore_ms"] for name, cost in turn["stopping"].items() if name.startswith("f") and "processes" in name]
    both = analyse.mean(own) if own else turn["save_restore_ms"]["value"]
    restore = both * turn.get("restore_part", 0.5)
    return ('[sharing]\nhardware_slice = "%.6f ms"\nswitch_cost = { dry = "%.6f ms", save = "%.6f ms", restore = "%.6f ms" }\n'
            % (turn["slice_ms"]["value"], turn["dry_ms"]["value"], both - restore, restore))


def shown(rows):
    lines = ["%-20s %-8s %10s %22s %10s %8s" % ("case", "figure", "predicted", "interval", "measured", "error")]
    for row in rows:
        lines.append("%-20s %-8s %10.3f %10.3f %11.3f %10.3f %+7.1f%%%s" % (
            row["case"], row["figure"], row["predicted"], row["low"], row["high"], row["measured"],
            row["error_percent"], "" if row["inside"] else " *"))
    told = summary(rows)
    for name in ("rates", "mean", "p50", "p90", "p99"):
        if name in told:
            lines.append("%-6s %3d rows: off by %.1f %% on average, %.1f %% at worst"
                         % (name, told[name]["rows"], told[name]["mean_percent"], told[name]["worst_percent"]))
    lines.append("%d of %d figures lie in the interval that was stated (* those that do not)" % (told["inside"], told["of"]))
    return lines
