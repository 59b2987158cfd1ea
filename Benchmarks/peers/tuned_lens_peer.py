"""The tuned-lens package as a worker: training a lens on a fixed text, as its own loop does.

The package's command line no longer imports (torchdata dropped what it needs), so its loop's lines
stand here: the package's own lens, bf16 by autocast, one backward pass a layer, gradients clipped
together, SGD with Nesterov's momentum.
"""

from __future__ import annotations

import torch
import tuned_lens.model_surgery
from peer import arguments, hello, read_tokens, serve, timed
from transformers import AutoModelForCausalLM
from tuned_lens.nn.lenses import TunedLens

# It asks TransformerLens for a class that its version 4 no longer has.
tuned_lens.model_surgery._transformer_lens_available = False


class Tuned:
    def __init__(self, folder: str):
        self.folder, self.loaded, self.training = folder, None, {}

    def hello(self) -> dict:
        packages = ["tuned-lens", "torch", "transformers"]
        return hello("tuned-lens", torch.get_num_threads(), packages)

    def model(self):
        if self.loaded is None:
            self.loaded = AutoModelForCausalLM.from_pretrained(self.folder, dtype=torch.float32)
            self.loaded.eval().requires_grad_(False)
        return self.loaded

    def load(self, precision: str) -> dict:
        seconds, _ = timed(1, self.model)
        return {"seconds": seconds}

    def start(self):
        lens = TunedLens.from_model(self.model())
        optimiser = torch.optim.SGD(
            lens.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-3
        )
        return lens, optimiser

    def backward(self, lens, ids, precision: str, share: float) -> float:
        """Adds the gradients of some sequences, which are so much of the step."""
        with torch.no_grad():
            output = self.model()(ids, output_hidden_states=True, use_cache=False)
            labels = output.logits.float().log_softmax(dim=-1)
        total = 0.0
        for index, hidden in enumerate(output.hidden_states[:-1]):
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bfloat16"):
                logits = lens(hidden, idx=index)
                loss = torch.sum(labels.exp() * (labels - logits.log_softmax(-1)), dim=-1).mean()
            (loss * share).backward()
            total += loss.item() * share
        return total / len(output.hidden_states[:-1])

    def lens_step(self, precision, tokens, repeats=1, fresh=False) -> dict:
        """Steps on the same tokens; `fresh` begins anew."""
        ids = torch.tensor(read_tokens(tokens))
        if fresh:
            self.training[precision] = self.start()
        lens, optimiser = self.training[precision]
        losses = []

        def step():
            losses.append(self.backward(lens, ids, precision, 1.0))
            torch.nn.utils.clip_grad_norm_(lens.parameters(), 1.0)
            optimiser.step()
            optimiser.zero_grad(set_to_none=False)

        seconds, _ = timed(repeats, step)
        return {"seconds": seconds, "losses": losses}

    def lens_train(self, precision, tokens, tokens_per_step, output) -> dict:
        """One pass over sequences of one length, the rate falling to zero; saves the lens."""
        rows = read_tokens(tokens)
        size = tokens_per_step // len(rows[0])
        steps = [rows[i : i + size] for i in range(0, len(rows), size)]
        lens, optimiser = self.start()
        falling = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: 1 - step / len(steps))
        losses = []

        def run():
            for step in steps:
                parts = [self.backward(lens, torch.tensor([r]), precision, 1 / len(step)) for r in step]
                losses.append(sum(parts))
                torch.nn.utils.clip_grad_norm_(lens.parameters(), 1.0)
                optimiser.step()
                falling.step()
                optimiser.zero_grad(set_to_none=False)

        seconds, _ = timed(1, run)
        lens.save(output)
        return {"seconds": seconds, "losses": losses}


def main():
    options = arguments()
    torch.set_num_threads(options.threads)
    peer = Tuned(options.folder)
    serve({name: getattr(peer, name) for name in ["hello", "load", "lens_step", "lens_train"]})


if __name__ == "__main__":
    main()
