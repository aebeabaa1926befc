"""Analysis: of the recorded H200, and of turns made by the rules from known numbers."""
import os
import random
import tempfile
import unittest

from . import HERE, RECORDED  # noqa: F401  (sets the path)
import analyse
import measure


def near(test, found, wanted, share=0.01):
    test.assertLess(abs(found / wanted - 1), share, "%s instead of %s" % (found, wanted))


class Recorded(unittest.TestCase):
    """tests/measured/h200: what was published of it is in its README."""

    @classmethod
    def setUpClass(cls):
        cls.told = analyse.analyse(RECORDED)

    def test_slice_and_switch(self):
        turns = self.told["turns"]
        near(self, turns["slice_ms"]["value"], 2.089)
        near(self, turns["dry_ms"]["value"], 0.137)
        # The interval published of the slice, 2.078 to 2.105, and of dry, 0.132 to 0.141, hold both values.
        self.assertTrue(2.078 <= turns["slice_ms"]["value"] <= 2.105)
        self.assertTrue(turns["slice_ms"]["low"] <= 2.089 <= turns["slice_ms"]["high"])
        self.assertTrue(turns["dry_ms"]["low"] <= 0.138 <= turns["dry_ms"]["high"])

    def test_stopping_costs_by_kernel(self):
        turns = self.told["turns"]
        # Published: 0.03 to 0.12 ms by kernel, 0.06 for model servers, 0.098 for the kernels of the loops.
        near(self, turns["save_restore_ms"]["value"], 0.06, 0.05)
        for case in ("f5, 2 processes", "f10, 4 processes", "f20, 2 processes"):
            near(self, turns["stopping"][case]["save_restore_ms"], 0.098, 0.05)
        self.assertLess(turns["stopping"]["small2"]["save_restore_ms"], turns["stopping"]["fat2"]["save_restore_ms"])
        near(self, turns["stopping"]["fat2"]["save_restore_ms"], 0.12, 0.05)

    def test_limits_are_pairs_of_sms(self):
        self.assertEqual(self.told["limits"]["step"], 2)
        self.assertEqual(self.told["limits"]["sms"], {"12": 14, "25": 32, "50": 66, "75": 98})

    def test_batch_tables(self):
        tables = {
            "bert": {1: 1.3162, 2: 1.629, 4: 2.5367, 8: 4.6352, 16: 9.3945, 32: 18.0544, 64: 35.8033},
            "resnet": {1: 0.5439, 2: 0.5808, 4: 0.6763, 8: 0.8647, 16: 1.2842, 32: 2.3064, 64: 4.4428},
        }
        for name, table in tables.items():
            self.assertEqual(sorted(map(int, self.told["batches"][name])), sorted(table))
            for batch, ms in table.items():
                near(self, self.told["batches"][name][str(batch)]["mean_ms"], ms, 0.001)

    def test_copies(self):
        # 32 MiB in 0.6154 ms: 54.5 GB/s; half of it each for two in one direction, 0.91 each for both.
        one = self.told["copies"]["h32 x1"][0]["gbps"]
        near(self, one, 54.5)
        near(self, self.told["copies"]["h32 x2"][0]["gbps"], one / 2)
        near(self, self.told["copies"]["hd x2"][1]["gbps"], 0.91 * one)
        near(self, self.told["copies"]["hk10 x2"][0]["gbps"], one)


class Made(unittest.TestCase):
    """Turns of two processes by the rules, from numbers that are no GPU's."""

    SLICE, RENEWAL, DRY, SAVE, RESTORE = 1.7, 1.72, 0.11, 0.04, 0.03

    def closed(self, length, rounds=60):
        """Starts and ends of equal kernels in two closed loops, ms."""
        now, turn, left, stopped, started, found = 0.0, 0, [length] * 2, [False] * 2, [None] * 2, []
        while len(found) < rounds:
            runs = now + (self.RESTORE if stopped[turn] else 0)
            started[turn] = runs if started[turn] is None else started[turn]
            if runs + left[turn] <= now + self.SLICE:
                end = runs + left[turn]
                found.append((turn, started[turn], end))
                left[turn], stopped[turn], started[turn], now = length, False, None, end + self.DRY
            else:
                left[turn] -= now + self.SLICE - runs
                stopped[turn], now = True, now + self.SLICE + self.SAVE + self.DRY
            turn = 1 - turn
        return found

    def behind(self, count=200):
        """A lone holder that never drains, and a newcomer now and then."""
        draw, now, found = random.Random(5), 0.0, []
        while len(found) < count:
            came = now + draw.expovariate(1 / 8)
            slice_end = now + self.SLICE
            while slice_end < came:
                slice_end += self.RENEWAL
            start = slice_end + self.SAVE + self.DRY
            found.append((came, start, start + 0.2))
            now = start + 0.2 + self.DRY
        return found

    def folder(self):
        """The raw files of such a GPU."""
        files = measure.Files(self.path)
        for length in (0.5, 1.0, 4.5, 9.3):
            name = "f%g" % length
            sample = files.write["samples.csv"].writerow
            for i in range(20):
                sample([name, "ts", 1, 0, i] + [(i * (length + 0.01) + x) * 1e3 for x in (0, 0, length + 0.01, 0.005, 0.005 + length)])
            last = {0: 0.0, 1: 0.0}
            for i, (process, start, end) in enumerate(self.closed(length)):
                sample([name, "ts", 2, process, i] + [x * 1e3 for x in (last[process], last[process], end, start, end)])
                last[process] = end
        for i, (came, start, end) in enumerate(self.behind()):
            files.write["samples.csv"].writerow(["behind", "ts", 2, 1, i] + [x * 1e3 for x in (came, came, end, start, end)])
        gap = files.write["gaps.csv"].writerow
        turn = self.SLICE + self.SAVE + self.DRY
        for process in (0, 1):
            gap(["fat2", process, "H", 3, 0, int(200e6)])
            for k in range(2 * 30):
                gone, back = 2 * k * turn + process * turn + self.SLICE, 2 * (k + 1) * turn + process * turn + self.RESTORE
                if back < 200:
                    gap(["fat2", process, "G", 3, round(gone * 1e6), round(back * 1e6)])
            gap(["small2", process, "H", 3, 0, int(200e6)])
            least = self.SLICE + self.DRY
            for k in range(2 * 30):
                gone, back = (2 * k + process) * least + self.SLICE, (2 * k + 2 + process) * least
                if back < 200:
                    gap(["small2", process, "G", 3, round(gone * 1e6), round(back * 1e6)])
        for percent, sms in ((100, 132), (75, 96), (50, 64), (25, 32), (12, 12)):
            gap(["limits", 0, "L", 0, percent, sms, sms])
        files.close()

    def test_what_went_in_comes_out(self):
        with tempfile.TemporaryDirectory() as self.path:
            self.folder()
            told = analyse.analyse(self.path)
        turns = told["turns"]
        near(self, turns["slice_ms"]["value"], self.SLICE, 1e-4)
        near(self, turns["dry_ms"]["value"], self.DRY, 1e-3)
        near(self, turns["renewal_ms"]["value"], self.RENEWAL, 1e-4)
        near(self, turns["stopping"]["fat2"]["save_restore_ms"], self.SAVE + self.RESTORE, 1e-3)
        near(self, turns["stopping"]["fat2"]["restore_ms"], self.RESTORE, 1e-3)
        for case in ("f4.5, 2 processes", "f9.3, 2 processes"):
            near(self, turns["stopping"][case]["save_restore_ms"], self.SAVE + self.RESTORE, 1e-3)
        self.assertEqual(told["limits"]["step"], 4)
        self.assertEqual(told["limits"]["sms"]["12"], 12)

    def test_nothing_is_told_of_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            told = analyse.analyse(folder)
        self.assertEqual(told["turns"], {})
        self.assertEqual(told["batches"], {})
        self.assertIn("not measured", analyse.shown(told)[0])

    def test_a_torn_file_is_read_as_far_as_it_goes(self):
        with tempfile.TemporaryDirectory() as self.path:
            self.folder()
            for name in ("gaps.csv", "samples.csv"):
                with open(os.path.join(self.path, name), "rb+") as file:
                    file.truncate(os.path.getsize(file.name) - 5)
            turns = analyse.analyse(self.path)["turns"]
        near(self, turns["slice_ms"]["value"], self.SLICE, 1e-4)


if __name__ == "__main__":
    unittest.main()
