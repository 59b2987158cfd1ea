"""The tiny checkpoints of `family_fixtures.py`: one `config.json` each, and what must matter in it.

Configurations are written as checkpoints on the hub have them, in the form of older transformers
(`rope_theta`, `rope_scaling`) or of transformers 5 (`rope_parameters`). `probes` are changes of the
configuration that must move the logits: a feature that moves nothing would be tested by nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

TEXT = "the cat sat on the mat, and 3 rats ran at it. 17 can sing"
WINDOW = 8


@dataclass
class Variant:
    name: str
    config: dict
    probes: dict[str, dict] = field(default_factory=dict)
    """Name of what is probed: the fields to change."""
    shards: int = 1
    gguf: str | None = None
    """llama.cpp's name of the architecture, where a GGUF file is written too."""
    legacy: str | None = None
    """Tensors to add or names to change as in published checkpoints: see `legacy_tensors`."""


SIZES = {
    "vocab_size": 64,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 12,
    "max_position_embeddings": 64,
    "rms_norm_eps": 1e-5,
    "bos_token_id": 63,
    "eos_token_id": 63,
}
GROUPED = {**SIZES, "head_dim": 8}


def llama(**changes) -> dict:
    base = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu"}
    return {**base, **GROUPED, "tie_word_embeddings": False, "rope_theta": 10000.0, **changes}


def without(config: dict, *names: str) -> dict:
    return {name: value for name, value in config.items() if name not in names}


LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 3.0,
    "original_max_position_embeddings": 24,
}
"""With a base of 30 and 8 rotary widths: one frequency kept, one between, two divided."""
YARN = {
    "rope_type": "yarn",
    "factor": 4.0,
    "original_max_position_embeddings": 16,
    "beta_fast": 2.0,
    "beta_slow": 0.05,
}
LINEAR = {"rope_type": "linear", "rope_theta": 500.0, "factor": 4.0}

MISTRAL = {
    "architectures": ["MistralForCausalLM"],
    "model_type": "mistral",
    "hidden_act": "silu",
    **GROUPED,
    "sliding_window": WINDOW,
    "rope_theta": 10000.0,
    "tie_word_embeddings": False,
}
QWEN2 = {
    "architectures": ["Qwen2ForCausalLM"],
    "model_type": "qwen2",
    "hidden_act": "silu",
    **SIZES,
    "hidden_size": 24,
    "rope_theta": 1000000.0,
    "use_sliding_window": False,
    "sliding_window": WINDOW,
    "max_window_layers": 1,
    "tie_word_embeddings": True,
}
QWEN3 = {
    "architectures": ["Qwen3ForCausalLM"],
    "model_type": "qwen3",
    "hidden_act": "silu",
    **GROUPED,
    "attention_bias": False,
    "rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0},
    "use_sliding_window": False,
    "sliding_window": None,
    "max_window_layers": 2,
    "tie_word_embeddings": False,
}
GEMMA3 = {
    "architectures": ["Gemma3ForCausalLM"],
    "model_type": "gemma3_text",
    "hidden_activation": "gelu_pytorch_tanh",
    **GROUPED,
    "num_hidden_layers": 3,
    "attention_bias": False,
    "query_pre_attn_scalar": 8,
    "rope_theta": 1000000.0,
    "rope_local_base_freq": 10000.0,
    "rope_scaling": None,
    "sliding_window": WINDOW,
    "sliding_window_pattern": 3,
    "final_logit_softcapping": None,
    "attn_logit_softcapping": None,
    "tie_word_embeddings": True,
}
GEMMA3_SCALED = {
    **without(
        GEMMA3, "rope_theta", "rope_local_base_freq", "rope_scaling", "sliding_window_pattern"
    ),
    "num_hidden_layers": 2,
    "layer_types": ["full_attention", "sliding_attention"],
    "query_pre_attn_scalar": 5,
    "final_logit_softcapping": 3.0,
    "rope_parameters": {
        "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1000.0},
        "sliding_attention": {"rope_type": "default", "rope_theta": 100.0},
    },
}
GEMMA2 = {
    "architectures": ["Gemma2ForCausalLM"],
    "model_type": "gemma2",
    "hidden_act": "gelu_pytorch_tanh",
    "hidden_activation": "gelu_pytorch_tanh",
    **GROUPED,
    "attention_bias": False,
    "query_pre_attn_scalar": 8,
    "rope_theta": 10000.0,
    "sliding_window": WINDOW,
    "final_logit_softcapping": 3.0,
    "attn_logit_softcapping": 4.0,
    "tie_word_embeddings": True,
}
GPT2 = {
    "architectures": ["GPT2LMHeadModel"],
    "model_type": "gpt2",
    "vocab_size": 64,
    "n_positions": 32,
    "n_ctx": 32,
    "n_embd": 16,
    "n_layer": 2,
    "n_head": 4,
    "activation_function": "gelu_new",
    "layer_norm_epsilon": 1e-5,
    "bos_token_id": 63,
    "eos_token_id": 63,
}
NEOX = {
    "architectures": ["GPTNeoXForCausalLM"],
    "model_type": "gpt_neox",
    "hidden_act": "gelu",
    **without(SIZES, "num_key_value_heads", "rms_norm_eps"),
    "num_attention_heads": 2,
    "max_position_embeddings": 32,
    "layer_norm_eps": 1e-5,
    "rotary_pct": 0.5,
    "rotary_emb_base": 10000,
    "tie_word_embeddings": False,
    "use_parallel_residual": True,
}
BERT = {
    "architectures": ["BertModel"],
    "model_type": "bert",
    "hidden_act": "gelu",
    **without(SIZES, "num_key_value_heads", "rms_norm_eps", "bos_token_id", "eos_token_id"),
    "layer_norm_eps": 1e-12,
    "pad_token_id": 0,
    "position_embedding_type": "absolute",
    "type_vocab_size": 2,
}

VARIANTS = [
    Variant("llama", llama(), {"theta": {"rope_theta": 500.0}}, gguf="llama"),
    Variant(
        "llama_llama3",
        llama(tie_word_embeddings=True, rope_theta=30.0, rope_scaling=LLAMA3),
        {
            "rope_scaling": {"rope_scaling": None},
            "factor": {"rope_scaling": {**LLAMA3, "factor": 2.0}},
        },
        gguf="llama",
    ),
    Variant(
        "llama_linear",
        {**without(llama(), "rope_theta"), "rope_parameters": LINEAR},
        {"factor": {"rope_parameters": {**LINEAR, "factor": 1.0}}},
        gguf="llama",
    ),
    Variant(
        "llama_yarn",
        llama(rope_theta=100.0, rope_scaling=YARN),
        {
            "rope_scaling": {"rope_scaling": None},
            "attention_factor": {"rope_scaling": {**YARN, "attention_factor": 1.0}},
            "beta_slow": {"rope_scaling": {**YARN, "beta_slow": 1.0}},
        },
    ),
    Variant("llama_bias", llama(attention_bias=True, mlp_bias=True), gguf="llama"),
    Variant("mistral", MISTRAL, {"sliding_window": {"sliding_window": None}}),
    Variant("qwen2", QWEN2, {"rope_theta": {"rope_theta": 10000.0}}, gguf="qwen2"),
    Variant(
        "qwen2_window",
        {**QWEN2, "use_sliding_window": True},
        {
            "use_sliding_window": {"use_sliding_window": False},
            "max_window_layers": {"max_window_layers": 0},
        },
    ),
    Variant(
        "qwen3",
        QWEN3,
        {"rope_theta": {"rope_parameters": {"rope_type": "default", "rope_theta": 1000.0}}},
        shards=2,
        gguf="qwen3",
    ),
    Variant(
        "gemma3",
        GEMMA3,
        {
            "sliding_window": {"sliding_window": 64},
            "sliding_window_pattern": {"sliding_window_pattern": 2},
            "rope_theta": {"rope_theta": 10000.0},
            "rope_local_base_freq": {"rope_local_base_freq": 1000000.0},
            "hidden_activation": {"hidden_activation": "gelu"},
        },
        gguf="gemma3",
    ),
    Variant(
        "gemma3_scaled",
        GEMMA3_SCALED,
        {
            "layer_types": {"layer_types": ["sliding_attention", "full_attention"]},
            "query_pre_attn_scalar": {"query_pre_attn_scalar": 8},
            "final_logit_softcapping": {"final_logit_softcapping": None},
        },
    ),
    Variant(
        "gemma2",
        GEMMA2,
        {
            "sliding_window": {"sliding_window": 64},
            "final_logit_softcapping": {"final_logit_softcapping": None},
            "attn_logit_softcapping": {"attn_logit_softcapping": None},
        },
        gguf="gemma2",
    ),
    Variant(
        "gpt2",
        GPT2,
        {"activation_function": {"activation_function": "gelu"}},
        gguf="gpt2",
        legacy="gpt2",
    ),
    Variant(
        "gpt2_scaled",
        {
            **GPT2,
            "n_inner": 24,
            "scale_attn_by_inverse_layer_idx": True,
            "reorder_and_upcast_attn": True,
            "tie_word_embeddings": False,
        },
        {"inverse_layer_idx": {"scale_attn_by_inverse_layer_idx": False}},
    ),
    Variant(
        "gpt_neox",
        NEOX,
        {
            "use_parallel_residual": {"use_parallel_residual": False},
            "rotary_pct": {"rotary_pct": 1.0},
            "hidden_act": {"hidden_act": "gelu_new"},
        },
        gguf="gptneox",
        legacy="gpt_neox",
    ),
    Variant(
        "gpt_neox_sequential",
        {
            **without(NEOX, "rotary_pct", "rotary_emb_base"),
            "use_parallel_residual": False,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 500.0,
                "partial_rotary_factor": 0.25,
            },
        },
        {"use_parallel_residual": {"use_parallel_residual": True}},
    ),
    Variant("bert", BERT, {"hidden_act": {"hidden_act": "gelu_new"}}, legacy="bert"),
]
