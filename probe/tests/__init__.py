"""Tests of the probe: python3 -m unittest discover -s probe/tests -t probe (from the repository's root)."""
import os
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
PROBE = os.path.dirname(HERE)
RECORDED = os.path.join(os.path.dirname(PROBE), "tests", "measured", "h200")
sys.path.insert(0, PROBE)
