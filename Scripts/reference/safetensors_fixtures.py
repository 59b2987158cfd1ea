#!/usr/bin/env python3
r"""Records a sharded checkpoint as transformers saves it, and files in the three float types.

    python Scripts/reference/safetensors_fixtures.py Tests/LanguageModelsTests/Fixtures/files

sharded/                  a Llama of 3,248 weights in bf16, shards of 2 kB, with its index
sharded-f32.safetensors   the same weights in fp32
sharded.json              the order in which transformers saves them; versions and seed
mixed.safetensors         one tensor each in F32, F16 and BF16, rounded by torch
mixed-f32.safetensors     the numbers before rounding
"""

import json
import shutil
import sys
from importlib.metadata import version
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

SEED = 20261122


def write_sharded(folder):
    torch.manual_seed(SEED)
    model = LlamaForCausalLM(
        LlamaConfig(vocab_size=32, hidden_size=16, intermediate_size=24, num_hidden_layers=1,
                    num_attention_heads=2, tie_word_embeddings=False)
    ).to(torch.bfloat16)
    target = folder / "sharded"
    shutil.rmtree(target, ignore_errors=True)
    model.save_pretrained(target, max_shard_size=2000)
    for name in ("config.json", "generation_config.json"):
        (target / name).unlink(missing_ok=True)
    weights = {name: tensor.float().contiguous() for name, tensor in model.state_dict().items()}
    save_file(weights, folder / "sharded-f32.safetensors")
    record = {
        "order": list(weights),
        "recorded": f"transformers {version('transformers')}, safetensors {version('safetensors')}, "
        f"torch {torch.__version__}, seed {SEED}",
    }
    (folder / "sharded.json").write_text(json.dumps(record, indent=1) + "\n")


def write_mixed(folder):
    # Ties, both ends of every type's range, subnormals, and random bits.
    special = [0.0, -0.0, 1.0, -2.5, 65504.0, 65519.99, 65520.0, 1e9, -1e38, 3.4e38, 2.0**-14,
               2.0**-24, 2.0**-25, 1.5 * 2.0**-25, 1e-40, 1 + 2.0**-11, 1 + 3 * 2.0**-11, 1 + 2.0**-8,
               1 + 3 * 2.0**-8, float("inf"), float("-inf")]
    generator = torch.Generator().manual_seed(SEED)
    random = torch.randint(-(2**31), 2**31, (2000,), generator=generator).to(torch.int32)
    random = random.view(torch.float32)
    halves = torch.randn(2000, generator=generator) * 2.0 ** torch.randint(
        -28, 18, (2000,), generator=generator)
    values = torch.cat([torch.tensor(special), random[random.isfinite()], halves])
    save_file({"a": values}, folder / "mixed-f32.safetensors")
    save_file(
        {"b": values, "z": values.half(), "a": values.bfloat16(), "c": values[:3].clone().reshape(3, 1)},
        folder / "mixed.safetensors", {"format": "pt"})


def main():
    folder = Path(sys.argv[1])
    write_sharded(folder)
    write_mixed(folder)


if __name__ == "__main__":
    main()
