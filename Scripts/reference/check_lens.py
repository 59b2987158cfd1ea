"""Does the tuned-lens package read a lens that Plumbline wrote, and find with it what Plumbline finds?

    python check_lens.py PLUMBLINE MODEL LENS

MODEL is a Hugging Face folder, LENS what `plumbline lens train --format tuned-lens` wrote for it. Both
read the same text at every layer; what they give the first choices is compared.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import tempfile
import zipfile

import torch
import tuned_lens.model_surgery
from transformers import AutoModelForCausalLM, AutoTokenizer
from tuned_lens.nn.lenses import TunedLens

tuned_lens.model_surgery._transformer_lens_available = False
TEXT = "The lighthouse keeper wrote in his diary that the capital of France is Paris, and 17 is prime."


def main():
    program, folder, path = sys.argv[1:]
    damaged = zipfile.ZipFile(f"{path}/params.pt").testzip()
    assert damaged is None, f"a wrong checksum: {damaged}"
    warned = []
    logging.getLogger().addHandler(type("", (logging.Handler,), {"emit": lambda _, r: warned.append(r)})())
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    lens = TunedLens.from_model_and_pretrained(model, path, weights_only=True)
    assert not [w for w in warned if "hash" in str(w.msg)], "the unembedding's hash does not match"
    with tempfile.TemporaryDirectory() as runs:
        command = [program, "lens", "show", "--model", folder, "--lens", path, "--json", "--runs", runs]
        done = subprocess.run(command, input=TEXT, capture_output=True, text=True, check=True)
    trajectory = json.loads(done.stdout)["finding"]["trajectory"]
    ids = [token["id"] for token in trajectory["tokens"]]
    with torch.inference_mode():
        hidden = model(torch.tensor([ids]), output_hidden_states=True).hidden_states
        worst = 0.0
        for index in range(len(lens)):
            theirs = lens(hidden[index], index)[0].softmax(-1)
            for token, reading in enumerate(trajectory["readings"][index]):
                for choice in reading["top"]:
                    apart = abs(choice["probability"] - theirs[token, choice["id"]].item())
                    worst = max(worst, apart)
    print(f"{len(lens)} layers, {len(ids)} tokens: probabilities differ by at most {worst:.1e}")
    sys.exit(worst > 1e-3)


if __name__ == "__main__":
    main()
