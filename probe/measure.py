"""The measurements: which processes do what, and when. Writes gaps.csv, samples.csv and cases.csv.

All in the folder it is given. Each command has a time limit; a process that does not answer is ended and
its case left out. Nothing of the GPU is set, and no MPS daemon is started.
"""
import csv
import json
import os
import queue
import random
import statistics
import subprocess
import sys
import threading
import time

from analyse import rank

HERE = os.path.dirname(os.path.abspath(__file__))

CASE_COLUMNS = ("phase,case,mode,what,len_ms,batch,width,nproc,proc,load,rate,n,seconds,mean_us,p50_us,p90_us,"
                "p99_us,max_us,min_us,solo_us,thr,extra").split(",")
SAMPLE_COLUMNS = "case,mode,nproc,proc,i,sched_us,launch_us,done_us,gstart_us,gend_us".split(",")
GAP_COLUMNS = "case,proc,type,sm,a,b,c,d".split(",")

SOON = 60_000_000  # ns from the command to its start: all processes have read it by then


class Late(Exception):
    """The time limit is over."""


class Process:
    """A worker, spoken to over pipes."""

    def __init__(self, environment=None):
        self.child = subprocess.Popen([sys.executable, "-B", os.path.join(HERE, "worker.py")], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                      env=dict(os.environ, **(environment or {})))
        self.answers = queue.Queue()
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        for line in self.child.stdout:
            self.answers.put(line)
        self.answers.put(None)

    def send(self, name, **arguments):
        try:
            self.child.stdin.write((json.dumps(dict(arguments, do=name)) + "\n").encode())
            self.child.stdin.flush()
        except OSError:
            pass  # its end is told by answer()

    def answer(self, limit):
        try:
            line = self.answers.get(timeout=limit)
        except queue.Empty:
            self.end()
            raise RuntimeError("a process did not answer within %.0f s" % limit)
        if line is None:
            raise RuntimeError("a process ended (exit status %s)" % self.child.poll())
        told = json.loads(line)
        if "error" in told:
            raise RuntimeError(told["error"])
        return told["ok"]

    def ask(self, name, limit=20, **arguments):
        self.send(name, **arguments)
        return self.answer(limit)

    def end(self):
        try:
            self.child.stdin.close()
        except OSError:
            pass
        try:
            self.child.wait(timeout=1)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()


class Files:
    """The three tables of a folder."""

    def __init__(self, folder):
        self.open = {name: open(os.path.join(folder, name), "w", newline="") for name in
                     ("cases.csv", "samples.csv", "gaps.csv")}
        self.write = {name: csv.writer(file, lineterminator="\n") for name, file in self.open.items()}
        for name, columns in zip(self.open, (CASE_COLUMNS, SAMPLE_COLUMNS, GAP_COLUMNS)):
            self.write[name].writerow(columns)

    def case(self, latencies_us=(), **cells):
        ordered = sorted(latencies_us)
        if ordered:
            cells.update(n=len(ordered), mean_us="%.2f" % (sum(ordered) / len(ordered)), max_us="%.2f" % ordered[-1],
                         min_us="%.2f" % ordered[0])
            for name, share in (("p50_us", 0.5), ("p90_us", 0.9), ("p99_us", 0.99)):
                cells[name] = "%.2f" % rank(ordered, share)
        self.write["cases.csv"].writerow([cells.get(column, "") for column in CASE_COLUMNS])

    def flush(self):
        for file in self.open.values():
            file.flush()

    def close(self):
        for file in self.open.values():
            file.close()


class Measurement:
    """One run. `say` takes a line for the person who waits."""

    def __init__(self, folder, limit_s, say, quick=False):
        self.files, self.say, self.quick = Files(folder), say, quick
        self.until = time.monotonic() + limit_s
        # Processes that take turns must not be clients of an MPS daemon: with a pipe directory where none
        # answers the driver goes on without (man nvidia-cuda-mps-control).
        self.apart = os.path.join(folder, "no-mps")
        os.makedirs(self.apart, exist_ok=True)
        self.processes, self.turn, self.zero, self.solo = [], None, 0, {}
        self.threshold = 10_000

    def left(self, needed):
        if time.monotonic() + needed > self.until:
            raise Late()

    def seconds(self, usual):
        return usual * 0.3 if self.quick else usual

    def start(self, count):
        """So many processes, each with its context on the GPU."""
        new = [Process({"CUDA_MPS_PIPE_DIRECTORY": self.apart}) for _ in range(count - len(self.processes))]
        self.processes += new
        for one in new:
            one.send("about")
        told = [one.answer(60) for one in new]
        for one in new:
            if self.turn:
                one.ask("use", ns_per_turn=self.turn)
        return told

    def together(self, commands, seconds):
        """The same instant for all: [(name, arguments)] for the first processes."""
        self.left(seconds + 1)
        at = time.monotonic_ns() + SOON
        used = self.processes[:len(commands)]
        for one, (name, arguments) in zip(used, commands):
            one.send(name, at=at, **arguments)
        told, failed = [], None
        for one in used:  # every answer is taken, or the next command would get it
            try:
                told.append(one.answer(seconds * 4 + 15))
            except RuntimeError as error:
                failed = failed or error
        if failed:
            raise failed
        return told

    def phase(self, name, run):
        """A phase that fails costs its own rows and no others."""
        try:
            run()
        except Late:
            self.say("no time left for: %s" % name)
        except RuntimeError as error:
            self.say("left out: %s: %s" % (name, error))
            dead = [one for one in self.processes if one.child.poll() is not None]
            if dead:
                self.processes = [one for one in self.processes if one not in dead]
                for one in self.processes:
                    one.end()
                count, self.processes = len(self.processes) + len(dead), []
                try:
                    self.start(count)
                except RuntimeError as again:
                    self.say("processes cannot be started again: %s" % again)
                    self.until = 0
        self.files.flush()

    # ------------------------------------------------------------ alone

    def begin(self):
        """The first process: what CUDA calls the device, how fast it is, how its clock steps."""
        about = self.start(1)[0]
        first = self.processes[0]
        self.turn = first.ask("calibrate", 30)
        first.ask("use", ns_per_turn=self.turn)
        steps = first.ask("steps", 20)
        step = statistics.median(steps) if steps else 0
        self.threshold = int(max(10_000, 3 * step))
        self.zero = first.ask("offset", 20)
        about["globaltimer_step_ns"] = step
        about["ns_per_turn"] = self.turn
        return about

    LENGTHS = (0.1, 0.5, 1, 2, 5, 10, 20)

    def alone(self):
        for length in self.LENGTHS:
            self.left(2)
            count = max(8, int(self.seconds(200) / max(length, 0.5)))
            told = self.processes[0].ask("alone", 30, length_ms=length, width="full", count=count)
            host, on_gpu = told["host_us"][2:], told["gpu_us"][2:]
            self.solo[length] = (statistics.median(host), statistics.median(on_gpu))
            name = "f%g" % length
            self.files.case(host, phase="closed", case=name, mode="ts", what="kernel", len_ms="%g" % length,
                            width="full", nproc=1, proc=0, load=0, rate=0, seconds="%.4f" % (sum(host) / 1e6),
                            solo_us="%.2f" % self.solo[length][0], thr="%.4f" % (1e6 * len(host) / sum(host)),
                            extra="depth=1;all=%d" % len(host))
            at = 0.0
            for i, (took, on) in enumerate(zip(host, on_gpu)):
                self.files.write["samples.csv"].writerow(
                    [name, "ts", 1, 0, i] + ["%.1f" % x for x in (at, at, at + took, at + (took - on) / 2, at + (took + on) / 2)])
                at += took
        self.files.flush()

    # ------------------------------------------------------------ shared

    def watch(self, kind, count):
        seconds = self.seconds(1.0)
        self.start(count)
        name = "%s%d" % (kind, count)
        told = self.together([("watch", dict(kind=kind, seconds=seconds, threshold_ns=self.threshold))] * count, seconds)
        zero = min(head[1] for one in told for head in one["heads"])
        for process, one in enumerate(told):
            for sm, start, end in one["heads"]:
                self.files.write["gaps.csv"].writerow([name, process, "H", sm, start - zero, end - zero])
            for sm, gone, back in one["gaps"]:
                self.files.write["gaps.csv"].writerow([name, process, "G", sm, gone - zero, back - zero])

    def loops(self, case, processes, seconds):
        """Closed and open loops, as `predict.py` has them planned."""
        self.start(len(processes))
        commands = []
        for number, one in enumerate(processes):
            if one.get("arrivals_us") is not None:
                commands.append(("open", dict(length_ms=one["asked_ms"], width="full", arrivals_us=one["arrivals_us"])))
            else:
                commands.append(("closed", dict(length_ms=one["asked_ms"], width="full", depth=one["depth"], seconds=seconds,
                                                pause_ms=one.get("pause_ms", 0), seed=number)))
        told = self.together(commands, seconds)
        for number, (one, found) in enumerate(zip(processes, told)):
            rows, shift = found["rows"], (self.zero + found["at"]) / 1e3
            is_open = one.get("arrivals_us") is not None
            for i, (came, launched, done, start, end) in enumerate(rows):
                self.files.write["samples.csv"].writerow(
                    [case, "ts", len(processes), number, i, came, launched, done,
                     "%.1f" % (start / 1e3 - shift), "%.1f" % (end / 1e3 - shift)])
            if is_open:
                latencies = [done - came for came, _, done, _, _ in rows]
                late = sorted(launched - came for came, launched, _, _, _ in rows)
                if late and rank(late, 0.9) > 500:
                    self.say("%s: one launch in ten came over %.1f ms late: too few free cores here, do not trust its latencies"
                             % (case, rank(late, 0.9) / 1e3))
                rate, extra = len(rows) / seconds, "planned=%d" % len(one["arrivals_us"])
            else:
                ends = [done for _, _, done, _, _ in rows if seconds * 1e5 < done <= seconds * 1e6]
                if one["depth"] == 1:
                    latencies = [done - came for came, _, done, _, _ in rows
                                 if came >= seconds * 1e5 and done <= seconds * 1e6]
                else:
                    latencies = [b - a for a, b in zip(ends, ends[1:])]
                rate, extra = len(ends) / (seconds * 0.9), "depth=%d;all=%d" % (one["depth"], len(rows))
            self.files.case(latencies, phase="open" if is_open else "closed", case=case, mode="ts", what="kernel",
                            len_ms="%g" % one["asked_ms"], width="full", nproc=len(processes), proc=number,
                            load=one.get("load", 0), rate="%.4f" % one.get("rate", 0), seconds="%.4f" % seconds,
                            solo_us="%.2f" % (1e3 * (one["length_ms"] + one["host_ms"])), thr="%.4f" % rate, extra=extra)

    def copies(self):
        for name, entries in (("h32", ["h2d"]), ("d32", ["d2h"]), ("hd", ["h2d", "d2h"]), ("hk10", ["h2d", "kernel"])):
            seconds = self.seconds(0.5)
            self.start(len(entries))
            commands = [("copy", dict(direction=one, mib=32, seconds=seconds)) if one != "kernel" else
                        ("closed", dict(length_ms=10, width="full", depth=1, seconds=seconds)) for one in entries]
            for number, (what, found) in enumerate(zip(entries, self.together(commands, seconds))):
                spans = [(a, b) for a, b in found if a > seconds * 1e5 and b <= seconds * 1e6] if what != "kernel" else \
                    [(row[0], row[2]) for row in found["rows"]]
                took = [b - a for a, b in spans]
                if not took:
                    self.say("left out: %s of copies %s: none came back within %.2f s" % (what, name, seconds))
                    continue
                # By the time copies took, not by a count of whole ones in the window.
                gbps = 1e-3 * (32 << 20) * len(took) / (spans[-1][1] - spans[0][0])
                self.files.case(took, phase="copy", case=name, mode="ts", what=what, nproc=len(entries), proc=number,
                                load=0, rate=0, seconds="%.4f" % seconds, thr="%.4f" % (len(took) / seconds / 0.9),
                                extra="mib=32;gbps=%.3f" % gbps if what != "kernel" else "mib=0")

    def limits(self, percentages=(100, 75, 50, 25, 12)):
        """SMs that clients of the MPS daemon have under limits. The daemon is there already."""
        for percent in percentages:
            self.left(6)
            client = Process({"CUDA_MPS_ACTIVE_THREAD_PERCENTAGE": str(percent)} if percent != 100 else None)
            try:
                found = client.ask("count", 40)
                self.files.write["gaps.csv"].writerow(["limits", 0, "L", 0, percent, found["seen"], found["named"]])
            finally:
                client.end()

    def batches(self, model, limit):
        """Batch times of a model, by a process of its own that imports PyTorch."""
        self.left(15)
        limit = min(limit, self.until - time.monotonic())
        command = [sys.executable, "-B", os.path.join(HERE, "batches.py"), "--limit", "%.0f" % max(5, limit - 5)]
        try:
            done = subprocess.run(command + (["--model", model] if model else []), stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=max(10, limit),
                                  env=dict(os.environ, CUDA_MPS_PIPE_DIRECTORY=self.apart))
        except subprocess.TimeoutExpired:
            raise RuntimeError("batches.py did not end within %.0f s" % limit)
        found = []
        for line in done.stdout.decode(errors="replace").splitlines():
            if line.startswith("{"):
                row = json.loads(line)
                if "note" in row:
                    self.say("batches: %s" % row["note"])
                    continue
                found.append(row)
                self.files.case(row["us"], phase="alone", case="alone", mode="ts", what=row["what"], batch=row["batch"],
                                nproc=1, proc=0, load=0, rate=0, seconds="%.3f" % (sum(row["us"]) / 1e6), solo_us=0,
                                thr="%.4f" % (1e6 * len(row["us"]) / sum(row["us"])))
        if done.returncode and not found:
            last = done.stderr.decode(errors="replace").strip().splitlines()
            raise RuntimeError("batches.py: %s" % (last[-1] if last else "exit status %d" % done.returncode))

    def close(self):
        for one in self.processes:
            one.end()
        self.processes = []
        self.files.close()
        try:
            os.rmdir(self.apart)
        except OSError:
            pass


def poisson(rate_per_s, seconds, seed):
    """Arrivals of an open loop, us."""
    draw, at, found = random.Random(seed), 0.0, []
    while True:
        at += draw.expovariate(rate_per_s)
        if at >= seconds:
            return found
        found.append(round(at * 1e6, 1))
