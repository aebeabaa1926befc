"""Batch times, with a PyTorch that is a few lines."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

from . import PROBE

TORCH = """
import contextlib

class cuda:
    is_available = staticmethod(lambda: AVAILABLE)
    synchronize = staticmethod(lambda: None)

    class CUDAGraph:
        def __init__(self):
            raise RuntimeError("no graphs here")

inference_mode = contextlib.nullcontext
"""
MODEL = """
import time

def make(batch):
    if batch > 4:
        raise RuntimeError("out of memory")
    return lambda: time.sleep(0.002 * batch)
"""


class Batches(unittest.TestCase):
    def told(self, torch):
        with tempfile.TemporaryDirectory() as folder:
            model = os.path.join(folder, "model.py")
            with open(model, "w") as file:
                file.write(MODEL)
            with open(os.path.join(folder, "torch.py"), "w") as file:
                file.write(torch)
            done = subprocess.run([sys.executable, "-B", os.path.join(PROBE, "batches.py"), "--limit", "30", "--model", model],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, env=dict(os.environ, PYTHONPATH=folder))
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        return [json.loads(line) for line in done.stdout.decode().splitlines()]

    def test_a_model_of_one_s_own(self):
        rows = self.told(TORCH.replace("AVAILABLE", "True"))
        self.assertEqual([row.get("batch") for row in rows], [1, 2, 4, None])
        for row in rows[:3]:
            self.assertGreaterEqual(min(row["us"]), 2000 * row["batch"])
        self.assertIn("batch 8: out of memory", rows[3]["note"])

    def test_what_is_not_there_is_told(self):
        self.assertIn("has no CUDA", self.told(TORCH.replace("AVAILABLE", "False"))[0]["note"])
        self.assertIn("no PyTorch", self.told("raise ImportError()")[0]["note"])


if __name__ == "__main__":
    unittest.main()
