"""The PTX, and ptxas where there is one: PTXAS, PATH, /usr/local/cuda, or pip's nvidia-cuda-nvcc(-cu12)."""
import glob
import os
import re
import shutil
import site
import subprocess
import sys
import tempfile
import unittest

from . import HERE  # noqa: F401
import kernels


def assemblers():
    places = [os.environ.get("PTXAS"), shutil.which("ptxas"), "/usr/local/cuda/bin/ptxas"]
    roots = list(sys.path)
    try:
        roots += site.getsitepackages()
    except AttributeError:
        pass
    for root in roots:
        places += glob.glob(os.path.join(root, "nvidia", "*", "bin", "ptxas"))
    return sorted({os.path.realpath(one) for one in places if one and os.path.exists(one)})


class Text(unittest.TestCase):
    def test_fat_kernels_hold_what_thin_ones_do_not(self):
        self.assertEqual(kernels.watch("w", 200).count("ld.volatile"), 200)
        self.assertEqual(kernels.watch("w", 200).count("st.volatile"), 200)
        self.assertNotIn("volatile", kernels.watch("w", 0))

    def test_no_register_has_the_name_of_a_special_one(self):
        declared = re.findall(r"\.reg \.\w+ ([^;]+);", kernels.text())
        names = {name.strip() for group in declared for name in group.split(",")}
        self.assertFalse(names & {"%tid", "%ctaid", "%smid", "%ntid", "%clock", "%globaltimer", "%laneid", "%warpid"})


class Assembled(unittest.TestCase):
    # What each assembler knows: CUDA 12.9 has 6.0 to 12.0, CUDA 13 has 7.5 and newer.
    ARCHITECTURES = ("sm_60", "sm_70", "sm_75", "sm_80", "sm_86", "sm_89", "sm_90", "sm_100", "sm_103", "sm_120")

    def test_every_architecture(self):
        found = assemblers()
        if not found:
            self.skipTest("no ptxas here: pip install nvidia-cuda-nvcc-cu12 brings one")
        passed = set()
        with tempfile.TemporaryDirectory() as folder:
            source = os.path.join(folder, "kernels.ptx")
            with open(source, "w") as file:
                file.write(kernels.text())
            for ptxas in found:
                for architecture in self.ARCHITECTURES:
                    done = subprocess.run([ptxas, "-v", "-arch=" + architecture, source, "-o", os.path.join(folder, "out")],
                                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
                    told = done.stdout.decode(errors="replace")
                    if done.returncode and "is not defined for option" in told:
                        continue  # an architecture that this assembler does not know
                    self.assertEqual(done.returncode, 0, "%s for %s: %s" % (ptxas, architecture, told))
                    registers = dict(zip(re.findall(r"Compiling entry function '(\w+)'", told), re.findall(r"Used (\d+) registers", told)))
                    self.assertGreaterEqual(int(registers["watch_fat"]), 200, told)
                    self.assertLess(int(registers["watch"]), 40, told)
                    self.assertNotIn("spill stores, 0 bytes spill loads", told.replace("0 bytes spill stores", ""))
                    passed.add(architecture)
        self.assertTrue(passed)
        print("assembled for", " ".join(sorted(passed, key=lambda one: int(one[3:]))), file=sys.stderr)


if __name__ == "__main__":
    unittest.main()
