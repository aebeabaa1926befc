"""What the three Python programs share: their arguments and their last line."""

import argparse
import json


def arguments():
    """The load, and how much of it: the figures of loads.toml, in seconds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("load", choices=["m-d-1", "batch"])
    parser.add_argument("rate", type=float, help="arrivals per second")
    parser.add_argument("fixed", type=float, help="seconds that every batch takes")
    parser.add_argument("each", type=float, help="seconds that each query adds")
    parser.add_argument("batch_max", type=int)
    parser.add_argument("queries", type=int)
    parser.add_argument("seed", type=int)
    return parser.parse_args()


def report(count, mean, p50, p99, batches):
    """One line of JSON; times came in seconds."""
    print(
        json.dumps(
            {
                "queries": count,
                "mean_ms": 1e3 * mean,
                "p50_ms": 1e3 * p50,
                "p99_ms": 1e3 * p99,
                "batch_mean": count / batches,
            }
        )
    )


def report_list(sojourns, batches):
    """The same of a list of all sojourn times."""
    sojourns.sort()
    count = len(sojourns)
    mean = sum(sojourns) / count
    report(count, mean, sojourns[count // 2], sojourns[count * 99 // 100], batches)
