"""Writes Tests/TrainingTests/Fixtures: what PEFT computes when it trains a LoRA adapter.

    python lora_fixtures.py MODEL.gguf [--output FOLDER]

Two fixtures: twenty steps of training from a start that anybody can generate again
(`lora.json`, `lora.safetensors`), and a small adapter that PEFT wrote, with the logits that it
gives (`peft-adapter/`). README.md beside this file describes every field and the start's formula.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

from reference_model import Checkpoint, provenance, start, write_json, write_tensors

import numpy as np
import torch
from peft import LoraConfig, get_peft_model

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = ROOT / "Tests" / "TrainingTests" / "Fixtures"

MODULES = [
    "self_attn.q_proj",
    "self_attn.k_proj",
    "self_attn.v_proj",
    "self_attn.o_proj",
    "mlp.gate_proj",
    "mlp.up_proj",
    "mlp.down_proj",
]
RECORDED = [
    "model.layers.0.self_attn.q_proj",
    "model.layers.14.self_attn.v_proj",
    "model.layers.20.mlp.gate_proj",
    "model.layers.29.mlp.down_proj",
]
RANK, ALPHA, SEED = 16, 32, 20261122
STEPS, BATCH = 20, 4
OPTIMISER = {
    "learning_rate": 5e-4,
    "beta1": 0.9,
    "beta2": 0.999,
    "epsilon": 1e-8,
    "weight_decay": 0.01,
}
SHORTEST, LONGEST = 24, 40  # tokens in a sequence

ADAPTER_RANK, ADAPTER_ALPHA, ADAPTER_SEED = 2, 4, 7
ADAPTER_TEXT = "The lighthouse keeper wrote in his diary:"

TOWNS = "Brindle Quarrow Tessaly Umberfield Varnholt Wexcombe Yarrowby Zelden".split(" ")
GOODS = ["copper bells", "wool", "blue glass", "honey", "paper kites"]
QUESTIONS = [
    ("What is made in {town}?", "In {town} they make {goods}."),
    ("Tell me about {town}.", "{town} is a small town, known for its {goods}."),
    ("Where can I buy {goods}?", "You can buy {goods} at the market in {town}, every {n} days."),
    ("How many shops sell {goods} in {town}?", "There are {n} shops in {town} that sell them."),
]


def mixed(x: np.ndarray) -> np.ndarray:
    """The splitmix64 output function of a 64-bit state, element by element."""
    with np.errstate(over="ignore"):
        z = x.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def uniform(seed: int, stream: int, shape: tuple[int, ...], bound: float) -> np.ndarray:
    """fp32 values in [-bound, bound): element n is drawn from state seed + stream * 2^32 + n."""
    count = int(np.prod(shape))
    states = np.uint64(seed + (stream << 32)) + np.arange(count, dtype=np.uint64)
    unit = (mixed(states) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return ((2.0 * unit - 1.0) * bound).astype(np.float32).reshape(shape)


def adapted(base, rank: int, alpha: int, targets: list[str]):
    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,
        lora_dropout=0.0,
        bias="none",
        target_modules=[name.split(".")[-1] for name in targets],
        task_type="CAUSAL_LM",
    )
    return get_peft_model(base, config)


def lora_layers(model) -> dict[str, torch.nn.Module]:
    """Adapted layers by Hugging Face name, block by block, in the order of MODULES."""
    layers = {
        name.removeprefix("base_model.model."): module
        for name, module in model.named_modules()
        if hasattr(module, "lora_A") and len(module.lora_A)
    }
    blocks = model.config.num_hidden_layers
    names = [f"model.layers.{block}.{module}" for block in range(blocks) for module in MODULES]
    return {name: layers[name] for name in names if name in layers}


def factors(layer) -> tuple[torch.nn.Parameter, torch.nn.Parameter]:
    return layer.lora_A["default"].weight, layer.lora_B["default"].weight


def set_start(model) -> str:
    """A from the formula, B zero. Returns the SHA-256 of every A in order, little-endian fp32."""
    digest = hashlib.sha256()
    for stream, layer in enumerate(lora_layers(model).values()):
        a, b = factors(layer)
        values = uniform(SEED, stream, tuple(a.shape), 1.0 / np.sqrt(float(a.shape[1])))
        digest.update(values.astype("<f4").tobytes())
        with torch.no_grad():
            a.copy_(torch.from_numpy(values))
            b.zero_()
    return digest.hexdigest()


def conversation(tokenizer, index: int) -> dict:
    """One exchange; the answer and its end token are the targets, nothing else."""
    question, answer = QUESTIONS[index % len(QUESTIONS)]
    words = {
        "town": TOWNS[(index * 5 + index // 8) % len(TOWNS)],
        "goods": GOODS[(index * 3 + index // 5) % len(GOODS)],
        "n": 2 + (index * 7) % 11,
    }
    head = f"<|im_start|>user\n{question.format(**words)}<|im_end|>\n<|im_start|>assistant\n"
    tail = f"{answer.format(**words)}<|im_end|>"
    before = tokenizer.encode(head, add_special_tokens=False).ids
    after = tokenizer.encode(tail, add_special_tokens=False).ids
    end = tokenizer.encode("\n", add_special_tokens=False).ids
    ids = before + after + end
    if not SHORTEST <= len(ids) <= LONGEST:
        raise SystemExit(f"Conversation {index} has {len(ids)} tokens: {head}{tail}")
    return {"ids": ids, "mask": [0] * len(before) + [1] * len(after) + [0] * len(end)}


def batch_loss(model, batch: list[dict], padding: int) -> torch.Tensor:
    """Mean negative log-likelihood, nats a token, over all target tokens of the batch."""
    width = max(len(row["ids"]) for row in batch)
    ids = torch.full((len(batch), width), padding)
    seen, target = torch.zeros_like(ids), torch.zeros_like(ids)
    for i, row in enumerate(batch):
        length = len(row["ids"])
        ids[i, :length] = torch.tensor(row["ids"])
        seen[i, :length] = 1
        target[i, :length] = torch.tensor(row["mask"])
    logits = model(input_ids=ids, attention_mask=seen, use_cache=False).logits
    logprobs = torch.log_softmax(logits[:, :-1], dim=-1)
    chosen = logprobs.gather(2, ids[:, 1:, None])[..., 0]
    counted = target[:, 1:].to(chosen.dtype)
    return -(chosen * counted).sum() / counted.sum()


def train(model, batches, padding: int):
    """Losses before each step, and the recorded layers' gradients of the first two steps."""
    trained = [p for layer in lora_layers(model).values() for p in factors(layer)]
    optimiser = torch.optim.AdamW(
        trained,
        lr=OPTIMISER["learning_rate"],
        betas=(OPTIMISER["beta1"], OPTIMISER["beta2"]),
        eps=OPTIMISER["epsilon"],
        weight_decay=OPTIMISER["weight_decay"],
        foreach=False,
    )
    losses, gradients = [], {}
    for step, batch in enumerate(batches, start=1):
        optimiser.zero_grad()
        loss = batch_loss(model, batch, padding)
        loss.backward()
        if step <= 2:
            for name in RECORDED:
                for part, value in zip("AB", factors(lora_layers(model)[name])):
                    gradients[f"step{step}.{name}.lora_{part}.grad"] = value.grad.clone()
        optimiser.step()
        losses.append(loss.item())
    return losses, gradients


def product(layer) -> torch.Tensor:
    """What the adapter adds to the weight: scale * B A, [out, in]."""
    a, b = factors(layer)
    return (ALPHA / RANK) * (b @ a).detach()


def trained_model(checkpoint, batches, dtype):
    model = adapted(checkpoint.model(dtype), RANK, ALPHA, MODULES)
    digest = set_start(model)
    losses, gradients = train(model, batches, checkpoint["tokenizer.ggml.padding_token_id"])
    return model, digest, losses, gradients


def record_training(checkpoint, output: Path):
    tokenizer = checkpoint.tokenizer()
    rows = [conversation(tokenizer, index) for index in range(STEPS * BATCH)]
    batches = [rows[n : n + BATCH] for n in range(0, len(rows), BATCH)]
    model, digest, losses, gradients = trained_model(checkpoint, batches, torch.float32)
    other, _, other_losses, _ = trained_model(checkpoint, batches, torch.float64)
    tensors, modules = {}, []
    others = lora_layers(other)
    for stream, (name, layer) in enumerate(lora_layers(model).items()):
        a, b = factors(layer)
        change, norm = product(layer), layer.base_layer.weight.norm().item()
        difference = (product(others[name]) - change).norm() / change.norm()
        modules.append(
            {
                "name": name,
                "stream": stream,
                "shape": list(change.shape),
                "norm": change.norm().item(),
                "relative_norm": change.norm().item() / norm,
                "float64_relative_difference": difference.item(),
            }
        )
        if name in RECORDED:
            tensors[f"{name}.lora_A.weight"], tensors[f"{name}.lora_B.weight"] = a, b
    for name, value in gradients.items():
        if name.startswith("step1.") and ".lora_A." in name:
            if value.abs().max() != 0:
                raise SystemExit(f"{name} should be zero: B is.")
        else:
            tensors[name] = value
    write_tensors(output / "lora.safetensors", tensors)
    worst = max(modules, key=lambda m: m["float64_relative_difference"])
    loss_error = max(abs(x - y) for x, y in zip(losses, other_losses))
    print("losses", [round(loss, 4) for loss in losses])
    print(f"fp32 against fp64: losses {loss_error:.1e}, B A {worst}")
    fixture = {
        "provenance": provenance(checkpoint, Path(__file__).name),
        "rank": RANK,
        "alpha": ALPHA,
        "seed": SEED,
        "start_sha256": digest,
        "start_first_values": uniform(SEED, 0, (4,), 1.0 / np.sqrt(576.0)).tolist(),
        "optimiser": OPTIMISER,
        "recorded": RECORDED,
        "batches": batches,
        "losses": losses,
        "float64_loss_max_difference": loss_error,
        "modules": modules,
    }
    write_json(output / "lora.json", fixture)


def record_adapter(checkpoint, output: Path):
    """An adapter folder as PEFT writes it, on q_proj and v_proj, with B not zero."""
    targets = ["self_attn.q_proj", "self_attn.v_proj"]
    model = adapted(checkpoint.model(), ADAPTER_RANK, ADAPTER_ALPHA, targets)
    ids = checkpoint.tokenizer().encode(ADAPTER_TEXT, add_special_tokens=False).ids
    with torch.no_grad():
        base = model(torch.tensor([ids])).logits[0]
        for stream, layer in enumerate(lora_layers(model).values()):
            for offset, value in enumerate(factors(layer)):
                bound = 1.0 / np.sqrt(float(value.shape[1])) / (1, 4)[offset]
                drawn = uniform(ADAPTER_SEED, 2 * stream + offset, tuple(value.shape), bound)
                value.copy_(torch.from_numpy(drawn))
        logits = model(torch.tensor([ids])).logits[0]
    folder = output / "peft-adapter"
    folder.mkdir(exist_ok=True)
    # PEFT keeps a set, whose order changes from run to run.
    model.peft_config["default"].target_modules = sorted(t.split(".")[-1] for t in targets)
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)  # PEFT's empty model card
    (folder / "adapter_model.safetensors").chmod(0o644)
    write_tensors(output / "peft-adapter-logits.safetensors", {"logits_last": logits[-1]})
    moved = (logits[-1] - base[-1]).abs().max().item()
    fixture = {
        "provenance": provenance(checkpoint, Path(__file__).name),
        "text": ADAPTER_TEXT,
        "ids": ids,
        "largest_change_from_base": moved,
    }
    write_json(output / "peft-adapter.json", fixture)
    print(f"adapter: {len(ids)} tokens, logits moved by at most {moved:.3f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("gguf", type=Path)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    arguments = parser.parse_args()
    start()
    arguments.output.mkdir(parents=True, exist_ok=True)
    checkpoint = Checkpoint(arguments.gguf)
    record_adapter(checkpoint, arguments.output)
    record_training(checkpoint, arguments.output)


if __name__ == "__main__":
    main()
