"""Does PEFT read an adapter that Plumbline wrote, and give the same logits?

    python check_adapter.py MODEL.gguf ADAPTER_FOLDER LOGITS.safetensors

LOGITS.safetensors holds `ids` ([tokens] or [batch, tokens], any number type, no padding) and
`logits` (the same axes and dVocab). Prints the largest absolute difference; exit status 0 below
the limit, 1 above it, 2 when a file is not what it should be.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from reference_model import Checkpoint, start

import torch
from peft import PeftModel
from safetensors import safe_open
from safetensors.torch import load_file


def refuse(message: str):
    print(message, file=sys.stderr)
    raise SystemExit(2)


def adapted_model(checkpoint: Checkpoint, folder: Path):
    """The adapter on the dequantised base; every tensor in the file has found its place."""
    if not (folder / "adapter_config.json").is_file():
        refuse(f"{folder}: expected a folder with adapter_config.json.")
    model = PeftModel.from_pretrained(checkpoint.model(), folder).eval()
    with safe_open(folder / "adapter_model.safetensors", "pt") as file:
        written = {name: file.get_tensor(name) for name in file.keys()}
    state = model.state_dict()
    for name, value in written.items():
        stem, weight = name.rsplit(".", 1)
        placed = state.get(f"{stem}.default.{weight}")
        if placed is None or not torch.equal(placed, value.to(placed.dtype)):
            refuse(f"{folder}: PEFT did not take the tensor {name}.")
    adapters = sum(1 for name in state if ".lora_A." in name or ".lora_B." in name)
    if adapters != len(written):
        refuse(f"{folder}: adapter_config.json asks for {adapters} tensors, found {len(written)}.")
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("gguf", type=Path)
    parser.add_argument("adapter", type=Path)
    parser.add_argument("logits", type=Path)
    parser.add_argument("--limit", type=float, default=1e-3)
    arguments = parser.parse_args()
    start()
    tensors = load_file(arguments.logits)
    if not {"ids", "logits"} <= set(tensors):
        refuse(f"{arguments.logits}: expected arrays ids and logits, found {sorted(tensors)}.")
    ids, logits = tensors["ids"].round().long(), tensors["logits"].float()
    if tuple(logits.shape[:-1]) != tuple(ids.shape) or ids.numel() == 0:
        refuse(f"{arguments.logits}: ids {tuple(ids.shape)} and logits {tuple(logits.shape)}.")
    model = adapted_model(Checkpoint(arguments.gguf), arguments.adapter)
    ids = ids.reshape(-1, ids.shape[-1])
    with torch.no_grad():
        expected = model(input_ids=ids, use_cache=False).logits.reshape(logits.shape)
        with model.disable_adapter():
            base = model(input_ids=ids, use_cache=False).logits.reshape(logits.shape)
    difference = (expected - logits).abs().max().item()
    print(f"largest absolute logit difference {difference:.3e}, limit {arguments.limit:.0e}")
    print(f"the adapter itself moves logits by up to {(expected - base).abs().max().item():.3e}")
    # Not `difference > limit`: NaN must fail.
    raise SystemExit(0 if difference <= arguments.limit else 1)


if __name__ == "__main__":
    main()
