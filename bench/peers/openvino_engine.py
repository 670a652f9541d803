#!/usr/bin/env python3
"""The backbone alone, glint's engine beside OpenVINO's, in one run: median milliseconds, batch 1.

Makes the networks of bench_engine (up to layer3, outputs of layer2 and layer3) with OpenVINO's opset, with
seeded random weights: their values do not change what a product costs. int8 is OpenVINO's own quantisation
form, FakeQuantize on every activation and per-channel on every weight, conv1 included.

    python3 -m venv /tmp/peers && /tmp/peers/bin/pip install openvino==2026.4.0 numpy
    /tmp/peers/bin/python bench/peers/openvino_engine.py build/release/bench/bench_engine
"""
import subprocess
import sys
import time

import numpy as np
import openvino as ov
from openvino import opset13 as op

RNG = np.random.default_rng(1)
NETWORKS = {"resnet18": ((2, 2, 2), (64, 128, 256), False, 1, 0), "compact": ((2, 2, 2), (64, 128, 256), False, 1, 0.5),
            "wide_resnet50_2": ((3, 4, 6), (128, 256, 512), True, 4, 0)}


class Builder:
    def __init__(self, int8):
        self.int8 = int8

    def quantised(self, x, low, high, levels=256):
        scalar = [np.array(v, np.float32) for v in (low, high, low, high)]
        return op.fake_quantize(x, *scalar, levels) if self.int8 else x

    def conv(self, x, out, kernel, stride, bias=True):
        channels = (x.output(0) if isinstance(x, ov.Node) else x).get_partial_shape()[1].get_length()
        fan = channels * kernel * kernel
        values = RNG.normal(0, 0.7 * (2 / fan) ** 0.5, (out, channels, kernel, kernel)).astype(np.float32)
        weight = op.constant(values)
        if self.int8:
            high = np.abs(values).max(axis=(1, 2, 3), keepdims=True)
            weight = op.fake_quantize(weight, -high, high, -high, high, 255)
        pads = [kernel // 2] * 2
        y = op.convolution(x, weight, [stride] * 2, pads, pads, [1, 1])
        if bias:
            y = op.add(y, op.constant(np.full((1, out, 1, 1), 0.01, np.float32)))
        return y

    def three(self, x, out, stride, ratio):
        """A 3x3 convolution, or its pair of low rank."""
        if ratio == 0:
            return self.conv(x, out, 3, stride)
        y = self.quantised(self.conv(x, round(ratio * out), 3, stride, bias=False), -4, 4)
        return self.conv(y, out, 1, 1)

    def relu(self, x):
        return self.quantised(op.relu(x), 0, 6)

    def network(self, name, side):
        blocks, widths, bottleneck, expansion, ratio = NETWORKS[name]
        image = op.parameter([1, 3, side, side], np.float32)
        x = self.quantised(image, -3, 3)
        x = op.relu(self.conv(x, 64, 7, 2))
        x = op.max_pool(x, [2, 2], [1, 1], [1, 1], [1, 1], [3, 3], "floor").output(0)
        x = self.quantised(x, 0, 6)
        outputs, channels = [], 64
        for layer in range(3):
            out = 64 * 2**layer * expansion
            for block in range(blocks[layer]):
                stride = 2 if block == 0 and layer > 0 else 1
                shortcut = x
                if block == 0 and (stride != 1 or channels != out):
                    shortcut = self.quantised(self.conv(x, out, 1, stride), -4, 4)
                if bottleneck:
                    y = self.relu(self.conv(x, widths[layer], 1, 1))
                    y = self.relu(self.conv(y, widths[layer], 3, stride))
                    y = self.conv(y, out, 1, 1)
                else:
                    y = self.relu(self.three(x, out, stride, ratio))
                    y = self.three(y, out, 1, ratio)
                x = op.relu(op.add(y, shortcut))
                if block + 1 == blocks[layer] and layer > 0:
                    outputs.append(x)
                x = self.quantised(x, 0, 6)
                channels = out
        return ov.Model(outputs, [image], name)


def peer(name, side, precision, threads):
    core = ov.Core()
    hint = {"float32": "f32", "bfloat16": "bf16", "int8": "f32"}[precision]
    model = Builder(precision == "int8").network(name, side)
    compiled = core.compile_model(model, "CPU", {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": "1",
                                                 "INFERENCE_PRECISION_HINT": hint, "PERFORMANCE_HINT": "LATENCY"})
    request = compiled.create_infer_request()
    image = RNG.normal(0, 1, (1, 3, side, side)).astype(np.float32)
    request.set_input_tensor(ov.Tensor(image))
    times, end = [], time.perf_counter() + 1.5
    for i in range(65):
        if len(times) >= 5 and time.perf_counter() > end:
            break
        start = time.perf_counter()
        request.infer()
        if i >= 5:
            times.append(1000 * (time.perf_counter() - start))
    return float(np.median(times))


def main():
    program = sys.argv[1]
    print(f"OpenVINO {ov.__version__}")
    print(f"{'network':16} {'side':>5} {'precision':9} {'threads':>7} {'glint ms':>9} {'OpenVINO ms':>12} {'ratio':>6}")
    for name in sys.argv[2].split(",") if len(sys.argv) > 2 else NETWORKS:
        for side in [int(sys.argv[3])] if len(sys.argv) > 3 else (288, 512):
            ours = subprocess.run([program, "--networks", name, "--sides", str(side)], check=True, capture_output=True,
                                  text=True).stdout
            for line in ours.splitlines():
                _, _, precision, threads, median, _ = line.split()
                theirs = peer(name, side, precision, int(threads))
                print(f"{name:16} {side:5} {precision:9} {threads:>7} {float(median):9.2f} {theirs:12.2f}"
                      f" {float(median) / theirs:6.2f}", flush=True)


if __name__ == "__main__":
    main()
