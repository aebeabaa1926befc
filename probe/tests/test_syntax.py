"""The probe runs on what people have: Python 3.8 and its own library."""
import ast
import glob
import os
import unittest

from . import PROBE

ITS_OWN = {os.path.basename(path)[:-3] for path in glob.glob(os.path.join(PROBE, "*.py"))}
STANDARD = {"argparse", "csv", "ctypes", "datetime", "faulthandler", "gc", "gzip", "hashlib", "importlib", "json", "math", "os", "platform",
            "queue", "random", "re", "shutil", "signal", "statistics", "struct", "subprocess", "sys", "threading", "time"}
# Where they are there: batch times need a model.
OPTIONAL = {"batches.py": {"torch", "torchvision"}}


class Syntax(unittest.TestCase):
    def test_every_file(self):
        for path in sorted(glob.glob(os.path.join(PROBE, "*.py"))):
            with open(path) as file:
                tree = ast.parse(file.read(), path, feature_version=(3, 8))
            for node in ast.walk(tree):
                names = [one.name for one in node.names] if isinstance(node, ast.Import) else \
                    [node.module] if isinstance(node, ast.ImportFrom) else []
                allowed = ITS_OWN | STANDARD | OPTIONAL.get(os.path.basename(path), set())
                self.assertLessEqual({name.split(".")[0] for name in names}, allowed, path)


if __name__ == "__main__":
    unittest.main()
