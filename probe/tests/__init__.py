"""Tests of the probe: python3 -m unittest discover -s probe/tests -t probe (from the repository's root)."""
import os
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
PROBE = os.path.dirname(HERE)
MEASURED = os.path.join(os.path.dirname(PROBE), "tests", "measured")
RECORDED = os.path.join(MEASURED, "h200")
# The kit's own runs on GPUs, 2026-11-27.
BLIND = {"h100": "h100-580.159.04-2026-11-27", "h200-again": "h200-580.159.04-2026-11-27",
         "h100-again": "h100-again-580.159.04-2026-11-27"}
sys.path.insert(0, PROBE)
