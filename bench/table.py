#!/usr/bin/env python3
"""Prints the runs of bench/table.sh as Markdown: one line a dataset, backbone and recipe; every seed with its interval."""
import collections
import json
import pathlib
import statistics
import sys

rows = collections.defaultdict(list)
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.ev/results.json")):
    dataset, backbone, recipe, seed = path.parent.name.removesuffix(".ev").rsplit("_", 3)
    rows[dataset, backbone, recipe].append((int(seed), json.loads(path.read_text())))
print("| dataset | backbone | recipe | image AUROC, mean | seeds 0, 1, 2 with 95 % intervals | pixel AUROC | AUPRO |"
      " false rejects | found | saturated |")
print("|---|---|---|---|---|---|---|---|---|---|")
for (dataset, backbone, recipe), runs in sorted(rows.items()):
    runs.sort(key=lambda run: run[0])
    results = [r for _, r in runs]
    mean = lambda key: statistics.mean(r[key]["value"] for r in results)
    seeds = ", ".join("{value:.3f} [{ci_low:.3f}, {ci_high:.3f}]".format(**r["image_auroc"]) for r in results)
    good = sum(r["per_class"]["good"]["images"] for r in results)
    bad = sum(c["images"] for r in results for name, c in r["per_class"].items() if name != "good")
    false_rejects = sum(r["decision"]["false_rejects"] for r in results)
    escapes = sum(r["decision"]["escapes"] for r in results)
    saturated = sum(any("saturated" in w for w in r["warnings"]) for r in results)
    print(f"| {dataset} | {backbone} | {recipe} | {mean('image_auroc'):.3f} | {seeds} | {mean('pixel_auroc'):.3f} |"
          f" {mean('aupro'):.3f} | {false_rejects} of {good} | {bad - escapes} of {bad} | {saturated} of {len(runs)} |")
