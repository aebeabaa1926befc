#!/usr/bin/env python3
"""Measures how processes share your GPU, in about two minutes, as an ordinary user; sets nothing.

    python3 probe/probe.py                              measures, writes into probe-output
    python3 probe/probe.py --slicewise target/release/slicewise    predicts first, and scores itself
    python3 probe/probe.py --replay DIR --slicewise PATH           the same over recorded files, without a GPU

See README.md beside this file.
"""
import argparse
import csv
import datetime
import faulthandler
import json
import os
import signal
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import analyse  # noqa: E402
import measure  # noqa: E402
import place  # noqa: E402
import predict  # noqa: E402

FORMAT = "slicewise-probe 1"
BEGAN = time.monotonic()


def say(line=""):
    print(line, flush=True)


def step(line):
    say("[%3.0f s] %s" % (time.monotonic() - BEGAN, line))


def tidy(value):
    """Figures with nine digits: what is beyond is noise of the arithmetic."""
    if isinstance(value, float):
        return float("%.9g" % value)
    if isinstance(value, dict):
        return {key: tidy(one) for key, one in value.items()}
    return [tidy(one) for one in value] if isinstance(value, list) else value


def write(folder, name, document):
    document = tidy(document)
    with open(os.path.join(folder, name), "w") as file:
        file.write(json.dumps(document, indent=1, sort_keys=True) + "\n")


def plan(solo, quick):
    """Closed and open loops, with what is known of their kernels."""
    part = 0.3 if quick else 1.0

    def kernel(asked, **more):
        host, on_gpu = solo[asked]
        return dict(asked_ms=asked, length_ms=on_gpu / 1e3, host_ms=max(0.0, (host - on_gpu) / 1e3), **more)

    cases = []
    for count, lengths in ((2, (0.5, 2, 5, 10, 20)), (3, (2, 10))):
        for asked in lengths:
            cases.append(dict(case="f%g" % asked, seconds=part * (1.5 if asked >= 10 else 1.0),
                              processes=[kernel(asked, depth=1) for _ in range(count)]))
    cases.append(dict(case="d2", seconds=part, processes=[kernel(2, depth=4) for _ in range(2)]))
    cases.append(dict(case="m2x20", seconds=1.5 * part, processes=[kernel(2, depth=1), kernel(20, depth=1)]))
    for name, asked, load, seconds, seed in (("o2_30", 2, 0.3, 3.0, 1), ("o2_60", 2, 0.6, 4.0, 2), ("o10_60", 10, 0.6, 5.0, 3)):
        rate, processes = load / 2 / (solo[asked][0] / 1e6), []
        for number in range(2):
            processes.append(kernel(asked, load=load / 2, rate=rate,
                                    arrivals_us=measure.poisson(rate, seconds * part, 100 * seed + number)))
        cases.append(dict(case=name, seconds=seconds * part, processes=processes))
    return cases


# Process 0 always has launches behind the running one, process 1 comes now and then: slices of a lone holder.
def behind(quick):
    return dict(case="behind", seconds=1.2 if quick else 4.0, processes=[
        dict(asked_ms=3, length_ms=3, host_ms=0, depth=4), dict(asked_ms=0.2, length_ms=0.2, host_ms=0, depth=1, pause_ms=8)])


def prediction(arguments, folder, meta, cases):
    """Asks slicewise, seals what it says and prints the hash; nothing where there is no slicewise."""
    scratch = os.path.join(folder, "scenarios")
    os.makedirs(scratch, exist_ok=True)
    try:
        slicewise = predict.Slicewise(arguments.slicewise, scratch)
        gpu = arguments.gpu or meta.get("catalogue") or slicewise.gpu_of(meta.get("pci_id"), meta.get("card") or meta.get("name"))
        document = predict.predicted(slicewise, gpu, cases)
    except predict.NoSlicewise as why:
        say("no prediction: %s" % why)
        return None, None, None
    digest = predict.seal(document, folder)
    say()
    say("prediction of %d cases from %s (%s): prediction.json" % (len(document["cases"]), gpu, slicewise.version))
    say("SHA-256 %s" % digest)
    say()
    return slicewise, document, digest


def conclude(arguments, folder, raw, meta, cases, slicewise, document, digest):
    """Analysis, score, and the files for calibrate."""
    told = analyse.analyse(raw)
    say()
    say("measured, on %s" % meta["place"]["words"])
    for line in analyse.shown(told):
        say("  " + line)
    result = {"format": FORMAT, "gpu": {key: meta[key] for key in ("name", "card", "pci_id", "sms", "memory_mib") if key in meta},
              "driver": meta.get("driver", "unknown"), "date": meta["date"], "place": meta["place"],
              "hypervisor": meta.get("hypervisor"), "measured": told}
    if meta.get("catalogue"):
        result["catalogue"] = meta["catalogue"]
    if document:
        result["catalogue"] = document["gpu"]
        rows = predict.scored(document, raw)
        result["prediction"] = {"sha256": digest, "slicewise": document["slicewise"], "rows": rows, "summary": predict.summary(rows)}
        say()
        say("predicted (SHA-256 %s) and measured" % digest)
        for line in predict.shown(rows):
            say("  " + line)
        sharing = predict.sharing_of(told["turns"])
        if sharing:
            try:
                again = predict.scored(predict.predicted(slicewise, document["gpu"], cases, sharing), raw)
                result["with_measured"] = {"rows": again, "summary": predict.summary(again)}
                say("  with the slice and the switch just measured (no prediction): %s" % ", ".join(
                    "%s %.1f %%" % (name, one["mean_percent"]) for name, one in predict.summary(again).items() if isinstance(one, dict)))
            except predict.NoSlicewise as why:
                say("not run again with what was measured: %s" % why)
    for name, times in told["batches"].items():
        with open(os.path.join(folder, "times-%s.csv" % name), "w", newline="") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(["batch", "latency_ms"])
            table.writerows([batch, "%.4f" % one["mean_ms"]] for batch, one in times.items())
    write(folder, "probe.json", result)
    row = row_of(result)
    with open(os.path.join(folder, "row.md"), "w") as file:
        file.write(row + "\n")
    say()
    say("wrote %s" % os.path.join(folder, "probe.json"))
    if document:
        say("a row for docs/explanation/probe.md is in row.md; send it with prediction.json and probe.json")


def row_of(result):
    """One line for the table of docs/explanation/probe.md."""
    turn, told = result["measured"]["turns"], result.get("prediction", {}).get("summary", {})
    number = lambda key, form="%.3f": form % turn[key]["value"] if key in turn else "-"
    error = lambda key: "%.1f %%" % told[key]["mean_percent"] if key in told else "-"
    digest = result.get("prediction", {}).get("sha256", "-")[:12]
    return "| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | `%s` |" % (
        result["gpu"].get("name", "?"), result["driver"], result.get("hypervisor") or {"host": "none", "mig": "none"}.get(result["place"]["kind"], "not recorded"), result["date"],
        number("slice_ms"), number("dry_ms"), number("save_restore_ms"), error("rates"), error("mean"), error("p90"),
        "%d of %d" % (told["inside"], told["of"]) if told else "-", digest)


def replay(arguments, folder):
    """The whole way over recorded files: what was known goes in first, what came out is looked at after."""
    with open(os.path.join(arguments.replay, "meta.json")) as file:
        meta = json.load(file)
    say("replay of %s: %s, driver %s" % (arguments.replay, meta["name"], meta["driver"]))
    cases = predict.planned(arguments.replay)
    slicewise, document, digest = prediction(arguments, folder, meta, cases)
    conclude(arguments, folder, arguments.replay, meta, cases, slicewise, document, digest)


def live(arguments, folder):
    run = measure.Measurement(folder, arguments.limit, step, arguments.quick)
    try:
        try:
            meta = run.begin()
        except RuntimeError as error:
            sys.exit("nothing can be measured here: %s" % error)
        meta.update(place.look(meta.pop("bus")))
        # The probe's own process is one of those that have a context.
        others = max(0, meta.pop("others", 1) - 1)
        if others:
            meta["others"] = others
            say("warning: %d other processes have a context on this GPU; while they run they are measured too" % others)
        meta["date"] = datetime.date.today().isoformat()
        meta["place"] = place.of_device(meta["name"], meta, meta.get("hypervisor"))
        if arguments.gpu:
            meta["catalogue"] = arguments.gpu
        write(folder, "meta.json", meta)
        step("%s, driver %s, %d SMs: %s" % (meta["name"], meta.get("driver", "unknown"), meta["sms"], meta["place"]["words"]))
        exclusive = meta["compute_mode"] != 0
        if exclusive:
            say("compute mode is not DEFAULT: one process at a time may use this GPU, so nothing of sharing is measured")
        step("kernels alone")
        run.phase("kernels alone", run.alone)
        slicewise = document = digest = None
        cases = []
        if len(run.solo) == len(run.LENGTHS) and not exclusive:
            cases = plan(run.solo, arguments.quick)
            slicewise, document, digest = prediction(arguments, folder, meta, cases)
            step("slices and switches, as running kernels see them")
            for kind, count in (("small", 2), ("thin", 2), ("fat", 2), ("small", 3)):
                run.phase("gaps of %s kernels" % kind, lambda: run.watch(kind, count))
            step("loops of %s" % ", ".join(case["case"] for case in cases))
            for case in cases + [behind(arguments.quick)]:
                run.phase(case["case"], lambda: run.loops(case["case"], case["processes"], case["seconds"]))
            step("copies")
            run.phase("copies", run.copies)
        if place.mps_serves():
            step("SMs of limits under MPS")
            run.phase("limits under MPS", run.limits)
        else:
            say("no MPS daemon answers: SM limits are not measured")
        step("batch times")
        run.phase("batch times", lambda: run.batches(arguments.model, 45))
    finally:
        run.close()
    conclude(arguments, folder, folder, meta, cases, slicewise, document, digest)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default="probe-output", metavar="DIR", help="folder for everything that is written; new or empty [probe-output]")
    parser.add_argument("--slicewise", default="slicewise", metavar="PATH", help="the program that predicts [slicewise]")
    parser.add_argument("--gpu", metavar="ID", help="the GPU in slicewise's catalogue; default: by its PCI id")
    parser.add_argument("--model", metavar="FILE.py", help="a model of your own: make(batch) returns what runs one batch")
    parser.add_argument("--limit", type=float, default=150, metavar="S", help="seconds after which nothing new is begun [150]")
    parser.add_argument("--quick", action="store_true", help="a third of the time, to see whether everything works")
    parser.add_argument("--replay", metavar="DIR", help="recorded files instead of a GPU")
    arguments = parser.parse_args()
    if os.sep in arguments.slicewise:
        arguments.slicewise = os.path.abspath(arguments.slicewise)
    if os.path.isdir(arguments.out) and os.listdir(arguments.out):
        parser.error("%s is not empty: name a new folder with --out" % arguments.out)
    folder = os.path.abspath(arguments.out)
    os.makedirs(folder, exist_ok=True)
    signal.signal(signal.SIGTERM, stop)  # as by ctrl-C: processes are ended
    signal.signal(signal.SIGINT, stop)
    try:
        replay(arguments, folder) if arguments.replay else live(arguments, folder)
    except KeyboardInterrupt:
        say("interrupted; what was measured so far is in %s" % folder)
        sys.exit(130)


def stop(number, _frame):
    """Ends as the signal asks; an end that takes more than ten seconds says where it hangs, and is forced."""
    faulthandler.dump_traceback_later(10, exit=True)
    if number == signal.SIGTERM:
        sys.exit(143)
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
