"""Batch times of a model alone on the GPU, if PyTorch is here. One JSON line a batch size.

    python3 batches.py --limit 30 [--model FILE.py]

FILE.py has a function make(batch) that returns a function without arguments: one batch, on the GPU. Without
a file: ResNet-50 of torchvision where that is installed, and an encoder of 12 layers; fp16, weights at
random, inputs on the device. Each is a CUDA graph where it can be captured, as servers run them.
"""
import argparse
import importlib.util
import json
import time

SIZES = (1, 2, 4, 8, 16, 32, 64)


def say(**what):
    print(json.dumps(what), flush=True)


def models(torch, path):
    """Names, and what makes a batch of each."""
    if path:
        spec = importlib.util.spec_from_file_location("model", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return {"model": module.make}

    def encoder():
        layer = torch.nn.TransformerEncoderLayer(768, 12, 3072, batch_first=True)
        return torch.nn.TransformerEncoder(layer, 12).eval().half().cuda()

    def resnet():
        from torchvision.models import resnet50
        return resnet50(weights=None).eval().half().cuda().to(memory_format=torch.channels_last)

    def of(build, inputs):
        built = []

        def make(batch):
            if not built:
                built.append(build())
            given = inputs(batch)
            return lambda: built[0](given)
        return make
    return {
        "encoder": of(encoder, lambda batch: torch.randn(batch, 128, 768, device="cuda", dtype=torch.half)),
        "resnet50": of(resnet, lambda batch: torch.randn(batch, 3, 224, 224, device="cuda", dtype=torch.half)
                       .to(memory_format=torch.channels_last)),
    }


def graphed(torch, run):
    """The batch as one CUDA graph; as it is where that fails."""
    try:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            run()
        return graph.replay
    except RuntimeError:
        torch.cuda.synchronize()
        return run


def times(torch, run, until):
    """us from launch to return."""
    for _ in range(5):
        run()
    torch.cuda.synchronize()
    # A graph reads the inputs where they were: `batch` keeps them.
    batch, run = run, graphed(torch, run)
    took, end = [], time.monotonic() + 0.8
    for _ in range(5):
        run()
    torch.cuda.synchronize()
    while len(took) < 60 and (time.monotonic() < end or len(took) < 10) and time.monotonic() < until:
        before = time.perf_counter_ns()
        run()
        torch.cuda.synchronize()
        took.append((time.perf_counter_ns() - before) / 1e3)
    del batch
    return took


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=float, default=30)
    parser.add_argument("--model")
    arguments = parser.parse_args()
    until = time.monotonic() + arguments.limit
    try:
        import torch
    except ImportError:
        say(note="no PyTorch here: no batch times. trtexec or a table of your own gives them to calibrate (docs/how-to/calibrate.md)")
        return
    if not torch.cuda.is_available():
        say(note="this PyTorch has no CUDA: no batch times")
        return
    with torch.inference_mode():
        for name, make in models(torch, arguments.model).items():
            for batch in SIZES:
                if time.monotonic() > until:
                    say(note="no time left for %s, batch %d and more" % (name, batch))
                    break
                try:
                    took = times(torch, make(batch), until)
                except (ImportError, RuntimeError) as error:
                    say(note="%s, batch %d: %s" % (name, batch, str(error).splitlines()[0]))
                    break
                if len(took) >= 5:
                    say(what=name, batch=batch, us=took)


if __name__ == "__main__":
    main()
