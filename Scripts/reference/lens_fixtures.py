"""Writes Tests/InstrumentsTests/Fixtures: what tuned-lens 0.2.0 and torch compute.

    python lens_fixtures.py

`model/` is the tiny Llama of Tests/LanguageModelsTests/Fixtures/families/llama with its head times 30,
so that gradients are long enough to be clipped. `theirs/` is a lens
that the tuned-lens package trained on it and saved; `lens.json` holds its losses and what it reads;
`jacobian.pt` is a file as TransformerLens saves Jacobian lenses; `muon.safetensors` two steps of
torch.optim.Muon. Needs `pip install tuned-lens==0.2.0 --no-deps` beside requirements.txt.
"""

from __future__ import annotations

import json
import shutil
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
import tuned_lens.model_surgery
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM
from tuned_lens.nn.lenses import TunedLens
from tuned_lens.utils import tensor_hash

# The package asks TransformerLens for a class that its version 4 no longer has.
tuned_lens.model_surgery._transformer_lens_available = False

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "Tests" / "LanguageModelsTests" / "Fixtures" / "families" / "llama"
OUTPUT = ROOT / "Tests" / "InstrumentsTests" / "Fixtures"
MODEL = OUTPUT / "model"
STEPS = 4


def write_model():
    MODEL.mkdir(parents=True, exist_ok=True)
    for name in ["config.json", "tokenizer.json", "tokenizer_config.json"]:
        shutil.copy(SOURCE / name, MODEL / name)
    tensors = load_file(SOURCE / "model.safetensors")
    tensors["lm_head.weight"] *= 30
    save_file(tensors, MODEL / "model.safetensors", metadata={"format": "pt"})


def train(model, ids, clip):
    """As tuned_lens.scripts.train_loop does, in fp32."""
    lens = TunedLens.from_model(model)
    optimiser = torch.optim.SGD(
        lens.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-3
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: 1 - step / STEPS)
    losses = []
    for _ in range(STEPS):
        with torch.no_grad():
            output = model(ids, output_hidden_states=True)
            labels = output.logits.float().log_softmax(dim=-1)
        losses.append([])
        for index, hidden in enumerate(output.hidden_states[:-1]):
            logits = lens(hidden, idx=index)
            loss = torch.sum(labels.exp() * (labels - logits.log_softmax(-1)), dim=-1).mean()
            losses[-1].append(loss.item())
            loss.backward()
        clip(lens)
        optimiser.step()
        schedule.step()
        optimiser.zero_grad(set_to_none=False)
    return lens, losses


def together(lens):
    torch.nn.utils.clip_grad_norm_(lens.parameters(), 1.0)


def per_site(lens):
    for translator in lens:
        torch.nn.utils.clip_grad_norm_(translator.parameters(), 1.0)


def muon():
    torch.manual_seed(3)
    start, gradients = torch.randn(12, 20), [torch.randn(12, 20) for _ in range(2)]
    weight = torch.nn.Parameter(start.clone())
    optimiser = torch.optim.Muon(
        [weight], lr=0.01, weight_decay=0.1, momentum=0.95, adjust_lr_fn="match_rms_adamw"
    )
    tensors = {"start": start}
    for step, gradient in enumerate(gradients):
        weight.grad = gradient.clone()
        optimiser.step()
        tensors |= {f"gradient{step}": gradient, f"weight{step}": weight.detach().clone()}
    save_file(tensors, OUTPUT / "muon.safetensors")


def hashes():
    """NumPy's short prints of matrices of different sizes of numbers."""
    rows = []
    for seed, scale in enumerate([1.0, 0.04, 1e-3, 250.0, 3e8, 0.3]):
        matrix = np.random.default_rng(seed).normal(size=(40, 30)).astype(np.float32)
        matrix = (matrix * np.float32(scale)).astype(np.float32)
        if seed == 5:  # no small numbers: a fixed number of decimals
            matrix = np.sign(matrix) * (np.abs(matrix) + np.float32(0.25))
        corners = matrix[[0, 1, 2, -3, -2, -1]][:, [0, 1, 2, -3, -2, -1]]
        rows.append(
            {
                "corners": [[float(x) for x in row] for row in corners],
                "text": np.array_str(matrix, precision=1),
                "sha256": tensor_hash(matrix),
            }
        )
    return rows


def main():
    torch.manual_seed(0)
    torch.set_num_threads(1)
    write_model()
    model = AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32)
    model.eval().requires_grad_(False)
    model.config.name_or_path = "model"
    ids = json.loads((SOURCE / "fixture.json").read_text())["ids"]
    batch = torch.tensor([ids[:15], ids[15:]])
    lens, losses = train(model, batch, together)
    _, apart = train(model, batch, per_site)
    shutil.rmtree(OUTPUT / "theirs", ignore_errors=True)
    lens.save(OUTPUT / "theirs")
    with torch.no_grad():
        hidden = model(torch.tensor([ids]), output_hidden_states=True).hidden_states
        read = [lens(hidden[i], i)[0].log_softmax(-1) for i in range(2)]
    generator = torch.Generator().manual_seed(5)
    matrix = torch.randn(16, 16, generator=generator)
    # What TransformerLens saves, and what its `transport` makes of a residual stream.
    payload = {"J": {0: matrix.half()}, "n_prompts": 3, "source_layers": [0], "d_model": 16}
    torch.save(payload, OUTPUT / "jacobian.pt")
    moved = hidden[1][0] @ matrix.half().float().T
    jacobian = model.lm_head(model.model.norm(moved)).log_softmax(-1)
    save_file(
        {"read0": read[0], "read1": read[1], "jacobian1": jacobian.contiguous()},
        OUTPUT / "lens.safetensors",
    )
    muon()
    record = {
        "provenance": {
            "script": Path(__file__).name,
            **{p: version(p) for p in ["tuned-lens", "torch", "transformers", "numpy"]},
        },
        "ids": ids,
        "losses_together": losses,
        "losses_per_site": apart,
        "hashes": hashes(),
    }
    (OUTPUT / "lens.json").write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
