"""Writes a tiny checkpoint of every model family, and what transformers computes with it.

    python Scripts/reference/family_fixtures.py Tests/LanguageModelsTests/Fixtures/families

A folder a variant (`family_variants.py`): `config.json`, `model.safetensors` (or shards and their
index), `tokenizer.json`, `tokenizer_config.json` as a checkpoint has them, `model.gguf` for some,
and `expected.safetensors` and `fixture.json`, described in the README here. Weights, norms and
biases are drawn from SEED and the variant's name; nothing is left at zero or one. The expected
values come from the folder as transformers loads it, in fp32 with eager attention.

The script stops if transformers misses a tensor or finds one too many, if attention is flat or
saturated, if the text does not reach beyond a window or a scaled context, or if a feature that the
variant is there for does not move the output.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import zlib
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from family_gguf import write_gguf
from family_tokenizers import END, byte_level, word_piece
from family_variants import TEXT, VARIANTS, WINDOW, Variant
from reference_model import start, write_json
from safetensors.numpy import save_file
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM

SEED = 20261122
LEAST_EFFECT = 1e-4
"""Of the largest output, by how much a probe must move it: two kinds of GELU differ by little."""


def drawn(rng: np.random.Generator, config: dict, name: str, shape: tuple) -> np.ndarray:
    """Values of one parameter: matrices keep the size of what goes through them."""
    gemma = config["model_type"].startswith("gemma")
    sign = rng.choice([-1.0, 1.0], shape)
    if "q_norm" in name or "k_norm" in name:  # longer than 1, or attention would be flat
        return rng.uniform(1.2, 2.2, shape) - (1 if gemma else 0)
    if "norm" in name.lower() or ".ln_" in name:
        away = sign * rng.uniform(0.1, 0.6, shape)
        return away if gemma or name.endswith("bias") else 1 + away
    if name.endswith("bias"):
        return sign * rng.uniform(0.05, 0.5, shape)
    if "position" in name or "wpe" in name or "token_type" in name:
        return rng.normal(0, 0.3, shape)
    if "embed" in name and "embed_out" not in name or "wte" in name:
        return rng.normal(0, 1 if gated(config) and not gemma else 0.25, shape)
    rows = shape[0] if config["model_type"] == "gpt2" and "lm_head" not in name else shape[1]
    keyed = ["q_proj", "k_proj", "query", "key", "c_attn", "lm_head", "embed_out"]
    gain = 1.4 if any(part in name for part in keyed) else 1.0
    if config["model_type"] in ("gemma2", "gpt2", "bert") and gain > 1:  # a cap, a scale
        gain = 2.0
    if not gated(config) and any(part in name for part in ["mlp", "intermediate", "output.dense"]):
        gain = 2.0  # so that one kind of GELU is told from the other
    return rng.normal(0, gain * rows**-0.5, shape)


def gated(config: dict) -> bool:
    return config["model_type"] not in ("gpt2", "gpt_neox", "bert")


def parameters(variant: Variant) -> dict[str, np.ndarray]:
    """All tensors of the checkpoint, under the names that transformers gives them."""
    rng = np.random.default_rng([SEED, zlib.crc32(variant.name.encode())])
    model = empty_model(variant.config)
    tied = variant_ties(variant.config)
    values = {}
    for name, parameter in sorted(model.state_dict().items()):
        if tied and name == "lm_head.weight":
            continue
        name = name.replace("lm_head", "embed_out") if is_neox(variant) else name
        array = drawn(rng, variant.config, name, tuple(parameter.shape)).astype(np.float32)
        assert not np.isin(array, [0.0, 1.0]).any(), name
        values[name] = array
    return values


def is_neox(variant: Variant) -> bool:
    return variant.config["model_type"] == "gpt_neox"


def variant_ties(config: dict) -> bool:
    return config.get("tie_word_embeddings", config["model_type"] == "gpt2")


def empty_model(config: dict):
    with tempfile.TemporaryDirectory() as folder:
        write_json(Path(folder) / "config.json", config)
        loaded = AutoConfig.from_pretrained(folder)
    loader = AutoModel if config["model_type"] == "bert" else AutoModelForCausalLM
    return loader.from_config(loaded)


def legacy_tensors(variant: Variant, values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """As published checkpoints are: causal masks and positions that no one reads, other names."""
    positions = variant.config.get("n_positions", variant.config.get("max_position_embeddings"))
    mask = np.tril(np.ones((1, 1, positions, positions)))
    values = dict(values)
    if variant.legacy == "gpt2":  # openai-community/gpt2 has no prefix
        values = {name.removeprefix("transformer."): array for name, array in values.items()}
        for block in range(variant.config["n_layer"]):
            values[f"h.{block}.attn.bias"] = mask.astype(np.uint8)
    if variant.legacy == "gpt_neox":
        for block in range(variant.config["num_hidden_layers"]):
            at = f"gpt_neox.layers.{block}.attention"
            values[f"{at}.bias"] = mask.astype(bool)
            values[f"{at}.masked_bias"] = np.array(-1e9, np.float32)
            values[f"{at}.rotary_emb.inv_freq"] = np.array([1.0, 0.01], np.float32)
    if variant.legacy == "bert":  # sentence-transformers/all-MiniLM-L6-v2
        values["embeddings.position_ids"] = np.arange(positions)[None]
    return values


def save(path: Path, values: dict[str, np.ndarray]) -> None:
    arrays = {name: np.require(array, None, "C") for name, array in sorted(values.items())}
    save_file(arrays, str(path), metadata={"format": "pt"})
    path.chmod(0o644)  # safetensors writes 0600


def write_weights(folder: Path, values: dict[str, np.ndarray], shards: int) -> None:
    if shards == 1:
        return save(folder / "model.safetensors", values)
    names = sorted(values)
    placed = {}
    for shard in range(shards):
        file = f"model-{shard + 1:05}-of-{shards:05}.safetensors"
        part = names[shard * len(names) // shards : (shard + 1) * len(names) // shards]
        save(folder / file, {name: values[name] for name in part})
        placed |= {name: file for name in part}
    size = sum(array.nbytes for array in values.values())
    index = {"metadata": {"total_size": size}, "weight_map": placed}
    write_json(folder / "model.safetensors.index.json", index)


def load(folder: Path, config: dict):
    loader = AutoModel if config["model_type"] == "bert" else AutoModelForCausalLM
    model, info = loader.from_pretrained(
        folder, attn_implementation="eager", dtype=torch.float32, output_loading_info=True
    )
    problems = {key: value for key, value in info.items() if value}
    if problems:
        raise SystemExit(f"{folder.name}: {problems}")
    return model.eval()


def last_block(model):
    for path in ["model.layers", "transformer.h", "gpt_neox.layers", "encoder.layer"]:
        try:
            return model.get_submodule(path)[-1]
        except AttributeError:
            continue
    raise SystemExit(f"No blocks in {type(model).__name__}.")


def run(model, ids: list[int]) -> tuple[dict[str, torch.Tensor], list[torch.Tensor]]:
    """What is recorded, and the attention of every block."""
    kept = {}

    def keep(module, inputs, output):
        kept["resid_last"] = (output[0] if isinstance(output, tuple) else output).squeeze(0)

    handle = last_block(model).register_forward_hook(keep)
    with torch.no_grad():
        output = model(torch.tensor([ids]), output_hidden_states=True, output_attentions=True)
    handle.remove()
    for i, state in enumerate(output.hidden_states):
        kept[f"hidden_states.{i}"] = state.squeeze(0)
    if "logits" in output:
        kept["logits"] = output.logits.squeeze(0)
    else:
        mean = output.last_hidden_state.squeeze(0).mean(0)
        kept["embedding"] = torch.nn.functional.normalize(mean, dim=0)
        kept["pooler_output"] = output.pooler_output.squeeze(0)
    return kept, [attention.squeeze(0) for attention in output.attentions]


def effects(folder: Path, variant: Variant, ids: list[int], kept: dict) -> dict[str, float]:
    """By how much each probe moves the output, over the largest output."""
    site = "logits" if "logits" in kept else "embedding"
    found = {}
    for name, change in variant.probes.items():
        with tempfile.TemporaryDirectory() as other:
            shutil.copytree(folder, other, dirs_exist_ok=True)
            config = {**variant.config, **change}
            write_json(Path(other) / "config.json", config)
            moved = run(load(Path(other), config), ids)[0][site]
        largest = kept[site].abs().max()
        found[name] = round(float((moved - kept[site]).abs().max() / largest), 5)
        if found[name] < LEAST_EFFECT:
            raise SystemExit(f"{variant.name}: {name} moves the output by {found[name]} only.")
    return found


def sharpness(variant: Variant, attentions: list[torch.Tensor]) -> list[float]:
    """Mean largest weight of the second half of the queries, of each block."""
    found = []
    for attention in attentions:
        rows = attention[:, attention.shape[1] // 2 :]
        found.append(round(float(rows.max(-1).values.mean()), 3))
    if min(found) < 0.15 or max(found) > 0.9:
        raise SystemExit(f"{variant.name}: attention is flat or saturated, {found}.")
    return found


def write_variant(folder: Path, variant: Variant) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_json(folder / "config.json", variant.config)
    encoder = variant.config["model_type"] == "bert"
    tokenizer = word_piece() if encoder else byte_level()
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    settings = {"tokenizer_class": "PreTrainedTokenizerFast"}
    settings |= {} if encoder else {"bos_token": END, "eos_token": END}
    write_json(folder / "tokenizer_config.json", settings)
    values = parameters(variant)
    write_weights(folder, legacy_tensors(variant, values), variant.shards)
    ids = tokenizer.encode(TEXT).ids
    assert len(ids) > 2 * WINDOW + 8, len(ids)
    kept, attentions = run(load(folder, variant.config), ids)
    fixture = {
        "script": "family_fixtures.py",
        "seed": SEED,
        "versions": versions(),
        "text": TEXT,
        "ids": ids,
        "attention_sharpness": sharpness(variant, attentions),
        "effects": effects(folder, variant, ids, kept),
    }
    write_json(folder / "fixture.json", fixture)
    arrays = {name: value.numpy().astype(np.float32) for name, value in kept.items()}
    save(folder / "expected.safetensors", {**arrays, "input_ids": np.array(ids, np.int32)})
    if variant.gguf:
        write_gguf(folder / "model.gguf", variant, values)


def versions() -> dict[str, str]:
    packages = ["torch", "transformers", "tokenizers", "gguf", "safetensors", "numpy"]
    return {name: version(name) for name in packages}


def main() -> None:
    start()
    target = Path(sys.argv[1])
    print(json.dumps(versions()))
    for variant in VARIANTS:
        folder = target / variant.name
        write_variant(folder, variant)
        record = json.loads((folder / "fixture.json").read_text())
        size = sum(file.stat().st_size for file in folder.iterdir())
        print(
            f"{variant.name:20} {size:6} bytes, {len(record['ids'])} tokens,"
            f" sharpness {record['attention_sharpness']}, effects {record['effects']}"
        )


if __name__ == "__main__":
    main()
