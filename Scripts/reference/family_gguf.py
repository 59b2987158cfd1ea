"""Writes a checkpoint of `family_fixtures.py` as GGUF, as llama.cpp's conversion lays it out."""

from __future__ import annotations

import math
import re
from pathlib import Path

import gguf
import numpy as np
from family_tokenizers import byte_level_vocabulary

ATTENTION = {"q_proj": "attn_q", "k_proj": "attn_k", "v_proj": "attn_v", "o_proj": "attn_output"}
BLOCK_NAMES = {
    **{f"self_attn.{name}": value for name, value in ATTENTION.items()},
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
GEMMA_NAMES = {
    "post_attention_layernorm": "post_attention_norm",
    "pre_feedforward_layernorm": "ffn_norm",
    "post_feedforward_layernorm": "post_ffw_norm",
}
GPT2_NAMES = {
    "ln_1": "attn_norm",
    "attn.c_attn": "attn_qkv",
    "attn.c_proj": "attn_output",
    "ln_2": "ffn_norm",
    "mlp.c_fc": "ffn_up",
    "mlp.c_proj": "ffn_down",
}
NEOX_NAMES = {
    "input_layernorm": "attn_norm",
    "attention.query_key_value": "attn_qkv",
    "attention.dense": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.dense_h_to_4h": "ffn_up",
    "mlp.dense_4h_to_h": "ffn_down",
}
TOP_NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "transformer.wte": "token_embd",
    "transformer.wpe": "position_embd",
    "transformer.ln_f": "output_norm",
    "gpt_neox.embed_in": "token_embd",
    "gpt_neox.final_layer_norm": "output_norm",
    "embed_out": "output",
}


def gguf_name(name: str, arch: str) -> str:
    base, suffix = name.rsplit(".", 1)
    if base in TOP_NAMES:
        return f"{TOP_NAMES[base]}.{suffix}"
    _, block, part = re.fullmatch(r"(.*?\.(?:layers|h))\.(\d+)\.(.*)", base).groups()
    names = {"gpt2": GPT2_NAMES, "gptneox": NEOX_NAMES}.get(arch, BLOCK_NAMES)
    if arch.startswith("gemma"):
        names = {**names, **GEMMA_NAMES}
    return f"blk.{block}.{names[part]}.{suffix}"


def permuted(rows: np.ndarray, heads: int) -> np.ndarray:
    """Rotary pairs side by side: llama.cpp's layout for Llama, which Hugging Face halves."""
    half = rows.shape[0] // heads // 2
    return rows.reshape(heads, 2, half, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def converted(name: str, array: np.ndarray, arch: str, config: dict) -> np.ndarray:
    """The tensor as llama.cpp's conversion of this architecture changes it."""
    if arch == "llama" and ".q_proj." in name:
        return permuted(array, config["num_attention_heads"])
    if arch == "llama" and ".k_proj." in name:
        return permuted(array, config["num_key_value_heads"])
    if arch.startswith("gemma") and name.endswith("norm.weight"):
        return array + np.float32(1)
    if arch == "gpt2" and name.endswith((".c_attn.weight", ".c_proj.weight", ".c_fc.weight")):
        return array.T
    if arch == "gptneox" and ".query_key_value." in name:
        heads = config["num_attention_heads"]
        parts = array.reshape(heads, 3, -1, *array.shape[1:])  # [head, q k v, d_head, …]
        return parts.swapaxes(0, 1).reshape(array.shape)
    return array


def llama3_factors(config: dict, scaling: dict) -> np.ndarray:
    """`rope_freqs.weight`: what llama.cpp divides each rotary frequency by."""
    width, factors = config["head_dim"], []
    low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
    old = scaling["original_max_position_embeddings"]
    for frequency in config["rope_theta"] ** (-np.arange(0, width, 2) / width):
        wavelength = 2 * math.pi / frequency
        smooth = (old / wavelength - low) / (high - low)
        smooth = min(max(smooth, 0.0), 1.0)
        factors.append(1 / ((1 - smooth) / scaling["factor"] + smooth))
    return np.array(factors, np.float32)


def add_metadata(writer: gguf.GGUFWriter, arch: str, config: dict) -> None:
    heads = config.get("num_attention_heads", config.get("n_head"))
    width = config.get("hidden_size", config.get("n_embd"))
    writer.add_context_length(config.get("max_position_embeddings", config.get("n_positions")))
    writer.add_embedding_length(width)
    writer.add_block_count(config.get("num_hidden_layers", config.get("n_layer")))
    writer.add_feed_forward_length(config.get("intermediate_size", 4 * width))
    writer.add_head_count(heads)
    if arch in ("gpt2", "gptneox"):
        writer.add_layer_norm_eps(config.get("layer_norm_eps", config.get("layer_norm_epsilon")))
    else:
        writer.add_head_count_kv(config["num_key_value_heads"])
        writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
        add_rotary(writer, arch, config)
    if arch == "gptneox":
        writer.add_rope_dimension_count(int(config["rotary_pct"] * (width // heads)))
        writer.add_parallel_residual(config["use_parallel_residual"])
    if arch.startswith("gemma"):
        writer.add_sliding_window(config["sliding_window"])
    if arch == "gemma3":  # not in files of the published models: 6 is implied there
        period = config["sliding_window_pattern"]
        writer.add_uint32("gemma3.attention.sliding_window_pattern", period)
    if arch == "gemma2":
        writer.add_attn_logit_softcapping(config["attn_logit_softcapping"])
        writer.add_final_logit_softcapping(config["final_logit_softcapping"])


def add_rotary(writer: gguf.GGUFWriter, arch: str, config: dict) -> None:
    rope = config.get("rope_parameters", {})
    writer.add_rope_freq_base(rope.get("rope_theta", config.get("rope_theta")))
    if "head_dim" in config:
        writer.add_key_length(config["head_dim"])
        writer.add_value_length(config["head_dim"])
    if arch == "llama":
        writer.add_rope_dimension_count(config["head_dim"])
        writer.add_vocab_size(config["vocab_size"])
    if rope.get("rope_type") == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(rope["factor"])


def add_tokenizer(writer: gguf.GGUFWriter) -> None:
    tokens, merges = byte_level_vocabulary()
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(
        [gguf.TokenType.NORMAL] * (len(tokens) - 1) + [gguf.TokenType.CONTROL]
    )
    writer.add_token_merges([" ".join(merge) for merge in merges])
    writer.add_bos_token_id(len(tokens) - 1)
    writer.add_eos_token_id(len(tokens) - 1)
    writer.add_add_bos_token(False)


def write_gguf(path: Path, variant, values: dict[str, np.ndarray]) -> None:
    arch, config = variant.gguf, variant.config
    writer = gguf.GGUFWriter(str(path), arch)
    writer.add_name(variant.name)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    add_metadata(writer, arch, config)
    add_tokenizer(writer)
    scaling = config.get("rope_scaling") or {}
    if scaling.get("rope_type") == "llama3":
        writer.add_tensor("rope_freqs.weight", llama3_factors(config, scaling))
    for name, array in values.items():
        tensor = np.ascontiguousarray(converted(name, array, arch, config), np.float32)
        writer.add_tensor(gguf_name(name, arch), tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
