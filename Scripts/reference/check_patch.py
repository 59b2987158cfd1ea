"""Does patching find what hooks in transformers find, and gradients what autograd does?

    python check_patch.py PLUMBLINE MODEL PROMPTS

MODEL is a Hugging Face folder of a Llama-like model, PROMPTS a file as `plumbline patch` reads it; its first
two pairs are taken. Every head's clean values are put into the corrupt run, one at a time.
"""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import tempfile

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def main():
    program, folder, path = sys.argv[1:]
    lines = pathlib.Path(path).read_text().splitlines()[:2]
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    with tempfile.TemporaryDirectory() as scratch:
        prompts = pathlib.Path(scratch) / "prompts.jsonl"
        prompts.write_text("\n".join(lines) + "\n")
        common = ["--model", folder, "--prompts", str(prompts), "--runs", scratch, "--json"]

        def ask(*arguments):
            done = subprocess.run([program, *arguments, *common], capture_output=True, text=True, check=True)
            return json.loads(done.stdout)["finding"]

        patched = ask("patch", "--component", "head")
        attributed = ask("attribute", "--method", "gradient", "--method", "direct")

    projections = [layer.self_attn.o_proj for layer in model.model.layers]
    heads, width = model.config.num_attention_heads, projections[0].in_features // model.config.num_attention_heads
    effects, shares, direct = [], [], []
    for line in map(json.loads, lines):
        ids = {key: torch.tensor([tokenizer.encode(line[key])]) for key in ("clean", "corrupt")}
        answer, distractor = (tokenizer.encode(line[key], add_special_tokens=False)[0] for key in ("answer", "distractor"))

        def metric(logits):
            return logits[0, -1, answer] - logits[0, -1, distractor]

        seen = {}
        for key in ids:
            kept = []
            hooks = [p.register_forward_pre_hook(lambda _, x: kept.append(x[0].detach())) for p in projections]
            with torch.no_grad():
                seen[key] = (metric(model(ids[key]).logits).item(), list(kept))
            [hook.remove() for hook in hooks]
        own = []
        for block, projection in enumerate(projections):
            for head in range(heads):
                part = slice(head * width, (head + 1) * width)

                def put(_, x):
                    changed = x[0].clone()
                    changed[..., part] = seen["clean"][1][block][..., part]
                    return (changed,)

                hook = projection.register_forward_pre_hook(put)
                with torch.no_grad():
                    own.append(metric(model(ids["corrupt"]).logits).item() - seen["corrupt"][0])
                hook.remove()
        effects.append(own)

        leaves = []

        def tap(_, x):
            leaf = x[0].detach().requires_grad_() if not leaves else x[0]
            leaf.retain_grad()
            leaves.append(leaf)
            return (leaf,)

        hooks = [p.register_forward_pre_hook(tap) for p in projections]
        metric(model(ids["corrupt"]).logits).backward()
        [hook.remove() for hook in hooks]
        shares.append(
            [
                ((clean - corrupt) * leaf.grad)[..., h * width : (h + 1) * width].sum().item()
                for clean, corrupt, leaf in zip(seen["clean"][1], seen["corrupt"][1], leaves)
                for h in range(heads)
            ]
        )
        with torch.no_grad():
            last = model(ids["clean"], output_hidden_states=True)
            kept = []
            hook = model.model.norm.register_forward_pre_hook(lambda _, x: kept.append(x[0]))
            model(ids["clean"])
            hook.remove()
            scale = kept[0][0, -1].pow(2).mean().add(model.config.rms_norm_eps).rsqrt()
            towards = (model.lm_head.weight[answer] - model.lm_head.weight[distractor]) * model.model.norm.weight * scale
            direct.append(
                [
                    (z[0, -1, h * width : (h + 1) * width] @ p.weight[:, h * width : (h + 1) * width].T @ towards).item()
                    for z, p in zip(seen["clean"][1], projections)
                    for h in range(heads)
                ]
            )
            del last

    def worst(theirs, ours):
        means = [sum(values) / len(values) for values in zip(*theirs)]
        return max(abs(a - b) for a, b in zip(means, ours)), max(map(abs, means))

    ours = [effect["effect"]["value"] for effect in patched["effects"]]
    gradients = [s["share"]["value"] for s in attributed["gradients"][0]["shares"] if s["place"]["component"] == "head"]
    parts = [head["share"]["value"] for head in attributed["direct"]["heads"]]
    failed = False
    for name, theirs, mine in (("patching", effects, ours), ("gradient", shares, gradients), ("direct", direct, parts)):
        apart, largest = worst(theirs, mine)
        print(f"{name}: {len(mine)} heads differ by at most {apart:.1e} logits; the largest effect is {largest:.2f}")
        failed |= apart > 1e-3
    sys.exit(failed)


if __name__ == "__main__":
    main()
