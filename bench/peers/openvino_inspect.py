#!/usr/bin/env python3
"""Image to verdict with a model that anomalib exported to OpenVINO; run.sh calls it.

usage: openvino_inspect.py WAY PRECISION SECONDS FOLDER IMAGE...
FOLDER: of anomalib_train.py's export. WAY:
  bare       file in memory, decoded and resized to 288 pixels by OpenCV, then the compiled model (its pre-processing,
             network, search and post-processing), all outputs read: the least that a user of the export can do
  inferencer anomalib's OpenVINOInferencer.predict(path), as its documentation shows; the model resizes
Prints one line of JSON. Two threads; throughput: two images at a time, each on one thread, with OpenVINO's throughput
hint (bare), or one call after the other (inferencer: it has one request, which refuses a second call).
"""
import json
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

THREADS, MOST, WARM_UP, SIDE = 2, 300, 5, 288
BEFORE_IMPORT = time.perf_counter()


def memory(field):
    for line in open("/proc/self/status"):
        if line.startswith(field + ":"):
            return int(line.split()[1]) / 1024
    return 0


def quantile(values, q):
    """As bench_inspect takes it."""
    return sorted(values)[int(q * (len(values) - 1))]


def measure(verdict, seconds):
    for i in range(WARM_UP):
        verdict(i)
    times, begin = [], time.perf_counter()
    for i in range(MOST):
        if i >= 2 and time.perf_counter() - begin > seconds:
            break
        start = time.perf_counter()
        verdict(i)
        times.append(1000 * (time.perf_counter() - start))
    return {"p50": quantile(times, 0.5), "p99": quantile(times, 0.99), "images": len(times)}


def throughput(makers, seconds):
    """Images per second of several callers at a time."""
    done, begin = [0] * len(makers), [0.0]
    ready = threading.Barrier(len(makers) + 1)

    def work(k):
        verdict = makers[k]()
        for i in range(WARM_UP):
            verdict(i)
        ready.wait()
        while done[k] < MOST // len(makers) and time.perf_counter() - begin[0] < seconds:
            verdict(done[k])
            done[k] += 1

    threads = [threading.Thread(target=work, args=(k,)) for k in range(len(makers))]
    for thread in threads:
        thread.start()
    begin[0] = time.perf_counter() + 1e9
    # The time counts from the moment at which all are warm.
    ready.wait()
    begin[0] = time.perf_counter()
    for thread in threads:
        thread.join()
    return sum(done) / (time.perf_counter() - begin[0])


class BusyNeighbour:
    def __enter__(self):
        self.process = os.fork()
        if self.process == 0:
            while True:
                pass

    def __exit__(self, *_):
        os.kill(self.process, 9)
        os.waitpid(self.process, 0)


def bare(xml, config, files):
    import cv2
    import openvino as ov

    core = ov.Core()
    start = time.perf_counter()
    compiled = core.compile_model(core.read_model(xml), "CPU", config)
    load = 1000 * (time.perf_counter() - start)

    def prepared(i):
        image = cv2.imdecode(files[i % len(files)], cv2.IMREAD_COLOR)
        small = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        return cv2.dnn.blobFromImage(small, 1 / 255, swapRB=True)

    def maker():
        request = compiled.create_infer_request()

        def verdict(i, image=None):
            request.infer({0: prepared(i) if image is None else image}, share_inputs=True)
            return [request.get_output_tensor(k).data for k in range(len(compiled.outputs))]

        return verdict

    return load, maker, prepared


def main():
    way, precision, seconds, folder = sys.argv[1], sys.argv[2], float(sys.argv[3]), Path(sys.argv[4])
    paths = [str(Path(p).resolve()) for p in sys.argv[5:]]
    hint = {"float32": "f32", "bfloat16": "bf16"}[precision]
    config = {"INFERENCE_NUM_THREADS": str(THREADS), "INFERENCE_PRECISION_HINT": hint}
    latency = config | {"NUM_STREAMS": "1", "PERFORMANCE_HINT": "LATENCY"}
    many = config | {"NUM_STREAMS": str(THREADS), "PERFORMANCE_HINT": "THROUGHPUT"}
    out = {"way": way, "precision": precision}
    if way == "bare":
        import cv2
        import numpy as np
        import openvino

        out["import_ms"] = 1000 * (time.perf_counter() - BEFORE_IMPORT)
        xml = folder / "weights" / "openvino" / "at288.xml"
        files = [np.fromfile(p, np.uint8) for p in paths]
        cv2.setNumThreads(THREADS)
        out["load_ms"], maker, prepared = bare(xml, latency, files)
        verdict = maker()
        image = prepared(0)
        out["network_and_search"] = measure(lambda i: verdict(i, image), seconds)
        out["decode_and_prepare"] = measure(prepared, seconds)
    else:
        os.environ["TQDM_DISABLE"] = "1"
        from anomalib.deploy import OpenVINOInferencer

        out["import_ms"] = 1000 * (time.perf_counter() - BEFORE_IMPORT)
        os.chdir(tempfile.mkdtemp())  # it keeps a cache of compiled models in the folder where it runs
        xml = folder.resolve() / "weights" / "openvino" / "at640.xml"
        start = time.perf_counter()
        inferencer = OpenVINOInferencer(xml, device="CPU", config=latency)
        out["load_ms"] = 1000 * (time.perf_counter() - start)

        def verdict(i):
            return inferencer.predict(paths[i % len(paths)])

    out["quiet"] = measure(verdict, seconds)
    out["rss_mib"] = memory("VmRSS")
    with BusyNeighbour():
        out["busy"] = measure(verdict, seconds)
    if way == "bare":
        cv2.setNumThreads(1)
        _, maker, _ = bare(xml, many, files)
        out["images_per_second"] = throughput([maker] * THREADS, seconds)
    else:
        out["images_per_second"] = throughput([lambda: verdict], seconds)
    out["peak_mib"] = memory("VmHWM")
    print(json.dumps(out), flush=True)


if __name__ == "__main__":
    main()
