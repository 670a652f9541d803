#!/usr/bin/env python3
"""Fails when a file of src/glint includes a room that its own room may not include (see ARCHITECTURE.md)."""
import pathlib
import re
import sys

MAY_INCLUDE = {
    "base": set(),
    "image": {"base"},
    "metrics": {"base", "image"},
    "data": {"base", "image"},
    "labels": {"base", "image", "data"},
    "synth": {"base", "image", "data"},
    "nn": {"base", "image"},
    "detect": {"base", "image", "nn"},
    "inspect": {"base", "image", "metrics", "data", "nn", "detect"},
    "fit": {"base", "image", "metrics", "data", "synth", "nn", "detect", "inspect"},
    "evaluate": {"base", "image", "metrics", "data", "nn", "detect", "inspect"},
    "limit": {"base", "image", "metrics", "data", "synth", "nn", "detect", "inspect"},
    "choose": {"base", "image", "metrics", "data", "synth", "nn", "detect", "inspect", "fit", "limit"},
    "audit": {"base", "image", "metrics", "data", "nn", "detect"},
    "study": {"base", "image", "metrics", "data", "synth", "nn", "detect", "inspect", "fit", "evaluate", "limit",
              "choose", "audit"},
    "league": {"base", "image", "metrics", "data", "nn", "detect", "inspect", "fit", "evaluate", "study"},
    "report": {"base", "image", "metrics", "evaluate", "limit", "choose", "audit", "study", "league"},
    "journal": {"base", "image"},
    "station": {"base", "image", "metrics", "journal", "detect", "inspect"},
    "cli": {"base", "image", "metrics", "data", "labels", "synth", "nn", "detect", "inspect", "fit", "evaluate",
            "limit", "choose", "audit", "study", "league", "report", "journal", "station"},
}
# Public headers outside nn and detect must not pull in libtorch directly.
TORCH_ROOMS = {"nn", "detect"}
# Headers that must be free of libtorch with everything that they include: another engine stands behind them, and
# whoever includes them compiles in a fraction of the time.
WITHOUT_TORCH = ["detect/detector.h", "detect/model_file.h", "nn/feature_extractor.h", "nn/runtime.h"]
WITHOUT_TORCH_ROOMS = ["inspect", "fit", "evaluate", "limit", "choose", "audit", "study", "league", "report", "station"]

root = pathlib.Path(__file__).resolve().parent.parent / "src" / "glint"
faults = []
for path in sorted(root.rglob("*.h")) + sorted(root.rglob("*.cpp")):
    room = path.relative_to(root).parts[0]
    for number, line in enumerate(path.read_text().splitlines(), 1):
        include = re.match(r'\s*#include\s+[<"]([^>"]+)[>"]', line)
        if not include:
            continue
        target = include.group(1)
        where = f"{path.relative_to(root.parent.parent)}:{number}"
        ours = re.match(r"glint/([a-z]+)/", target)
        if ours and ours.group(1) != room and ours.group(1) not in MAY_INCLUDE[room]:
            faults.append(f"{where}: room '{room}' must not include '{ours.group(1)}'")
        if re.match(r"(torch|ATen|c10)/", target) and path.suffix == ".h" and room not in TORCH_ROOMS:
            faults.append(f"{where}: libtorch in a public header of room '{room}'")


def torch_below(header, seen):
    """The first header that `header` includes, itself included, and that includes libtorch; None when none does."""
    if header in seen:
        return None
    seen.add(header)
    for include in re.findall(r'^\s*#include\s+[<"]([^>"]+)[>"]', (root / header).read_text(), re.M):
        if re.match(r"(torch|ATen|c10)/", include):
            return header
        if include.startswith("glint/") and (found := torch_below(include.removeprefix("glint/"), seen)):
            return found
    return None


for room in WITHOUT_TORCH_ROOMS:
    WITHOUT_TORCH += [str(path.relative_to(root)) for path in sorted((root / room).glob("*.h"))]
for header in WITHOUT_TORCH:
    if culprit := torch_below(header, set()):
        faults.append(f"{header}: must be free of libtorch, which {culprit} includes")
print("\n".join(faults) or "rooms: all includes point the right way")
sys.exit(1 if faults else 0)
