"""The reference side of Plumbline's comparisons: a GGUF file as a transformers model.

The weights are dequantised with the `gguf` package to fp32 and put into a `LlamaForCausalLM`
built from the file's own metadata. Only the architecture `llama` is supported. Everything here
is shared by the scripts beside it; `README.md` says how to run them.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from pathlib import Path

# One thread: the order of summation, hence the last bits, must not depend on the machine's cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import gguf
import numpy as np
import torch
import transformers
from safetensors.numpy import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM

LAYER_NAMES = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
CONTROL_TOKEN, USER_DEFINED_TOKEN = 3, 4  # llama.cpp's token types


class Checkpoint:
    """A GGUF file: metadata by key, tensors by Hugging Face name."""

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.reader = gguf.GGUFReader(str(self.path))
        architecture = self["general.architecture"]
        if architecture != "llama":
            raise SystemExit(f"{self.path}: expected architecture llama, found {architecture}.")

    def __getitem__(self, key: str):
        return self.reader.fields[key].contents()

    def get(self, key: str, default=None):
        return self[key] if key in self.reader.fields else default

    def sha256(self) -> str:
        return sha256_of(self.path)

    def config(self) -> LlamaConfig:
        heads = self["llama.attention.head_count"]
        width = self["llama.embedding_length"]
        return LlamaConfig(
            vocab_size=len(self["tokenizer.ggml.tokens"]),
            hidden_size=width,
            intermediate_size=self["llama.feed_forward_length"],
            num_hidden_layers=self["llama.block_count"],
            num_attention_heads=heads,
            num_key_value_heads=self.get("llama.attention.head_count_kv", heads),
            head_dim=self.get("llama.attention.key_length", width // heads),
            max_position_embeddings=self["llama.context_length"],
            rms_norm_eps=self["llama.attention.layer_norm_rms_epsilon"],
            rope_parameters={
                "rope_type": "default",
                "rope_theta": self.get("llama.rope.freq_base", 10000.0),
            },
            tie_word_embeddings="output.weight" not in {t.name for t in self.reader.tensors},
            attention_bias=False,
            mlp_bias=False,
            bos_token_id=self.get("tokenizer.ggml.bos_token_id"),
            eos_token_id=self.get("tokenizer.ggml.eos_token_id"),
            pad_token_id=self.get("tokenizer.ggml.padding_token_id"),
        )

    def state_dict(self) -> dict[str, torch.Tensor]:
        """All weights in fp32, in Hugging Face's names and layout."""
        config = self.config()
        state = {}
        for tensor in self.reader.tensors:
            values = gguf.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
            values = values.reshape(tuple(int(n) for n in reversed(tensor.shape)))
            if tensor.name.endswith("attn_q.weight"):
                values = undo_rope_permutation(values, config.num_attention_heads)
            elif tensor.name.endswith("attn_k.weight"):
                values = undo_rope_permutation(values, config.num_key_value_heads)
            state[hugging_face_name(tensor.name)] = torch.from_numpy(np.ascontiguousarray(values))
        if config.tie_word_embeddings:
            state["lm_head.weight"] = state["model.embed_tokens.weight"]
        return state

    def model(self, dtype=torch.float32, attention: str = "eager") -> LlamaForCausalLM:
        """The model in evaluation mode. `eager` attention: the pattern exists and can be read."""
        model = LlamaForCausalLM._from_config(
            self.config(), attn_implementation=attention, dtype=torch.float32
        )
        missing, unexpected = model.load_state_dict(self.state_dict(), strict=False)
        if missing or unexpected:
            raise SystemExit(f"{self.path}: missing {missing}, unexpected {unexpected}.")
        return model.to(dtype).eval()

    def tokenizer(self) -> Tokenizer:
        """Byte-level BPE as the file's `tokenizer.ggml.pre` means it.

        transformers' own GGUF converter leaves out that `smollm` splits digits one by one before
        GPT-2's pattern, so the tokenizer is put together here.
        """
        pre = self["tokenizer.ggml.pre"]
        if self["tokenizer.ggml.model"] != "gpt2" or pre != "smollm":
            raise SystemExit(f"{self.path}: expected pre-tokeniser smollm, found {pre}.")
        tokens = self["tokenizer.ggml.tokens"]
        merges = [tuple(merge.split(" ")) for merge in self["tokenizer.ggml.merges"]]
        bpe = models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=merges)
        tokenizer = Tokenizer(bpe)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Digits(individual_digits=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
            ]
        )
        tokenizer.decoder = decoders.ByteLevel()
        types = self["tokenizer.ggml.token_type"]
        tokenizer.add_special_tokens(
            [
                AddedToken(token, special=True, normalized=False)
                for token, kind in zip(tokens, types)
                if kind in (CONTROL_TOKEN, USER_DEFINED_TOKEN)
            ]
        )
        return tokenizer


def undo_rope_permutation(weight: np.ndarray, heads: int) -> np.ndarray:
    """llama.cpp stores rotary pairs side by side; Hugging Face stores them half a head apart."""
    half = weight.shape[0] // heads // 2
    pairs = weight.reshape(heads, half, 2, *weight.shape[1:])
    return pairs.swapaxes(1, 2).reshape(weight.shape)


def hugging_face_name(name: str) -> str:
    top = {
        "token_embd.weight": "model.embed_tokens.weight",
        "output_norm.weight": "model.norm.weight",
        "output.weight": "lm_head.weight",
    }
    if name in top:
        return top[name]
    _, block, part, suffix = name.split(".")
    return f"model.layers.{block}.{LAYER_NAMES[part]}.{suffix}"


def sha256_of(path: str | Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def start() -> None:
    """Settings that make two runs on one machine write the same bytes."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(0)
    transformers.utils.logging.set_verbosity_error()


def provenance(checkpoint: Checkpoint, script: str) -> dict:
    """What a fixture was made with."""
    from importlib.metadata import version

    packages = ["torch", "transformers", "tokenizers", "gguf", "safetensors", "numpy", "peft"]
    return {
        "script": script,
        "checkpoint": checkpoint.path.name,
        "checkpoint_sha256": checkpoint.sha256(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in packages},
        "torch_threads": torch.get_num_threads(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
    }


def write_tensors(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    arrays = {
        name: np.ascontiguousarray(value.detach().to(torch.float32).numpy())
        for name, value in sorted(tensors.items())
    }
    save_file(arrays, str(path))
    path.chmod(0o644)  # safetensors writes 0600


def write_json(path: Path, value: dict) -> None:
    text = json.dumps(value, indent=1, ensure_ascii=False)
    path.write_text(compact_number_lists(text) + "\n", encoding="utf-8")


def compact_number_lists(text: str) -> str:
    """One line for a list of numbers, which `indent` would spread over one line a number."""
    import re

    return re.sub(
        r"\[\s+((?:-?[\d.eE+-]+,\s+)*-?[\d.eE+-]+)\s+\]",
        lambda match: "[" + re.sub(r",\s+", ", ", match.group(1)) + "]",
        text,
    )
