#!/usr/bin/env python3
"""anomalib's PatchCore and PaDiM (ResNet-18), trained, and exported to OpenVINO; run.sh calls it.

usage: anomalib_train.py BACKBONE GOOD OUT (padim | patchcore | NAME=GLINT_MODEL)
BACKBONE: safetensors of a ResNet-18 with its batch norms folded, the weights that glint uses.
GOOD: folder of good parts; the last fifth sets anomalib's threshold and normalisation, as it does in glint.
padim: trained and exported. patchcore: trained, to see how long it takes. NAME=GLINT_MODEL: PatchCore with the memory
bank of this glint model, so that both search the same rows, calibrated and exported as NAME. Prints a line of JSON.
"""
import json
import logging
import sys
import time
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)

import torch
from safetensors.torch import load_file
from anomalib.data import Folder
from anomalib.engine import Engine
from anomalib.models import Padim, Patchcore

SIDE = 288


def load_folded(network, tensors):
    """Folded weights into a network that has batch norms: they then only add the bias."""
    filled = 0
    for name, norm in network.named_modules():
        if not isinstance(norm, torch.nn.BatchNorm2d):
            continue
        conv = name.replace("bn", "conv") if "downsample" not in name else name[:-2] + ".0"
        # Names as in torchvision: a folded shortcut is `downsample.0`.
        with torch.no_grad():
            network.get_submodule(conv).weight.copy_(tensors[conv + ".weight"])
            norm.bias.copy_(tensors[conv + ".bias"])
            norm.weight.fill_(1)
            norm.running_mean.zero_()
            norm.running_var.fill_(1 - norm.eps)
        filled += 1
    if filled != sum(name.endswith(".weight") for name in tensors):
        raise SystemExit(f"anomalib_train.py: {filled} layers filled of {len(tensors) // 2}")


def data_of(good, out):
    """First four fifths to train from, the rest to calibrate with; links."""
    files = sorted(Path(good).iterdir())
    share = len(files) * 4 // 5
    for part, chosen in (("train", files[:share]), ("calibrate", files[share:])):
        folder = out / "data" / part
        folder.mkdir(parents=True, exist_ok=True)
        for file in chosen:
            link = folder / file.name
            link.unlink(missing_ok=True)
            link.symlink_to(file.resolve())
    return Folder(name="parts", root=out / "data", normal_dir="train", normal_test_dir="calibrate",
                  val_split_mode="same_as_test", num_workers=0, train_batch_size=32, eval_batch_size=8)


def make(kind, tensors, **options):
    torch.manual_seed(0)
    model = kind(backbone="resnet18", pre_trained=False, evaluator=False, visualizer=False,
                 pre_processor=kind.configure_pre_processor(image_size=(SIDE, SIDE)), **options)
    load_folded(model.model.feature_extractor.feature_extractor, tensors)
    return model


def export(model, out, name):
    start = time.perf_counter()
    # Of one image: anomalib 2.7.0's own choice, a batch of any size, comes out as a batch of two with PatchCore.
    one = {"dynamic_axes": None}
    model.to_openvino(out / name, "at288", (SIDE, SIDE), onnx_kwargs=one)  # for whoever resizes before it
    model.to_openvino(out / name, "at640", (640, 640), onnx_kwargs=dict(one))  # resizes itself
    return time.perf_counter() - start


def main():
    tensors, good, out, what = load_file(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), sys.argv[4]
    engine = Engine(default_root_dir=out / "engine", accelerator="cpu", devices=1, logger=False,
                    enable_progress_bar=False, enable_model_summary=False)
    if what == "padim":
        model = make(Padim, tensors, layers=["layer1", "layer2", "layer3"])
    else:
        model = make(Patchcore, tensors, layers=["layer2", "layer3"], coreset_sampling_ratio=0.1)
    data = data_of(good, out)
    start = time.perf_counter()
    name, _, file = what.partition("=")
    if file:
        model.model.memory_bank = next(v for k, v in load_file(file).items() if k.endswith("patchcore.bank"))
        model._is_fitted = torch.tensor([True])  # or anomalib would choose a bank of its own
        engine.validate(model=model, datamodule=data)
    else:
        engine.fit(model=model, datamodule=data)
    result = {"what": name, "seconds": time.perf_counter() - start}
    if what != "padim":
        result["rows"] = model.model.memory_bank.shape[0]
    if what != "patchcore":
        result["export_s"] = export(model, out, name)
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
