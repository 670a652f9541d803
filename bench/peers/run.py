#!/usr/bin/env python3
"""Called by run.sh: trains with glint and anomalib, measures both, prints one table (Markdown)."""
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
FOLDER = Path(sys.argv[1]).resolve()
BUILD = Path(os.environ.get("BUILD", "build/release")).resolve()
BACKBONE = Path(os.environ.get("BACKBONE",
                               "../shared/weights/resnet18_imagenet_layer1to3_bnfolded.safetensors")).resolve()
QUIET = shlex.split(os.environ.get("QUIET", ""))
SECONDS = os.environ.get("SECONDS_EACH", "6")
PYTHON = FOLDER / "venv" / "bin" / "python"
HAVE_PEERS = (FOLDER / "installed").exists()
ON_TWO = ["taskset", "-c", "0,1"]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "2", "CUDA_VISIBLE_DEVICES": "", "TQDM_DISABLE": "1",
                            "PYTHONWARNINGS": "ignore"}
BANKS = (4147, 41472)
# 32 images train, 8 calibrate: at 288 pixels 41,472 patches, and a tenth of them.
GLINT = ["--backbone", "resnet18", "--set", "input.size=288", "--set", "calibration.mode=holdout", "--set",
         "calibration.holdout_least=8"]


def command(arguments, log, quiet=False):
    """Output of a command; its messages go to a log file."""
    with open(FOLDER / f"{log}.log", "w") as errors:
        done = subprocess.run((QUIET if quiet else []) + ON_TWO + [str(a) for a in arguments], stdout=subprocess.PIPE,
                              stderr=errors, text=True, env=ENVIRONMENT)
    if done.returncode != 0:
        raise SystemExit(f"failed ({done.returncode}), see {FOLDER / log}.log: {arguments[0]} {arguments[1]}")
    return done.stdout


def seconds_of(arguments, log):
    """Wall time of a command, without what QUIET waits for."""
    command(["bash", "-c", "TIMEFORMAT='seconds %R'; time \"$@\"", "_", *arguments], log, quiet=True)
    return float((FOLDER / f"{log}.log").read_text().split("seconds ")[-1].split()[0])


def json_lines(text):
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def kept(name, make):
    """The JSON of a file, made once."""
    file = FOLDER / f"{name}.json"
    if not file.exists():
        file.write_text(json.dumps(make()))
    return json.loads(file.read_text())


def pictures():
    if not (FOLDER / "sleeves").exists():
        command([BUILD / "glint", "synth", "sleeve", FOLDER / "sleeves", "--train", "40", "--seed", "5"], "synth")
    png = sorted((FOLDER / "sleeves" / "test").glob("*/00[01].png"))[:10]
    if not (FOLDER / "jpeg").exists() and HAVE_PEERS:
        (FOLDER / "jpeg").mkdir()
        for i, file in enumerate(png):
            command([PYTHON, "-c", "import cv2,sys; cv2.imwrite(sys.argv[2], cv2.imread(sys.argv[1]), "
                     "[cv2.IMWRITE_JPEG_QUALITY, 90])", file, FOLDER / "jpeg" / f"{i}.jpg"], "jpeg")
    return {"PNG": png, "JPEG": sorted((FOLDER / "jpeg").glob("*.jpg"))}


def train_glint(method, name, *options):
    make = lambda: {"train_s": seconds_of(
        [BUILD / "glint", "train", FOLDER / "sleeves", "-o", FOLDER / f"{name}.glint", "--method", method, *GLINT,
         *options], name)}
    return kept(name, make)["train_s"]


def row(*cells):
    print("| " + " | ".join(str(c) for c in cells) + " |", flush=True)


def figures(who, picture, m):
    row(who, picture, *(f"{v:.1f}" for v in (m["quiet"]["p50"], m["quiet"]["p99"], m["busy"]["p50"], m["busy"]["p99"])),
        f"{m['images_per_second']:.1f}", f"{m['rss_mib']:.0f}", f"{m['load_ms']:.0f}", m["quiet"]["images"])


def peer(way, precision, folder, images):
    return json_lines(command([PYTHON, HERE / "openvino_inspect.py", way, precision, SECONDS, FOLDER / "anomalib" / folder,
                               *images], f"{way}-{precision}-{folder}", quiet=True))[0]


def main():
    images = {k: v for k, v in pictures().items() if v}
    trained = {f"PatchCore, {rows} rows": train_glint("patchcore", f"bank{rows}", "--set", f"patchcore.bank_rows={rows}")
               for rows in BANKS}
    trained["PaDiM"] = train_glint("padim", "padim")
    theirs = {}
    if HAVE_PEERS:
        for what in ["padim", "patchcore"] + [f"bank{rows}={FOLDER}/bank{rows}.glint" for rows in BANKS]:
            name = what.split("=")[0]
            theirs[name] = kept(f"anomalib-{name}", lambda: json_lines(command(
                [PYTHON, HERE / "anomalib_train.py", BACKBONE, FOLDER / "sleeves" / "train" / "good",
                 FOLDER / "anomalib", what], f"anomalib-{name}", quiet=name != "patchcore"))[0])

    print("Training, seconds (32 images of 288 pixels, 8 more to calibrate; glint: the whole program, anomalib:"
          " engine.fit alone):\n")
    row("method", "glint", "anomalib 2.7.0", "ratio")
    row(*["---"] * 4)
    for name, key in ((f"PatchCore, {BANKS[0]} rows", "patchcore"), ("PaDiM", "padim")):
        other = theirs.get(key, {}).get("seconds")
        row(name, f"{trained[name]:.1f}", f"{other:.1f}" if other else "-", f"{other / trained[name]:.1f}" if other else "-")

    print(f"\nImage to verdict, 640x640, ResNet-18 at 288 pixels, ms, two threads, {SECONDS} s each:\n")
    row("detector", "file", "p50", "p99", "busy p50", "busy p99", "images/s", "MiB", "load ms", "images")
    row(*["---"] * 10)
    parts = []
    for name in [f"bank{rows}" for rows in BANKS] + ["padim"]:
        what = f"PatchCore {name[4:]}" if name != "padim" else "PaDiM"
        for picture, files in images.items():
            if picture == "JPEG" and name != f"bank{BANKS[0]}":
                continue
            m = json_lines(command([BUILD / "bench" / "bench_inspect", "--seconds", SECONDS, FOLDER / f"{name}.glint", *files],
                                   f"glint-{name}", quiet=True))[-1]
            figures(f"glint {what}, {m['precision']}", picture, m)
            parts.append((f"glint {what}, {picture}, {m['precision']}", ", ".join(
                f"{k[2:]} {v:.1f}" for k, v in m["stages"].items())))
            if not HAVE_PEERS:
                continue
            for precision in ("float32", "bfloat16") if picture == "PNG" and name != "padim" else ("bfloat16",):
                m = peer("bare", precision, name, files)
                figures(f"anomalib {what}, OpenCV and OpenVINO, {precision}", picture, m)
                parts.append((f"anomalib {what}, {picture}, {precision}", f"decode and prepare "
                              f"{m['decode_and_prepare']['p50']:.1f}, network and search "
                              f"{m['network_and_search']['p50']:.1f}"))
            if picture == "PNG" and name == f"bank{BANKS[0]}":
                figures(f"anomalib {what}, OpenVINOInferencer, float32", picture, peer("inferencer", "float32", name, files))
    print("\nWhere the time goes, median ms:\n")
    row("detector", "parts")
    row("---", "---")
    for cells in parts:
        row(*cells)


if __name__ == "__main__":
    main()
