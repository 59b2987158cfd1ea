"""TransformerLens as a worker: the forward pass that keeps `resid_post` of every block.

SmolLM2 is a Llama, which TransformerLens 4 runs through `TransformerBridge`: it hooks the
transformers model itself (with eager attention, its default), from a local folder.
"""

from __future__ import annotations

import torch
from peer import arguments, hello, read_tokens, serve, timed, write_array
from transformer_lens.model_bridge import TransformerBridge
from transformers import AutoTokenizer

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class Lens:
    def __init__(self, folder: str):
        self.folder, self.models = folder, {}

    def hello(self) -> dict:
        packages = ["transformer-lens", "torch", "transformers"]
        return hello("TransformerLens", torch.get_num_threads(), packages)

    def model(self, precision: str):
        if precision not in self.models:
            self.models[precision] = TransformerBridge.boot_transformers(
                self.folder,
                device="cpu",
                dtype=PRECISIONS[precision],
                tokenizer=AutoTokenizer.from_pretrained(self.folder),
            ).eval()
        return self.models[precision]

    def load(self, precision: str) -> dict:
        seconds, _ = timed(1, lambda: self.model(precision))
        return {"seconds": seconds}

    @torch.inference_mode()
    def forward(self, precision, tokens, repeats=1, output=None) -> dict:
        ids, model = torch.tensor(read_tokens(tokens)), self.model(precision)
        seconds, logits = timed(repeats, lambda: model(ids, return_type="logits"))
        write_array(output, logits.float().numpy() if output else None)
        return {"seconds": seconds}

    @torch.inference_mode()
    def capture(self, precision, tokens, repeats=1, output=None) -> dict:
        ids, model = torch.tensor(read_tokens(tokens)), self.model(precision)
        names = [f"blocks.{index}.hook_resid_post" for index in range(model.cfg.n_layers)]
        seconds, (_, cache) = timed(
            repeats, lambda: model.run_with_cache(ids, return_type="logits", names_filter=names)
        )
        if output:
            write_array(output, torch.stack([cache[name] for name in names]).float().numpy())
        return {"seconds": seconds}


def main():
    options = arguments()
    torch.set_num_threads(options.threads)
    peer = Lens(options.folder)
    serve({name: getattr(peer, name) for name in ["hello", "load", "forward", "capture"]})


if __name__ == "__main__":
    main()
