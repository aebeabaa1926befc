"""One process on the GPU. Reads commands from its standard input, one JSON object a line, and answers each
with one line on its standard output. `measure.py` starts it; it ends with whoever started it."""
import ctypes
import gc
import json
import os
import random
import signal
import sys
import time

import kernels
from cuda import COMPUTE_MODE, EXEC_TIMEOUT, Gpu, c_float, c_uint32, c_uint64, device_pointer

THREADS = 256
MOST = 30000        # kernels of one case
GAPS = 6000         # gaps that one block of a watching kernel notes

now = time.monotonic_ns


def until(at):
    """Spins: to sleep would be to wake late."""
    while now() < at:
        pass


class Worker:
    def __init__(self):
        self.gpu = Gpu(kernels.text())
        gpu = self.gpu
        self.sink = gpu.array(64)
        self.starts, self.ends = gpu.array(MOST), gpu.array(MOST)
        self.ns_per_turn = None
        self.turns = c_uint64()
        self.start_at, self.end_at = device_pointer(), device_pointer()
        self.launchers = {}
        gc.disable()  # no pause within a measurement

    def launcher(self, width):
        """Launches the work kernel: `full` has a block for each SM, which fills it with shared memory."""
        if width not in self.launchers:
            blocks = {"full": self.gpu.sms, "tenth": max(1, self.gpu.sms // 10), "one": 1}[width]
            arguments = [self.turns, c_float(0.5), self.sink, self.start_at, self.end_at]
            self.launchers[width] = self.gpu.prepared("work", blocks, THREADS, self.gpu.shared, arguments)
        return self.launchers[width]

    def aim(self, index):
        """Where the next launch notes its start and end."""
        self.start_at.value = self.starts.value + 8 * index
        self.end_at.value = self.ends.value + 8 * index

    def length(self, ms):
        self.turns.value = max(1, round(ms * 1e6 / self.ns_per_turn))

    def clear(self):
        self.gpu.fill(self.starts, MOST, 0xFF)
        self.gpu.fill(self.ends, MOST, 0)
        self.gpu.wait()

    def stamps(self, count):
        return list(zip(self.gpu.read(self.starts, count), self.gpu.read(self.ends, count)))

    # ------------------------------------------------------------ commands

    def about(self):
        gpu = self.gpu
        return {"name": gpu.name(), "bus": gpu.bus(), "sms": gpu.sms, "shared": gpu.shared, "memory_mib": gpu.memory() >> 20,
                "cuda": gpu.cuda.version(), "compute_mode": gpu.attribute(COMPUTE_MODE),
                "kernel_time_limit": bool(gpu.attribute(EXEC_TIMEOUT))}

    def calibrate(self):
        """ns of one turn of the loop on the warm GPU, from the difference of two lengths."""
        go, end = self.launcher("full"), now() + 200_000_000
        self.turns.value = 20_000
        self.aim(0)
        while now() < end:
            go()
            self.gpu.wait()
        shortest = []
        for turns in (10_000, 50_000):
            self.turns.value = turns
            self.clear()
            for index in range(9):
                self.aim(index)
                go()
                self.gpu.wait()
            shortest.append(min(b - a for a, b in self.stamps(9)))
        return max(0.01, (shortest[1] - shortest[0]) / 40_000)

    def use(self, ns_per_turn):
        self.ns_per_turn = ns_per_turn

    def offset(self):
        """globaltimer minus this machine's monotonic clock, ns: of the fastest of many round trips."""
        go, best = self.launcher("one"), None
        self.turns.value = 1
        self.clear()
        times = []
        for index in range(60):
            self.aim(index)
            before = now()
            go()
            self.gpu.wait()
            times.append((now() - before, before))
        for (trip, before), (start, _) in list(zip(times, self.stamps(60)))[5:]:
            if best is None or trip < best[0]:
                best = (trip, start - before - trip // 2)
        return best[1]

    def alone(self, length_ms, width, count):
        """Times of kernels alone, us: from launch to return, and on the GPU."""
        go, host = self.launcher(width), []
        self.length(length_ms)
        self.clear()
        for index in range(count):
            self.aim(index)
            before = now()
            go()
            self.gpu.wait()
            host.append((now() - before) / 1e3)
        return {"host_us": host, "gpu_us": [(b - a) / 1e3 for a, b in self.stamps(count)]}

    def closed(self, length_ms, width, depth, at, seconds, pause_ms=0, seed=0):
        """`depth` launches in flight; a pause (mean, exponential) before each. Rows: launch, done; us."""
        gpu, go, end = self.gpu, self.launcher(width), at + int(seconds * 1e9)
        self.length(length_ms)
        self.clear()
        draw, events, launched, done = random.Random(seed), [gpu.event() for _ in range(depth)], [], []
        record, wait = gpu.cuda.cuEventRecord, gpu.cuda.cuEventSynchronize

        def launch():
            index = len(launched)
            self.aim(index)
            launched.append(now())
            go()
            record(events[index % depth], gpu.stream)
        until(at)
        while True:
            while len(launched) - len(done) < depth and len(launched) < MOST and now() < end:
                if pause_ms:
                    until(now() + int(draw.expovariate(1 / pause_ms) * 1e6))
                launch()
            if len(launched) == len(done):
                break
            wait(events[len(done) % depth])
            done.append(now())
        return self.rows([a - at for a in launched], launched, done, at)

    def open(self, length_ms, width, at, arrivals_us):
        """One launch at each time, at once, into one stream."""
        gpu, go = self.gpu, self.launcher(width)
        self.length(length_ms)
        self.clear()
        due = [at + int(us * 1e3) for us in arrivals_us[:MOST]]
        events = [gpu.event() for _ in range(min(512, len(due)))]
        launched, done, record = [], [], gpu.cuda.cuEventRecord
        give_up = (due[-1] if due else at) + 4_000_000_000
        until(at)
        while len(done) < len(due):
            time_now = now()
            if time_now > give_up:
                break
            if len(launched) < len(due) and len(launched) - len(done) < len(events) and time_now >= due[len(launched)]:
                self.aim(len(launched))
                launched.append(time_now)
                go()
                record(events[(len(launched) - 1) % len(events)], gpu.stream)
            elif len(done) < len(launched) and gpu.is_done(events[len(done) % len(events)]):
                done.append(now())
        gpu.wait()
        return self.rows([one - at for one in due[:len(done)]], launched[:len(done)], done, at)

    def rows(self, came, launched, done, at):
        stamps = self.stamps(len(done)) if done else []
        return {"at": at, "rows": [[round(a / 1e3, 1), round((b - at) / 1e3, 1), round((c - at) / 1e3, 1), start, end]
                                   for a, b, c, (start, end) in zip(came, launched, done, stamps)]}

    def watch(self, kind, at, seconds, threshold_ns):
        """Gaps that a kernel saw: heads (SM, start, end) and gaps (SM, last before, first after), ns."""
        gpu = self.gpu
        name, blocks, threads, shared, every = {
            "small": ("watch", min(8, gpu.sms), 32, 0, 1),
            "thin": ("watch", gpu.sms, 32, 0, 33),
            "fat": ("watch_fat", gpu.sms, THREADS, gpu.shared, 33),
        }[kind]
        duration = int(seconds * 1e9)
        heads, gaps, load = gpu.array(4 * blocks), gpu.array(2 * GAPS * blocks), gpu.array(64)
        try:
            length = c_uint64(1000)
            arguments = [length, c_uint64(threshold_ns), c_uint64(duration), gaps, c_uint32(GAPS), c_uint32(every),
                         heads, load]
            go = gpu.prepared(name, blocks, threads, shared, arguments)
            go()  # once before, so that the kernel is loaded
            gpu.wait()
            length.value = duration
            until(at)
            go()
            gpu.wait()
            found = gpu.read(heads, 4 * blocks)
            told = {"heads": [], "gaps": []}
            for block in range(blocks):
                sm, start, end, count = found[4 * block:4 * block + 4]
                told["heads"].append([sm, start, end])
                if count:
                    noted = device_pointer(gaps.value + 16 * GAPS * block)
                    pairs = gpu.read(noted, 2 * min(count, GAPS))
                    told["gaps"] += [[sm, a, b] for a, b in zip(pairs[::2], pairs[1::2])]
            return told
        finally:
            for array in (heads, gaps, load):
                gpu.free(array)

    def steps(self):
        """The steps in which globaltimer goes on, ns: a watching kernel without threshold sees each."""
        told = self.watch("small", now(), 0.002, 0)
        return sorted(b - a for _, a, b in told["gaps"])

    def copy(self, direction, mib, at, seconds):
        """Copies one after the other, us each."""
        gpu, size, end, took = self.gpu, mib << 20, at + int(seconds * 1e9), []
        host, device = gpu.pinned(size), gpu.array(size // 8)
        try:
            def once():
                if direction == "h2d":
                    gpu.cuda.cuMemcpyHtoDAsync_v2(device, host, size, gpu.stream)
                else:
                    gpu.cuda.cuMemcpyDtoHAsync_v2(host, device, size, gpu.stream)
                gpu.wait()
            for _ in range(3):
                once()
            until(at)
            while now() < end and len(took) < MOST:
                before = now()
                once()
                took.append([(before - at) / 1e3, (now() - at) / 1e3])
        finally:
            gpu.free(device)
            gpu.cuda.cuMemFreeHost(host)
        return took

    def count(self):
        """SMs that blocks of this process are found on, and those that the driver names."""
        gpu = self.gpu
        flags = gpu.array(512)
        go = gpu.prepared("count", 64 * gpu.sms, 32, 0, [flags, c_uint64(20_000)])
        go()
        gpu.wait()
        seen = sum((word & 1) + (word >> 32 & 1) for word in gpu.read(flags, 512))
        gpu.free(flags)
        return {"seen": seen, "named": gpu.sms}


def main():
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started it ends it
    try:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: ends with its parent
    except (OSError, AttributeError):
        pass
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the driver prints is no answer
    worker = None
    for line in sys.stdin:
        command = json.loads(line)
        name = command.pop("do")
        if name == "quit":
            break
        try:
            if worker is None:
                worker = Worker()
            told = {"ok": getattr(worker, name)(**command)}
        except Exception as error:  # told to the parent, which goes on without this case
            told = {"error": "%s: %s" % (type(error).__name__, error)}
        answer.write(json.dumps(told) + "\n")
        answer.flush()


if __name__ == "__main__":
    main()
