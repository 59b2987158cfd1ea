"""A sparse autoencoder as SAELens computes it, beside what `plumbline sae eval` says of it.

    check_sae.py PLUMBLINE MODEL AUTOENCODER TEXT

AUTOENCODER is a folder of `sae train` for a residual stream, TEXT a file in WikiText's form. SAELens's own class reads the folder and
encodes what `plumbline trace` writes for six passages. Needs sae-lens, which requirements.txt does not list.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from sae_lens import SAE
from safetensors.numpy import load_file

program, model, folder, text = sys.argv[1:5]
articles = re.split(r"(?m)^ = [^=].*= $", Path(text).read_text())
passages = [" ".join(a.split()[:150]) for a in articles if len(a) > 3000][:6]
site = json.loads(Path(folder, "cfg.json").read_text())["metadata"]["plumbline_site"]

with tempfile.TemporaryDirectory() as scratch:
    lines = Path(scratch, "passages.jsonl")
    lines.write_text("\n".join(json.dumps({"text": p}) for p in passages))
    command = [program, "sae", "eval", "--model", model, "--sae", folder, "--text", str(lines), "--json"]
    said = subprocess.run(
        [*command, "--runs", str(Path(scratch, "runs"))], capture_output=True, text=True, check=True
    ).stdout
    ours = json.loads(said)["finding"]["readings"][0]
    rows = []
    for passage in passages:
        file = Path(scratch, "trace.safetensors")
        subprocess.run(
            [program, "trace", "--model", model, "--site", site, "--output", str(file)],
            input=passage, text=True, check=True, capture_output=True,
        )
        rows.append(load_file(file)[site][1:])
        file.unlink()

autoencoder = SAE.load_from_disk(folder)
x = torch.tensor(np.concatenate(rows))
with torch.no_grad():
    features = autoencoder.encode(x)
    rebuilt = autoencoder.decode(features).double()
x = x.double()
theirs = {
    "explained": (1 - (x - rebuilt).square().sum() / (x - x.mean(0)).square().sum()).item(),
    "l0": (features > 0).float().sum(1).mean().item(),
    "dead": int(((features > 0).sum(0) == 0).sum()),
}
for name, value in theirs.items():
    own = ours[name] if isinstance(ours[name], int) else ours[name]["value"]
    print(f"{name}: ours {own}, SAELens {value}, difference {abs(own - value):.2g}")
