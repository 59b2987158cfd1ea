"""Writes Tests/LanguageModelsTests/Fixtures/model: what transformers computes for a model.

    python model_fixtures.py MODEL.gguf [--output FOLDER]

README.md beside this file describes every field. The same versions on the same kind of CPU write
the same bytes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from reference_model import Checkpoint, provenance, start, write_json, write_tensors

import numpy as np
import torch
from transformers import DynamicCache
from transformers.models.llama import modeling_llama

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = ROOT / "Tests" / "LanguageModelsTests" / "Fixtures" / "model"

INNER_BLOCKS = (0, 14, 29)
GREEDY_TOKENS = 64
COLUMNS = 256

# name, kind, length in tokens, text, positions whose hidden states are kept (None: all).
SEQUENCES = [
    ("one", "English", 1, "The", None),
    ("code", "code", 7, "def add(a, b):", None),
    ("scripts", "non-Latin", 23, "Привет, мир! 東京は晴れ。", None),
    (
        "chat",
        "chat template",
        48,
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face"
        "<|im_end|>\n<|im_start|>user\nWhat is the capital of Italy, and which river runs through"
        " it? Be very brief.<|im_end|>\n<|im_start|>assistant\n",
        (0, 15, 31, 47),
    ),
]

GREEDY_PROMPTS = [
    "The capital of France is",
    "def fibonacci(n):\n",
    "<|im_start|>user\nWrite a short story about a lighthouse.<|im_end|>\n"
    "<|im_start|>assistant\n",
    "Les plus grandes villes de France sont",
]


class Recorder:
    """Collects every site of one forward pass under Plumbline's names."""

    def __init__(self, model, inner_blocks=()):
        self.model = model
        self.inner = set(inner_blocks)
        self.sites: dict[str, torch.Tensor] = {}

    def run(self, ids: list[int]) -> dict[str, torch.Tensor]:
        handles = self.attach()
        rotate = modeling_llama.apply_rotary_pos_emb
        block = iter(range(len(self.model.model.layers)))

        def recording_rotate(q, k, *arguments, **options):
            index = next(block)
            rotated = rotate(q, k, *arguments, **options)
            if index in self.inner:
                for name, value in zip(("rot_q", "rot_k"), rotated):
                    # [1, heads, tokens, dHead] to [tokens, heads, dHead]
                    self.sites[f"blocks.{index}.attn.{name}"] = value[0].transpose(0, 1)
            return rotated

        modeling_llama.apply_rotary_pos_emb = recording_rotate
        try:
            with torch.no_grad():
                self.sites["logits"] = self.model(torch.tensor([ids]), use_cache=False).logits[0]
        finally:
            modeling_llama.apply_rotary_pos_emb = rotate
            for handle in handles:
                handle.remove()
        return {name: value.detach().clone() for name, value in self.sites.items()}

    def attach(self):
        body, config = self.model.model, self.model.config
        handles = [self.output(body.embed_tokens, "embed"), self.output(body.norm, "final_norm")]
        for index, layer in enumerate(body.layers):
            at = f"blocks.{index}"
            handles.append(self.output(layer, f"{at}.resid_post"))
            if index not in self.inner:
                continue
            attention, mlp = layer.self_attn, layer.mlp
            heads, shared = config.num_attention_heads, config.num_key_value_heads
            handles += [
                self.output(attention.q_proj, f"{at}.attn.q", heads),
                self.output(attention.k_proj, f"{at}.attn.k", shared),
                self.output(attention.v_proj, f"{at}.attn.v", shared),
                self.output(attention, f"{at}.attn.pattern", part=1),
                self.input(attention.o_proj, f"{at}.attn.z", heads),
                self.output(attention.o_proj, f"{at}.attn.out"),
                self.input(layer.post_attention_layernorm, f"{at}.resid_mid"),
                self.output(mlp.gate_proj, f"{at}.mlp.gate"),
                self.output(mlp.up_proj, f"{at}.mlp.up"),
                self.input(mlp.down_proj, f"{at}.mlp.post"),
                self.output(mlp.down_proj, f"{at}.mlp.out"),
            ]
        return handles

    def output(self, module, name, heads=None, part=0):
        def keep(_, __, result):
            value = result[part] if isinstance(result, tuple) else result
            self.sites[name] = split_heads(value[0], heads)

        return module.register_forward_hook(keep)

    def input(self, module, name, heads=None):
        def keep(_, arguments):
            self.sites[name] = split_heads(arguments[0][0], heads)

        return module.register_forward_pre_hook(keep)


def split_heads(value, heads):
    return value if heads is None else value.reshape(value.shape[0], heads, -1)


def vocabulary_columns(vocabulary: int) -> list[int]:
    """256 columns, one drawn from each of as many equal bins; the first and the last id are in."""
    width = vocabulary // COLUMNS
    columns = [width * k + (89 * k) % width for k in range(COLUMNS)]
    columns[-1] = vocabulary - 1
    return columns


def next_token_logprobs(logits, ids):
    """Natural log-probability of each token given those before it; [tokens - 1], nats."""
    return torch.log_softmax(logits[:-1], dim=-1).gather(1, torch.tensor(ids[1:])[:, None])[:, 0]


def record(model, tokenizer, columns, output):
    entries = []
    for name, kind, length, text, positions in SEQUENCES:
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        if len(ids) != length:
            raise SystemExit(f"{name}: expected {length} tokens, found {len(ids)}.")
        inner = INNER_BLOCKS if length == 7 else ()
        sites = Recorder(model, inner).run(ids)
        exact = exact_forward(model, ids)
        logits = sites["logits"]
        difference = (logits - exact["logits"]).abs().max().item()
        relative = max(
            ((sites[k] - exact[k]).abs().max() / exact[k].abs().max()).item() for k in exact
        )
        del sites["logits"]
        kept = list(range(length)) if positions is None else list(positions)
        sites = {key: value[kept] if positions else value for key, value in sites.items()}
        sites["logits_last"] = logits[-1]
        sites["logits_columns"] = logits[:, columns]
        if length > 1:
            sites["logprobs"] = next_token_logprobs(logits, ids)
        write_tensors(output / f"{name}.safetensors", sites)
        entries.append(
            {
                "name": name,
                "kind": kind,
                "text": text,
                "ids": ids,
                "positions": kept,
                "inner_blocks": list(inner),
                "float64_logits_max_difference": difference,
                "float64_sites_max_relative_difference": relative,
            }
        )
        print(f"{name}: fp32 against fp64: logits {difference:.1e}, sites {relative:.1e}")
    return entries


def exact_forward(model, ids) -> dict[str, torch.Tensor]:
    """The same weights in fp64 throughout, written out without transformers.

    It shows how far fp32 rounding alone moves each number, and that the model is what we think.
    """
    config, weights = model.config, {k: v.double() for k, v in model.state_dict().items()}
    heads, shared = config.num_attention_heads, config.num_key_value_heads
    width = config.head_dim
    tokens, half = len(ids), width // 2
    theta = config.rope_parameters["rope_theta"]
    angles = torch.arange(tokens).double()[:, None] * theta ** (
        -torch.arange(half).double() / half
    )
    cos, sin = torch.cos(angles), torch.sin(angles)  # [tokens, dHead / 2]
    future = torch.triu(torch.ones(tokens, tokens, dtype=torch.bool), diagonal=1)

    def norm(x, name):
        return x / (x.square().mean(-1, keepdim=True) + config.rms_norm_eps).sqrt() * weights[name]

    def rotate(x):  # [heads, tokens, dHead]
        a, b = x[..., :half], x[..., half:]
        return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)

    x = weights["model.embed_tokens.weight"][torch.tensor(ids)]
    sites = {"embed": x}
    for index in range(config.num_hidden_layers):
        at = f"model.layers.{index}"
        y = norm(x, f"{at}.input_layernorm.weight")
        q, k, v = (
            (y @ weights[f"{at}.self_attn.{part}_proj.weight"].T).view(tokens, n, width)
            for part, n in (("q", heads), ("k", shared), ("v", shared))
        )
        q = rotate(q.transpose(0, 1))
        k = rotate(k.transpose(0, 1)).repeat_interleave(heads // shared, dim=0)
        v = v.transpose(0, 1).repeat_interleave(heads // shared, dim=0)
        scores = (q @ k.transpose(1, 2) / width**0.5).masked_fill(future, -torch.inf)
        z = (scores.softmax(-1) @ v).transpose(0, 1).reshape(tokens, -1)
        x = x + z @ weights[f"{at}.self_attn.o_proj.weight"].T
        y = norm(x, f"{at}.post_attention_layernorm.weight")
        gate = y @ weights[f"{at}.mlp.gate_proj.weight"].T
        up = y @ weights[f"{at}.mlp.up_proj.weight"].T
        x = x + (gate * torch.sigmoid(gate) * up) @ weights[f"{at}.mlp.down_proj.weight"].T
        sites[f"blocks.{index}.resid_post"] = x
    sites["final_norm"] = norm(x, "model.norm.weight")
    sites["logits"] = sites["final_norm"] @ weights["lm_head.weight"].T
    return sites


def greedy(model, ids, cached: bool):
    """64 tokens, each the largest logit, an end token being a token like any other."""
    produced, margins = [], []
    cache = DynamicCache() if cached else None
    pending = list(ids)
    for _ in range(GREEDY_TOKENS):
        with torch.no_grad():
            logits = model(torch.tensor([pending]), past_key_values=cache, use_cache=cached).logits
        top = logits[0, -1].topk(2)
        produced.append(top.indices[0].item())
        margins.append((top.values[0] - top.values[1]).item())
        pending = [produced[-1]] if cached else pending + [produced[-1]]
    return produced, margins


def record_greedy(model, tokenizer):
    entries = []
    for prompt in GREEDY_PROMPTS:
        ids = tokenizer.encode(prompt, add_special_tokens=False).ids
        produced, margins = greedy(model, ids, cached=True)
        if greedy(model, ids, cached=False)[0] != produced:
            raise SystemExit(f"{prompt!r}: greedy tokens differ without the cache.")
        exact = exact_forward(model, ids + produced)["logits"][len(ids) - 1 : -1]
        if exact.argmax(-1).tolist() != produced:
            raise SystemExit(f"{prompt!r}: greedy tokens differ in fp64.")
        end = model.config.eos_token_id
        worst = int(np.argmin(margins))
        entries.append(
            {
                "prompt": prompt,
                "prompt_ids": ids,
                "ids": produced,
                "text": tokenizer.decode(produced, skip_special_tokens=False),
                "first_end_token": produced.index(end) if end in produced else None,
                "min_margin": margins[worst],
                "min_margin_step": worst,
            }
        )
        print(f"{prompt!r}: smallest margin {margins[worst]:.4f} at step {worst}")
        print("   ", repr(entries[-1]["text"]))
    return entries


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("gguf", type=Path)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    arguments = parser.parse_args()
    start()
    arguments.output.mkdir(parents=True, exist_ok=True)
    checkpoint = Checkpoint(arguments.gguf)
    tokenizer = checkpoint.tokenizer()
    model = checkpoint.model()
    columns = vocabulary_columns(model.config.vocab_size)
    entries = record(model, tokenizer, columns, arguments.output)
    continuations = record_greedy(model, tokenizer)
    fixture = {
        "provenance": provenance(checkpoint, Path(__file__).name),
        "columns": columns,
        "sequences": entries,
        "greedy": continuations,
    }
    write_json(arguments.output / "model.json", fixture)


if __name__ == "__main__":
    main()
