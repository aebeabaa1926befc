"""The whole way on a driver that is a C file: processes, pipes, files, and what goes wrong."""
import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from . import HERE, PROBE

COMPILER = shutil.which("cc") or shutil.which("gcc")


@unittest.skipUnless(COMPILER, "no C compiler for the driver of the tests")
class Live(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp()
        cls.library = os.path.join(cls.folder, "libfake.so")
        subprocess.check_call([COMPILER, "-shared", "-fPIC", "-O1", "-o", cls.library, os.path.join(HERE, "fake_cuda.c")])

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def setUp(self):
        self.work = tempfile.mkdtemp(dir=self.folder)
        self.out = os.path.join(self.work, "out")

    def begin(self, *arguments, **more):
        environment = dict(os.environ, PROBE_LIBCUDA=self.library, PROBE_LIBNVML=self.library,
                           FAKE_COUNTER=os.path.join(self.work, "counter"),
                           CUDA_MPS_PIPE_DIRECTORY=os.path.join(self.work, "pipe"))
        environment.update(more)
        command = [sys.executable, os.path.join(PROBE, "probe.py"), "--out", self.out, "--slicewise", "/none/slicewise"]
        return subprocess.Popen(command + list(arguments), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=self.work,
                                stdin=subprocess.DEVNULL, env=environment)

    def run_probe(self, *arguments, **more):
        child = self.begin(*arguments, **more)
        try:
            told = child.communicate(timeout=120)[0].decode()
        except subprocess.TimeoutExpired:
            child.kill()
            raise
        return child.returncode, told

    def rows(self, name):
        with open(os.path.join(self.out, name)) as file:
            return list(csv.DictReader(file))

    def test_a_whole_run(self):
        pipe, tools = os.path.join(self.work, "pipe"), os.path.join(self.work, "tools")
        os.makedirs(pipe)
        os.makedirs(tools)
        open(os.path.join(pipe, "control"), "w").close()
        control = os.path.join(tools, "nvidia-cuda-mps-control")
        with open(control, "w") as file:
            file.write("#!/bin/sh\nread line\n[ \"$line\" = get_server_list ]\n")
        os.chmod(control, 0o755)
        code, told = self.run_probe("--quick", PATH=tools + os.pathsep + os.environ["PATH"])
        self.assertEqual(code, 0, told)
        for missing in ("left out", "no time left", "Traceback"):
            self.assertNotIn(missing, told)
        self.assertIn("no prediction: no slicewise here", told)
        with open(os.path.join(self.out, "probe.json")) as file:
            result = json.load(file)
        self.assertEqual(result["format"], "slicewise-probe 1")
        self.assertEqual((result["driver"], result["gpu"]["pci_id"], result["gpu"]["sms"]), ("580.159", "0x233510DE", 132))
        # The driver's watching kernels see turns of 2 ms, its limits are pairs of SMs.
        self.assertAlmostEqual(result["measured"]["turns"]["slice_ms"]["value"], 2.0, places=3)
        self.assertEqual(result["measured"]["limits"]["step"], 2)
        self.assertEqual(result["measured"]["limits"]["sms"], {"12": 14, "25": 32, "50": 66, "75": 98, "100": 132})
        cases = {(row["case"], row["nproc"]) for row in self.rows("cases.csv")}
        for case in (("f2", "1"), ("f10", "2"), ("f2", "3"), ("d2", "2"), ("m2x20", "2"), ("behind", "2"), ("o2_60", "2"),
                     ("hd", "2"), ("hk10", "2")):
            self.assertIn(case, cases)
        for row in self.rows("samples.csv"):
            # The GPU works within what the host sees, but for the clock's offset (a round trip is some us).
            self.assertLess(float(row["launch_us"]), float(row["gend_us"]), row)
            self.assertLess(float(row["gstart_us"]), float(row["done_us"]), row)
        self.assertEqual(sorted(os.listdir(self.work)), ["counter", "out", "pipe", "tools"])
        # Nothing that names the machine or the card for life.
        with open(os.path.join(self.out, "meta.json")) as file:
            self.assertNotIn("0000:17:00.0", file.read())

    def test_no_driver(self):
        code, told = self.run_probe(PROBE_LIBCUDA="/none/libcuda.so.1")
        self.assertNotEqual(code, 0)
        self.assertIn("nothing can be measured here", told)
        self.assertIn("no CUDA driver", told)
        self.assertNotIn("Traceback", told)

    def test_no_device(self):
        code, told = self.run_probe(FAKE_NO_DEVICE="1")
        self.assertNotEqual(code, 0)
        self.assertIn("CUDA_ERROR_NO_DEVICE", told)
        self.assertNotIn("Traceback", told)

    def test_a_folder_with_something_in_it_stays(self):
        os.makedirs(self.out)
        path = os.path.join(self.out, "mine")
        open(path, "w").close()
        code, told = self.run_probe("--quick")
        self.assertEqual(code, 2, told)
        self.assertEqual(os.listdir(self.out), ["mine"])

    def test_no_time_is_told(self):
        code, told = self.run_probe("--quick", "--limit", "2")
        self.assertEqual(code, 0, told)
        self.assertIn("no time left", told)
        self.assertTrue(os.path.exists(os.path.join(self.out, "probe.json")))

    def test_interrupted_it_ends_its_processes(self):
        for which in (signal.SIGINT, signal.SIGTERM):
            child = self.begin()
            deadline = time.monotonic() + 30
            while not (os.path.exists(os.path.join(self.out, "meta.json"))) and time.monotonic() < deadline:
                time.sleep(0.05)
            own = subprocess.run(["ps", "-o", "pid=", "--ppid", str(child.pid)], stdout=subprocess.PIPE).stdout.split() \
                if shutil.which("ps") else []
            child.send_signal(which)
            told = child.communicate(timeout=30)[0].decode()
            self.assertEqual(child.returncode, 130 if which == signal.SIGINT else 143, told)
            for pid in own:
                self.assertFalse(os.path.exists("/proc/%d" % int(pid)), "%s: %d is still there" % (told, int(pid)))
            shutil.rmtree(self.out)

    @unittest.skipUnless(shutil.which("ps"), "no ps to find the probe's processes by")
    def test_a_process_that_dies_costs_its_case_and_no_other(self):
        child = self.begin("--quick")
        deadline, own = time.monotonic() + 60, []
        while len(own) < 2 and time.monotonic() < deadline:
            found = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(child.pid)], stdout=subprocess.PIPE).stdout
            own = [int(line.split()[0]) for line in found.decode().splitlines() if "worker.py" in line]
            time.sleep(0.02)
        os.kill(own[-1], signal.SIGKILL)
        told = child.communicate(timeout=120)[0].decode()
        self.assertEqual(child.returncode, 0, told)
        self.assertIn("left out", told)
        cases = {row["case"] for row in self.rows("cases.csv")}
        # On a busy machine no copy may come back in time; then that is said.
        for case in ("f20", "o10_60", "hd"):
            self.assertTrue(case in cases or "of copies %s: none" % case in told, told)

    def test_modes(self):
        code, told = self.run_probe("--quick", "--limit", "1", FAKE_MODE="2", FAKE_NAME="GRID H200-70C")
        self.assertEqual(code, 0, told)
        with open(os.path.join(self.out, "probe.json")) as file:
            self.assertEqual(json.load(file)["place"]["kind"], "vgpu")


if __name__ == "__main__":
    unittest.main()
