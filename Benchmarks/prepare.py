"""Writes what all workers are given, the same for each: weights, token ids, an adapter.

    .deps/bench/bin/python Benchmarks/prepare.py MODEL.gguf FOLDER

FOLDER/model is the GGUF file dequantised to fp32 as a Hugging Face folder; FOLDER/tokens holds
lists of token ids of a text made from this repository's own LICENSE and README.md; FOLDER/adapter
is a LoRA adapter as PEFT writes it. What is there already, of the same origin, is kept.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "Scripts" / "reference"))

from reference_model import Checkpoint

import torch
import transformers
from peft import LoraConfig, get_peft_model
from transformers import PreTrainedTokenizerFast

RANK, ALPHA, SEED = 16, 32, 20261122
SITES = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
LENGTHS = [256, 512, 1024, 2048, 4096]
PROMPT = 16


def text() -> str:
    files = [ROOT / "LICENSE", ROOT / "README.md"]
    return "\n\n".join(file.read_text(encoding="utf-8") for file in files)


def origin(checkpoint: Checkpoint) -> dict:
    """What the folder's content follows from."""
    scripts = [Path(__file__), ROOT / "Scripts" / "reference" / "reference_model.py"]
    digest = hashlib.sha256(text().encode())
    for script in scripts:
        digest.update(script.read_bytes())
    return {
        "checkpoint_sha256": checkpoint.sha256(),
        "text_and_scripts_sha256": digest.hexdigest(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }


def tokens(checkpoint: Checkpoint) -> dict[str, list[list[int]]]:
    """Token lists by file name. The text is repeated as often as the longest list needs."""
    ids = checkpoint.tokenizer().encode(text(), add_special_tokens=False).ids
    ids = (ids * (max(LENGTHS) // len(ids) + 1))[: max(LENGTHS)]

    def rows(count: int, length: int, step: int) -> list[list[int]]:
        return [ids[n * step : n * step + length] for n in range(count)]

    lists = {
        "forward": rows(4, 256, 256),
        "decode1": rows(1, PROMPT, 0),
        "decode32": rows(32, PROMPT, 97),
        "prefill": rows(1, 500, 0),
        "logprobs": rows(1, 4096, 0),
    }
    return lists | {f"length{n}": rows(1, n, 0) for n in LENGTHS}


def write_model(checkpoint: Checkpoint, folder: Path):
    model = checkpoint.model(attention="sdpa")
    model.save_pretrained(folder)
    special = checkpoint["tokenizer.ggml.tokens"][checkpoint["tokenizer.ggml.eos_token_id"]]
    PreTrainedTokenizerFast(
        tokenizer_object=checkpoint.tokenizer(), eos_token=special, pad_token=special
    ).save_pretrained(folder)
    return model


def write_adapter(model, folder: Path) -> None:
    """A as PEFT draws it, B not zero either: then gradients of both count from the first step."""
    torch.manual_seed(SEED)
    config = LoraConfig(
        r=RANK,
        lora_alpha=ALPHA,
        lora_dropout=0.0,
        bias="none",
        target_modules=SITES,
        task_type="CAUSAL_LM",
    )
    adapted = get_peft_model(model, config)
    with torch.no_grad():
        for name, value in adapted.named_parameters():
            if ".lora_B." in name:
                value.normal_(std=0.01)
    adapted.peft_config["default"].target_modules = sorted(SITES)
    adapted.save_pretrained(folder)


def main():
    checkpoint, folder = Checkpoint(sys.argv[1]), Path(sys.argv[2])
    stamp, expected = folder / "origin.json", origin(checkpoint)
    if stamp.exists() and json.loads(stamp.read_text()) == expected:
        return
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "tokens").mkdir(parents=True)
    for name, rows in tokens(checkpoint).items():
        (folder / "tokens" / f"{name}.json").write_text(json.dumps(rows))
    write_adapter(write_model(checkpoint, folder / "model"), folder / "adapter")
    described = {
        "parameters": sum(int(t.n_elements) for t in checkpoint.reader.tensors),
        "weight_bytes": sum(int(t.n_bytes) for t in checkpoint.reader.tensors),
        "prompt": PROMPT,
        "lengths": LENGTHS,
    }
    (folder / "described.json").write_text(json.dumps(described))
    stamp.write_text(json.dumps(expected))


if __name__ == "__main__":
    main()
